"""Find the dark rims that scanners and croppers leave along the borders of a picture.

A rim goes along most of a side, and its inner edge is straight, if oblique where the page lay
askew. So is a stroke of a tightly cropped 旦 or 司, nearly; but the ink of a tight crop reaches the
other sides too, and its strokes are all one pen's.
"""

import numpy as np

from glyphs.ink import lines, windows

_STEP = 48  # grey levels between a rim and the paper, at least
_DEPTH = 6  # a rim takes at most the 6th part of the picture
# Left and top, left and bottom, right and bottom: no character has strokes there that go straight
# from corner to corner, and others apart from them, as 司 has at the top and on the right.
_UNLIKE_STROKES = ([0, 1], [0, 3], [2, 3])


def within_rims(grey):
    """Return what of a picture is within rims, as a mask; None where there are none.

    Args:
        grey: uint8 `(h, w)`, strokes darker than the paper.

    Returns:
        bool `(h, w)`.
    """
    if min(grey.shape) < 16:
        return None
    # Turned so that each side in turn, left, top, right, bottom, is on top.
    turns = (3, 0, 1, 2)
    rims = [_rim(np.rot90(grey.astype(np.int16), k)) for k in turns]
    if not 0 < sum(rim is not None for rim in rims) < 4:
        return None  # at all four is a table, or a printed box
    inside = np.ones(grey.shape, bool)
    for k, rim in zip(turns, rims, strict=True):
        if rim is not None:
            turned = np.rot90(inside, k)  # a view
            turned &= np.arange(len(turned))[:, None] >= rim
    return inside if _is_free(grey, inside, rims) else None


def _rim(grey):
    """Return how many pixels at the top of each column are a rim and its soft edge, or None."""
    height, width = grey.shape
    most = height // _DEPTH
    # What lies at the ends may be another side's rim.
    columns = np.arange(width // _DEPTH, width - width // _DEPTH)
    first = grey[0, columns]
    is_dark = first <= np.percentile(first, 10, method="nearest") + _STEP
    beyond = grey[: most + 1, columns] - first >= _STEP
    depths = np.where(is_dark, beyond.argmax(axis=0), 0)
    found = np.nonzero(depths)[0]
    if 10 * len(found) < 6 * len(columns) or 10 * len(found) < 9 * is_dark.sum():
        return None
    # The straight line through the middles of the first and the last third, times `scale`.
    third = len(found) // 3
    parts = found[:third], found[-third:]
    a, b = (int(2 * np.median(part)) for part in parts)
    start, end = (int(2 * np.median(depths[part])) for part in parts)
    scale = 2 * (b - a)
    straight = start * (b - a) + (end - start) * (2 * (np.arange(width) - columns[0]) - a)
    off = np.abs(scale * depths - straight[columns].clip(0))
    if 10 * np.count_nonzero(2 * off <= 3 * scale) < 9 * len(columns):
        return None
    return (-(-(straight + 2 * scale) // scale)).clip(0)


def _is_free(grey, inside, rims):
    """Return whether what is within rims is more than the rest of a tight crop's ink.

    Args:
        grey: uint8 `(h, w)`.
        inside: bool `(h, w)`: what is within rims.
        rims: what _rim returned for the left, top, right, bottom.
    """
    height, width = grey.shape
    ink = inside & (int(np.median(grey[inside])) - grey.astype(np.int16) >= _STEP)
    if ink.sum() < 6:
        return False
    margin = 2 + max(ink.shape) // 50
    if (ink & windows.grown(~inside, margin)).any():
        return False
    sides = [side for side in range(4) if rims[side] is not None]
    if sides in _UNLIKE_STROKES:
        return True
    strokes = lines.stroke_width(ink)
    thick = [int(np.median(rims[side])) - 2 for side in sides]
    is_pen = [7 * strokes <= 10 * n <= 14 * strokes for n in thick]
    is_other = not any(is_pen) or max(thick) > 2 * strokes
    if len(sides) == 1:
        # The lower stroke of 二 and 旦 goes along the border of a crop that is tight below.
        ends = ink[:, :margin], ink[:margin], ink[:, width - margin :], ink[height - margin :]
        return is_other and not ends[sides[0] - 2].any()
    # Within 同 or 匹, no stroke is that far from the outer ones.
    return is_other or not (ink & windows.grown(~inside, 3 * strokes)).any()
