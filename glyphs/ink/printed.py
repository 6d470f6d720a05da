"""Remove what is printed: ruled and squared paper, boxes around a character, guide lines.

Strokes that cross a line stay: where the ink is thicker than the line, it is not only the line.
"""

import itertools

import numpy as np

from glyphs.ink import windows
from glyphs.ink.lines import find_diagonals, find_lines, goes_through, line_along, stroke_width


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
    rest = _without_diagonals(mask, across, down)
    rest = _without_rules(rest, across, down)
    rest = _without_box(rest, across, down)
    return _without_remains(rest, mask & ~rest, max(x.thickness for x in across + down))


def _without_remains(rest, removed, thickness):
    """Return the rest without the specks that lie where lines were removed."""
    if not removed.any():
        return rest
    label, count = windows.label(rest)
    areas = np.bincount(label.ravel(), minlength=count + 1)
    beside = np.bincount(label[windows.grown(removed, 2)], minlength=count + 1)
    return rest & ((beside < areas) | (areas > 2 * thickness * thickness))[label]


def _without_diagonals(mask, across, down):
    """Return the mask without the two diagonals of practice paper, which cross where its lines do.

    In a cell of 米字格 a horizontal, an upright and two diagonal lines guide the hand.
    """
    height, width = mask.shape
    shorter = min(mask.shape)
    crosses = [
        (int(line.rows[width // 2]), int(other.rows[height // 2]), line.thickness)
        for line, other in itertools.product(across, down)
        if line.is_ruled or other.is_ruled
        if 2 * min(line.length, other.length) > shorter
    ]
    if not crosses:
        return mask
    falling, rising = [
        [x for x in find_diagonals(one) if 2 * x.length > shorter and 2 * x.density > 1]
        for one in (mask, mask[:, ::-1])
    ]
    near = max(4, shorter // 20)
    for (row, column, thickness), fall, rise in itertools.product(crosses, falling, rising):
        if not 0 <= column < width:
            continue
        at = int(fall.rows[column]), int(rise.rows[width - 1 - column])
        is_thin = max(fall.thickness, rise.thickness) <= 2 * thickness + 1
        if is_thin and max(abs(at[0] - row), abs(at[1] - row)) <= near:
            return mask & ~fall.pixels & ~rise.pixels[:, ::-1]
    return mask


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
        extent = _extent(_large_parts(rest), part=0)
        # Strokes of the other direction count when a crop is told to be tight.
        drawn = _minus(mask, *([x for x in found if x.is_ruled] for found in (through, upright)))
        whole = _extent(_large_parts(drawn), part=0) if drawn.any() else extent
        ruled = [sum(line.is_ruled for line in found) for found in (through, upright)]
        is_paper = max(ruled) >= 3 or (min(ruled) >= 2 and not _is_frame(through, upright))
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
    through = [[x for x in found if goes_through(x, len(x.rows))] for found in (across, down)]
    if max(map(len, through)) >= 3 and min(map(len, through)) > 0:
        return mask  # squared paper is no box
    for upper, lower in itertools.permutations(across, 2):
        for left, right in itertools.permutations(down, 2):
            sides = (upper, lower, left, right)
            box = _box(*sides, mask.shape)
            if box is not None and (best is None or _area(box) < _area(best[0])):
                inner = np.zeros_like(mask)
                inner[box[1] : box[3] + 1, box[0] : box[2] + 1] = True
                guides = _guides(mask, sides, across, down)
                outside = _minus(mask, (upper, lower, *guides[0]), (left, right, *guides[1]))
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
                is_thin = all(20 * side.thickness <= most for side in sides)
                # Those may be of squared paper.
                is_thin = is_thin and not all(goes_through(x, len(x.rows)) for x in sides)
                # 田 has such lines too, but nothing beside them.
                is_guided = all(guides) and 20 * rest.sum() > mask.sum()
                is_printed = is_thin or is_guided or _is_printed_box(sides, across + down, rest)
                if is_filled and is_printed:
                    best = box, most, inner, sides, guides if is_guided else None
    if best is None:
        return mask
    box, most, inner, sides, guides = best
    height, width = box[3] - box[1], box[2] - box[0]
    lines = [
        # Among guide lines may be a smaller box.
        [x for x in found if 10 * x.length >= 8 * side or (guides and x.is_ruled)]
        for found, side in ((across, width), (down, height))
    ]
    lines = [
        [x for x in found if 20 * x.thickness <= most or any(x is side for side in sides)]
        for found in lines
    ]
    rest = _minus(mask, *lines)
    if guides:
        rest = _minus(rest, *guides)
    _clear_corners(rest, sides)
    label, count = windows.label(rest)
    within = np.bincount(label[inner], minlength=count + 1)
    is_own = 2 * within >= np.bincount(label.ravel(), minlength=count + 1)
    # What is left at the sides are the ends of other lines.
    near = 3 + max(side.thickness for side in sides)
    middle = label[box[1] + near : box[3] + 1 - near, box[0] + near : box[2] + 1 - near]
    return rest & (is_own & (np.bincount(middle.ravel(), minlength=count + 1) > 0))[label]


def _guides(mask, sides, across, down):
    """Return the lines through the middle of a box, from side to side: `([across], [down])`."""
    upper, lower, left, right = sides
    most = 1 + max(side.thickness for side in sides)
    guides = []
    for one, first, last, found in ((mask, upper, lower, across), (mask.T, left, right, down)):
        rows = (first.rows + last.rows) // 2
        at = len(rows) // 2
        near = abs(int(last.rows[at] - first.rows[at])) // 16
        found = [x for x in found if abs(int(x.rows[at] - rows[at])) <= near]
        # Dashes that strokes hide are found where they are looked for.
        found.append(line_along(one, rows))
        shortest = 8 * min(first.length, last.length)
        guides.append(
            [
                x
                for x in found
                if x and 10 * x.length >= shortest and x.density > 0.45 and x.thickness <= most
            ]
        )
    return guides


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


def _extent(mask, part=0.02):
    """Return the first and last row, first and last column that hold all but part of the pixels."""
    found = []
    for axis in (1, 0):
        counts = np.cumsum(mask.sum(axis=axis))
        few = int(counts[-1] * part)
        found += np.searchsorted(counts, (few + 1, counts[-1] - few)).tolist()
    return found
