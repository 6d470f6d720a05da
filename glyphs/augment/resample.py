"""Bilinear resampling of images along displacement fields, in whole numbers: exact everywhere."""

import numpy as np

SIDE = 32  # strengths of distortions are in pixels of a picture of this side
STEP = 256  # steps of displacement in a pixel
BATCH_PIXELS = 1 << 16  # worked on at a time: buffers of this size stay in the processor's cache


def scale_of(size):
    """Return by how much a picture's side, the root of its area, exceeds 32 pixels."""
    height, width = size
    return (height * width) ** 0.5 / SIDE


def in_pixels(steps):
    """Return int32 steps of 1/256 pixel as float32 pixels."""
    fields = steps.astype(np.float32)
    fields *= 1 / STEP
    return fields


def distort(images, fields, *, paper=0):
    """Move the ink of images along displacement fields.

    A pixel of the result is what lies at its position plus its displacement in the image, bilinear
    between the four pixels around. Outside an image is paper.

    >>> image = np.array([[[0, 100, 200]]], np.uint8)
    >>> fields = np.zeros((1, 2, 1, 3), np.float32)
    >>> fields[:, 1] = 0.5  # half a pixel to the right in the image
    >>> distort(image, fields)
    array([[[ 50, 150, 100]]], dtype=uint8)

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
    resampler = Resampler(batch_length((height, width), n), height, width)
    for part in batches(n, (height, width)):
        # Far beyond any picture there is nothing but paper, and whole numbers end.
        steps = np.rint(fields[part] * np.float32(STEP)).clip(-(2.0**28), 2.0**28)
        resampler(images[part], steps.astype(np.int32), paper[part], distorted[part])
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
    border = np.concatenate([side.T for side in sides])
    quarter = len(border) // 4
    # Bit by bit: the largest value that at most a quarter lies below. Faster than np.partition.
    paper = np.zeros(len(images), np.uint8)
    for bit in (128, 64, 32, 16, 8, 4, 2, 1):
        tried = paper | np.uint8(bit)
        np.copyto(paper, tried, where=np.count_nonzero(border < tried, axis=0) <= quarter)
    darkest = images.max(axis=(1, 2))
    return np.where(paper <= darkest // 2, paper, 0).astype(np.uint8)


class Resampler:
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
        self.pairs = np.empty(batch * self.area + self.line, np.uint32)
        self.cells = np.empty(batch * self.area, np.uint32)
        first = np.arange(batch, dtype=np.int32) * self.area + self.edge
        self.first = first.reshape(-1, 1, 1)
        self.grid = np.mgrid[:height, :width].astype(np.int32) * STEP
        self.index = np.empty((batch, height, width), np.intp)
        self.found, self.a, self.b = np.empty((3, batch, height, width), np.uint32)
        # Looking up ends before blending begins, so they share two buffers.
        self.rows, self.columns = self.a.view(np.int32), self.b.view(np.int32)

    def __call__(self, images, steps, paper, out):
        """Write distorted images into `out`. `steps`, int32 in 1/256 pixel, is spoilt."""
        self.fill_cells(images, paper)
        positions = steps
        positions += self.grid
        # Beyond the edge, all is paper. Axis by axis, as NumPy is fast where bounds are numbers.
        for axis, side in enumerate(self.grid.shape[1:]):
            np.clip(positions[:, axis], -STEP, side * STEP, out=positions[:, axis])
        found = self.look_up(positions)
        positions &= STEP - 1
        fraction = positions.view(np.uint32)
        np.copyto(out, self.blend(found, fraction[:, 0], fraction[:, 1]), casting="unsafe")

    def fill_cells(self, images, paper):
        n = len(images)
        size = n * self.area
        pixels, pairs, cells = self.pixels, self.pairs[: size + self.line], self.cells[:size]
        framed = pixels[:size].reshape(n, *self.shape)
        framed[:, :: self.shape[0] - 1] = paper[:, None, None]
        framed[:, :, :: self.line - 1] = paper[:, None, None]
        framed[:, 1:-1, 1:-1] = images
        # First each pixel with its right neighbour, then each pair with the pair below.
        np.left_shift(pixels[1 : size + self.edge], 8, out=pairs)
        pairs |= pixels[: size + self.line]
        np.left_shift(pairs[self.line :], 16, out=cells)
        cells |= pairs[:size]

    def look_up(self, positions):
        """Return the cell of each position, uint32 `(n, height, width)`."""
        n = len(positions)
        rows, columns, index = self.rows[:n], self.columns[:n], self.index[:n]
        np.right_shift(positions[:, 0], 8, out=rows)
        np.right_shift(positions[:, 1], 8, out=columns)
        rows *= self.line
        rows += self.first[:n]
        rows += columns
        np.copyto(index, rows)
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


def batch_length(size, n):
    """Return how many of `n` images are worked on at a time."""
    return max(1, min(n, BATCH_PIXELS // (size[0] * size[1])))


def batches(n, size):
    """Yield slices that cut `n` images into batches."""
    batch = batch_length(size, n)
    return (slice(start, start + batch) for start in range(0, n, batch))
