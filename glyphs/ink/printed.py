"""Remove what is printed: ruled and squared paper, boxes around a character, guide lines.

Strokes that cross a line stay: where the ink is thicker than the line, it is not only the line.
"""

import itertools
import typing

import numpy as np

from glyphs.ink import guides, windows
from glyphs.ink.lines import find_lines, goes_through, stroke_width, upright_runs

_BOXES = 100  # that are looked at, the smallest first


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
    rest = guides.without_diagonals(mask, across, down)
    rest = _without_rules(rest, across, down)
    rest = _without_box(rest, across, down)
    thickness = sorted(x.thickness for x in across + down)[len(across + down) // 2]
    rest = _without_remains(rest, mask & ~rest, thickness)
    return rest if 50 * rest.sum() >= mask.sum() else mask


def _without_remains(rest, removed, thickness):
    """Return the rest without the specks that lie where lines were removed."""
    if not removed.any():
        return rest
    label, count = windows.label(rest)
    areas = np.bincount(label.ravel(), minlength=count + 1)
    beside = np.bincount(label[windows.grown(removed, 2)], minlength=count + 1)
    return rest & ((beside < areas) | (areas > 2 * thickness * thickness))[label]


def _without_rules(mask, across, down):
    """Return the mask without printed lines from border to border."""
    height, width = mask.shape
    through = [line for line in across if goes_through(line, width)]
    upright = [line for line in down if goes_through(line, height)]
    for _ in range(2):  # once more, with the strokes among the lines given back
        if not through and not upright:
            return mask
        rest = _minus(mask, through, upright)
        if 50 * rest.sum() < mask.sum():
            return mask
        strokes = stroke_width(rest)
        extent = _extent(_large_parts(rest))
        # Strokes of the other direction count when a crop is told to be tight, as in 十.
        rules = [[x for x in found if x.is_ruled] for found in (through, upright)]
        drawn = _minus(mask, *(found if len(found) > 1 else [] for found in rules))
        whole = _extent(_large_parts(drawn)) if drawn.any() else extent
        n_ruled = [len(found) for found in rules]
        is_paper = max(n_ruled) >= 3 or (min(n_ruled) >= 2 and not _is_frame(through, upright))
        through = [
            line
            for line in through
            if (is_paper and line.is_ruled)
            or _is_printed(line, through, strokes, (*extent[2:], width), (*whole[:2], height))
        ]
        upright = [
            line
            for line in upright
            if (is_paper and line.is_ruled)
            or _is_printed(line, upright, strokes, (*extent[:2], height), (*whole[2:], width))
        ]
    return _minus(mask, through, upright)


def _is_frame(across, down):
    """Return whether ruled lines lie along the border only, as those of a printed 国 do."""
    for lines, others in ((across, down), (down, across)):
        side = len(others[0].rows)
        for line in lines:
            row = int(line.rows[len(line.rows) // 2])
            if line.is_ruled and side // 16 < row < side - 1 - side // 16:
                return False
    return True


def _is_printed(line, others, strokes, along, beside):
    """Return whether a line from border to border is none of the character's strokes.

    `along` is where the rest of the ink begins and ends in the line's direction, `beside` where all
    that may be strokes does across it; each ends with the picture's side.
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


class _Box(typing.NamedTuple):
    """A printed box: its corners, its sides, and which lines of the mask go with it.

    Attributes:
        place: `(left, top, right, bottom)`.
        sides: the Lines above, below, at the left, at the right.
        middle: lines through its middle as guides.through_middle returns them; None where they are
            strokes.
        most: a line is thin beside the strokes where 20 times its thickness is no more.
    """

    place: tuple
    sides: tuple
    middle: list | None
    most: int


def _without_box(mask, across, down):
    """Return the mask without a printed box, what is outside it, and lines that divide it."""
    across, down = across[:8], down[:8]
    through = [[x for x in found if goes_through(x, len(x.rows))] for found in (across, down)]
    if max(map(len, through)) >= 3 and min(map(len, through)) > 0:
        return mask  # squared paper is no box
    places = []
    for pairs in itertools.product(
        itertools.permutations(across, 2), itertools.permutations(down, 2)
    ):
        sides = (*pairs[0], *pairs[1])
        if place := _place(*sides, mask.shape):
            places.append((_area(place), len(places), place, sides))
    runs = (upright_runs(mask), upright_runs(mask.T)) if places else None
    for _, _, place, sides in sorted(places)[:_BOXES]:
        if box := _box(mask, place, sides, across, down, runs):
            return _minus_box(mask, box, across, down)
    return mask


def _box(mask, place, sides, across, down, runs):
    """Return the _Box that four lines make, or None where they are strokes or make another."""
    left, top, right, bottom = place
    inner = slice(top, bottom + 1), slice(left, right + 1)
    without = _minus(mask, sides[:2], sides[2:])
    # 田 has lines through its middle too, but nothing beside them; 十 in a box has nothing else.
    middle = guides.through_middle(mask, sides, across, down, runs)
    beside = _minus(without, *middle)
    ruled = [[x for x in found if x.is_ruled] for found in (across, down)]
    is_guided = all(middle) and 20 * _minus(beside, *ruled)[inner].sum() > mask.sum()
    if is_guided:
        without = beside
    rest = np.zeros_like(mask)
    rest[inner] = without[inner]
    beyond = _minus(without & ~rest, *ruled)
    if 50 * rest.sum() < mask.sum() or rest.sum() < 9 * beyond.sum():
        return None
    highest, lowest, first, last = _extent(rest, but=50)
    if 4 * max(lowest - highest, last - first) < min(right - left, bottom - top):
        return None
    # In 国 the frame is as wide as the other strokes, which nearly fill it.
    is_loose = 3 * (lowest - highest) <= 2 * (bottom - top)
    is_loose = is_loose and 3 * (last - first) <= 2 * (right - left)
    most = (15 if is_loose else 12) * stroke_width(rest) + 8
    is_thin = all(20 * side.thickness <= most for side in sides)
    # Those may be of squared paper.
    is_thin = is_thin and not all(goes_through(x, len(x.rows)) for x in sides)
    if not (is_thin or is_guided or _is_printed_box(sides, across + down, rest)):
        return None
    return _Box(place, sides, middle if is_guided else None, most)


def _minus_box(mask, box, across, down):
    """Return the mask without a _Box, what is outside it, and the lines that go with it."""
    left, top, right, bottom = box.place
    lines = [
        [
            x
            for x in found
            # Among guide lines may be a smaller box.
            if 10 * x.length >= 8 * side or (box.middle and x.is_ruled)
            if 20 * x.thickness <= box.most or any(x is one for one in box.sides)
        ]
        for found, side in ((across, right - left), (down, bottom - top))
    ]
    rest = _minus(mask, *lines)
    if box.middle:
        rest = _minus(rest, *box.middle)
    _clear_corners(rest, box.sides)
    label, count = windows.label(rest)
    # What is left at the sides are the ends of other lines.
    near = 3 + max(side.thickness for side in box.sides)
    whole, inner, middle = (
        np.bincount(part.ravel(), minlength=count + 1)
        for part in (
            label,
            label[top : bottom + 1, left : right + 1],
            label[top + near : bottom + 1 - near, left + near : right + 1 - near],
        )
    )
    return rest & ((2 * inner >= whole) & (middle > 0))[label]


def _clear_corners(mask, sides):
    """Remove from a mask, in place, the pixels where the sides of a box meet."""
    height, width = mask.shape
    upper, lower, left, right = sides
    for line, other in itertools.product((upper, lower), (left, right)):
        row = min(max(0, int(line.rows[width // 2])), height - 1)
        column = min(max(0, int(other.rows[row])), width - 1)
        row = min(max(0, int(line.rows[column])), height - 1)
        near = max(line.thickness, other.thickness)
        mask[max(0, row - near) : row + near + 1, max(0, column - near) : column + near + 1] = False


def _is_printed_box(sides, lines, rest):
    """Return whether the sides of a box are ruled, and no strokes are, as those of a printed 国.

    `lines` are all that were found, and `rest` is the ink without the box.
    """
    thinnest, *_, thickest = sorted(side.thickness for side in sides)
    if thickest > 3 * thinnest // 2 + 1 or 4 * thickest > 5 * stroke_width(rest) + 2:
        return False
    strokes = [line for line in lines if not any(line is side for side in sides)]
    is_type = any(
        line.is_ruled and line.density > 0.8 and 4 * line.thickness >= 3 * thinnest
        for line in strokes
    )
    return all(side.is_ruled for side in sides) and not is_type


def _large_parts(mask):
    """Return the connected parts of a mask that are no specks beside the largest."""
    label, _ = windows.label(mask)
    areas = np.bincount(label.ravel())
    areas[0] = 0
    return mask & (12 * areas >= areas.max())[label]


def _place(upper, lower, left, right, shape):
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


def _extent(mask, but=None):
    """Return the first and last row, first and last column of a mask.

    `but`: of so many pixels, one at either end may be left out.
    """
    found = []
    for axis in (1, 0):
        counts = np.cumsum(mask.sum(axis=axis))
        few = counts[-1] // but if but else 0
        found += np.searchsorted(counts, (few + 1, counts[-1] - few)).tolist()
    return found
