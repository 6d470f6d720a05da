"""Rotation, shear, scaling and shifts as displacement fields.

Source: Ciresan et al. (2010), Deep big simple neural nets excel on handwritten digit recognition,
arXiv 1003.0358.
"""

import numpy as np

from glyphs.augment.resample import STEP, batch_length, batches, in_pixels, paper_of, scale_of


def affine_fields(images, *, angle, scaling, shift=None, rng):
    """Draw fields that rotate, shear, scale and shift each image, about its centre.

    Without `shift` a coin decides between rotation and horizontal shear. Characters that fill their
    picture would lose the ends of strokes, so each is then shrunk and shifted as little as is
    needed for its ink to stay inside. With `shift` each image is rotated and sheared, and shifted
    at random; its ink may leave the picture. Added to displacement_fields, the fields distort in
    both ways by one resampling.

    Args:
        images: uint8 `(n, height, width)`, 0 = paper.
        angle: most degrees of rotation and of shear, either way; a number, or one per image.
        scaling: `(lowest, highest)`, shares of 1: a share g between them is drawn per image, then
            the scales of height and width, each between 1 - g and 1 + g.
        shift: most pixels down and across, either way, of a 32-pixel picture; they grow with its
            side as sigma does. Or None.
        rng: numpy Generator.

    Returns:
        float32 `(n, 2, height, width)`, whole multiples of 1/256: (dy, dx) in pixels.

    Source:
        Ciresan et al. (2010), arXiv 1003.0358, section 3; but for the ink that stays inside.
    """
    drawn = Affine(images, angle, scaling, shift, rng)
    steps = np.zeros((len(images), 2, *images.shape[1:]), np.int32)
    for part in batches(len(images), images.shape[1:]):
        drawn.add(part, steps[part])
    return in_pixels(steps)


class Affine:
    """All that is random about affine fields, drawn; they are added part by part."""

    def __init__(self, images, angle, scaling, shift, rng):
        n, *size = images.shape
        if shift is None:
            back, offset = _draw_around_ink(images, angle, scaling, rng)
        else:
            back = _draw_matrices(n, angle, scaling, rng)
            offset = shift * scale_of(size) * rng.uniform(-1, 1, (2, n))
        y, x = (np.arange(side) - (side - 1) / 2 for side in size)
        # Rounded so coarsely that the sums below are exact, as in elastic.Displacements.
        slope = np.rint((back - np.eye(2)[..., None]) * 65536) / 65536
        offset = np.rint(offset * 65536) / 65536
        self.along_y = STEP * (slope[:, 0, :, None] * y + offset[..., None])[..., None]
        self.along_x = STEP * (slope[:, 1, :, None] * x)[..., None, :]
        self.moved = np.empty((batch_length(size, n), *size))
        self.steps = np.empty(self.moved.shape, np.int32)

    def add(self, part, out):
        """Add the fields of a slice of at most one batch to int32 `out`, in 1/256 pixel."""
        moved, steps = self.moved[: len(out)], self.steps[: len(out)]
        for axis in range(2):
            np.add(self.along_y[axis, part], self.along_x[axis, part], out=moved)
            np.rint(moved, out=moved)
            np.copyto(steps, moved, casting="unsafe")
            out[:, axis] += steps


def _draw_matrices(n, angle, scaling, rng):
    """Return matrices that rotate, shear and scale: from a distorted (y, x) to the original one.

    Returns:
        float64 `(2, 2, n)`.
    """
    turns, slants = np.deg2rad(angle) * rng.uniform(-1, 1, (2, n))
    scales = _draw_scales(n, scaling, rng)
    cos, sin, tan = np.cos(turns), np.sin(turns), np.tan(slants)
    return np.array([[cos - sin * tan, -sin], [sin + cos * tan, cos]]) / scales


def _draw_scales(n, scaling, rng):
    """Return scales of height and width, float64 `(2, n)`."""
    most = rng.uniform(*scaling, n)
    return 1 + most * rng.uniform(-1, 1, (2, n))


def _draw_around_ink(images, angle, scaling, rng):
    """Return matrices that rotate or shear, and scale, and offsets that keep the ink inside.

    Returns:
        `(back, offset)`: float64 `(2, 2, n)`, from a distorted (y, x) to the original one; `(2, n)`
        in pixels, to be added.
    """
    n = len(images)
    angles = np.deg2rad(angle) * rng.uniform(-1, 1, n)
    is_shear = rng.integers(2, size=n).astype(bool)
    scales = _draw_scales(n, scaling, rng)
    cos, sin = np.where(is_shear, 1, np.cos(angles)), np.where(is_shear, 0, np.sin(angles))
    slant = np.where(is_shear, np.tan(angles), -sin)
    # Matrices from the original (y, x) to the distorted one, and back.
    there = np.array([[cos, -sin], [-slant, cos]]) * scales
    back = np.array([[cos, sin], [slant, cos]]) / scales[:, None]
    shrink, shift = _keep_inside(images, there)
    back /= shrink
    return back, -(back * shift).sum(axis=1)


def _keep_inside(images, matrices):
    """Return by what to multiply and then shift images, mapped by matrices, to keep their ink.

    Args:
        images: uint8 `(n, height, width)`.
        matrices: float64 `(2, 2, n)`, of (y, x) about the centre.

    Returns:
        `(shrink, shift)`: float64 `(2, n)` each, for (y, x); at most 1, and pixels.
    """
    n, height, width = images.shape
    # Ink is what is nearer to the darkest stroke than to paper.
    limit = (images.max(axis=(1, 2)).astype(np.uint16) + paper_of(images) + 1) // 2
    is_ink = images > limit[:, None, None]
    # The first and the last ink of each column: all other ink lies between.
    first = (is_ink * np.arange(height, 0, -1, dtype=np.uint16)[:, None]).max(axis=1)
    last = (is_ink * np.arange(1, height + 1, dtype=np.uint16)[:, None]).max(axis=1)
    empty = last == 0
    ends = np.stack((height - first.astype(float), last - 1.0)) - (height - 1) / 2
    x = np.arange(width) - (width - 1) / 2
    shrink, shift = np.ones((2, n)), np.zeros((2, n))
    for axis, side in enumerate((height, width)):
        moved = matrices[axis, 0, :, None] * ends + matrices[axis, 1, :, None] * x
        low = np.where(empty, np.inf, moved).min(axis=(0, 2))
        high = np.where(empty, -np.inf, moved).max(axis=(0, 2))
        blank = empty.all(axis=1)
        low, high = np.where(blank, 0, low), np.where(blank, 0, high)
        room = (side - 1) / 2
        shrink[axis] = 2 * room / np.maximum(high - low, 2 * room)
        low, high = low * shrink[axis], high * shrink[axis]
        shift[axis] = np.maximum(-room - low, 0) + np.minimum(room - high, 0)
    return shrink, shift
