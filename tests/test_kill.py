"""kill -9 at random moments: a final name never holds half a file, and a resumed run is equal."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from conftest import ROOT, make_folder, run_script

from glyphs.artifacts.loading import read_architecture
from glyphs.artifacts.paths import Paths
from glyphs.dataset.open import open_dataset

KILLS = 20
pytestmark = pytest.mark.slow


def start(*arguments, cwd):
    return subprocess.Popen(
        [sys.executable, ROOT / arguments[0], *map(str, arguments[1:])],
        cwd=cwd,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def duration(*arguments, cwd):
    """Run a script; return its seconds."""
    started = time.monotonic()
    run_script(*arguments, cwd=cwd)
    return time.monotonic() - started


def kill_at_random_moments(*arguments, cwd, seconds, check):
    """Start and kill a script KILLS times; call `check` after each."""
    rng = np.random.default_rng(0)
    killed = 0
    for moment in rng.uniform(0.02, 1.0, KILLS):
        process = start(*arguments, cwd=cwd)
        started = time.monotonic()
        try:
            process.wait(moment * seconds)
            # It was faster: other work on the machine had slowed down the run that was timed.
            seconds = time.monotonic() - started
        except subprocess.TimeoutExpired:
            process.kill()
            killed += process.wait() == -signal.SIGKILL
        check()
    assert killed > KILLS // 2


def test_killed_create_dataset_leaves_the_old_file(tmp_path):
    folder = make_folder(tmp_path / "shapes", {"ring": 600, "bar": 600})
    command = ("create_dataset.py", folder, "--workers", 2)
    seconds = duration(*command, cwd=tmp_path)
    path = tmp_path / "characters_dataset"
    before = path.read_bytes()
    kill_at_random_moments(
        *command, cwd=tmp_path, seconds=seconds, check=lambda: open_dataset(path)
    )
    run_script(*command, cwd=tmp_path)
    assert path.read_bytes() == before
    assert sorted(os.listdir(tmp_path)) == ["characters_dataset", "shapes"]


def test_killed_create_augmented_dataset_leaves_the_old_file(toy_dataset, tmp_path):
    command = (
        "create_augmented_dataset.py", "--dataset", toy_dataset, "--copies", 500, "--workers", 2,
    )  # fmt: skip
    seconds = duration(*command, cwd=tmp_path)
    path = tmp_path / "characters_dataset_elastic"
    before = path.read_bytes()
    kill_at_random_moments(
        *command, cwd=tmp_path, seconds=seconds, check=lambda: open_dataset(path)
    )
    run_script(*command, cwd=tmp_path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["characters_dataset_elastic"]


def test_killed_draw_samples_leaves_a_whole_folder_or_none(tmp_path):
    command = ("draw_samples.py", "s", "--characters", "一二三四", "--count", 100, "--workers", 2)
    seconds = duration(*command, cwd=tmp_path)
    os.rename(tmp_path / "s", tmp_path / "expected")

    def check():
        if (tmp_path / "s").exists():
            assert len(list((tmp_path / "s").glob("*/*.png"))) == 400
            os.rename(tmp_path / "s", tmp_path / f"whole{time.monotonic()}")

    kill_at_random_moments(*command, cwd=tmp_path, seconds=seconds, check=check)
    run_script(*command, cwd=tmp_path)
    for path in (tmp_path / "expected").glob("*/*.png"):
        assert path.read_bytes() == (tmp_path / "s" / path.parent.name / path.name).read_bytes()


def test_killed_classify_leaves_the_model_as_it_was(toy_model, toy_folder):
    def contents():
        return {path.name: path.read_bytes() for path in toy_model.parent.iterdir()}

    def check():
        assert contents() == before

    before = contents()
    command = ("classify.py", "--model", toy_model, toy_folder)
    seconds = duration(*command, cwd=toy_folder)
    kill_at_random_moments(*command, cwd=toy_folder, seconds=seconds, check=check)


def test_training_killed_again_and_again_ends_with_the_same_bytes(toy_dataset, tmp_path):
    command = ("model.py", "--dataset", toy_dataset, "--epochs", 12, "--batch-size", 20)
    (tmp_path / "whole").mkdir()
    (tmp_path / "cut").mkdir()
    run_script(*command, cwd=tmp_path / "whole")
    rng = np.random.default_rng(0)
    prefix = str(tmp_path / "cut" / "model")
    # Half of the kills at any moment from the start; half in the seconds in which files are
    # written, of which the first sign is the new checkpoint.
    for kill in range(KILLS):
        process = start(*command, "--resume", cwd=tmp_path / "cut")
        if kill % 2:
            changed = checkpoint_time(prefix)
            while checkpoint_time(prefix) == changed and process.poll() is None:
                time.sleep(0.002)
            time.sleep(rng.uniform(0, 0.5))
        else:
            time.sleep(rng.uniform(0.1, 15))
        process.kill()
        process.wait()
        if os.path.exists(Paths(prefix).architecture):
            read_architecture(prefix)
    run_script(*command, "--resume", cwd=tmp_path / "cut")
    whole, cut = (read_architecture(str(tmp_path / n / "model")) for n in ("whole", "cut"))
    assert whole == cut  # history and the SHA-256 of weights and ONNX form among it
    assert sorted(os.listdir(tmp_path / "cut")) == sorted(os.listdir(tmp_path / "whole"))


def checkpoint_time(prefix):
    try:
        return os.stat(Paths(prefix).checkpoint).st_mtime_ns
    except FileNotFoundError:
        return None


def test_workers_end_with_a_killed_parent(tmp_path):
    folder = make_folder(tmp_path / "shapes", {"ring": 500, "bar": 500})
    process = start("create_dataset.py", folder, "--workers", 2, cwd=tmp_path)
    while not (tmp_path / "characters_dataset.scratch.tmp").exists():
        time.sleep(0.005)
    time.sleep(0.1)
    children = subprocess.run(
        ["pgrep", "-s", str(process.pid)], capture_output=True, text=True
    ).stdout.split()
    assert len(children) > 1
    process.kill()
    process.wait()
    for _ in range(100):
        if not any(os.path.exists(f"/proc/{child}") for child in children):
            return
        time.sleep(0.1)
    raise AssertionError("workers outlive their parent")
