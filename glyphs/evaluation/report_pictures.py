"""The pictures of a report: which ones to show, and how."""

import numpy as np
from PIL import Image, ImageChops

from glyphs.errors import PictureError
from glyphs.evaluation.trials import bring
from glyphs.images.levels import polarity_of
from glyphs.inspection.audit import thumbnails
from glyphs.pages import page

SIDE = 48  # pixels of a thumbnail
GAP = 4  # pixels between two
SHADES = 127  # of each colour of a matrix
FAINTEST = 50  # of 0..255: how opaque a cell is at least
RIGHT, WRONG = (31, 111, 178), (214, 60, 30)  # in a matrix: blue on the diagonal, red beside it


class Chosen:
    """Which pictures stand for a class or for a confusion: the clearest first.

    Args:
        answers: answers.Answers.
    """

    def __init__(self, answers):
        best = answers.top[:, 0]
        self.by_class = np.lexsort((-answers.own, answers.labels))
        self.labels = answers.labels[self.by_class]
        wrong = np.flatnonzero((best != answers.labels) & (best >= 0))
        by_confidence = wrong[np.argsort(-answers.confidences[wrong], kind="stable")]
        self.most_confident = by_confidence
        self.of_confusion = {}
        pairs = zip(
            answers.labels[by_confidence].tolist(), best[by_confidence].tolist(), strict=True
        )
        for number, pair in zip(by_confidence.tolist(), pairs, strict=True):
            self.of_confusion.setdefault(pair, []).append(number)

    def of_class(self, label, count):
        """Return the numbers of the pictures of a class that the model is surest of."""
        start = np.searchsorted(self.labels, label)
        found = self.by_class[start : start + count]
        return found[self.labels[start : start + count] == label].tolist()


class Thumbnails:
    """Small pictures, decoded once, dark on light as far as it is known how they are stored.

    Args:
        labelled: labelled.Labelled, still open.
        numbers: iterable of int: which of its pictures.
        workers: processes; None: one per core.
    """

    def __init__(self, labelled, numbers, *, workers=None):
        self.labelled = labelled
        numbers = sorted(set(numbers))
        positions = labelled.positions[np.array(numbers, np.int64)].tolist()
        found = thumbnails(labelled, positions, SIDE, workers=workers)
        self.found = {n: found.get(p) for n, p in zip(numbers, positions, strict=True)}

    def __getitem__(self, number):
        """Return a PIL image of mode "L", or None: the picture cannot be read."""
        picture = self.found[number]
        return picture and dark_on_light(picture, self.labelled)

    def strip(self, numbers):
        """Return pictures side by side in one; None where there are none."""
        pictures = [self[number] for number in numbers]
        return page.strip(pictures, SIDE, GAP) if any(pictures) else None


def dark_on_light(picture, labelled):
    """Return a picture of a source with dark ink on light paper."""
    stored = "light-on-dark" if labelled.preprocessing else labelled.index.polarity
    is_light = (stored or polarity_of(picture)) == "light-on-dark"
    return ImageChops.invert(picture) if is_light else picture


def matrix(counts, pictures):
    """Return the confusion matrix as a picture: a pixel is a cell, labels down, answers across.

    Args:
        counts: iterable of `(label, answer, count)`.
        pictures: int `(n_classes,)`: the pictures of each class.

    Returns:
        PIL image of mode "P", and the options with which it becomes a PNG whose ground is
        transparent: blue where answers are right, red where they are wrong, the stronger the more
        of the class. Shares are drawn as their cube roots, so that a single mistake shows.
    """
    n = len(pictures)
    cells = np.zeros((n, n), np.uint8)
    for label, answer, count in counts:
        strength = max(1, round(SHADES * (count / pictures[label]) ** (1 / 3)))
        cells[label, answer] = strength if label == answer else SHADES + strength
    picture = Image.fromarray(cells)
    picture.putpalette(bytes(RIGHT) * (SHADES + 1) + bytes(WRONG) * SHADES)
    alpha = [FAINTEST + round((255 - FAINTEST) * i / SHADES) for i in range(1, SHADES + 1)]
    return picture, {"transparency": bytes([0, *alpha, *alpha])}


def examples(labelled, number, names, seed):
    """Return a picture under each condition, small.

    Args:
        labelled: labelled.Labelled, still open.
        number: of the picture.
        names: of the conditions.
        seed: of the conditions.

    Returns:
        `{name: PIL image of mode "L"}`; empty if the picture cannot be read.
    """
    (picture,) = labelled.chunk([number]).pictures()
    if isinstance(picture, PictureError):
        return {}
    polarity = "light-on-dark" if labelled.preprocessing else labelled.index.polarity
    found = {name: bring(picture, number, name, polarity, seed) for name in names}
    return {name: _fitted(brought) for name, brought in found.items()}


def _fitted(picture):
    """Return a picture as high as a thumbnail, or twice as wide as one; pixels stay pixels."""
    scale = min(2 * SIDE / picture.width, SIDE / picture.height)
    size = [max(1, round(side * scale)) for side in picture.size]
    return picture.resize(size, Image.Resampling.BOX if scale < 1 else Image.Resampling.NEAREST)
