"""Elastic distortion: draw displacement fields, then apply them.

    fields = displacement_fields(len(images), (32, 32), alpha=47, sigma=6, rng=rng)
    distorted = distort(images, fields)

A field is uniform noise, blurred by a Gaussian and multiplied by alpha. Blurred noise is smooth, so
a few numbers describe it: the noise is drawn in the basis of the blur's leading singular vectors,
one basis per axis, and what a plain blur of noise that goes on beyond the picture would give is
reached in distribution, at the border as in the centre, without blurring anything. Fields are whole
numbers of 1/256 pixel and all arithmetic on them is exact: the same seed gives the same bytes on
any machine.

Source: Simard, Steinkraus and Platt (2003), Best practices for convolutional neural networks
applied to visual document analysis. Rotation, shear and scaling: Ciresan et al. (2010), Deep big
simple neural nets excel on handwritten digit recognition, arXiv 1003.0358.
"""

import dataclasses
import functools

import numpy as np

from glyphs.errors import UsageError
from glyphs.resampling import STEP, Resampler, batch_length, batches, distort, paper_of

__all__ = [
    "PRESETS",
    "Preset",
    "affine_fields",
    "displacement_fields",
    "distort",
    "distort_block",
    "paper_of",
]

SIDE = 32  # alpha and sigma are in pixels of a picture of this side
KEPT = 0.999  # share of the variance that the fields keep, at every pixel
SIGMA = (1, 32)  # less is no blur, more moves the picture as a whole
# Times sigma: a root mean square of half the picture's side. It also bounds the sums that must fit
# the 53 bits of a float64.
MOST_ALPHA = 100
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
    """

    alpha: tuple
    sigma: tuple
    angle: float = 0.0
    scaling: tuple = ()
    shift: float | None = None


def _of_29_pixels(alpha, sigma, **others):
    """Return a Preset from alpha and sigma as published for MNIST pictures of 29x29 pixels."""
    ratio = SIDE / 29
    return Preset(
        tuple(round(a * ratio**2, 2) for a in alpha),
        tuple(round(s * ratio, 2) for s in sigma),
        **others,
    )


PRESETS = {
    "seed": Preset((47.0,), (6.0,)),
    "simard": _of_29_pixels((34,), (4,)),
    "ciresan": _of_29_pixels((36, 37, 38), (5, 5.5, 6), angle=15.0, scaling=(0.15, 0.20)),
    "affine": Preset((36.0,), (5.0,), angle=10.0, scaling=(0.12, 0.12), shift=1.5),
}


def displacement_fields(n, size, alpha=47.0, sigma=6.0, *, rng):
    """Draw fields of smooth random displacements, as strong at the border as in the centre.

    dy and dx are independent. Each is distributed as noise, uniform between -1 and 1, that goes on
    beyond the picture, blurred with a Gaussian of standard deviation sigma (its weights add up to 1
    and end at 4 sigma), times alpha: the root mean square is alpha / (6.14 sigma). The singular
    vectors left out hold less than 0.1 % of the variance at any pixel.

    Args:
        n: number of fields.
        size: `(height, width)` in pixels.
        alpha: strength, in pixels of a 32-pixel picture, 0 to 100 times sigma. The factor is
            alpha * (side / 32)**2, where side = sqrt(height * width).
        sigma: smoothness, in pixels of a 32-pixel picture, 1 to 32. The blur has sigma * side / 32
            pixels. So a character looks the same at any size. Of several values (a sequence, for
            alpha too), one is drawn per picture.
        rng: numpy Generator.

    Returns:
        float32 `(n, 2, height, width)`, whole multiples of 1/256: (dy, dx) in pixels.

    Raises:
        UsageError: alpha or sigma is out of range.

    Source:
        Simard, Steinkraus and Platt (2003), section 2.
    """
    drawn = _Displacements(n, size, alpha, sigma, rng)
    steps = np.empty((n, 2, *size), np.int32)
    for part in batches(n, size):
        drawn.write(part, steps[part])
    return _in_pixels(steps)


class _Displacements:
    """All that is random about displacement fields, drawn; they are written part by part."""

    def __init__(self, n, size, alpha, sigma, rng):
        basis_y, basis_x = _bases(tuple(size), tuple(np.ravel(alpha)), tuple(np.ravel(sigma)))
        several, height, rank_y = basis_y.shape
        width, rank_x = basis_x.shape[1:]
        self.bases = basis_y * STEP, basis_x.swapaxes(1, 2)
        self.choice = rng.integers(several, size=n) if several > 1 else None
        self.noise = rng.standard_normal((n, 2 * rank_y, rank_x))
        # Noise and basis are rounded so coarsely that float64 holds every product and every sum of
        # them exactly: the result does not depend on the order in which a machine adds.
        self.noise *= 256
        np.rint(self.noise, out=self.noise)
        self.noise *= 1 / 256
        batch = batch_length(size, n)
        self.half = np.empty((batch, 2 * rank_y, width))
        self.whole = np.empty((batch, 2, height, width))

    def write(self, part, out):
        """Write the fields of a slice of at most one batch into int32 `out`, in 1/256 pixel."""
        chosen = 0 if self.choice is None else self.choice[part]
        basis_y, basis_x = (basis[chosen] for basis in self.bases)
        if self.choice is not None:
            basis_y = basis_y[:, None]  # the same for dy and dx
        half, whole = self.half[: len(out)], self.whole[: len(out)]
        # dy and dx in one product. Those of the whole batch would be so large that each of the
        # worker processes would start threads.
        np.matmul(self.noise[part], basis_x, out=half)
        np.matmul(basis_y, half.reshape(len(out), 2, -1, half.shape[2]), out=whole)
        np.rint(whole, out=whole)
        np.copyto(out, whole, casting="unsafe")


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
    drawn = _Affine(images, angle, scaling, shift, rng)
    steps = np.zeros((len(images), 2, *images.shape[1:]), np.int32)
    for part in batches(len(images), images.shape[1:]):
        drawn.add(part, steps[part])
    return _in_pixels(steps)


class _Affine:
    """All that is random about affine fields, drawn; they are added part by part."""

    def __init__(self, images, angle, scaling, shift, rng):
        n, *size = images.shape
        if shift is None:
            back, offset = _draw_around_ink(images, angle, scaling, rng)
        else:
            back = _draw_matrices(n, angle, scaling, rng)
            offset = shift * _scale_of(size) * rng.uniform(-1, 1, (2, n))
        y, x = (np.arange(side) - (side - 1) / 2 for side in size)
        # Rounded so coarsely that the sums below are exact, as in _Displacements.
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


def _in_pixels(steps):
    fields = steps.astype(np.float32)
    fields *= 1 / STEP
    return fields


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
    displacements = _Displacements(n, size, preset.alpha, preset.sigma, rng)
    affine = None
    if preset.scaling:
        affine = _Affine(images, angles, preset.scaling, preset.shift, rng)
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
    return distorted


def _scale_of(size):
    """Return by how much a picture's side, the root of its area, exceeds 32 pixels."""
    height, width = size
    return (height * width) ** 0.5 / SIDE


def block_length(size):
    """Return how many images of a size make a block; it must depend on nothing else."""
    return max(1, BLOCK_PIXELS // (size[0] * size[1]))


def check(alpha, sigma):
    """Raise UsageError unless fields of this strength and smoothness can be drawn."""
    if not SIGMA[0] <= sigma <= SIGMA[1]:
        raise UsageError(
            f"sigma must be {SIGMA[0]} to {SIGMA[1]}, in pixels of a {SIDE}-pixel picture. "
            f"Received: {sigma:g}"
        )
    if not 0 <= alpha <= MOST_ALPHA * sigma:
        raise UsageError(
            f"alpha must be 0 to {MOST_ALPHA} times sigma ({MOST_ALPHA * sigma:g} for sigma "
            f"{sigma:g}), which moves pixels by half the picture. Received: {alpha:g}"
        )


@functools.lru_cache(maxsize=16)
def _bases(size, alphas, sigmas):
    """Return the bases of both axes for every pair of an alpha and a sigma.

    `basis_y @ noise @ basis_x.T` is a field in pixels if the noise is standard normal.

    Returns:
        `(basis_y, basis_x)`: float64 `(pairs, height, rank)` and `(pairs, width, rank)`; columns
        that one pair does not need and another does are 0.
    """
    scale = _scale_of(size)
    pairs = []
    for alpha in alphas:
        for sigma in sigmas:
            check(alpha, sigma)
            # Uniform noise between -1 and 1 has variance 1/3. Each axis takes the root of the
            # factor, so that both are rounded equally finely.
            factor = np.sqrt(alpha * scale**2 / np.sqrt(3))
            vectors = (_blur_vectors(side, sigma * scale) for side in size)
            pairs.append([np.rint(v * factor * 4096) / 4096 for v in vectors])
    bases = []
    for axis, side in enumerate(size):
        rank = max(pair[axis].shape[1] for pair in pairs)
        basis = np.zeros((len(pairs), side, rank))
        for i, pair in enumerate(pairs):
            basis[i, :, : pair[axis].shape[1]] = pair[axis]
        basis.flags.writeable = False
        bases.append(basis)
    return tuple(bases)


def _blur_vectors(side, sigma):
    """Return the leading left singular vectors of a blur, each times its singular value.

    The blur is the `(side, side + 2 * radius)` matrix that leads from noise within and beyond the
    picture to blurred noise within it. Its product with its transpose has the same vectors, its
    entries depend on the distance of two pixels only, and it is far smaller.

    Returns:
        float64 `(side, rank)`. Both axes together keep KEPT of the variance.
    """
    radius = int(4 * sigma + 0.5)
    kernel = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    kernel /= kernel.sum()
    by_distance = np.zeros(max(side, 2 * radius + 1))
    by_distance[: 2 * radius + 1] = np.convolve(kernel, kernel)[2 * radius :]
    pixels = np.arange(side)
    covariance = by_distance[abs(pixels[:, None] - pixels)]
    squares, vectors = np.linalg.eigh(covariance)
    squares, vectors = squares[::-1].clip(0), vectors[:, ::-1]
    # A vector's sign is arbitrary and may differ between machines. The first entry is never 0.
    vectors = vectors * np.where(vectors[0] < 0, -1, 1)
    kept = np.cumsum(vectors**2 * squares, axis=1) / by_distance[0]
    rank = 1 + np.count_nonzero(kept[:, :-1].min(axis=0) < np.sqrt(KEPT))
    return vectors[:, :rank] * np.sqrt(squares[:rank])
