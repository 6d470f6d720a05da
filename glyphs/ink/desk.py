"""Find the sheet of paper that lies on a table, and show it without what is around.

    sheet = page_of(picture)

A sheet is the largest light part of a picture, has straight edges, and holds all that looks like
strokes; the table is darker and reaches the border. A shadow has an edge, too: but strokes go on
in it, or there are none on the light side. A light stroke is no sheet, as nothing is drawn on it.
The page of a scan is what is within its rims.
"""

import typing

import numpy as np
from PIL import Image, ImageDraw

from glyphs.ink import lines, paper, rims, windows

SIDE = 112  # pixels, at most: the longer side of the picture that is looked at
RIM_SIDE = 224  # the same where rims are looked for, which may be thin
LEAST = 48  # pixels: the shorter side of pictures that may show a table
_LEAST_PART = 25  # a sheet is at least the 25th part of the picture
_STEP = 24  # grey levels between table and paper, at least


class Sheet(typing.NamedTuple):
    """A sheet, cut out of a picture.

    Attributes:
        picture: PIL image of mode "L": the smallest upright part of the picture that holds the
            sheet. What is not of the sheet looks as its paper does.
        offset: `(left, top)` of it in the picture.
    """

    picture: Image.Image
    offset: tuple


def page_of(picture):
    """Return the Sheet that lies on a table or within the rims of a scan, or None."""
    return sheet_of(picture) or without_rims(picture)


def sheet_of(picture):
    """Return the Sheet that a picture shows on a table, or None where it shows none.

    Args:
        picture: PIL image of mode "L", any size.
    """
    if min(picture.size) < LEAST:
        return None
    small = _reduced(picture, SIDE)
    grey = np.asarray(small)
    bare = _without_strokes(grey)
    histogram = np.bincount(bare.ravel(), minlength=256)
    # Between paper in the light and in the shade first, and then between that and the table.
    for _ in range(2):
        threshold = paper.otsu(histogram)
        inside = _light_part(bare > threshold)
        if inside is not None and _is_on_table(grey, bare, inside):
            return _cut(picture, small, bare, inside)
        histogram[threshold + 1 :] = 0
    return None


def without_rims(picture):
    """Return the Sheet within the dark rims of a scan, or None where there are none.

    Args:
        picture: PIL image of mode "L", any size.
    """
    small = _reduced(picture, RIM_SIDE)
    grey = np.asarray(small)
    inside = rims.within_rims(grey)
    return None if inside is None else _cut(picture, small, _without_strokes(grey), inside)


def _reduced(picture, side):
    scale = side / max(picture.size)
    if scale >= 1:
        return picture
    size = [max(1, round(side * scale)) for side in picture.size]
    return picture.resize(size, Image.Resampling.BOX, reducing_gap=2.0)


def _without_strokes(grey):
    """Return the picture with what is dark and as narrow as a stroke filled by what is beside."""
    window = max(grey.shape) // 8 | 1
    # A narrow strip at the border is as wide as what lies beyond.
    wider = np.pad(grey, window, mode="edge")
    closed = windows.smallest(windows.largest(wider, window), window)
    return closed[window:-window, window:-window]


def _light_part(light):
    """Return the largest light part, and what is between its pixels: its convex hull.

    Returns:
        bool `(h, w)`; None where that part is small, or has other than straight edges.
    """
    label, count = windows.label(light)
    if count == 0:
        return None
    sizes = np.bincount(label.ravel())
    sizes[0] = 0
    part = label == sizes.argmax()
    n = int(part.sum())
    if n * _LEAST_PART < light.size:
        return None
    mask = Image.new("1", light.shape[::-1])
    ImageDraw.Draw(mask).polygon(_hull(part), fill=1, outline=1)
    filled = np.asarray(mask)
    return filled if 100 * n >= 90 * int(filled.sum()) else None


def _hull(mask):
    """Return the corners of the convex hull of a mask (Andrew's monotone chain)."""
    rows = np.nonzero(mask.any(axis=1))[0]
    first = mask[rows].argmax(axis=1)
    last = mask.shape[1] - 1 - mask[rows][:, ::-1].argmax(axis=1)
    hull = []
    for side, turn in ((first, 1), (last, -1)):
        chain = []
        for point in zip(side.tolist(), rows.tolist(), strict=True):
            while len(chain) > 1 and turn * _cross(*chain[-2:], point) >= 0:
                chain.pop()
            chain.append(point)
        hull += chain[::turn]
    return list(dict.fromkeys(hull))


def _cross(a, b, c):
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def _is_on_table(grey, bare, inside):
    """Return whether all around a light part of the picture there is a table.

    Args:
        grey, bare: uint8 `(h, w)`: the picture, and without strokes.
        inside: bool `(h, w)`: the light part with what is drawn on it.
    """
    outside = ~inside
    border = np.concatenate((outside[0], outside[-1], outside[1:-1, 0], outside[1:-1, -1]))
    if 10 * int(border.sum()) < border.size:
        return False
    step = int(np.median(bare[inside])) - int(np.median(bare[outside]))
    within, beyond = inside & windows.grown(outside, 4), outside & windows.grown(inside, 4)
    edge = int(np.median(bare[within])) - int(np.median(bare[beyond]))
    if step < _STEP or 2 * edge < step:
        return False
    strokes = np.where(bare > grey, bare - grey, 0)
    drawn = strokes[~windows.grown(outside, 3)]
    strong = int(drawn.max()) if drawn.size else 0
    if strong < _STEP:
        return False
    n_drawn = int((drawn > strong // 3).sum())
    if n_drawn < 4 or 4 * n_drawn > int(inside.sum()):
        return False
    # In a tight crop, the outermost strokes are no table.
    wide = 3 * lines.stroke_width((strokes > strong // 3) & inside) // 2 + 1
    if not windows.smallest(np.pad(outside, 1), wide).any():
        return False
    if 10 * int(border.sum()) > 6 * border.size:
        # A shadow is hardly on most sides. A tablecloth may have a pattern, but on the sheet's edge
        # there is paper: between the light strokes of 二 there is none.
        beside = within & ~windows.grown(outside, 1)
        most = n_drawn // 8
    else:
        beside = windows.grown(outside, 2)
        most = n_drawn // 64
    return int((strokes[beside] > strong // 3).sum()) <= most


def _cut(picture, small, bare, inside):
    """Return the Sheet: what is inside of the picture, and paper around it."""
    own = ~windows.grown(~inside, 2)
    rows, columns = np.nonzero(own.any(axis=1))[0], np.nonzero(own.any(axis=0))[0]
    if rows.size == 0:
        return None
    across, down = picture.width / small.width, picture.height / small.height
    part = int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
    box = (
        int(part[0] * across),
        int(part[1] * down),
        min(picture.width, round(part[2] * across)),
        min(picture.height, round(part[3] * down)),
    )
    size = box[2] - box[0], box[3] - box[1]
    around = Image.fromarray(_spread(bare, own)).resize(size, Image.Resampling.BILINEAR, part)
    mask = Image.fromarray(own.astype(np.uint8) * 255)
    mask = mask.resize(size, Image.Resampling.BILINEAR, part)
    return Sheet(Image.composite(picture.crop(box), around, mask), box[:2])


def _spread(values, known):
    """Return values of which the unknown ones are as the largest of the known that are near."""
    values = np.where(known, values, 0)
    side = 3
    while not known.all():
        near, is_near = windows.largest(values, side), windows.largest(known, side)
        values, known = np.where(known, values, near), is_near
        side = 2 * side - 1
    return values
