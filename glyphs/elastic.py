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

SIDE = 32  # alpha and sigma are in pixels of a picture of this side
KEPT = 0.999  # share of the variance that the fields keep, at every pixel
SIGMA = (1, 32)  # less is no blur, more moves the picture as a whole
MOST_ALPHA = 100  # times sigma: a root mean square of half the picture's side
STEP = 256  # steps of displacement in a pixel

BATCH_PIXELS = 1 << 16  # worked on at a time: buffers of this size stay in the processor's cache
BLOCK_PIXELS = 1 << 19  # of a block, which has a random stream of its own


@dataclasses.dataclass(frozen=True)
class Preset:
    """A way to distort.

    Attributes:
        alpha, sigma: strength and smoothness of the fields, in pixels of a 32-pixel picture;
            where there are several values, one of each is drawn per picture.
        angle: each picture is rotated or sheared within this many degrees; 0 = not at all.
        scaling: each picture is scaled within a share drawn between these two; () = not at all.
    """

    alpha: tuple
    sigma: tuple
    angle: float = 0.0
    scaling: tuple = ()


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
        alpha: strength; sigma: smoothness. In pixels of a 32-pixel picture: with side =
            sqrt(height * width), the blur has sigma * side / 32 pixels and the factor is
            alpha * (side / 32)**2, so a larger picture of the same character looks the same. A
            sequence of values: one of them is drawn for each picture.
        rng: numpy Generator.

    Returns:
        float32 `(n, 2, height, width)`, whole multiples of 1/256: (dy, dx) in pixels.

    Raises:
        UsageError: alpha or sigma is out of range.

    Source:
        Simard, Steinkraus and Platt (2003), section 2.
    """
    basis_y, basis_x = _bases(tuple(size), tuple(np.ravel(alpha)), tuple(np.ravel(sigma)))
    several, height, rank_y = basis_y.shape
    width, rank_x = basis_x.shape[1:]
    choice = rng.integers(several, size=n) if several > 1 else np.zeros(n, np.intp)
    noise = rng.standard_normal((n, 2, rank_y, rank_x))
    # Noise and basis are rounded so coarsely that float64 holds every product and every sum of them
    # exactly: the result does not depend on the order in which a machine adds.
    noise *= 256
    np.rint(noise, out=noise)
    noise /= 256
    fields = np.empty((n, 2, height, width), np.float32)
    batch = _batch(size, n)
    half = np.empty((batch, 2, rank_y, width))
    whole = np.empty((batch, 2, height, width))
    for start in range(0, n, batch):
        part = slice(start, min(start + batch, n))
        left, right = half[: part.stop - start], whole[: part.stop - start]
        chosen = choice[part, None] if several > 1 else 0
        np.matmul(noise[part], basis_x[chosen].swapaxes(-1, -2), out=left)
        np.matmul(basis_y[chosen], left, out=right)
        _round_to_steps(right, fields[part])
    return fields


def affine_fields(images, *, angle, scaling, rng):
    """Draw fields that rotate or shear, and scale, each image about its centre.

    A coin decides between rotation and horizontal shear. Characters that fill their picture would
    lose the ends of strokes, so each is then shrunk and shifted as little as is needed for its ink
    to stay inside. Added to displacement_fields, the fields distort in both ways by one resampling.

    Args:
        images: uint8 `(n, height, width)`, 0 = paper.
        angle: most degrees of rotation or shear, either way; a number, or one per image.
        scaling: `(lowest, highest)`, shares of 1: a share g between them is drawn per image, then
            the scales of height and width, each between 1 - g and 1 + g.
        rng: numpy Generator.

    Returns:
        float32 `(n, 2, height, width)`, whole multiples of 1/256: (dy, dx) in pixels.

    Source:
        Ciresan et al. (2010), arXiv 1003.0358, section 3; but for the ink that stays inside.
    """
    n, *size = images.shape
    angles = np.deg2rad(angle) * rng.uniform(-1, 1, n)
    is_shear = rng.integers(2, size=n).astype(bool)
    most = rng.uniform(*scaling, n)
    scales = 1 + most * rng.uniform(-1, 1, (2, n))
    cos, sin = np.where(is_shear, 1, np.cos(angles)), np.where(is_shear, 0, np.sin(angles))
    slant = np.where(is_shear, np.tan(angles), -sin)
    # Matrices from the original (y, x) to the distorted one, and back; fields lead back.
    there = np.array([[cos, -sin], [-slant, cos]]) * scales
    back = np.array([[cos, sin], [slant, cos]]) / scales[:, None]
    shrink, shift = _keep_inside(images, there)
    back /= shrink
    offset = -(back * shift).sum(axis=1)
    # Rounded so coarsely that the sums below are exact, as in displacement_fields.
    slope = np.rint((back - np.eye(2)[..., None]) * 65536) / 65536
    offset = np.rint(offset * 65536) / 65536
    y, x = (np.arange(side) - (side - 1) / 2 for side in size)
    along_y = slope[:, 0, :, None] * y + offset[..., None]
    along_x = slope[:, 1, :, None] * x
    fields = np.empty((n, 2, *size), np.float32)
    batch = _batch(size, n)
    for start in range(0, n, batch):
        part = slice(start, start + batch)
        for axis in range(2):
            moved = along_y[axis, part, :, None] + along_x[axis, part, None, :]
            _round_to_steps(moved, fields[part, axis])
    return fields


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


def _round_to_steps(fields, out):
    """Write float64 fields into float32 `out` as whole multiples of 1/256; `fields` is spoilt."""
    fields *= STEP
    np.rint(fields, out=fields)
    np.multiply(fields, 1 / STEP, out=out, casting="same_kind")


def distort(images, fields, *, paper=0):
    """Move the ink of images along displacement fields.

    A pixel of the result is what lies at its position plus its displacement in the image, bilinear
    between the four pixels around. Outside an image is paper.

    Args:
        images: uint8 `(n, height, width)`, 0 = paper; not modified.
        fields: float32 `(n, 2, height, width)`, (dy, dx) in pixels, finite; taken to the nearest
            1/256 pixel.
        paper: what lies outside: a number, or uint8 `(n,)` (see paper_of).

    Returns:
        uint8 `(n, height, width)`. Fields of zeros return the images as they are.

    Raises:
        ValueError: dtype or shape of an array does not fit.
    """
    _check_arrays(images, fields)
    n, height, width = images.shape
    distorted = np.empty(images.shape, np.uint8)
    paper = np.broadcast_to(np.uint8(paper), n)
    batch = _batch((height, width), n)
    resampler = _Resampler(batch, height, width)
    for start in range(0, n, batch):
        part = slice(start, start + batch)
        resampler(images[part], fields[part], paper[part], distorted[part])
    return distorted


def _check_arrays(images, fields):
    if images.dtype != np.uint8 or images.ndim != 3:
        raise ValueError(
            f"images must be uint8 (n, height, width). Received: {images.dtype} {images.shape}"
        )
    n, height, width = images.shape
    if fields.shape != (n, 2, height, width):
        raise ValueError(f"fields must be {(n, 2, height, width)}. Received: {fields.shape}")


def paper_of(images):
    """Return the value of each image's paper: the lower quartile of its border.

    A border darker than half of the darkest pixel belongs to a character that fills its picture, as
    a box may; its paper is taken for clean.

    Args:
        images: uint8 `(n, height, width)`.

    Returns:
        uint8 `(n,)`; 0 for clean images, more where a photograph's paper is grey.
    """
    sides = (images[:, 0], images[:, -1], images[:, :, 0], images[:, :, -1])
    border = np.concatenate(sides, axis=1)
    quarter = border.shape[1] // 4
    paper = np.partition(border, quarter, axis=1)[:, quarter]
    darkest = images.max(axis=(1, 2))
    return np.where(paper <= darkest // 2, paper, 0).astype(np.uint8)


class _Resampler:
    """Bilinear resampling of batches of one shape in whole numbers, in buffers made once.

    Images lie in one row of uint32 cells, each in an edge of paper. A cell holds its own pixel and
    those right, below, and below right of it, a byte each. So one look-up finds all four neighbours
    of a position, and one multiplication weights two of them.
    """

    def __init__(self, batch, height, width):
        self.line = width + 2
        self.shape = (height + 2, self.line)
        self.edge = self.line + 1  # from the edge's corner to the image's first pixel
        self.area = (height + 2) * self.line
        self.pixels = np.zeros(batch * self.area + self.edge, np.uint32)
        self.cells = np.empty(batch * self.area, np.uint32)
        self.shifted = np.empty(batch * self.area, np.uint32)
        self.first = (np.arange(batch) * self.area + self.edge).reshape(-1, 1, 1)
        y, x = np.mgrid[:height, :width].astype(np.float32)
        self.grid = np.stack((y, x)) * STEP
        self.end = np.array([height, width], np.float32).reshape(2, 1, 1) * STEP
        self.moved = np.empty((batch, 2, height, width), np.float32)
        self.positions = np.empty((batch, 2, height, width), np.int32)
        self.whole = np.empty((batch, height, width), np.int32)
        self.index = np.empty((batch, height, width), np.intp)
        self.found, self.a, self.b = np.empty((3, batch, height, width), np.uint32)

    def __call__(self, images, fields, paper, out):
        n = len(images)
        self.fill_cells(images, paper)
        moved, positions = self.moved[:n], self.positions[:n]
        np.multiply(fields, np.float32(STEP), out=moved)
        np.rint(moved, out=moved)
        moved += self.grid
        # Beyond the edge, all is paper.
        np.maximum(moved, np.float32(-STEP), out=moved)
        np.minimum(moved, self.end, out=moved)
        np.copyto(positions, moved, casting="unsafe")
        found = self.look_up(positions)
        positions &= STEP - 1
        fraction = positions.view(np.uint32)
        np.copyto(out, self.blend(found, fraction[:, 0], fraction[:, 1]), casting="unsafe")

    def fill_cells(self, images, paper):
        n = len(images)
        size = n * self.area
        pixels, cells, shifted = self.pixels, self.cells[:size], self.shifted[:size]
        framed = pixels[:size].reshape(n, *self.shape)
        framed[:, :: self.shape[0] - 1] = paper[:, None, None]
        framed[:, :, :: self.line - 1] = paper[:, None, None]
        framed[:, 1:-1, 1:-1] = images
        cells[:] = pixels[:size]
        for offset, bits in ((1, 8), (self.line, 16), (self.edge, 24)):
            np.left_shift(pixels[offset : offset + size], np.uint32(bits), out=shifted)
            cells |= shifted

    def look_up(self, positions):
        """Return the cell of each position, uint32 `(n, height, width)`."""
        n = len(positions)
        whole, index = self.whole[:n], self.index[:n]
        np.right_shift(positions[:, 0], 8, out=whole)
        whole *= self.line
        np.add(whole, self.first[:n], out=index)
        np.right_shift(positions[:, 1], 8, out=whole)
        index += whole
        # Never out of range; mode "clip" only saves NumPy a pass to check that.
        return np.take(self.cells, index, out=self.found[:n], mode="clip")

    def blend(self, found, below, right):
        """Return the mean of the four pixels in each cell; weights of 1/256, 0 to 255."""
        left, difference = self.a[: len(found)], self.b[: len(found)]
        # Two sums of 16 bits side by side: none exceeds 255 * 256, so none reaches its neighbour.
        np.bitwise_and(found, 0x00FF00FF, out=left)
        np.right_shift(found, 8, out=difference)
        difference &= 0x00FF00FF
        difference -= left  # may wrap around; so does the sum below, back again
        difference *= right
        left <<= 8
        left += difference
        upper, difference = left, found
        np.right_shift(left, 16, out=difference)
        upper &= 0xFFFF
        difference -= upper
        difference *= below
        upper <<= 8
        upper += difference
        upper += 1 << 15
        upper >>= 16
        return upper


def distort_block(images, preset, angles, key):
    """Distort one block of a dataset, by the random stream that belongs to it.

    Args:
        images: uint8 `(n, height, width)`.
        preset: Preset.
        angles: float `(n,)`, degrees: the most that each image may be rotated or sheared.
        key: `(seed, copy, block)`: the dataset's seed, the number of the copy, that of the block.

    Returns:
        uint8 `(n, height, width)`.
    """
    rng = np.random.default_rng(key)
    n, size = len(images), images.shape[1:]
    fields = displacement_fields(n, size, preset.alpha, preset.sigma, rng=rng)
    if preset.scaling:
        fields += affine_fields(images, angle=angles, scaling=preset.scaling, rng=rng)
    return distort(images, fields, paper=paper_of(images))


def block_length(size):
    """Return how many images of a size make a block; it must depend on nothing else."""
    return max(1, BLOCK_PIXELS // (size[0] * size[1]))


def _batch(size, n):
    return max(1, min(n, BATCH_PIXELS // (size[0] * size[1])))


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
    height, width = size
    scale = (height * width) ** 0.5 / SIDE
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
