"""Elastic distortion: draw displacement fields, then apply them.

    fields = displacement_fields(len(images), (32, 32), alpha=47, sigma=6, rng=rng)
    distorted = resample.distort(images, fields)

A field is uniform noise, blurred by a Gaussian and multiplied by alpha. Blurred noise is smooth, so
a few numbers describe it: the noise is drawn in the basis of the blur's leading singular vectors,
one basis per axis, and what a plain blur of noise that goes on beyond the picture would give is
reached in distribution, at the border as in the centre, without blurring anything. Fields are whole
numbers of 1/256 pixel and all arithmetic on them is exact: the same seed gives the same bytes on
any machine.

Source: Simard, Steinkraus and Platt (2003), Best practices for convolutional neural networks
applied to visual document analysis.
"""

import functools

import numpy as np

from glyphs.augment.resample import SIDE, STEP, batch_length, batches, in_pixels, scale_of
from glyphs.errors import UsageError

KEPT = 0.999  # share of the variance that the fields keep, at every pixel
SIGMA = (1, 32)  # less is no blur, more moves the picture as a whole
# Times sigma: a root mean square of half the picture's side. It also bounds the sums that must fit
# the 53 bits of a float64.
MOST_ALPHA = 100


def displacement_fields(n, size, alpha=47.0, sigma=6.0, *, rng):
    """Draw fields of smooth random displacements, as strong at the border as in the centre.

    >>> fields = displacement_fields(3, (32, 48), alpha=47, sigma=6, rng=np.random.default_rng(1))
    >>> fields.shape, fields.dtype
    ((3, 2, 32, 48), dtype('float32'))
    >>> bool((fields * 256 == np.rint(fields * 256)).all())
    True

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
    drawn = Displacements(n, size, alpha, sigma, rng)
    steps = np.empty((n, 2, *size), np.int32)
    for part in batches(n, size):
        drawn.write(part, steps[part])
    return in_pixels(steps)


class Displacements:
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
        # workers would start threads of NumPy's.
        np.matmul(self.noise[part], basis_x, out=half)
        np.matmul(basis_y, half.reshape(len(out), 2, -1, half.shape[2]), out=whole)
        np.rint(whole, out=whole)
        np.copyto(out, whole, casting="unsafe")


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
    scale = scale_of(size)
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
