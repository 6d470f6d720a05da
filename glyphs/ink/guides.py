"""Lines of practice paper that guide the hand: through the middle of a cell, and its diagonals."""

import itertools

from glyphs.ink.lines import find_diagonals, line_along


def without_diagonals(mask, across, down):
    """Return the mask without the two diagonals of practice paper, which cross where its lines do.

    Args:
        mask: bool `(h, w)`, True = ink.
        across, down: what lines.find_lines found in it, and in it transposed.
    """
    height, width = mask.shape
    shorter = min(height, width)
    rows, columns = (
        [(int(x.rows[len(x.rows) // 2]), x) for x in found[:8] if 2 * x.length > shorter]
        for found in (across, down)
    )
    # The middle one may hide behind strokes; it lies between those at the sides.
    for found in (rows, columns):
        for (a, one), (b, _) in itertools.combinations(tuple(found), 2):
            found.append(((a + b) // 2, one))
    crosses = {
        (row, column, line.thickness)
        for (row, line), (column, other) in itertools.product(rows, columns)
        if (line.is_ruled or other.is_ruled) and 0 <= column < width
    }
    if not crosses:
        return mask
    falling, rising = (
        [x for x in find_diagonals(one)[:8] if 2 * x.length > shorter and 2 * x.density > 1]
        for one in (mask, mask[:, ::-1])
    )
    near = max(4, shorter // 20)
    for fall, rise in itertools.product(falling, rising):
        thickness = max(fall.thickness, rise.thickness)
        for row, column, usual in crosses:
            at = int(fall.rows[column]), int(rise.rows[width - 1 - column])
            is_near = max(abs(at[0] - row), abs(at[1] - row)) <= near
            if is_near and thickness <= 2 * usual + 1:
                return mask & ~fall.pixels & ~rise.pixels[:, ::-1]
    return mask


def through_middle(mask, sides, across, down, runs):
    """Return the lines through the middle of a box, from side to side: `[across, down]`.

    Args:
        mask: bool `(h, w)`, True = ink.
        sides: the Lines of the box, `(upper, lower, left, right)`.
        across, down: what lines.find_lines found in the mask, and in it transposed.
        runs: what lines.upright_runs returned of the mask, and of it transposed.
    """
    upper, lower, left, right = sides
    most = 1 + max(side.thickness for side in sides)
    guides = []
    for one, first, last, found, its_runs in (
        (mask, upper, lower, across, runs[0]),
        (mask.T, left, right, down, runs[1]),
    ):
        rows = (first.rows + last.rows) // 2
        at = len(rows) // 2
        near = abs(int(last.rows[at] - first.rows[at])) // 16
        found = [x for x in found if abs(int(x.rows[at] - rows[at])) <= near]
        # Dashes that strokes hide are found where they are looked for.
        found.append(line_along(one, rows, its_runs))
        shortest = min(first.length, last.length)
        guides.append(
            [
                x
                for x in found
                if x and 10 * x.length >= 8 * shortest and x.density > 0.45 and x.thickness <= most
            ]
        )
    return guides
