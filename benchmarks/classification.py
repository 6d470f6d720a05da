"""Measure classify.py against Keras and TensorFlow with the same model files.

    python benchmarks/classification.py
    python benchmarks/classification.py FOLDER

FOLDER holds one folder per class; without it, characters are drawn. model.py trains on them, for
one epoch a cycle, as the time to classify does not depend on how long one trained. In bulk, both
classify some 8,000 picture files, models loaded and warm, each in a process of its own: beside
TensorFlow, ONNX Runtime would be slower than it is in classify.py. The limit is what all cores
need for decoding and for the network, one after the other, each alone and warm. Cold is one picture
by a new process, from its start to its end. First checks that both give the same probabilities.
"""

import concurrent.futures
import functools
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time

import measuring
import numpy as np

from glyphs import parallel
from glyphs.images.looking import images_of

BULK = 8000
BULK_ROUNDS = 7
COLD_ROUNDS = 5


def train(folder, scratch):
    """Train a model in `scratch`, and return its prefix."""
    print("training a model ...", flush=True)
    measuring.run_script("create_dataset.py", os.path.abspath(folder), cwd=scratch)
    measuring.run_script("model.py", "--epochs", "1", "--no-refit", cwd=scratch)
    return os.path.join(scratch, "model")


def some_pictures(folder):
    """Return the paths of at most BULK pictures from all over a folder."""
    paths = measuring.index_of(folder).samples.paths
    step = -(-len(paths) // BULK)
    return paths[::step]


def check(ours, keras, paths):
    """Stop unless both classifiers give the same probabilities for the pictures."""
    from glyphs.images.preprocessing import read_image

    pictures = np.stack([read_image(path, ours.preprocessing) for path in paths])
    expected = keras.probabilities(paths)
    difference = float(np.abs(ours.probabilities(pictures) - expected).max())
    if not difference < 1e-4:
        sys.exit(f"the probabilities of glyphs and Keras differ by up to {difference}")
    labels = [prediction.label for prediction in ours.classify(paths)]
    # Where the two best are that close, either may be first.
    best_two = np.sort(expected, axis=1)[:, -2:]
    is_clear = best_two[:, 1] - best_two[:, 0] > 2e-4
    for i in np.flatnonzero(is_clear):
        if labels[i] != keras.class_names[expected[i].argmax()]:
            sys.exit(f"{paths[i]}: glyphs and Keras give different labels")
    print(f"labels are the same, probabilities within {difference:.0e}, of {len(paths):,} pictures")


@functools.cache
def classifier(name, prefix):
    """Return ours or that of Keras, loaded once per process."""
    if name == "keras":
        from keras_peer import Classifier
    else:
        from glyphs.inference import Classifier

    return Classifier(prefix)


def seconds_in_bulk(name, prefix, paths):
    """Classify picture files; return the seconds per picture."""
    model = classifier(name, prefix)
    if name == "limit":
        return seconds_at_least(model, paths) / len(paths)
    started = time.perf_counter()
    if name == "keras":
        model.probabilities(paths)
    else:
        for _ in model.classify(paths, workers=None):
            pass
    return (time.perf_counter() - started) / len(paths)


def seconds_at_least(model, paths):
    """Return the seconds that all cores take to decode pictures, and then for the network."""
    cores = parallel.default_workers()
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(cores, context) as decoders:
        decode(paths[:512], model, decoders)  # starts and warms all of them
        started = time.perf_counter()
        images = decode(paths, model, decoders)
        model.probabilities(np.stack(images))
        return time.perf_counter() - started


def decode(paths, model, decoders):
    """Return the images of pictures."""
    tasks = [
        decoders.submit(images_of, paths[i : i + 64], [(model.preprocessing, False)])
        for i in range(0, len(paths), 64)
    ]
    return [image for task in tasks for (image,) in task.result()[0]]


def compare_in_bulk(prefix, paths):
    """Return the times of ours, of its limit and of Keras.

    Each is in a process of its own that waits while another works.
    """
    context = multiprocessing.get_context("spawn")
    with (
        concurrent.futures.ProcessPoolExecutor(1, context) as ours,
        concurrent.futures.ProcessPoolExecutor(1, context) as limit,
        concurrent.futures.ProcessPoolExecutor(1, context) as keras,
    ):
        measures = {
            name: lambda name=name, executor=executor: executor.submit(
                seconds_in_bulk, name, prefix, paths
            ).result()
            for name, executor in (("glyphs", ours), ("limit", limit), ("keras", keras))
        }
        measuring.in_rounds(measures, 1)  # loads and warms
        return measuring.in_rounds(measures, BULK_ROUNDS)


def seconds(function, *arguments):
    started = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - started


def run(script, *arguments):
    """Run a script in a new process; return what it printed."""
    command = [sys.executable, os.path.join(measuring.ROOT, script), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def main():
    args = measuring.parse_args(__doc__)
    with measuring.characters(args.folder) as folder, tempfile.TemporaryDirectory() as scratch:
        prefix = train(folder, scratch)
        paths = some_pictures(folder)
        check(classifier("glyphs", prefix), classifier("keras", prefix), paths)
        bulk = compare_in_bulk(prefix, paths)
        print(
            f"in bulk, {len(paths):,} pictures, ratio (lowest to highest of {BULK_ROUNDS} rounds)"
        )
        measuring.show(bulk, lambda time_each: f"{1e3 * time_each:.2f} ms/picture")
        one = {
            "glyphs": ("classify.py", "--model", prefix, paths[0]),
            "keras": (os.path.join("benchmarks", "keras_peer.py"), prefix, paths[0]),
        }
        if run(*one["glyphs"]) != run(*one["keras"]):
            sys.exit(f"{paths[0]}: the two commands print different lines")
        cold = measuring.in_rounds(
            {name: lambda command=command: seconds(run, *command) for name, command in one.items()},
            COLD_ROUNDS,
        )
        print(f"one picture cold, {COLD_ROUNDS} rounds, ratio (lowest to highest)")
        measuring.show(cold, lambda time_each: f"{time_each:.2f} s")
    found = {
        "classification_bulk": measuring.ratios(bulk)["keras"],
        "classification_cold": measuring.ratios(cold)["keras"],
    }
    measuring.write(args.ratios, found)


if __name__ == "__main__":
    main()
