"""Ways to distort that have a name, and the distortion of a block of images by one of them."""

import dataclasses

import numpy as np

from glyphs.augment.affine import Affine
from glyphs.augment.elastic import Displacements
from glyphs.augment.pens import redraw
from glyphs.augment.resample import SIDE, Resampler, batch_length, batches, paper_of

BLOCK_PIXELS = 1 << 21  # of a block, which has a random stream of its own


@dataclasses.dataclass(frozen=True)
class Preset:
    """A way to distort.

    Attributes:
        alpha, sigma: strength and smoothness of the fields, in pixels of a 32-pixel picture;
            where there are several values, one of each is drawn per picture.
        angle: each picture is rotated or sheared within this many degrees; 0 = not at all.
        scaling: each picture is scaled within a share drawn between these two; () = not at all.
        shift: None, or: each picture is rotated and sheared, and moved by up to so many pixels of
            a 32-pixel picture, so that some ink may leave it.
        pens: strokes get thicker or thinner, too, and blurred, faint or noisy; see pens.redraw.
    """

    alpha: tuple
    sigma: tuple
    angle: float = 0.0
    scaling: tuple = ()
    shift: float | None = None
    pens: bool = False

    def to_json(self):
        """Return it as the manifest holds it; `pens` is absent in files of presets without."""
        value = dataclasses.asdict(self)
        if not self.pens:
            del value["pens"]
        return value


def _of_29_pixels(alpha, sigma, **others):
    """Return a Preset from alpha and sigma as published for MNIST pictures of 29x29 pixels."""
    ratio = SIDE / 29
    return Preset(
        tuple(round(a * ratio**2, 2) for a in alpha),
        tuple(round(s * ratio, 2) for s in sigma),
        **others,
    )


PRESETS = {
    "classic": Preset((47.0,), (6.0,)),
    "simard": _of_29_pixels((34,), (4,)),
    "ciresan": _of_29_pixels((36, 37, 38), (5, 5.5, 6), angle=15.0, scaling=(0.15, 0.20)),
    "affine": Preset((36.0,), (5.0,), angle=10.0, scaling=(0.12, 0.12), shift=1.5),
    "pens": Preset((36.0,), (5.0,), angle=10.0, scaling=(0.12, 0.12), shift=1.5, pens=True),
}


def block_length(size):
    """Return how many images of a size make a block; it must depend on nothing else."""
    return max(1, BLOCK_PIXELS // (size[0] * size[1]))


def distort_block(images, preset, angles, key):
    """Distort one block of a dataset, by the random stream that belongs to it.

    Args:
        images: uint8 `(n, height, width)`.
        preset: Preset.
        angles: float `(n,)`, degrees: the most that each image may be rotated and sheared.
        key: `(seed, copy, block)`: the dataset's seed, the number of the copy, that of the block.

    Returns:
        uint8 `(n, height, width)`.
    """
    rng = np.random.default_rng(key)
    n, *size = images.shape
    displacements = Displacements(n, size, preset.alpha, preset.sigma, rng)
    affine = None
    if preset.scaling:
        affine = Affine(images, angles, preset.scaling, preset.shift, rng)
    paper = paper_of(images)
    batch = batch_length(size, n)
    resampler = Resampler(batch, *size)
    steps = np.empty((batch, 2, *size), np.int32)
    distorted = np.empty(images.shape, np.uint8)
    # What the public functions do, batch by batch: fields of a whole block would leave the cache.
    for part in batches(n, size):
        here = steps[: len(images[part])]
        displacements.write(part, here)
        if affine:
            affine.add(part, here)
        resampler(images[part], here, paper[part], distorted[part])
    return redraw(distorted, rng) if preset.pens else distorted
