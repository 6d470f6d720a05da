"""Find straight lines in a mask of ink, and tell those that are ruled from those that are drawn."""

import dataclasses

import numpy as np

MAX_SLOPE = 0.12  # of a line, pixels down per pixel to the right: 7 degrees
MAX_SKEW = 0.25  # of a diagonal, beyond its slope: 6 degrees
MAX_LINES = 24  # in one direction


@dataclasses.dataclass
class Line:
    """A straight line across a mask, from left to right.

    Attributes:
        rows: int `(w,)`: the row of the line in each column.
        start, end: the columns between which it is drawn.
        thickness: in pixels, the usual one.
        pixels: bool `(h, w)`: its ink, without the strokes that cross it.
        density: how much of it is drawn between start and end, 0..1; dashes have gaps.
        is_ruled: whether it is straight and even as no hand draws.
    """

    rows: np.ndarray
    start: int
    end: int
    thickness: int
    pixels: np.ndarray
    density: float
    is_ruled: bool

    @property
    def length(self):
        """Columns from start to end."""
        return self.end - self.start + 1


def stroke_width(mask):
    """Return about how wide strokes are, in pixels: twice their area by the length of their edge.

    Args:
        mask: bool `(h, w)`, True = ink.
    """
    padded = np.pad(mask, 1)
    edge = (padded[1:] != padded[:-1]).sum() + (padded[:, 1:] != padded[:, :-1]).sum()
    # Edges are counted along the axes: those of slanting strokes are a quarter too long.
    return max(1, int(5 * mask.sum() // (2 * max(int(edge), 1))))


def find_lines(mask, max_slope=MAX_SLOPE):
    """Return the Lines from left to right that are longer than a third of the width.

    Args:
        mask: bool `(h, w)`, True = ink.
        max_slope: pixels down or up per pixel to the right.
    """
    height, width = mask.shape
    top, bottom = upright_runs(mask)
    edges = mask.copy()
    edges[1:] &= ~mask[:-1]
    ys, xs = np.nonzero(edges)
    if len(ys) == 0 or width < 16:
        return []
    # Hough: how many columns have an upper edge on the line of a slope and an offset.
    step = 384 // width + 1  # slopes are in 1/256 pixel per pixel
    slopes = np.arange(-int(256 * max_slope), int(256 * max_slope) + 1, step)
    reach = int(max_slope * width / 2) + 2
    votes = np.zeros((len(slopes), height + 2 * reach + 1), np.int32)
    for i, slope in enumerate(slopes.tolist()):
        at = ys - ((xs - width // 2) * slope >> 8) + reach
        count = np.bincount(at, minlength=votes.shape[1])[: votes.shape[1]]
        votes[i, :-1] = count[:-1] + count[1:]
    lines = []
    columns = np.arange(width)
    for _ in range(2 * MAX_LINES):
        i, offset = divmod(int(votes.argmax()), votes.shape[1])
        if votes[i, offset] * 10 < 3 * width:
            break
        rows = offset - reach + ((columns - width // 2) * int(slopes[i]) >> 8)
        line = _follow(mask, top, bottom, rows)
        if line is not None:
            lines.append(line)
        # Beside the edge of a stroke may be a line, at another slope.
        near = slice(None) if line is not None else slice(max(0, i - 1), i + 2)
        votes[near, max(0, offset - 3) : offset + 4] = 0
    return lines


def find_diagonals(mask):
    """Return the Lines that fall from left to right by about 45 degrees.

    Their `rows` may lie outside of the mask, and `is_ruled` says little: all but exact ones have
    steps.

    Args:
        mask: bool `(h, w)`, True = ink.
    """
    height, width = mask.shape
    # Columns are moved up, the more the further right they are: a diagonal becomes a level line.
    shifts = np.arange(width)
    index = np.arange(height)[:, None] + (width - shifts)
    level = np.zeros((height + width, width), bool)
    np.put_along_axis(level, index, mask, axis=0)
    return [
        dataclasses.replace(
            line,
            rows=line.rows - width + shifts,
            pixels=np.take_along_axis(line.pixels, index, axis=0),
        )
        for line in find_lines(level, MAX_SKEW)
    ]


def line_along(mask, rows, runs):
    """Return the Line along these rows, one for each column, or None where there is none.

    Args:
        mask: bool `(h, w)`, True = ink.
        rows: int `(w,)`.
        runs: what upright_runs returned of the mask.
    """
    return _follow(mask, *runs, rows)


def _follow(mask, top, bottom, rows):
    """Return the Line along these rows, or None where there is none."""
    height, width = mask.shape
    columns = np.arange(width)
    thickness = np.full(width, 2 * height, np.int32)
    best = np.full(width, -1, np.int32)
    for shift in (0, 1, -1, 2):
        at = rows + shift
        inside = (at >= 0) & (at < height)
        at = at.clip(0, height - 1)
        run = bottom[at, columns] - top[at, columns] + 1
        better = inside & mask[at, columns] & (run < thickness)
        thickness[better] = run[better]
        best[better] = at[better]
    hit = best >= 0
    if not hit.any():
        return None
    # Half of a line may lie in strokes; where it is thinnest, it is by itself.
    usual = int(np.percentile(thickness[hit], 20, method="nearest"))
    own = hit & (thickness <= usual + usual // 2 + 1)
    # The longest stretch without a wide gap; a stroke that crosses is none. A ruled line goes on
    # behind a stroke that runs along it.
    drawn = np.nonzero(hit)[0]
    breaks = np.nonzero(np.diff(drawn) > max(6, width // 8))[0] + 1
    stretches = np.split(drawn, breaks)
    longest = max(stretches, key=len)
    long = np.concatenate([s for s in stretches if 16 * len(s) >= width] or [longest])
    for stretch in (long, longest):
        chosen = np.intersect1d(np.nonzero(own)[0], np.arange(stretch[0], stretch[-1] + 1))
        first, last = top[best[chosen], chosen], bottom[best[chosen], chosen]
        is_ruled = len(chosen) > 0 and _is_ruled(chosen, first, last)
        if is_ruled:
            break
    if 6 * len(chosen) < width:
        return None
    start, end = int(chosen[0]), int(chosen[-1])
    if 3 * (end - start + 1) < width:
        return None
    density = int(hit[start : end + 1].sum()) / (end - start + 1)
    pixels = np.zeros_like(mask)
    index = np.arange(height)[:, None]
    pixels[:, chosen] = (index >= first) & (index <= last)
    return Line(rows, start, end, usual, pixels, density, is_ruled)


def _is_ruled(columns, first, last):
    """Return whether an upper and a lower edge are straight to half a pixel, nearly everywhere."""
    thickness = last - first
    if int(np.percentile(thickness, 90)) - int(np.percentile(thickness, 10)) > 1:
        return False
    # Twice its middle, from the straight line between the middles of its first and last third.
    middle, third = first + last, len(columns) // 3
    a, b = columns[:third].sum(), columns[-third:].sum()
    c, d = middle[:third].sum(), middle[-third:].sum()
    off = (middle * third - c) * (b - a) - (columns * third - a) * (d - c)
    return bool(10 * (np.abs(off) <= 1.25 * third * (b - a)).sum() >= 9 * len(columns))


def upright_runs(mask):
    """Return for each pixel of ink the first and the last row of its vertical run."""
    height = mask.shape[0]
    index = np.arange(height, dtype=np.int32)[:, None]
    top = np.maximum.accumulate(np.where(mask, -1, index), axis=0) + 1
    bottom = np.minimum.accumulate(np.where(mask, height, index)[::-1], axis=0)[::-1] - 1
    return top, bottom


def goes_through(line, width):
    """Return whether a Line goes from border to border of a mask of that width."""
    margin = 2 + width // 40
    return line.start <= margin and line.end >= width - 1 - margin
