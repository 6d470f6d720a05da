"""Trainings by several processes on JAX's CPU devices, started as a user starts them."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time

import numpy as np
import pytest
from conftest import ROOT, run_script

from glyphs.artifacts.loading import read_architecture
from glyphs.inference import Classifier
from glyphs.training.hosts import ADDRESS, COUNT, NUMBER

pytest.importorskip("jax")
GENEROUS = 900  # seconds; what hangs, hangs longer

# train.py, but each process notes what it has learned, and how many images it has read to learn;
# EVENT is an error or a signal that comes when so many batches were read.
TRAINER = """
import hashlib, json, os, signal, sys, time
sys.argv[0] = "train.py"
import train
from glyphs import console
from glyphs.training import launch

class Read:
    batches = rows = 0

def note(run):
    digest = hashlib.sha256()
    for variable in run.learner.variables:
        digest.update(variable.numpy().tobytes())
    facts = {"digest": digest.hexdigest(), "rows": Read.rows, "history": run.state.history}
    with open(f"facts{run.team.number}.json", "w") as file:
        json.dump(facts, file)

def together(team):
    make_training = join(team)
    from glyphs.training.batches import Batches
    from glyphs.training.distributed import DistributedTraining
    save, read = DistributedTraining.save, Batches.__getitem__

    def save_and_note(run, splits):
        note(run)
        save(run, splits)

    def read_and_count(batches, i):
        Read.batches += 1
        what, number, moment = os.environ.get("EVENT", "no 0 0").split()
        if (int(number), int(moment)) == (team.number, Read.batches):
            if what == "error":
                raise ValueError("no ink")
            os.kill(os.getpid(), getattr(signal, what))
        if what == "SIGTERM" and Read.batches > int(moment):
            time.sleep(0.3)  # there are batches left when all have heard of it
        rows = read(batches, i)
        Read.rows += len(rows[0])
        return rows

    DistributedTraining.save, Batches.__getitem__ = save_and_note, read_and_count
    return make_training

join, launch._together = launch._together, together
sys.exit(console.run(train.main))
"""


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    """Where JAX keeps what it has compiled, for the next training of this module."""
    return tmp_path_factory.mktemp("compiled")


@pytest.fixture
def start(compiled, toy_dataset, tmp_path):
    """Return a function that starts the processes of a training; it kills what is left of them."""
    started = []

    def start(count, *options, **environment):
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
        command = [
            sys.executable, "-c", TRAINER, toy_dataset, "--network", "kmnist", "--distribute",
            "--epochs", "2", "--batch-size", "16", "--wait", "600", *map(str, options),
        ]  # fmt: skip
        shared = {
            **os.environ, "PYTHONPATH": str(ROOT), "KERAS_BACKEND": "jax", COUNT: str(count),
            ADDRESS: f"127.0.0.1:{port}", "JAX_COMPILATION_CACHE_DIR": str(compiled),
            "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0", **environment,
        }  # fmt: skip
        processes = []
        for number in range(count):
            with (
                open(tmp_path / f"out{number}.txt", "w") as out,
                open(tmp_path / f"err{number}.txt", "w") as err,
            ):
                environment = shared | {NUMBER: str(number)}
                processes.append(
                    subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=out, stderr=err)
                )
        started.extend(processes)
        return processes

    yield start
    for process in started:
        process.kill()
        process.wait()


@pytest.fixture
def train(start, tmp_path):
    """Return a function that trains by several processes, and returns what each has noted."""

    def train(count, *options, codes=None, **environment):
        found = [process.wait(GENEROUS) for process in start(count, *options, **environment)]
        errors = [(tmp_path / f"err{number}.txt").read_text() for number in range(count)]
        assert found == (codes or [0] * count), errors
        if codes:
            return errors
        return [
            json.loads((tmp_path / f"facts{number}.json").read_text()) for number in range(count)
        ]

    return train


def wait_for(path, text, processes):
    while text not in path.read_text():
        assert all(process.poll() is None for process in processes)
        time.sleep(0.05)


def state_in(checkpoint):
    with np.load(checkpoint) as stored:
        return json.loads(str(stored["header"][()]))["state"]


def test_two_processes_of_two_devices_learn_what_one_learns(
    toy_dataset, toy_folder, train, tmp_path
):
    one_step = ("--epochs", 1, "--batch-size", 144)
    two = train(2, *one_step, XLA_FLAGS="--xla_force_host_platform_device_count=2")
    assert two[0]["digest"] == two[1]["digest"]
    assert two[0]["history"] == two[1]["history"]
    # A batch more is read by Keras, to see what batches are like.
    assert [facts["rows"] % 72 for facts in two] == [0, 0]
    assert [facts["rows"] // 72 for facts in two] == [2, 2]
    # Process 0 alone talks and writes.
    log = (tmp_path / "out0.txt").read_text().splitlines()
    assert log[1].startswith("4 devices, 2 processes on ")
    assert log[-1] == "saved model_history.csv, model_curves.png and model_results.txt"
    assert not any("Gloo" in line for line in log)
    assert [(tmp_path / f"err{number}.txt").read_text() for number in range(2)] == ["", ""]
    assert (tmp_path / "out1.txt").read_text() == ""
    assert not (tmp_path / "model_checkpoint.npz").exists()
    picture = str(toy_folder / "ring" / "1.png")
    assert len(list(Classifier(str(tmp_path / "model")).classify([picture]))) == 1

    run_script(
        "train.py", toy_dataset, "--network", "kmnist", *one_step, "--output", "alone",
        cwd=tmp_path, environment={"KERAS_BACKEND": "jax"},
    )  # fmt: skip
    figures = [
        read_architecture(str(tmp_path / m))["glyphs"]["figures"] for m in ("model", "alone")
    ]
    ours, alone = (f["history"][0] for f in figures)
    assert ours["loss"] == pytest.approx(alone["loss"], abs=1e-6)
    assert ours["accuracy"] == alone["accuracy"]
    # 18 pictures are not a multiple of 4 devices; each is counted once.
    assert ours["val_loss"] == pytest.approx(alone["val_loss"], abs=1e-5)
    assert ours["val_accuracy"] == pytest.approx(alone["val_accuracy"])
    assert figures[0]["test"] == {
        k: pytest.approx(v, abs=1e-5) for k, v in figures[1]["test"].items()
    }


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({COUNT: "2"}, f"{ADDRESS} and {NUMBER} must be set, too, beside {COUNT}"),
        ({"OMPI_COMM_WORLD_SIZE": "2"}, f"{ADDRESS} and {NUMBER} must be set, too"),
        ({"KERAS_BACKEND": "tensorflow"}, "--distribute wants KERAS_BACKEND=jax"),
    ],
)
def test_what_cannot_be_distributed_is_one_line(toy_dataset, tmp_path, environment, message):
    environment = {"KERAS_BACKEND": "jax", **environment}
    run = run_script(
        "train.py", toy_dataset, "--distribute", cwd=tmp_path, expect=2, environment=environment
    )
    assert message in run.stderr
    assert len(run.stderr.splitlines()) == 1


def test_pictures_are_not_built_by_all_processes_at_once(toy_folder, tmp_path):
    environment = {"KERAS_BACKEND": "jax"}
    run = run_script(
        "train.py", toy_folder, "--distribute", cwd=tmp_path, expect=2, environment=environment
    )
    assert "--distribute wants a dataset; make one first" in run.stderr


@pytest.mark.slow
def test_devices_that_cannot_share_a_batch_are_refused(train):
    errors = train(2, "--batch-size", 15, codes=[2, 2])
    for error in errors:
        assert error.endswith(
            "2 devices cannot share batches of 15 pictures equally; give --batch-size 16\n"
        )


@pytest.mark.slow
@pytest.mark.parametrize("options", [(), ("--mixed-precision", "--augment", "affine", "--refit")])
def test_a_run_stopped_by_sigterm_goes_on_with_any_number_of_processes(
    toy_dataset, train, tmp_path, options
):
    whole = train(2, *options)
    # In the second epoch of 9 batches; the first batch is read twice.
    errors = train(2, *options, EVENT="SIGTERM 1 13", codes=[143, 143])
    state = state_in(tmp_path / "model_checkpoint.npz")
    assert state["epochs_done"] == 1
    assert 0 < state["batches_done"] < 9
    for error in errors:
        assert re.fullmatch(
            f"error: SIGTERM came to process 1 of 2 on .*; 1 epochs and {state['batches_done']} "
            "batches are safe in model_checkpoint.npz, go on with --resume\n",
            error,
        )
    checkpoint = (tmp_path / "model_checkpoint.npz").read_bytes()
    # By the same number: as if nothing had happened.
    assert train(2, *options, "--resume") == [f | {"rows": r} for f, r in rows_of(whole, tmp_path)]
    # By others, plain train.py among them: rounded otherwise, and distorted.
    for count in (1, 4):
        (tmp_path / "model_checkpoint.npz").write_bytes(checkpoint)
        facts = train(count, *options, "--resume")
        check_alike(facts[0]["history"], whole[0]["history"])
        assert len({f["digest"] for f in facts}) == 1
    (tmp_path / "model_checkpoint.npz").write_bytes(checkpoint)
    run_script(
        "train.py", toy_dataset, "--network", "kmnist", "--epochs", 2, "--batch-size", 16,
        *options, "--resume", cwd=tmp_path, environment={"KERAS_BACKEND": "jax"},
    )  # fmt: skip
    history = read_architecture(str(tmp_path / "model"))["glyphs"]["figures"]["history"]
    check_alike(history, whole[0]["history"])


def rows_of(whole, folder):
    """Return the facts of a whole run with the rows that the last one has read."""
    facts = [json.loads((folder / f"facts{n}.json").read_text()) for n in range(len(whole))]
    return zip(whole, [f["rows"] for f in facts], strict=True)


def check_alike(history, expected):
    assert history[0] == expected[0]
    assert len(history) == len(expected)
    for epoch, other in zip(history, expected, strict=True):
        assert epoch["loss"] == pytest.approx(other["loss"], rel=0.3)


@pytest.mark.slow
@pytest.mark.parametrize("failing", [0, 1])
def test_an_exception_in_one_process_ends_all(train, failing):
    errors = train(2, EVENT=f"error {failing} 13", codes=[6, 6])
    for error in errors:
        line = f"error: process {failing} of 2 on {socket.gethostname()}: ValueError: no ink"
        assert error.splitlines()[-1] == line
    assert "Traceback" in errors[failing]
    assert "Traceback" not in errors[1 - failing]


@pytest.mark.slow
@pytest.mark.parametrize("victim", [0, 1])
def test_kill_9_of_one_process_ends_all_and_the_epoch_is_safe(start, train, tmp_path, victim):
    processes = start(2, "--epochs", 50)
    wait_for(tmp_path / "out0.txt", "epoch  1/50", processes)
    while not (tmp_path / "model_checkpoint.npz").exists():
        time.sleep(0.05)
    processes[victim].send_signal(signal.SIGKILL)
    assert processes[victim].wait(GENEROUS) == -signal.SIGKILL
    assert processes[1 - victim].wait(GENEROUS) == 6
    assert (tmp_path / f"err{1 - victim}.txt").read_text() == (
        f"error: process {victim} of 2 on {socket.gethostname()} has ended without a word "
        "(killed?)\n"
    )
    done = state_in(tmp_path / "model_checkpoint.npz")["epochs_done"]
    assert done
    errors = train(2, "--epochs", 50, "--resume", EVENT="error 0 1", codes=[6, 6])
    assert (
        f"resumed from model_checkpoint.npz: {done} epochs" in (tmp_path / "out0.txt").read_text()
    )
    assert "ValueError" in errors[1]
