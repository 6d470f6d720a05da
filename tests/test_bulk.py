"""Many pictures: decoded in other processes while networks run in threads."""

import itertools
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from conftest import PRINT_PEAK, ROOT, heed_ctrl_c, run_script
from test_ensemble import write_small

from glyphs import parallel
from glyphs.errors import GlyphsError, PictureError
from glyphs.images.looking import ask_about, look
from glyphs.images.preprocessing import Preprocessing
from glyphs.inference import Classifier, Ensemble, bulk
from glyphs.networks.kuzushiji import kuzushiji_fcn

# A script that classifies so many pictures, with workers, and prints the peak of its memory in kB.
PEAK = f"""
import sys
from glyphs.inference import Classifier

if __name__ == "__main__":
    model, path, count = sys.argv[1:]
    paths = ("/" * 3000 + path for _ in range(int(count)))  # each a text of its own
    assert sum(1 for _ in Classifier(model).classify(paths, workers=2)) == int(count)
    {PRINT_PEAK}
"""


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Two models with random weights, that see pictures otherwise."""
    folder = tmp_path_factory.mktemp("models")
    first = write_small(folder / "a", ["a", "b", "c"], Preprocessing(((8, 8),)))
    second = write_small(folder / "b", ["b", "c", "d"], Preprocessing.usual((16, 12)))
    return first, second


@pytest.fixture(scope="module")
def paths(unseen, tmp_path_factory):
    """250 pictures, every ninth of which is missing, blank or damaged."""
    folder = tmp_path_factory.mktemp("bad")
    (folder / "damaged.png").write_bytes(b"\x89PNG")
    bad = itertools.cycle([str(folder / "damaged.png"), "missing.png"])
    good = itertools.cycle(sorted(str(path) for path in unseen.iterdir()))
    return [next(bad) if i % 9 == 4 else next(good) for i in range(250)]


@pytest.fixture
def small(monkeypatch):
    """Few and small chunks, so that few pictures come to the processes."""
    monkeypatch.setattr(bulk, "CHUNK", 10)
    monkeypatch.setattr(bulk, "FEW", 20)
    monkeypatch.setattr(bulk, "HERE", 1)


def one_by_one(classifier, paths):
    """Return `(path, best class, probability)` or `(path, error)` of each picture, the slow way."""
    found = []
    for path in paths:
        try:
            images = [seen.image for seen in look(path, classifier._ways)]
        except PictureError as error:
            found.append((path, str(error)))
            continue
        (row,) = classifier.ask([images])
        best = int(np.argmax(row))
        found.append(
            (path, classifier.class_names[best], pytest.approx(float(row[best]), abs=1e-6))
        )
    return found


def in_bulk(classifier, paths, **options):
    return [
        (p.path, str(p.error)) if p.error else (p.path, p.label, p.probability)
        for p in classifier.classify(paths, **options)
    ]


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("tta", [False, True])
def test_in_bulk_is_one_by_one(models, paths, small, workers, tta):
    for classifier in (Classifier(models[0], tta=tta), Ensemble(models, tta=tta)):
        expected = one_by_one(classifier, paths)
        assert in_bulk(classifier, paths, workers=workers) == expected


def test_pictures_of_any_size_in_bulk_are_one_by_one(paths, small, tmp_path):
    preprocessing = Preprocessing.usual((32, 32))
    prefix = write_small(tmp_path / "fcn", ["a", "b"], preprocessing, network=kuzushiji_fcn)
    classifier = Classifier(prefix)
    assert classifier.takes_any_size
    paths = paths[:130]
    assert in_bulk(classifier, paths, workers=2) == one_by_one(classifier, paths)


def test_the_number_of_images_asked_about_does_not_matter(models, paths):
    classifier = Classifier(models[1])
    good = [path for path in paths if os.path.exists(path) and "damaged" not in path]
    images = np.stack([look(path, classifier._ways)[0].image for path in good])
    one = np.concatenate([classifier.probabilities(image[None]) for image in images])
    for count in (17, 64, 65, 200):
        assert np.allclose(classifier.probabilities(images[:count]), one[:count], atol=1e-6)
    assert classifier.probabilities(images[:0]).shape == (0, 3)


def test_the_script_prints_the_same_with_any_number_of_processes(models, toy_folder, tmp_path):
    for shape in ("bar", "ring", "cross"):
        for i in range(4):
            shutil.copytree(toy_folder / shape, tmp_path / f"{shape}{i}")
    (tmp_path / "bar1" / "99.png").write_bytes(b"nothing")
    command = ("classify.py", "--model", models[0], "--format", "json", tmp_path)
    runs = [run_script(*command, "--workers", n, expect=1) for n in (1, 2, 3)]
    assert runs[0].stdout.count("candidates") == 720  # more than are decoded without processes
    assert len({(run.stdout, run.stderr) for run in runs}) == 1


def test_few_pictures_start_no_process(models, paths, monkeypatch):
    def refuse(*arguments):
        raise AssertionError("a process is started")

    monkeypatch.setattr(multiprocessing, "get_context", refuse)
    classifier = Classifier(models[0])
    assert len(in_bulk(classifier, paths + paths, workers=2)) == 500


def test_little_more_is_taken_than_is_answered(models, paths, small):
    taken = itertools.count()
    endless = (path for path in itertools.cycle(paths) if next(taken) >= 0)
    answers = Classifier(models[0]).classify(endless, workers=2)
    answered = list(itertools.islice(answers, 1000))
    answers.close()
    most = 1000 + 128 + (8 + 2 + bulk.AHEAD * parallel.default_workers() + 2) * bulk.CHUNK
    assert next(taken) <= most
    assert [prediction.path for prediction in answered] == paths * 4


def test_memory_does_not_grow_with_the_pictures(models, unseen):
    def peak(count):
        command = [sys.executable, "-c", PEAK, models[0], str(unseen / "bar 1.png"), str(count)]
        run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        return int(run.stdout)

    # Kept, 30,000 answers would take 100 MB: each has its path, of 3 kB.
    assert peak(40_000) < peak(10_000) + 50_000


def test_a_killed_process_is_an_error(models, paths, small):
    def killing():
        for number, path in enumerate(itertools.cycle(paths)):
            if number == 1000:
                os.kill(multiprocessing.active_children()[0].pid, signal.SIGKILL)
            yield path

    with pytest.raises(GlyphsError, match="was killed"):
        list(Classifier(models[0]).classify(killing(), workers=2))
    assert not multiprocessing.active_children()


def test_ctrl_c_leaves_no_process(models, unseen):
    names = "\n".join([str(unseen / "bar 1.png")] * 100_000)
    command = [sys.executable, ROOT / "classify.py", "--model", models[0], "--workers", "2", "-"]
    options = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    options |= {"preexec_fn": heed_ctrl_c, "start_new_session": True, "text": True}
    with subprocess.Popen(command, **options) as process:
        process.stdin.write(names)
        process.stdin.close()
        for _ in range(2000):
            process.stdout.readline()
        children = subprocess.run(
            ["pgrep", "-s", str(process.pid)], capture_output=True, text=True
        ).stdout.split()
        assert len(children) > 2
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does
        process.stdout.read()
        assert process.stderr.read().splitlines()[-1] == "error: interrupted"
        assert process.wait() == 130
    for _ in range(100):
        if not any(os.path.exists(f"/proc/{child}") for child in children):
            return
        time.sleep(0.1)
    raise AssertionError("processes outlive the one that started them")


def test_unreadable_pictures_are_not_asked_about():
    error = PictureError("a.png", "no such file")
    found = ask_about([["one"], error, ["two"]], lambda images: [image for (image,) in images])
    assert found == ["one", error, "two"]
    assert ask_about([error], None) == [error]
