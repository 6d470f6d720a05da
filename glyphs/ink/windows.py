"""What is in the windows around pixels, and which pixels hang together.

`scipy.ndimage` has it all, and gives the same. But its import takes a quarter of a second in each
process, and with pictures as small as these half its time goes into preparations.
"""

import numpy as np


def largest(values, side):
    """Return the largest value in the square window around each pixel.

    Args:
        values: `(h, w)`; beyond the border is what is at the border.
        side: pixels; an even window reaches further up and to the left.
    """
    return _extreme(np.maximum, values, side)


def smallest(values, side):
    """Return the smallest value in the square window around each pixel; see largest."""
    return _extreme(np.minimum, values, side)


def grown(mask, pixels):
    """Return a mask with all that is within so many pixels of it, diagonally too."""
    return _extreme(np.logical_or, mask, 2 * pixels + 1)


def smoothed(values):
    """Return the mean of the 3 x 3 pixels around each, rounded down along each axis.

    Args:
        values: unsigned integers `(h, w)` below 2 ** 14; beyond the border is what is at it.
    """
    sums = values.astype(np.uint16)
    for axis in (0, 1):
        first, middle, last = (_shifted(sums, axis, shift) for shift in (-1, 0, 1))
        sums = (first + middle + last) // 3
    return sums.astype(values.dtype)


def label(mask):
    """Number the parts of a mask that hang together, diagonally too.

    Args:
        mask: bool `(h, w)`.

    Returns:
        `(numbers, count)`: int `(h, w)`, 0 outside the mask, and from 1 on in the order of the
        first pixels of the parts, row by row.
    """
    height, width = mask.shape
    # All rows in one, with a pixel between them; so runs of pixels end with their row.
    stride = width + 1
    flat = np.zeros(height * stride + 1, bool)
    flat[1:].reshape(height, stride)[:, :-1] = mask
    changes = np.nonzero(flat[1:] != flat[:-1])[0]
    starts, ends = changes[::2], changes[1::2]
    above = np.searchsorted(ends + stride, starts)
    touching = np.searchsorted(starts + stride, ends, "right") - above
    lower = np.repeat(np.arange(len(starts)), touching)
    upper = np.arange(len(lower)) - np.repeat(np.cumsum(touching) - touching - above, touching)
    roots = _first_of_each(lower, upper, len(starts))
    firsts, which = np.unique(roots, return_inverse=True)
    numbers = np.zeros(mask.shape, np.int32)
    numbers[mask] = np.repeat(which + 1, ends - starts)
    return numbers, len(firsts)


def boxes(numbers, count):
    """Return `(left, top, right, bottom)` of each number from 0 to count; of 0, nothing useful.

    Args:
        numbers, count: as `label` returns them.
    """
    rows, columns = np.nonzero(numbers)
    at = numbers[rows, columns]
    found = np.empty((count + 1, 4), np.int64)
    found[:, :2], found[:, 2:] = max(numbers.shape), 0
    for i, (pick, places) in enumerate(
        ((np.minimum, columns), (np.minimum, rows), (np.maximum, columns), (np.maximum, rows))
    ):
        pick.at(found[:, i], at, places + i // 2)
    return [tuple(box) for box in found.tolist()]


def _extreme(pick, values, side):
    for axis in (0, 1):
        count = values.shape[axis]
        around = np.arange(-(side // 2), count + side - side // 2 - 1)
        values = values.take(around, axis, mode="clip")
        done = 1  # pixels of the window so far: 1, 2, 4, ...
        while done < side:
            step = min(done, side - done)
            ahead = (slice(None),) * axis + (slice(step, None),)
            behind = (slice(None),) * axis + (slice(None, -step),)
            values = pick(values[behind], values[ahead])
            done += step
    return values


def _shifted(values, axis, shift):
    around = np.arange(values.shape[axis]) + shift
    return values.take(around, axis, mode="clip")


def _first_of_each(a, b, count):
    """Return for each of so many things the first that pairs connect it with."""
    roots = np.arange(count)
    while (roots[a] != roots[b]).any():
        first = np.minimum(roots[a], roots[b])
        np.minimum.at(roots, roots[a], first)
        np.minimum.at(roots, roots[b], first)
        while (roots[roots] != roots).any():
            roots = roots[roots]
    return roots
