"""Measure whole trainings on the device that there is, and what they wait for.

    python benchmarks gpu
    python benchmarks gpu FOLDER
    KERAS_BACKEND=jax python benchmarks gpu FOLDER --trainings glyphnet --epochs 3

FOLDER holds one folder per class; without it, 10,000 pictures of 100 characters are drawn. They are
repeated until there are 50,000 of 32x32, as many as in the original, split 80/10/10:

    kanji       model.py: two cycles of early stopping, then anew on all pictures
    kanji-wide  model_for_augmented_dataset.py: 400,000 pictures an epoch, with nine distorted
                copies of each in train
    glyphnet    train.py: distorted anew in every epoch, on the way to the network

Repeated pictures lie in several splits: accuracies mean nothing here and are not shown. Seconds of
an epoch hold its validation. Those of learning do not; the first epoch, and the first of a refit,
hold compiling. After a training, with the same network, is measured what a step takes: to make its
batch, without the network; in the network, of a batch that is ready; and that with many steps at a
time, between which neither the interpreter nor Keras has a say. A usual epoch has waited for its
input as long as it took longer than its steps do with a ready batch. What limits is the input,
where a batch takes longer to be made than to be learned from; the host, where steps at a time take
less than half as long as steps one by one; else the kernels.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time

import measuring
import numpy as np

SIZE = (32, 32)
PICTURES = 50_000
SHARES = {"train": 0.8, "val": 0.1, "test": 0.1}
COPIES = 9
TRAININGS = ("kanji", "kanji-wide", "glyphnet")
SEED = 1
STEPS = 200  # to measure a step by
AT_A_TIME = 20


def parse_args(argv=None):
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument(
        "folder", nargs="?", metavar="FOLDER", help="class folders (default: characters drawn now)"
    )
    options.add_argument(
        "--trainings", nargs="+", choices=TRAININGS, default=TRAININGS, help="default: all"
    )
    options.add_argument("--pictures", type=int, default=PICTURES, metavar="N")
    options.add_argument(
        "--epochs", type=int, metavar="N", help="at most, of each cycle (default: the recipes')"
    )
    options.add_argument("--steps", type=int, default=STEPS, metavar="N", help="to measure a step")
    return options.parse_args(argv)


class Quiet:
    """What a training is told to talk to: nobody."""

    shown = False

    def __init__(self, *_):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    @staticmethod
    def say(line):
        pass

    warn = say


Quiet.Progress = Quiet


def scaled_dataset(folder, count, path):
    """Write a dataset of `count` pictures, those of a folder again and again."""
    from glyphs.dataset.open import open_dataset
    from glyphs.dataset.write import write_dataset

    built = f"{path}.built"
    height, width = SIZE
    measuring.run_script(
        "create_dataset.py", os.path.abspath(folder), "--crop", "none", "--output", built,
        "--image-size", f"{height}x{width}",
    )  # fmt: skip
    dataset = open_dataset(built)
    splits = {}
    for name, share in SHARES.items():
        images, y = getattr(dataset, f"X_{name}"), getattr(dataset, f"y_{name}")
        samples = np.resize(np.arange(len(images)), round(share * count))
        splits[name] = images, samples, y[samples]
    write_dataset(path, splits, dataset.class_names, dataset.preprocessing, {})


def with_copies(path):
    """Write the tenfold dataset beside a dataset; return its path."""
    from glyphs.augment import build
    from glyphs.augment.presets import PRESETS
    from glyphs.dataset.open import open_dataset

    output = f"{path}_elastic"
    build.augment_dataset(open_dataset(path), output, PRESETS["classic"], copies=COPIES, seed=SEED)
    return output


def train(network, path, epochs, prefix):
    """Train by the network's own recipe; return the finished Training and the seconds of fit().

    Those are of each epoch, without its validation: list of `(steps, seconds)`.
    """
    from glyphs.dataset.open import open_dataset
    from glyphs.networks import catalogue
    from glyphs.training.learner import Learner
    from glyphs.training.loop import Training
    from glyphs.training.recipe import for_network

    fits = []

    class TimedLearner(Learner):
        def fit(self, batches, **options):
            started = time.perf_counter()
            figures = super().fit(batches, **options)
            fits.append((len(batches), time.perf_counter() - started))
            return figures

    class TimedTraining(Training):
        make_learner = TimedLearner

    dataset = open_dataset(path)
    n_train = len(dataset.X_train) * (1 if dataset.X_train_elastic is None else 1 + COPIES)
    recipe = for_network(network, n_train, epochs=epochs, seed=SEED)

    def build_network(image_size, n_classes):
        return catalogue.build(network, image_size, n_classes)

    training = TimedTraining(dataset, build_network, recipe, prefix, log=Quiet)
    training.run()
    return training, fits


def seconds_of_steps(training, steps):
    """Return the seconds of a step by what is measured: "input", "ready" batches, "many" steps."""
    import keras

    from glyphs.training.batches import Splits, epoch_batches

    recipe, learner = training.recipe, training.learner
    splits = Splits(training.dataset, recipe)
    batches = epoch_batches(splits.train, recipe, 0, len(training.dataset.class_names))
    count = min(steps, len(batches))
    started = time.perf_counter()
    for i in range(count):
        batch = batches[i]
    found = {"input": (time.perf_counter() - started) / count}
    batch = batches[0]  # the last one may be smaller

    class Ready(keras.utils.PyDataset):
        def __len__(self):
            return steps

        def __getitem__(self, i):
            return batch

    def seconds():
        learner.model.fit(Ready(), epochs=1, shuffle=False, verbose=0)  # compiles
        started = time.perf_counter()
        learner.model.fit(Ready(), epochs=1, shuffle=False, verbose=0)
        return (time.perf_counter() - started) / steps

    found["ready"] = seconds()
    learner.model.compile(
        optimizer=learner.model.optimizer,
        loss=learner.loss,
        metrics=["accuracy"],
        steps_per_execution=min(AT_A_TIME, steps),
    )
    found["many"] = seconds()
    return found


def limit_of(found):
    """Return what limits a training, given the seconds of seconds_of_steps."""
    if found["input"] > found["ready"]:
        return "input"
    return "host" if found["ready"] > 2 * found["many"] else "kernels"


def report(network, training, fits, found):
    """Print what was measured of a training."""
    first, *others = [seconds for _, seconds in fits]
    usual = statistics.median(others or [first])
    steps, _ = max(fits)
    size = training.recipe.batch_size
    pictures = sum(steps * size for steps, _ in fits)
    spent = sum(seconds for _, seconds in fits)
    in_steps = statistics.median(steps for steps, _ in fits) * found["ready"]
    total = training.state.seconds
    ms = {name: f"{1e3 * seconds:.2f} ms" for name, seconds in found.items()}
    print(f"{network}: {len(fits)} epochs of at most {steps:,} steps of {size}")
    print(f"  {total:,.1f} s in all, {total / len(fits):.2f} s an epoch with its validation")
    print(f"  learning: first epoch {first:.2f} s, median of the others {usual:.2f} s")
    print(f"  {pictures / spent:,.0f} pictures/s")
    print(f"  a step: {ms['input']} to make its batch, {ms['ready']} with a ready one, ", end="")
    print(f"{ms['many']} of many at a time")
    print(f"  a usual epoch: {in_steps:.2f} s in steps, ", end="")
    print(f"{max(0.0, usual - in_steps):.2f} s waiting for input")
    print(f"  limit: {limit_of(found)}", flush=True)


def main(argv=None):
    args = parse_args(argv)
    from glyphs.training import backend

    with backend.without_chatter():
        backend.import_keras()
    print(backend.describe_device(), flush=True)
    with measuring.characters(args.folder) as folder, tempfile.TemporaryDirectory() as scratch:
        path = os.path.join(scratch, "dataset")
        scaled_dataset(folder, args.pictures, path)
        for network in args.trainings:
            used = with_copies(path) if network == "kanji-wide" else path
            training, fits = train(network, used, args.epochs, os.path.join(scratch, network))
            report(network, training, fits, seconds_of_steps(training, args.steps))


if __name__ == "__main__":
    sys.exit(main())
