"""Cut off the dark rims that scanners and croppers leave along the borders of a picture.

    part = without_rims(picture)

A rim goes along a whole side, and its inner edge is straight. So is a stroke of a tightly cropped
厂 or 司, nearly; but the ink of a tight crop reaches every other side too, and its strokes are all
one pen's.
"""

import numpy as np
from PIL import Image

from glyphs.ink import lines

SIDE = 224  # pixels: the longer side of the picture that is looked at
_STEP = 48  # grey levels between a rim and the paper, at least
_RIGHT = 2  # the number of the right side; the others are 0 left, 1 top, 3 bottom
_DEPTH = 6  # a rim takes at most the 6th part of the picture


def without_rims(picture):
    """Return `(part, offset)`: the picture without rims, and `(left, top)` of it in the picture.

    Args:
        picture: PIL image of mode "L", any size.
    """
    small = _reduced(picture)
    grey = np.asarray(small).astype(np.int16)
    if min(grey.shape) < 16:
        return picture, (0, 0)
    # Turned so that each side in turn, left, top, right, bottom, is on top.
    depths = [_rim(np.rot90(grey, turns)) for turns in (3, 0, 1, 2)]
    if not 0 < np.count_nonzero(depths) < 4:
        return picture, (0, 0)
    left, top, right, bottom = depths
    height, width = grey.shape
    inner = grey[top : height - bottom, left : width - right]
    if not _is_free(inner, depths):
        return picture, (0, 0)
    across, down = picture.width / width, picture.height / height
    box = (
        -int(-left * across // 1),
        -int(-top * down // 1),
        int((width - right) * across),
        int((height - bottom) * down),
    )
    return picture.crop(box), box[:2]


def _reduced(picture):
    scale = SIDE / max(picture.size)
    if scale >= 1:
        return picture
    size = [max(1, round(side * scale)) for side in picture.size]
    return picture.resize(size, Image.Resampling.BOX, reducing_gap=2.0)


def _rim(grey):
    """Return how many rows at the top are a rim and its soft edge; 0 where there is none."""
    height, width = grey.shape
    most = height // _DEPTH
    # What lies at the ends may be another side's rim.
    columns = np.arange(width // _DEPTH, width - width // _DEPTH)
    beyond = np.abs(grey[: most + 1, columns] - grey[0, columns]) >= _STEP
    ends = beyond.argmax(axis=0)
    is_edge = ends > 0
    if 10 * is_edge.sum() < 9 * len(columns):
        return 0
    third = len(columns) // 3
    first, last = np.median(ends[:third]), np.median(ends[-third:])
    straight = first + (last - first) * (np.arange(len(columns)) - third / 2) / (2 * third)
    is_straight = is_edge & (np.abs(ends - straight) <= 1)
    if 10 * is_straight.sum() < 9 * len(columns):
        return 0
    return int(ends[is_straight].max()) + 2


def _is_free(inner, rims):
    """Return whether what is within rims is more than the rest of a tight crop's ink.

    Args:
        inner: int16 `(h, w)`: the picture without them.
        rims: how many rows or columns at the left, top, right, bottom they take.
    """
    paper = int(np.median(inner))
    ink = np.abs(inner - paper) >= _STEP
    height, width = ink.shape
    if ink.sum() < 6:
        return False
    margin = 1 + max(ink.shape) // 50
    ends = ink[:, :margin], ink[:margin], ink[:, width - margin :], ink[height - margin :]
    reached = [bool(end.any()) for end in ends]
    sides = [side for side in range(4) if rims[side]]
    if any(reached[side] for side in sides):
        return False
    if len(sides) == 1:
        return not reached[sides[0] - 2]
    if len(sides) == 2 and sides[0] + 1 == sides[1] != _RIGHT:
        return True  # no character has strokes there, straight to the last pixel
    strokes = lines.stroke_width(ink)
    thick = [rims[side] - 2 for side in sides]
    is_pen = [7 * strokes <= 10 * n <= 14 * strokes for n in thick]
    return not any(is_pen) or max(thick) > 2 * strokes
