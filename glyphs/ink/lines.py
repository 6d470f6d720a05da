"""Find and remove printed lines: ruled and squared paper, boxes around a character, guide lines.

Strokes that cross a line stay: where the ink is thicker than the line, it is not only the line.
"""

import dataclasses
import itertools

import numpy as np

from glyphs.ink import windows

MAX_SLOPE = 0.12  # of a line, pixels down per pixel to the right: 7 degrees
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
    """

    rows: np.ndarray
    start: int
    end: int
    thickness: int
    pixels: np.ndarray
    density: float


def without_lines(mask):
    """Return a mask without printed lines.

    Args:
        mask: bool `(h, w)`, True = ink.

    Returns:
        bool `(h, w)`; the mask itself where there are no lines, or nothing but lines.
    """
    across, down = find_lines(mask), find_lines(mask.T)
    if not across and not down:
        return mask
    mask = _without_rules(mask, across, down)
    return _without_box(mask, across, down)


def _without_rules(mask, across, down):
    """Return the mask without printed lines from border to border."""
    height, width = mask.shape
    through = [line for line in across if _goes_through(line, width)]
    upright = [line for line in down if _goes_through(line, height)]
    for _ in range(2):  # once more, with the strokes among the lines given back
        if not through and not upright:
            return mask
        rest = _minus(mask, through, upright)
        if 50 * rest.sum() < mask.sum():
            return mask
        strokes = stroke_width(rest)
        top, bottom, left, right = _extent(_largest(rest))
        through = [
            line
            for line in through
            if _is_printed(line, through, strokes, (left, right, width), (top, bottom, height))
        ]
        upright = [
            line
            for line in upright
            if _is_printed(line, upright, strokes, (top, bottom, height), (left, right, width))
        ]
    return _minus(mask, through, upright)


def _is_printed(line, others, strokes, along, beside):
    """Return whether a line from border to border is none of the character's strokes.

    `along` and `beside` are where the rest of the ink begins and ends, and the picture's side, in
    the line's direction and across it.
    """
    if 10 * line.thickness <= 6 * strokes:
        return True
    # A character cropped tightly has strokes from border to border: 一, 十, 工, a headline.
    margin = beside[2] // 25 + 1
    is_tight = beside[0] <= margin and beside[1] >= beside[2] - 1 - margin
    row = int(line.rows[len(line.rows) // 2])
    is_last = row <= margin or row + line.thickness >= beside[2] - margin
    if is_tight or is_last:
        return False
    if len(others) >= 3:
        return True
    free = along[0] + along[2] - 1 - along[1]
    return 8 * free >= along[2]


def _without_box(mask, across, down):
    """Return the mask without a printed box, what is outside it, and lines that divide it."""
    across, down = across[:8], down[:8]
    best = None
    through = [[x for x in found if _goes_through(x, len(x.rows))] for found in (across, down)]
    if max(map(len, through)) >= 3:
        return mask  # squared paper is no box
    for upper, lower in itertools.permutations(across, 2):
        for left, right in itertools.permutations(down, 2):
            sides = (upper, lower, left, right)
            if all(_goes_through(side, len(side.rows)) for side in sides):
                continue  # squared paper
            box = _box(*sides, mask.shape)
            if box is not None and (best is None or _area(box) < _area(best[0])):
                inner = np.zeros_like(mask)
                inner[box[1] : box[3] + 1, box[0] : box[2] + 1] = True
                outside = _minus(mask, (upper, lower), (left, right))
                rest = outside & inner
                if not rest.any() or 10 * rest.sum() < 9 * outside.sum():
                    continue
                top, bottom, first, last = _extent(rest)
                is_filled = 4 * max(bottom - top, last - first) >= min(
                    box[2] - box[0], box[3] - box[1]
                )
                # In 国 the frame is as wide as the other strokes, which nearly fill it.
                is_loose = 3 * (bottom - top) <= 2 * (box[3] - box[1])
                is_loose = is_loose and 3 * (last - first) <= 2 * (box[2] - box[0])
                most = (15 if is_loose else 12) * stroke_width(rest) + 8
                if is_filled and all(20 * side.thickness <= most for side in sides):
                    best = box, most, inner
    if best is None:
        return mask
    box, most, inner = best
    height, width = box[3] - box[1], box[2] - box[0]
    lines = [
        [line for line in found if 10 * (line.end - line.start) >= 8 * side]
        for found, side in ((across, width), (down, height))
    ]
    lines = [[x for x in found if 20 * x.thickness <= most] for found in lines]
    rest = _minus(mask, *lines)
    label, count = windows.label(rest)
    within = np.bincount(label[inner], minlength=count + 1)
    return rest & (2 * within >= np.bincount(label.ravel(), minlength=count + 1))[label]


def _largest(mask):
    """Return the largest connected part of a mask."""
    label, _ = windows.label(mask)
    areas = np.bincount(label.ravel())
    areas[0] = 0
    return label == areas.argmax()


def _box(upper, lower, left, right, shape):
    """Return `(left, top, right, bottom)` of the box that four lines make, or None."""
    height, width = shape
    x0, x1 = int(left.rows[height // 2]), int(right.rows[height // 2])
    y0, y1 = int(upper.rows[width // 2]), int(lower.rows[width // 2])
    near = max(4, min(height, width) // 16)
    if x1 - x0 < width // 3 or y1 - y0 < height // 3:
        return None
    for line, first, last in ((upper, x0, x1), (lower, x0, x1), (left, y0, y1), (right, y0, y1)):
        if line.start > first + near or line.end < last - near or line.density < 0.6:
            return None
    return x0, y0, x1, y1


def _area(box):
    return (box[2] - box[0]) * (box[3] - box[1])


def _minus(mask, across, down):
    """Return a mask without the pixels of lines."""
    rest = mask.copy()
    for line in across:
        rest &= ~line.pixels
    for line in down:
        rest &= ~line.pixels.T
    return rest


def _extent(mask):
    """Return the first and last row, first and last column that hold all but a few pixels."""
    found = []
    for axis in (1, 0):
        counts = np.cumsum(mask.sum(axis=axis))
        few = counts[-1] // 50
        found += np.searchsorted(counts, (few + 1, counts[-1] - few)).tolist()
    return found


def stroke_width(mask):
    """Return about how wide strokes are, in pixels: twice their area by the length of their edge.

    Args:
        mask: bool `(h, w)`, True = ink.
    """
    padded = np.pad(mask, 1)
    edge = (padded[1:] != padded[:-1]).sum() + (padded[:, 1:] != padded[:, :-1]).sum()
    # Edges are counted along the axes: those of slanting strokes are a quarter too long.
    return max(1, int(5 * mask.sum() // (2 * max(int(edge), 1))))


def find_lines(mask):
    """Return the Lines from left to right that are longer than a third of the width.

    Args:
        mask: bool `(h, w)`, True = ink.
    """
    height, width = mask.shape
    top, bottom = _runs(mask)
    edges = mask.copy()
    edges[1:] &= ~mask[:-1]
    ys, xs = np.nonzero(edges)
    if len(ys) == 0 or width < 16:
        return []
    # Hough: how many columns have an upper edge on the line of a slope and an offset.
    step = 384 // width + 1  # slopes are in 1/256 pixel per pixel
    slopes = np.arange(-int(256 * MAX_SLOPE), int(256 * MAX_SLOPE) + 1, step)
    reach = int(MAX_SLOPE * width / 2) + 2
    votes = np.zeros((len(slopes), height + 2 * reach + 1), np.int32)
    for i, slope in enumerate(slopes.tolist()):
        at = ys - ((xs - width // 2) * slope >> 8) + reach
        count = np.bincount(at, minlength=votes.shape[1])[: votes.shape[1]]
        votes[i, :-1] = count[:-1] + count[1:]
    lines = []
    columns = np.arange(width)
    while len(lines) < MAX_LINES:
        i, offset = divmod(int(votes.argmax()), votes.shape[1])
        if votes[i, offset] * 10 < 3 * width:
            break
        rows = offset - reach + ((columns - width // 2) * int(slopes[i]) >> 8)
        votes[:, max(0, offset - 3) : offset + 4] = 0
        line = _follow(mask, top, bottom, rows)
        if line is not None:
            lines.append(line)
    return lines


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
    # The longest stretch without a wide gap; a stroke that crosses is none.
    drawn = np.nonzero(hit)[0]
    breaks = np.nonzero(np.diff(drawn) > max(6, width // 8))[0] + 1
    stretch = max(np.split(drawn, breaks), key=len)
    own[: stretch[0]] = own[stretch[-1] + 1 :] = False
    drawn = np.nonzero(own)[0]
    if 6 * len(drawn) < width:
        return None
    start, end = int(drawn[0]), int(drawn[-1])
    if 3 * (end - start + 1) < width:
        return None
    density = int(hit[start : end + 1].sum()) / (end - start + 1)
    pixels = np.zeros_like(mask)
    index = np.arange(height)[:, None]
    chosen = columns[own]
    pixels[:, chosen] = (index >= top[best[own], chosen]) & (index <= bottom[best[own], chosen])
    return Line(rows, start, end, usual, pixels, density)


def _runs(mask):
    """Return for each pixel of ink the first and the last row of its vertical run."""
    height = mask.shape[0]
    index = np.arange(height, dtype=np.int32)[:, None]
    top = np.maximum.accumulate(np.where(mask, -1, index), axis=0) + 1
    bottom = np.minimum.accumulate(np.where(mask, height, index)[::-1], axis=0)[::-1] - 1
    return top, bottom


def _goes_through(line, width):
    """Return whether a line goes from border to border."""
    margin = 2 + width // 40
    return line.start <= margin and line.end >= width - 1 - margin
