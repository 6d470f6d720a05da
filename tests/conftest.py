"""Toy pictures, and the scripts run as a user runs them."""

import os
import pathlib
import resource
import signal
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image, ImageDraw

from glyphs.sources import opening
from glyphs.sources.index import Options

ROOT = pathlib.Path(__file__).resolve().parents[1]
DATA = ROOT.parent / "shared" / "data"  # real data, where a developer has it


def pytest_sessionstart(session):
    """Let the pretrained models be used once, as a fresh clone lacks their ONNX files.

    Whoever uses one first says that it makes the file; that is not to be said within some test.
    """
    if hasattr(session.config, "workerinput"):  # the process that starts the workers has done so
        return
    for description in ROOT.glob("pretrained/*/model_architecture.json"):
        if not description.with_name("model.onnx").exists():
            picture = ROOT / "docs" / "reading" / "1.png"
            command = [sys.executable, ROOT / "classify.py", picture, "--model", description.parent]
            subprocess.run(command, check=True, capture_output=True)


# A line of Python that prints the peak of its process's memory in kB. What `getrusage` says counts
# the memory of the process that started it, too.
PRINT_PEAK = "print(*[l.split()[1] for l in open('/proc/self/status') if l.startswith('VmHWM')])"


def draw_shape(shape, rng, *, side=40, mode="L"):
    """Return a dark shape ("ring", "cross" or "bar") somewhere on light paper."""
    picture = Image.new("L", (side, side), 240)
    draw = ImageDraw.Draw(picture)
    x, y = rng.integers(8, 14, 2).tolist()
    box = (x, y, side - y, side - x)
    if shape == "ring":
        draw.ellipse(box, outline=20, width=4)
    elif shape == "cross":
        draw.line(box, fill=20, width=5)
        draw.line((box[0], box[3], box[2], box[1]), fill=20, width=5)
    else:
        draw.rectangle((x, side // 2 - 4, side - x, side // 2 + 3), fill=20)
    return picture.convert(mode)


def make_folder(folder, counts, *, suffix=".png"):
    """Make class folders named ring, cross and bar with so many pictures; return the folder."""
    for shape, count in counts.items():
        rng = np.random.default_rng(len(shape))
        (folder / shape).mkdir(parents=True)
        for i in range(count):
            draw_shape(shape, rng).save(folder / shape / f"{i + 1}{suffix}")
    return folder


class UnseenNames(list):
    """Names of files in a folder of a Listing that must not be looked through."""

    def __iter__(self):
        raise AssertionError("all names are looked at")

    def __contains__(self, name):
        raise AssertionError("a name is looked for")


def index_of(source, reader=None, **options):
    """Return the Index of a source that is not compressed."""
    options = Options(**options)
    with opening.open_index(source, options, scratch=f"{source}.scratch", reader=reader) as index:
        return index


def run_script(*arguments, cwd=None, expect=0, stdin=None, environment=None, largest_file=None):
    """Run a script of the toolkit; check its exit code; return the finished process.

    `largest_file` is a size in bytes beyond which no file grows, as on a full disk.
    """

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))

    script, *rest = arguments
    process = subprocess.run(
        [
            sys.executable,
            ROOT / script,
            *(os.fsdecode(a) if isinstance(a, (bytes, pathlib.Path)) else str(a) for a in rest),
        ],
        cwd=cwd,
        input=stdin,
        capture_output=True,
        preexec_fn=limit if largest_file else None,
        env={**os.environ, "PYTHONIOENCODING": "", **(environment or {})},
    )
    process.stdout = process.stdout.decode("utf-8", "surrogateescape")
    process.stderr = process.stderr.decode("utf-8", "surrogateescape")
    assert process.returncode == expect, process.stdout + process.stderr
    assert "Traceback" not in process.stderr, process.stderr
    return process


def heed_ctrl_c():
    """Let a new process heed Ctrl-C, also where these tests run in the background of a shell."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.fixture(scope="session")
def toy_folder(tmp_path_factory):
    """60 pictures of each of three classes."""
    return make_folder(tmp_path_factory.mktemp("toy") / "shapes", dict.fromkeys(SHAPES, 60))


SHAPES = ("bar", "cross", "ring")


@pytest.fixture(scope="session")
def toy_dataset(toy_folder):
    """A characters_dataset of the toy folder, 16x16."""
    path = toy_folder.parent / "characters_dataset"
    run_script("create_dataset.py", toy_folder, "--image-size", 16, "--output", path)
    return path


@pytest.fixture(scope="session")
def toy_model(toy_dataset, tmp_path_factory):
    """The prefix of a model trained by model.py on the toy dataset; its log lies beside it."""
    folder = tmp_path_factory.mktemp("model")
    log = run_script(
        "model.py", "--dataset", toy_dataset, "--epochs", 3, "--batch-size", 20,
        "--learning-rate", ".002", cwd=folder,
    )  # fmt: skip
    (folder / "log.txt").write_text(log.stdout)
    (folder / "err.txt").write_text(log.stderr)
    return folder / "model"


@pytest.fixture(scope="session")
def unseen(tmp_path_factory):
    """Ten pictures of each shape that no training has seen, in one folder."""
    folder = tmp_path_factory.mktemp("unseen")
    for shape in SHAPES:
        rng = np.random.default_rng([7, len(shape)])
        for i in range(10):
            draw_shape(shape, rng).save(folder / f"{shape} {i}.png")
    return folder
