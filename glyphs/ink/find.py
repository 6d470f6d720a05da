"""Find the ink in a picture that a person brings.

    ink = find_ink(picture)
    ink.image.save("ink.png")

What is around the character does not matter: wide paper, uneven light, a shadow, a table, the rims
of a scan, ruled lines, a printed box with or without guide lines, dust, the strokes of neighbours.
Most pictures of data sets are clean. Pillow alone sees that, and crops them; NumPy is imported for
the first picture that is not, or that is large and full, or has ink along a side.
"""

import dataclasses
import functools

from PIL import Image

from glyphs.ink import bits

_CLEAN_SIDES = (4, 400)  # pixels: pictures that are looked at as they are
_SMALL = 24  # pixels: the longer side of pictures that are enlarged
_FINER = 4  # times
_SPECK = 3  # pixels: the longer side of what is no dot yet, but dust
_LOW = 32  # pixels: the shorter side of pictures that one stroke can fill
_LARGE = 160  # pixels: the longer side of pictures where what fills them may be a box
_SHEET = 48  # pixels: the shorter side of what may be a sheet
_FLAT = 12  # grey levels: clean paper varies by less
_INK = ord("1")  # the digit of ink
_CLEAR = 72  # grey levels: clean ink is at least that far from its paper


@dataclasses.dataclass(frozen=True)
class Ink:
    """The ink of one character.

    Attributes:
        image: PIL image of mode "L", cropped to the ink, 0 = paper, 255 = full ink, with the soft
            edges of the strokes. Its pixels are those of the picture, but larger ones where it has
            very many, and finer ones where it has few.
        box: `(left, top, right, bottom)` of the same part of the picture, in its pixels.
        polarity: "dark-on-light" or "light-on-dark".
    """

    image: Image.Image
    box: tuple
    polarity: str


def find_ink(picture, polarity="auto"):
    """Find the ink of the character in a picture.

    Args:
        picture: PIL image of mode "L", any size, 0 = black.
        polarity: "dark-on-light", "light-on-dark", or "auto".

    Returns:
        An Ink, or None where there is no ink.
    """
    if max(picture.size) <= _SMALL:
        # The box around the ink must be finer than these pixels.
        size = [side * _FINER for side in picture.size]
        found = _find(picture.resize(size, Image.Resampling.LANCZOS), polarity, is_enlarged=True)
        if found is None:
            return None
        left, top, right, bottom = found.box
        box = left // _FINER, top // _FINER, -(-right // _FINER), -(-bottom // _FINER)
        return dataclasses.replace(found, box=box)
    return _find(picture, polarity)


def _find(picture, polarity, *, is_enlarged=False):
    """Return the Ink of a picture whose pixels are fine enough."""
    if min(picture.size) >= _CLEAN_SIDES[0] and max(picture.size) <= _CLEAN_SIDES[1]:
        found = _find_clean(picture, polarity)
        found = found or _find_bar(picture, polarity)
        if found is not None:
            return found
    from glyphs.ink import strokes  # NumPy takes a tenth of a second

    found = strokes.find_strokes(picture, polarity, is_enlarged)
    if found is None:
        return None
    left, top, right, bottom = found[1]
    is_speck = max(right - left, bottom - top) < _SPECK <= min(picture.size) // 4
    return None if is_speck else Ink(*found)


def _find_clean(picture, polarity):
    """Return the Ink of a picture on flat paper with nothing else on it; None if unsure."""
    histogram = picture.histogram()
    backward = histogram[::-1]
    # A filter passes over what is empty faster than a loop, or another look at the picture.
    darkest = histogram.index(next(filter(None, histogram)))
    lightest = 255 - backward.index(next(filter(None, backward)))
    if lightest - darkest < _CLEAR:
        return None
    width, height = picture.size
    n = width * height
    stride = width + 1  # with a byte between the rows, as bits needs it
    grey = picture.tobytes("raw", "L", stride)
    if polarity == "auto":
        if 5 * sum(histogram[lightest - _FLAT :]) > 3 * n:
            polarity = "dark-on-light"
        elif 5 * sum(histogram[: darkest + _FLAT + 1]) > 3 * n:
            polarity = "light-on-dark"
        else:
            polarity = _polarity_of_border(grey, width, darkest, lightest)
        # In a tight crop of a thick stroke: paper is all of one grey, and ink is not.
        if polarity is None and 5 * histogram[lightest] > n > 16 * histogram[darkest]:
            polarity = "dark-on-light"
        if polarity is None and 5 * histogram[darkest] > n > 16 * histogram[lightest]:
            polarity = "light-on-dark"
    if polarity is None:
        return None
    # From here on levels go from the paper to the ink.
    levels = backward[255 - lightest :] if polarity == "dark-on-light" else histogram[darkest:]
    paper = levels.index(max(levels[: 2 * _FLAT]))
    sure = sum(levels[: paper + _FLAT + 1])
    if 5 * max(sure, 2 * levels[paper]) < 2 * n:
        return None
    # Three tenths of the ink are at least as far from the paper.
    full, further, most = lightest - darkest + 1, 0, 3 * (n - sure) // 10
    while further <= most:
        full -= 1
        further += levels[full]
    # Shadows, bleed-through and faint lines are near the paper; of ink, only soft edges are.
    near = full // 3
    if 3 * levels[paper] < n:  # not drawn or cut out on one grey: a scan, which may hold more
        near = max(near, len(levels) // 4)
    faint = sum(levels[: near + 1]) - sure
    ink = n - sure - faint
    full -= paper
    if full < _CLEAR or ink < 6 or faint * 2 > ink + min(width, height):
        return None
    span = full // 4 * 4  # few different ones, so that few tables are made
    if polarity == "dark-on-light":
        table = _stretching(lightest - paper, lightest - paper - span)
    else:
        table = _stretching(darkest + paper, darkest + paper + span)
    # Faster than `point`, which makes a new list of the table each time.
    stretched = grey.translate(table)
    digits = stretched.translate(bits.IS_INK)
    box = bits.box_of_one_character(digits, (width, height))
    if box is None:
        return None
    image = Image.frombuffer("L", (width, height), stretched, "raw", "L", stride, 1)
    is_full = 4 * (box[2] - box[0]) > 3 * width and 4 * (box[3] - box[1]) > 3 * height
    is_full = is_full and max(picture.size) > _LARGE
    is_dark = polarity == "dark-on-light"
    if is_full or (is_dark and _has_inked_side(digits, width)):
        from glyphs.ink import desk, strokes  # NumPy takes a tenth of a second

        if is_dark and desk.page_of(picture):
            return None
        if is_full and strokes.shows_more(image):
            return None
    faintest = image.getbbox()
    beyond = max(
        box[0] - faintest[0], box[1] - faintest[1], faintest[2] - box[2], faintest[3] - box[3]
    )
    # Something faint around the ink: a watermark, the back of the page.
    if beyond > 2 + max(width, height) // 32:
        return None
    across, down = box[2] - box[0], box[3] - box[1]
    if polarity == "light-on-dark" and min(across, down) >= _SHEET and 3 * ink > 2 * across * down:
        return None  # so full is a sheet on a dark table
    if box != (0, 0, width, height):
        image = image.crop(box)
    return Ink(image, box, polarity)


def _has_inked_side(digits, width):
    """Return whether there is ink along most of a side of a picture: it may be no stroke.

    `digits` are those of bits.box_of_one_character.
    """
    stride = width + 1
    top, bottom = digits[:width], digits[-stride:-1]
    left, right = digits[::stride], digits[width - 1 :: stride]
    # One look tells most sides that have paper.
    middle = width // 2, width // 2, len(left) // 2, len(left) // 2
    return any(
        side[at] == _INK and 10 * side.count(_INK) >= 6 * len(side)
        for side, at in zip((top, bottom, left, right), middle, strict=True)
    )


@functools.lru_cache(1024)
def _stretching(paper, ink):
    """Return the bytes that grey values become: those near the paper 0, full ink 255."""
    span = abs(ink - paper)
    low = max(8, span // 8)
    sign = 1 if ink > paper else -1
    depths = [min(max((grey - paper) * sign - low, 0), span - low) for grey in range(256)]
    return bytes(depth * 255 // (span - low) for depth in depths)


def _find_bar(picture, polarity):
    """Return the Ink of a low picture that one stroke fills, as a tight crop of 一; else None.

    There is no paper beside it. But all along, it is deepest in the middle, with soft edges.
    """
    width, height = picture.size
    if min(width, height) > _LOW or max(width, height) < 3 * min(width, height):
        return None
    upright = picture if width > height else picture.transpose(Image.Transpose.TRANSPOSE)
    thirds = upright.resize((3, upright.height), Image.Resampling.BOX).tobytes()
    thirds = [thirds[i::3] for i in range(3)]
    darkest, lightest = picture.getextrema()
    for name, paper, ink in (
        ("dark-on-light", lightest, max(map(min, thirds))),
        ("light-on-dark", darkest, min(map(max, thirds))),
    ):
        if polarity in ("auto", name) and all(_is_across_stroke(t, paper) for t in thirds):
            image = picture.tobytes().translate(_stretching(paper, ink))
            image = Image.frombuffer("L", (width, height), image, "raw", "L", 0, 1)
            return Ink(image, (0, 0, width, height), name)
    return None


def _is_across_stroke(greys, paper):
    """Return whether greys go from near the paper to ink and back, and nowhere else."""
    depths = [abs(grey - paper) for grey in greys]
    middle = depths.index(max(depths))
    rises = depths[: middle + 1] == sorted(depths[: middle + 1])
    falls = depths[middle:] == sorted(depths[middle:], reverse=True)
    return rises and falls and depths[middle] - max(depths[0], depths[-1]) >= _CLEAR // 2


def _polarity_of_border(grey, width, darkest, lightest):
    """Return the polarity of a picture whose border is nearly all paper, else None.

    `grey` has a byte between the rows.
    """
    stride = width + 1
    border = grey[:width] + grey[-stride:-1] + grey[::stride] + grey[width - 1 :: stride]
    few = len(border) // 4
    if len(border.translate(None, _GREYS[max(0, lightest - _FLAT) :])) <= few:
        return "dark-on-light"
    if len(border.translate(None, _GREYS[: darkest + _FLAT + 1])) <= few:
        return "light-on-dark"
    return None


_GREYS = bytes(range(256))
