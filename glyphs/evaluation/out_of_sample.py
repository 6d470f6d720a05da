"""Ask about every picture a model that has not learned from it: K trainings, each without a part.

Keras, which takes seconds to load, is imported late.
"""

import dataclasses
import math

import numpy as np

from glyphs.artifacts.paths import Paths
from glyphs.dataset.split import rank_in_class, split_groups
from glyphs.errors import ArtifactError, GlyphsError, UsageError
from glyphs.evaluation.suspects import guesses_of, joined
from glyphs.images.preprocessing import resize_images
from glyphs.networks import catalogue
from glyphs.training import backend
from glyphs.training.recipe import enough_epochs, for_network

NETWORK = "glyphnet"
FOLDS = 5
EPOCHS = 6  # a third of the usual ones: what is learned late is often a wrong label by heart
LEAST_STEPS = 1200  # of few pictures, more epochs
BLOCK = 500  # pictures that a model is asked about at a time


def by_folds(dataset, *, log, folds=FOLDS, epochs=None, seed=1, mixed_precision=False):
    """Train a network on all but one part of a dataset and ask it about that part, for each part.

    All of train, val and test take part; distorted copies are not used. The weights are those of
    the last epoch: what was left out decides nothing.

    Args:
        dataset: open.Dataset.
        log: where to say things: has say(line), warn(line) and Progress(unit), as the module
            glyphs.console has.
        folds: how many parts, at least 2.
        epochs: of each training; None: EPOCHS, or more for few pictures.
        seed: of the parts, the weights and the distortions. The same seed gives the same answers
            on the same machine.
        mixed_precision: whether to compute in bfloat16.

    Returns:
        suspects.Guesses about all pictures, in their order.

    Raises:
        UsageError: there are fewer groups than folds, the pictures are too small for the network,
            or Keras's backend cannot be used.
        GlyphsError: a training has diverged.
    """
    y = np.concatenate([dataset.y_train, dataset.y_val, dataset.y_test])
    part = folds_of(y, folds, groups=dataset.group_numbers, seed=seed)
    with backend.without_chatter():
        backend.import_keras()
        device = backend.describe_device()
    log.say(device)
    recipe = for_network(NETWORK, len(y), seed=seed, mixed_precision=mixed_precision or None)
    epochs = epochs or enough_epochs(
        EPOCHS, LEAST_STEPS, math.ceil(len(y) * (1 - 1 / folds)), recipe.batch_size
    )
    recipe = dataclasses.replace(recipe, epochs=epochs)
    parts = []
    for fold in range(folds):
        title = f"fold {fold + 1}/{folds}"
        guesses = _train_and_ask(dataset, part, fold, recipe, title, log)
        parts.append(guesses)
        accuracy = np.mean(guesses.top[:, 0] == guesses.labels)
        log.say(
            f"{title}  {len(y) - len(guesses):,} pictures learned in {epochs} epochs, "
            f"{100 * accuracy:.2f} % of {len(guesses):,} others as their label says"
        )
    return joined(parts)


def folds_of(y, folds, *, groups=None, seed=1):
    """Divide pictures into parts of about the same size, with about as many of each class.

    Args:
        y: int `(n,)`: labels.
        folds: how many parts.
        groups: int `(n,)`, or None: pictures with the same number go to the same part.
        seed: of the division.

    Returns:
        int64 `(n,)`: the part of each picture.

    Raises:
        UsageError: there are fewer groups than folds.
    """
    if groups is not None:
        part = split_groups(y, np.asarray(groups), (1 / folds,) * folds, shuffle_seed=seed)
        if part is None:
            raise UsageError(f"there are fewer groups (writers, books) than --folds {folds}")
        return part.astype(np.int64)
    order = np.random.default_rng(seed).permutation(len(y))
    part = np.empty(len(y), np.int64)
    # Each class begins with another part, so that small classes do not all fill the first ones.
    part[order] = (rank_in_class(y[order]) + y[order]) % folds
    return part


def _train_and_ask(dataset, part, fold, recipe, title, log):
    """Return the Guesses about one part of a network that has learned from the others."""
    import keras

    from glyphs.training.batches import LabelledImages, epoch_batches, images_of
    from glyphs.training.learner import Learner
    from glyphs.training.log import EpochProgress

    def build(image_size, n_classes):
        return catalogue.build(recipe.network, image_size, n_classes)

    everything = images_of(dataset, "train", "val", "test")
    learned = LabelledImages(
        everything.image_size, *everything.parts, chosen=np.flatnonzero(part != fold)
    )
    keras.backend.clear_session()  # the network of the fold before
    learner = Learner(build, recipe, everything.image_size, dataset.class_names, dataset.characters)
    learner.start(len(learned))
    for epoch in range(recipe.epochs):
        batches = epoch_batches(learned, recipe, epoch, len(dataset.class_names))
        with log.Progress("batches") as progress:
            more = (recipe.epochs - epoch - 1) * len(batches)
            said = f"{title}  epoch {epoch + 1}/{recipe.epochs}"
            shown = EpochProgress(progress, len(batches), said, more, at_most=False)
            figures = learner.fit(batches, cycle=0, callbacks=shown.callbacks)
        if not math.isfinite(figures["loss"]):
            raise GlyphsError(f"{said}: the loss is {figures['loss']}: training has diverged")
    network = learner.finished()

    def ask(x):
        # Not predict(), for which each network would be compiled anew.
        return keras.ops.convert_to_numpy(network(x[..., None].astype("float32"), training=False))

    return _ask(ask, everything, np.flatnonzero(part == fold))


def by_model(dataset, classifier, prefix):
    """Ask a trained model about val and test, which it has not learned from.

    Args:
        dataset: open.Dataset that it was trained on.
        classifier: inference.Classifier.
        prefix: PREFIX of the model, for errors.

    Returns:
        suspects.Guesses about val, then test.

    Raises:
        ArtifactError: the model was trained on another dataset, or on val and test as well.
    """
    path = Paths(prefix).architecture
    if classifier.facts.get("dataset") != dataset.fingerprint:
        raise ArtifactError(
            f"{path}: was not trained on {dataset.path}, so it may know its val and test pictures; "
            "name the dataset that it was trained on, or ask without --quick"
        )
    if classifier.facts.get("training", {}).get("refit"):
        raise ArtifactError(
            f"{path}: has learned val and test too, by its refit; ask without --quick"
        )
    n_train = len(dataset.y_train)
    images = _Arrays(dataset, classifier.preprocessing.image_size)
    return _ask(classifier.probabilities, images, np.arange(n_train, n_train + len(images)))


class _Arrays:
    """Val and test of a dataset, taken as LabelledImages are, without Keras."""

    def __init__(self, dataset, image_size):
        self.dataset = dataset
        self.image_size = image_size

    def __len__(self):
        return len(self.dataset.y_val) + len(self.dataset.y_test)

    def take(self, rows):
        data = self.dataset
        rows = rows - len(data.y_train)
        is_val = rows < len(data.y_val)
        x = [data.X_val[rows[is_val]], data.X_test[rows[~is_val] - len(data.y_val)]]
        y = [data.y_val[rows[is_val]], data.y_test[rows[~is_val] - len(data.y_val)]]
        return resize_images(np.concatenate(x), self.image_size), np.concatenate(y)


def _ask(probabilities_of, images, rows):
    """Return the Guesses about some rows, block by block: never all probabilities at once."""
    parts = []
    for start in range(0, len(rows), BLOCK):
        block = rows[start : start + BLOCK]
        x, y = images.take(block)
        parts.append(guesses_of(probabilities_of(x), y, block))
    return joined(parts)
