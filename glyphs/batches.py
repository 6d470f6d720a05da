"""Pictures of a dataset as the batches that a network learns from."""

import math

import keras
import numpy as np

from glyphs import elastic, splitting
from glyphs.images import resize_images


class Pictures:
    """Images and labels of one or more splits as one sequence, read only when used.

    Args:
        image_size: `(height, width)` of the pictures to give out; others are resized on the way.
        *parts: `(images, labels)` pairs: uint8 `(n, h, w)`, int32 `(n,)`.
        chosen: None, or int `(n,)`: which of all these pictures it consists of.
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
        """Return two Pictures: the second has the last `share` of each class, the first the rest.

        Args:
            share: 0..1; a class with 2 or more pictures gives at least one.
        """
        is_last = splitting.last_of_each_class(self.labels, share)
        return tuple(
            Pictures(self.image_size, *self.parts, chosen=self.chosen[part])
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
    """Batches of Pictures in a given order, for model.fit and model.evaluate.

    Keras asks for them from a thread of its own, ahead of the network, so that distorting costs
    no time as long as a core is free. A batch depends on its number alone, not on who asks when.

    Args:
        pictures: Pictures.
        order: int `(n,)`: numbers of the pictures to give out.
        batch_size: pictures in a batch; the last one may have fewer.
        distort: None, or a function `(images, number of the batch)` -> images.
        weights: None, or float32 `(n_classes,)`: the weight of each class in the loss.
    """

    def __init__(self, pictures, order, batch_size, *, distort=None, weights=None):
        super().__init__()
        self.pictures = pictures
        self.order = order
        self.batch_size = batch_size
        self.distort = distort
        self.weights = weights

    def __len__(self):
        return math.ceil(len(self.order) / self.batch_size)

    def __getitem__(self, i):
        x, y = self.pictures.take(self.order[i * self.batch_size : (i + 1) * self.batch_size])
        if self.distort:
            x = self.distort(x, i)
        if self.weights is None:
            return x[..., None], y
        return x[..., None], y, self.weights[y]


class Distortion:
    """New distortions of training pictures in every epoch.

    Args:
        preset: name of one of elastic.PRESETS.
        key: `(seed, epoch)`, of the random streams.
    """

    def __init__(self, preset, key):
        self.preset = elastic.PRESETS[preset]
        self.key = tuple(key)

    def __call__(self, images, number):
        angles = np.full(len(images), self.preset.angle)
        return elastic.distort_block(images, self.preset, angles, (*self.key, number))


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
