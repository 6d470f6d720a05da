"""Work on a Dask cluster: two workers of one machine, some of which die."""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import pytest
from conftest import ROOT, heed_ctrl_c, run_script

pytest.importorskip("distributed", reason="Dask is not installed (requirements-cluster.txt)")

from glyphs import cluster_worker, files
from glyphs.cluster import Cluster
from glyphs.errors import LostError, UsageError
from glyphs.inference import parts_folder
from glyphs.inference.output import Output
from glyphs.inference.request import Request, identities_of

MODEL = ROOT / "pretrained" / "devanagari" / "model"
MODULE = "distributed.cli.dask_"
# In a worker, it makes some pictures deadly, and some slow.
PRELOAD = """
import builtins, functools, os, time

def open(real, file, *arguments, **options):
    if str(file).endswith("deadly.png"):
        os._exit(1)
    if str(file).endswith("slow.png"):
        time.sleep(3)
    return real(file, *arguments, **options)

if not isinstance(builtins.open, functools.partial):  # it is loaded twice
    builtins.open = functools.partial(open, builtins.open)
"""


class Machines:
    """A scheduler and workers, processes of this machine."""

    def __init__(self, folder):
        self.folder, self.file, self.processes = folder, folder / "scheduler.json", []
        (folder / "preload.py").write_text(PRELOAD)

    def start(self, kind, *options):
        with open(self.folder / "log.txt", "a") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", MODULE + kind, "--scheduler-file", self.file, *options],
                cwd=self.folder,
                stdout=log,
                stderr=log,
                env={**os.environ, "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "0"},
            )
        self.processes.append(process)
        return process

    def start_scheduler(self):
        process = self.start("scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard")
        while not self.file.exists():
            assert process.poll() is None, (self.folder / "log.txt").read_text()
            time.sleep(0.05)
        return process

    def start_workers(self, count=2):
        return self.start(
            "worker", "--nworkers", str(count), "--nthreads", "1", "--no-dashboard",
            "--local-directory", str(self.folder), "--preload", str(self.folder / "preload.py"),
        )  # fmt: skip

    def stop(self):
        for process in reversed(self.processes):
            process.terminate()
        for process in self.processes:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


@pytest.fixture(scope="module")
def machines(tmp_path_factory):
    machines = Machines(tmp_path_factory.mktemp("cluster"))
    machines.start_scheduler()
    machines.start_workers()
    yield machines
    machines.stop()


@pytest.fixture
def own_machines(tmp_path):
    machines = Machines(tmp_path)
    yield machines
    machines.stop()


def listing(folder, names):
    """Write a list of pictures as standard input takes it; return its bytes."""
    return "\0".join(str(folder / name) for name in names).encode()


@pytest.fixture(scope="module")
def many(unseen, tmp_path_factory):
    """A folder, and names in it: three parts, two of them with a picture that cannot be read."""
    folder = tmp_path_factory.mktemp("many")
    names = sorted(os.listdir(unseen))
    for name in names:
        os.link(unseen / name, folder / name)
    (folder / "damaged.png").write_bytes(b"\x89PNG")
    for name in ("deadly.png", "slow.png"):
        os.link(unseen / names[0], folder / name)
    listed = [names[i * 7 % 30] for i in range(140)]
    listed[5], listed[100] = "damaged.png", "missing.png"
    return folder, listed


def classify(*arguments, **options):
    return run_script("classify.py", "-", "--model", MODEL, *arguments, **options)


def begin(folder, listed, form="text"):
    """Begin a folder of three parts, fewer pictures than a cluster takes for one by itself."""
    request = Request((str(MODEL),), Output(form))
    names = [name.decode() for name in listed.split(b"\0")]
    parts_folder.begin(folder, request, identities_of(request.open()), names, 3)


def test_parts_made_on_a_cluster_are_what_one_machine_prints(machines, many, tmp_path):
    listed = listing(*many)
    begin(tmp_path / "parts", listed, "json")
    options = ("--format", "json", "--parts", "parts")
    made = classify(*options, "--cluster", machines.file, stdin=listed, cwd=tmp_path, expect=1)
    assert made.stdout == ""
    assert sorted(os.listdir(tmp_path / "parts")) == [
        "part-1.errors", "part-1.json", "part-2.errors", "part-2.json", "part-3.json", "parts.json",
    ]  # fmt: skip
    expected = classify("--format", "json", stdin=listed, expect=1)
    gathered = run_script("classify.py", "--gather", tmp_path / "parts", expect=1)
    assert (gathered.stdout, gathered.stderr) == (expected.stdout, expected.stderr)
    assert sorted(made.stderr.splitlines()) == sorted(expected.stderr.splitlines())
    # Nothing is left to do, so the cluster is not asked.
    classify(*options, "--cluster", "gone.json", stdin=listed, cwd=tmp_path, expect=1)


def test_a_part_that_kills_its_workers_is_named_and_the_rest_are_made(machines, many, tmp_path):
    folder, names = many
    listed = listing(folder, [*names[:70], "deadly.png", *names[71:]])
    begin(tmp_path, listed)
    run = classify("--parts", tmp_path, "--cluster", machines.file, stdin=listed, expect=1)
    assert "error: part 2 of 3 could not be made: 1 workers died of it" in run.stderr
    gathered = run_script("classify.py", "--gather", tmp_path, expect=3)
    assert "1 of 3 parts are missing: 2;" in gathered.stderr


def test_few_pictures_are_one_part(machines, many, tmp_path):
    listed = listing(many[0], many[1][:3])
    classify("--parts", tmp_path, "--cluster", machines.file, stdin=listed)
    assert sorted(os.listdir(tmp_path)) == ["part-1.txt", "parts.json"]


def test_create_dataset_writes_the_same_bytes_on_a_cluster(machines, toy_folder, tmp_path):
    bad = toy_folder / "ring" / "bad.png"
    bad.write_bytes(b"\x89PNG")
    try:
        for options in ([], ["--crop", "none", "--keep-names", "--split", "60", "20", "20"]):
            command = ("create_dataset.py", toy_folder.name, *options)
            here = run_script(*command, "--output", tmp_path / "a", cwd=toy_folder.parent)
            there = run_script(
                *command, "--output", tmp_path / "b", "--cluster", machines.file,
                cwd=toy_folder.parent,
            )  # fmt: skip
            assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
            assert f"{bad}: not a PNG" in there.stderr
            assert here.stdout.splitlines()[1:-1] == there.stdout.splitlines()[1:-1]
    finally:
        bad.unlink()
    assert sorted(os.listdir(tmp_path)) == ["a", "b"]


def test_an_archive_on_a_cluster_gives_the_same_bytes(machines, toy_folder, tmp_path):
    for kind in ("zip", "gztar"):
        name = os.path.basename(shutil.make_archive(tmp_path / "shapes", kind, toy_folder))
        run_script("create_dataset.py", name, "--output", "a", cwd=tmp_path)
        run_script(
            "create_dataset.py", name, "--output", "b", "--cluster", machines.file, cwd=tmp_path
        )
        assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_pictures_that_kill_workers_end_create_dataset(machines, toy_folder, tmp_path):
    deadly = toy_folder / "ring" / "deadly.png"
    os.link(toy_folder / "ring" / "1.png", deadly)
    try:
        run = run_script(
            "create_dataset.py", toy_folder, "--cluster", machines.file, cwd=tmp_path, expect=6
        )
    finally:
        deadly.unlink()
    assert run.stderr == "error: pictures 1 to 181: 1 workers died of it, one by one\n"
    assert os.listdir(tmp_path) == []


def test_tasks_beside_one_that_kills_its_workers_are_done(machines):
    tasks = [(i, ["__import__('os')._exit(1)" if i == 3 else str(i * i)]) for i in range(6)]
    with Cluster(machines.file) as cluster:
        found = {name: (result, failure) for name, result, failure in cluster.run(eval, tasks)}
    assert found.pop(3) == (None, "1 workers died of it, one by one")
    assert found == {i: (i * i, None) for i in (0, 1, 2, 4, 5)}


def test_an_exception_is_told_and_the_rest_go_on(machines):
    with Cluster(machines.file) as cluster:
        found = list(cluster.run(eval, [("a", ["1 / 0"]), ("b", ["2"])]))
    assert sorted(found) == [("a", None, "ZeroDivisionError: division by zero"), ("b", 2, None)]


def test_tasks_may_be_none_and_are_taken_as_workers_are_free(machines):
    taken = []

    def tasks():
        for i in range(20):
            taken.append(i)
            yield i, ["None"]

    with Cluster(machines.file) as cluster:
        assert list(cluster.run(eval, [])) == []
        next(cluster.run(eval, tasks()))
    assert len(taken) <= 4


def test_a_worker_names_itself_where_it_does_not_see_the_files(tmp_path, monkeypatch):
    monkeypatch.setattr(cluster_worker, "PATIENCE", 0)
    path = tmp_path / "file"
    path.write_text("12")
    assert cluster_worker.call(eval, ["3"], [(path, 2), (tmp_path, None)]) == (3, None)
    for marks in ([(path, 3)], [(tmp_path / "none", 2)], [(path, None)]):
        result, (text, code) = cluster_worker.call(eval, ["3"], marks)
        assert result is None
        assert "does not see" in text
        assert code == 6


def test_a_mistake_on_a_worker_ends_the_run_with_its_exit_code(machines):
    path = "/no such folder/file"
    with (
        Cluster(machines.file) as cluster,
        pytest.raises(LostError, match="no such folder") as error,
    ):
        list(cluster.run(files.check_can_write, [("a", [path])]))
    assert error.value.exit_code == 4


def test_scheduler_files_that_lead_nowhere_are_refused(tmp_path, monkeypatch):
    path = tmp_path / "scheduler.json"
    with pytest.raises(UsageError, match="no such file; `dask scheduler --scheduler-file"):
        Cluster(path)
    for content in ("", "[]", '{"address": 5}'):
        path.write_text(content)
        with pytest.raises(UsageError, match="not a scheduler file of Dask"):
            Cluster(path)
    path.write_text(json.dumps({"address": "tcp://127.0.0.1:9"}))
    with pytest.raises(LostError, match="no scheduler answers at tcp"):
        Cluster(path, wait=0.5)
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(UsageError, match="pip install -r requirements-cluster"):
        Cluster(path)


def test_who_is_missing_is_named(own_machines, many, tmp_path):
    scheduler = own_machines.start_scheduler()
    parts = ("--parts", tmp_path / "parts", "--cluster", own_machines.file)
    listed = listing(many[0], ["slow.png"])
    run = classify(*parts, "--wait", 1, stdin=listed, expect=6)
    assert run.stderr.count("\n") == 1
    assert "there is no worker at tcp://127.0.0.1" in run.stderr
    own_machines.start_workers(1)
    command = [sys.executable, ROOT / "classify.py", "-", "--model", MODEL, *parts]
    with subprocess.Popen(command, stdin=-1, stderr=-1) as process:
        process.stdin.write(listed)
        process.stdin.close()
        log = own_machines.folder / "log.txt"
        while "Starting Worker plugin glyphs" not in log.read_text():
            time.sleep(0.1)
        scheduler.kill()
        errors = process.stderr.read().decode().splitlines()
        assert process.wait() == 6
    assert len(errors) == 1
    assert "is gone; start it and this again" in errors[0]


def start_driver(command, listed):
    process = subprocess.Popen(
        [sys.executable, ROOT / "classify.py", "-", "--model", MODEL, *map(str, command)],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=heed_ctrl_c,
    )
    process.stdin.write(listed)
    process.stdin.close()
    return process


def parts_in(folder):
    return set(pathlib.Path(folder).glob("part-*.txt"))


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGKILL])
def test_a_stopped_driver_loses_nothing_that_is_done(machines, many, tmp_path, stop):
    folder, names = many
    listed = listing(folder, [*names, "slow.png"])  # the last part takes long
    begin(tmp_path, listed)
    command = ("--parts", tmp_path, "--cluster", machines.file)
    with start_driver(command, listed) as process:
        while len(parts_in(tmp_path)) < 2:
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(stop)
        errors = process.stderr.read().decode()
        assert process.wait() == (130 if stop == signal.SIGINT else -stop)
    assert ("error: interrupted" in errors.splitlines()) == (stop == signal.SIGINT)
    assert "Traceback" not in errors
    before = {path: path.stat().st_ino for path in parts_in(tmp_path)}
    classify(*command, stdin=listed, expect=1)
    assert {path: path.stat().st_ino for path in before} == before
    assert len(parts_in(tmp_path)) == 3
    expected = classify(stdin=listed, expect=1)
    assert run_script("classify.py", "--gather", tmp_path, expect=1).stdout == expected.stdout


@pytest.fixture(scope="module")
def twenty_thousand(tmp_path_factory):
    """20,000 names of 2,000 drawn pictures, and what classify.py prints of them."""
    folder = tmp_path_factory.mktemp("twenty")
    run_script("draw_samples.py", "characters", "--count", 20, cwd=folder)
    drawn = sorted((folder / "characters").rglob("*.png"))
    assert len(drawn) == 2000
    names = []
    for copy in range(10):
        (folder / str(copy)).mkdir()
        for i, path in enumerate(drawn):
            os.link(path, folder / str(copy) / f"{i}.png")
            names.append(f"{copy}/{i}.png")
    listed = listing(folder, names)
    return listed, classify("--top", 2, stdin=listed).stdout


def workers_of(machines):
    """Return the process numbers of the workers, children of the nannies."""
    nanny = machines.processes[-1].pid
    children = subprocess.run(["pgrep", "-P", str(nanny)], capture_output=True, text=True)
    return [int(pid) for pid in children.stdout.split()]


@pytest.mark.slow
@pytest.mark.parametrize("victim", ["worker", "driver"])
def test_20_000_pictures_survive_a_kill(own_machines, twenty_thousand, tmp_path, victim):
    listed, expected = twenty_thousand
    own_machines.start_scheduler()
    own_machines.start_workers()
    folder = tmp_path / "parts"
    command = ("--top", 2, "--parts", folder, "--cluster", own_machines.file)
    with start_driver(command, listed) as process:
        while len(parts_in(folder)) < 8:
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.05)
        if victim == "driver":
            process.kill()
            process.wait()
            before = {path: path.stat().st_ino for path in parts_in(folder)}
            classify(*command, stdin=listed)
            assert {path: path.stat().st_ino for path in before} == before
        else:
            os.kill(workers_of(own_machines)[-1], signal.SIGKILL)
            assert process.stderr.read() == b""
            assert process.wait() == 0
    gathered = run_script("classify.py", "--gather", folder)
    assert gathered.stdout == expected
    lines = expected.splitlines()
    assert len({line.split()[0] for line in lines}) == len(lines) == 20_000
    assert {name for name in os.listdir(folder) if name.endswith(".tmp")} == set()
