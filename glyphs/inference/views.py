"""Test-time augmentation: the same image in several views, shifted and turned a little.

The views are fixed, so the same picture gets the same answer. These seven do what nine and
twenty-one did, of shifts by .5, 1 and 2 pixels, turns by 3, 6 and 9 degrees, shear and scaling:
docs/doubt.md says what they bring.
"""

import functools

import numpy as np

from glyphs.augment.resample import distort, paper_of, scale_of

# (down, right, degrees clockwise): pixels of a 32-pixel picture, which grow with its side.
VIEWS = (
    (0, 0, 0), (-1, 0, 0), (1, 0, 0), (0, -1, 0), (0, 1, 0), (0, 0, -6), (0, 0, 6),
)  # fmt: skip


def views_of(images):
    """Yield the views of images, the images themselves first.

    Args:
        images: uint8 `(n, height, width)`, 0 = paper, 255 = ink.

    Yields:
        uint8 `(n, height, width)`, one for each of VIEWS.
    """
    paper = paper_of(images)
    for fields in _fields(images.shape[1:]):
        yield distort(images, np.broadcast_to(fields, (len(images), *fields.shape)), paper=paper)


@functools.lru_cache(maxsize=16)  # a network for any size has as many as there are pictures
def _fields(size):
    """Return the displacement fields of the views: float32 `(n_views, 2, height, width)`."""
    y, x = (np.arange(side) - (side - 1) / 2 for side in size)
    y = y[:, None]
    fields = []
    for down, right, angle in VIEWS:
        cos, sin = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
        # Where in the image each pixel of the view comes from, less where it is.
        fields.append(
            [
                cos * y - sin * x - y - down * scale_of(size),
                sin * y + cos * x - x - right * scale_of(size),
            ]
        )
    return np.asarray(fields, np.float32)
