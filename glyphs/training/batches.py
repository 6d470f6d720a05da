"""The images of a dataset as the network gets them: in batches, distorted anew in each epoch."""

import functools
import math

import keras
import numpy as np

from glyphs.augment.presets import PRESETS, distort_block
from glyphs.dataset.split import last_of_each_class
from glyphs.errors import ArtifactError
from glyphs.images.preprocessing import resize_images


class Splits:
    """What a training does with the images of a dataset.

    Args:
        dataset: open.Dataset.
        recipe: recipe.Recipe.

    Attributes:
        train: LabelledImages to learn from, with the distorted copies where the dataset has them.
        val: LabelledImages that tell when to stop: those of the dataset, else a share of train.
        test: LabelledImages that are measured once, at the end.
        leaves_out_copies: whether the dataset has distorted copies that are not used: where val is
            a part of train, they would show the network what it is validated on.

    Raises:
        ArtifactError: there are too few images to take some of them for val.
    """

    def __init__(self, dataset, recipe):
        self.dataset = dataset
        has_val = len(dataset.X_val) > 0
        has_copies = dataset.X_train_elastic is not None
        self.leaves_out_copies = has_copies and not has_val
        self._train_splits = ["train"] + ["train_elastic"] * (has_copies and has_val)
        self.train, self.val, self.test = (
            images_of(dataset, *splits) for splits in (self._train_splits, ["val"], ["test"])
        )
        if not has_val:
            self.train, self.val = self.train.split(recipe.validation_split)
            if not len(self.val):
                raise ArtifactError(
                    f"{dataset.path}: too few pictures to take some of them for val"
                )

    @functools.cached_property
    def all(self):
        """LabelledImages of all splits, which a refit learns from."""
        return images_of(self.dataset, *self._train_splits, "val", "test")


def images_of(dataset, *splits):
    """Return the LabelledImages of splits, in the size that the network wants.

    Args:
        dataset: open.Dataset.
        *splits: "train", "val", "test", or "train_elastic" for the distorted copies of train.
    """
    y = {"train": dataset.y_train, "val": dataset.y_val, "test": dataset.y_test}
    if dataset.X_train_elastic is not None:
        copies = len(dataset.X_train_elastic) // len(dataset.y_train)
        y["train_elastic"] = np.tile(dataset.y_train, copies)
    parts = ((getattr(dataset, f"X_{split}"), y[split]) for split in splits)
    return LabelledImages(dataset.preprocessing.image_size, *parts)


class LabelledImages:
    """Images and labels of one or more splits as one sequence, read only when used.

    Args:
        image_size: `(height, width)` of the images to give out; others are resized on the way.
        *parts: `(images, labels)` pairs: uint8 `(n, h, w)`, int32 `(n,)`.
        chosen: None, or int `(n,)`: which of all these images it consists of.
    """

    def __init__(self, image_size, *parts, chosen=None):
        self.image_size = tuple(image_size)
        self.parts = [(images, labels) for images, labels in parts if len(images)]
        self.starts = np.cumsum([0] + [len(images) for images, _ in self.parts])
        self.chosen = np.arange(self.starts[-1]) if chosen is None else chosen

    def __len__(self):
        return len(self.chosen)

    @property
    def labels(self):
        """int32 `(n,)`."""
        labels = [labels for _, labels in self.parts]
        return np.concatenate([np.empty(0, np.int32), *labels])[self.chosen]

    def split(self, share):
        """Return two LabelledImages: the first without the last `share` of each class, and these.

        Args:
            share: 0..1; a class with 2 or more pictures gives at least one.
        """
        is_last = last_of_each_class(self.labels, share)
        return tuple(
            LabelledImages(self.image_size, *self.parts, chosen=self.chosen[part])
            for part in (~is_last, is_last)
        )

    def take(self, samples):
        """Return `(images, labels)` of the sample numbers, images as uint8 `(n, h, w)`."""
        samples = self.chosen[samples]
        x = np.empty((len(samples), *self.image_size), np.uint8)
        y = np.empty(len(samples), np.int32)
        part = np.searchsorted(self.starts, samples, side="right") - 1
        for i, (images, labels) in enumerate(self.parts):
            here = np.flatnonzero(part == i)
            taken = images[samples[here] - self.starts[i]]
            x[here] = resize_images(taken, self.image_size)
            y[here] = labels[samples[here] - self.starts[i]]
        return x, y


class Batches(keras.utils.PyDataset):
    """Batches of LabelledImages in a given order, for model.fit and model.evaluate.

    Keras asks for them from a thread of its own, ahead of the network, so that distorting costs
    no time as long as a core is free. A batch depends on its number alone, not on who asks when.

    Args:
        images: LabelledImages.
        order: int `(n,)`: numbers of the images to give out.
        batch_size: images in a batch; the last one may have fewer.
        distort: None, or a function `(images, number of the batch)` -> images.
        weights: None, or float32 `(n_classes,)`: the weight of each class in the loss.
        sides: None, or a function of the batch's number that returns the side of its images.
        first: number of the first batch to give out, where those before it are done.
        share: None, or a function that returns, of the numbers of a batch, those that this process
            gives out.
    """

    def __init__(
        self,
        images,
        order,
        batch_size,
        *,
        distort=None,
        weights=None,
        sides=None,
        first=0,
        share=None,
    ):
        super().__init__()
        self.images = images
        self.order = order
        self.batch_size = batch_size
        self.distort = distort
        self.weights = weights
        self.sides = sides
        self.first = first
        self.share = share

    def __len__(self):
        return math.ceil(len(self.order) / self.batch_size) - self.first

    def __getitem__(self, i):
        i += self.first
        chosen = self.order[i * self.batch_size : (i + 1) * self.batch_size]
        x, y = self.images.take(self.share(chosen) if self.share else chosen)
        if self.distort:
            x = self.distort(x, i)
        if self.sides:
            x = resize_images(x, _scaled(x.shape[1:], self.sides(i)))
        if self.weights is None:
            return x[..., None], y
        return x[..., None], y, self.weights[y]


def _scaled(size, side):
    """Return a size in proportion whose longer side is `side`."""
    return tuple(max(1, round(length * side / max(size))) for length in size)


class Sides:
    """The side of the images of each batch, drawn anew in every epoch.

    Args:
        sides: to draw from.
        key: `(seed, epoch)`, of the random streams.
    """

    def __init__(self, sides, key):
        self.sides = sides
        self.key = tuple(key)

    def __call__(self, number):
        # Keras tells from the first two batches which sides of its arrays are open.
        if number < 2:
            return (min(self.sides), max(self.sides))[number]
        # A stream of its own: 1 tells it from those of the distortions.
        return int(np.random.default_rng((*self.key, number, 1)).choice(self.sides))


class Distortion:
    """New distortions of training images in every epoch.

    Args:
        preset: name of one of PRESETS.
        key: `(seed, epoch)`, of the random streams.
        process: number of the process that distorts; each draws its own.
    """

    def __init__(self, preset, key, process=0):
        self.preset = PRESETS[preset]
        self.key = tuple(key)
        self.process = process

    def __call__(self, images, number):
        angles = np.full(len(images), self.preset.angle)
        # Streams of their own, which are not those of Sides either.
        of_process = (1 + self.process,) if self.process else ()
        return distort_block(images, self.preset, angles, (*self.key, number, *of_process))


def balanced_weights(labels, n_classes):
    """Return weights under which every class counts the same, their mean over all samples 1.

    Args:
        labels: int `(n,)`.
        n_classes: number of classes; one without samples weighs nothing.

    Returns:
        float32 `(n_classes,)`.
    """
    counts = np.bincount(labels, minlength=n_classes)
    present = np.count_nonzero(counts)
    weights = np.divide(len(labels), present * counts, where=counts > 0, out=np.zeros(n_classes))
    return weights.astype(np.float32)


def epoch_batches(images, recipe, epochs_done, n_classes, *, first=0, share=None, process=0):
    """Return the Batches of the next epoch: an order, and distortions, of its own.

    Args:
        images: LabelledImages.
        recipe: recipe.Recipe.
        epochs_done: so many epochs were before; order and distortions depend on it and the seed.
        n_classes: number of classes.
        first: number of the first batch, where those before it are done.
        share: None, or the function that tells which rows of a batch this process gives out.
        process: number of this process.
    """
    key = (recipe.seed, epochs_done)
    return Batches(
        images,
        np.random.default_rng(key).permutation(len(images)),
        recipe.batch_size,
        distort=Distortion(recipe.augment, key, process) if recipe.augment else None,
        sides=Sides(recipe.sides, key) if recipe.sides else None,
        weights=balanced_weights(images.labels, n_classes) if recipe.class_weights else None,
        first=first,
        share=share,
    )
