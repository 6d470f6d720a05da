"""Look at a small mask without NumPy: its pixels are the bits of one large integer.

Shifts move all pixels at once, so that a test of the whole mask takes about a microsecond.
"""

import functools
import typing

# Soft edges count as ink from a quarter of its contrast on.
IS_INK = b"0" * 64 + b"1" * 192

_FEW = 48  # pixels: the longer side of pictures where rules and strokes can be as fine


def box_of_one_character(digits, size):
    """Return the box around the ink if nothing but one character can be there, else None.

    Args:
        digits: a byte per pixel, row by row: b"0" for paper, b"1" for ink; and at the end of each
            row one digit more, whatever it is.
        size: `(width, height)`.

    Returns:
        `(left, top, right, bottom)`, or None: there are specks, or strokes that may be a
        neighbour's, a ruled line or a box.
    """
    width, height = size
    grid = _grid(width + 1, (height - 1).bit_length())
    stride = grid.stride
    mask = int(digits, 2) & grid.inner
    beside = mask << 1 | mask >> 1
    around = mask | beside
    isolated = mask & ~(beside | around << stride | around >> stride)
    if isolated:
        if isolated.bit_count() * 400 > width * height:
            return None
        mask ^= isolated
    if not mask:
        return None
    left, top, right, bottom = _box(mask, grid, height)
    touched = (left <= 1) + (top <= 1) + (right >= width - 1) + (bottom >= height - 1)
    near = 1 + max(width, height) // 24
    if max(left, top, width - right, height - bottom) <= near:
        touched = 4  # a tight crop, whose outermost strokes are faint
    # What is more than a pixel wide.
    core = mask & mask >> 1
    core &= core >> stride
    lines = _lines(mask, core, grid, size, (right - left, bottom - top), touched)
    # A rule or a box comes from the border, or lies apart from what is in it.
    if lines > 2 or (lines == 2 and touched):
        return None
    is_doubtful = lines > 0
    if touched:
        # Rules in pieces, as they are when a page lies askew, are thinner than strokes.
        inner = _box(core, grid, height) if core else (width, height, 0, 0)
        thin = max(inner[0] - left, inner[1] - top, right - inner[2], bottom - inner[3])
        if thin > 2 + max(width, height) // 8:
            # Of so few pixels, a fine pen leaves one for its strokes too.
            if touched < 4 or max(width, height) > _FEW or _stroke_width(mask, stride) > 2:
                return None
            is_doubtful = True
    if is_doubtful or (touched < 4 and (touched or _is_broken(mask, grid))):
        parts = _parts(mask, grid)
        if is_doubtful and len(parts) > 1:
            return None
        # Beside the border may be a neighbour's stroke, and elsewhere a speck; a dot is as wide as
        # the pen.
        dot = max(4, 2 * _stroke_width(mask, stride) ** 2)
        if len(parts) > (1 if touched else 4) or 12 * min(parts) < min(12 * dot, sum(parts)):
            return None
    return left, top, right, bottom


class _Grid(typing.NamedTuple):
    """Where the pixels of a mask are: the first is the highest bit.

    Attributes:
        stride: bits of a row. The lowest is always paper, so that what is moved out of a row does
            not get into the next.
        inner: mask of all others.
        last: mask of the lowest bit of each row.
        halves: list of `(shift, lower)`, to lay half of the rows over the others, and half of
            those, until one is left: how far the halves are apart, and the mask of the lower.
        shifts: list of shifts that together lay all columns over the last, and none of the row
            above.
    """

    stride: int
    inner: int
    last: int
    halves: list
    shifts: list


@functools.lru_cache(1024)
def _grid(stride, levels):
    """Return the _Grid of up to 2 ** levels rows: few different ones, for pictures of all sizes."""
    full = (1 << (stride << levels)) - 1
    last = full // ((1 << stride) - 1)
    apart = [stride << level for level in reversed(range(levels))]
    shifts, done = [], 1
    while done < stride:
        shifts.append(min(done, stride - done))
        done += shifts[-1]
    return _Grid(
        stride,
        full ^ last,
        last,
        halves=[(shift, (1 << shift) - 1) for shift in apart],
        shifts=shifts,
    )


def _box(mask, grid, height):
    """Return `(left, top, right, bottom)` of what is set, which must be something."""
    stride = grid.stride
    columns = _columns(mask, grid)
    return (
        stride - columns.bit_length(),
        height - 1 - (mask.bit_length() - 1) // stride,
        stride - (columns & -columns).bit_length() + 1,
        height - ((mask & -mask).bit_length() - 1) // stride,
    )


def _columns(mask, grid):
    """Return the columns that hold something, as the bits of one row."""
    for shift, lower in grid.halves:
        mask = mask >> shift | mask & lower
    return mask


def _rows(mask, grid):
    """Return the rows that hold something, as the lowest bit of each."""
    for shift in grid.shifts:
        mask |= mask >> shift
    return mask & grid.last


def _is_broken(mask, grid):
    """Return whether empty rows or columns part the ink."""
    columns = _columns(mask, grid)
    if (columns & ~(columns >> 1)).bit_count() > 1:
        return True
    rows = _rows(mask, grid)
    return (rows & ~(rows >> grid.stride)).bit_count() > 1


def _runs(mask, step, length):
    """Return the pixels that begin a run of at least so many, in the direction of the step."""
    # The longest steps first: after two or three, nothing is left of most masks.
    while length > 1 and mask:
        half = length // 2
        mask &= mask >> half * step
        length -= half
    return mask


def _lines(mask, core, grid, size, extent, touched):
    """Return whether there are long straight lines that need a closer look.

    Strokes of a character that is cropped tightly are as long as a ruled line; but no thinner
    than other strokes.

    Returns:
        0: none; 1: as in a box, but as thick as strokes; 2: lines that are thinner than strokes;
        3: from border to border, or a box.
    """
    strokes = None
    found = thin = several = 0
    stride = grid.stride
    for step, other, axis, across in ((1, stride, 0, _rows), (stride, 1, 1, _columns)):
        length = extent[axis]
        if length < 12:
            continue
        if axis == 0:
            tolerant = mask | mask >> stride | mask << stride
        else:
            tolerant = mask | mask >> 1 | (mask << 1 & grid.inner)  # not into the row above
        long = _runs(tolerant, step, 9 * length // 10)
        if touched not in (0, 4):
            if long and length >= size[axis] - 2:
                return 3
            # Faint rules come in pieces.
            length = min(length, size[axis] // 3)
            long = _runs(tolerant, step, 9 * length // 10)
        if not long:
            continue
        if strokes is None:
            strokes = _stroke_width(mask, stride)
            # Without what is a pixel wide, lest a box make the pen look finer.
            if 4 * core.bit_count() > mask.bit_count():
                strokes = max(strokes, _stroke_width(core, stride) + 1)
        at = across(long, grid)
        if strokes > 2:
            # A stroke that slants a little holds shorter runs, but as thick as other strokes.
            thick = _runs(_runs(mask, other, 2 * strokes // 5 + 1), step, length // 4)
            thick = across(thick, grid)
            near = thick | thick >> other | thick << other
            near |= near << other * (strokes // 2 + 1) | near >> other * 2 | near << other * 2
            if at & ~near:
                thin = 2
        several += (at & ~(at >> other)).bit_count() > 1
        apart = (at.bit_length() - (at & -at).bit_length()) // other
        found += 2 * apart > extent[1 - axis]
    if several == 2 and touched == 4:
        return 3  # squared paper
    if found < 2:
        return thin
    # In so few pixels, a printed box is not that thick: the strokes of 口 and म are.
    is_pen = strokes > 2 and not thin and touched in (0, 4) and max(size) <= _FEW
    return 1 if is_pen else 3


def _stroke_width(mask, stride):
    edges = (mask ^ mask >> 1).bit_count() + (mask ^ mask >> stride).bit_count()
    return 5 * mask.bit_count() // (2 * edges)


def _parts(mask, grid):
    """Return the number of pixels of each part, parted by more than a pixel; of at most five."""
    stride = grid.stride
    near = mask | mask << 1 | mask >> 1
    near = (near | near << stride | near >> stride) & grid.inner
    parts = []
    while near and len(parts) < 5:
        part, grown = 0, 1 << (near.bit_length() - 1)
        while grown != part:
            part = grown
            grown = part | part << 1 | part >> 1
            grown = (grown | grown << stride | grown >> stride) & near
        parts.append((part & mask).bit_count())
        near &= ~part
    return parts
