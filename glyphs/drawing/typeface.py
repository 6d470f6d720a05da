"""Characters by fonts, distorted as hands differ."""

import functools

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont, ImageStat

from glyphs import fonts
from glyphs.errors import UsageError

SIZE = 96  # pixels of a font's em
NODES = 4  # of the mesh, along each side
WARP = 0.035  # standard deviation of a node's place, as a share of the character


class Typeface:
    """A font.

    Args:
        path: TrueType, OpenType or WOFF file.

    Raises:
        UsageError: there is no such file, or it is no font.
    """

    def __init__(self, path):
        self.path = path
        try:
            self._font = ImageFont.truetype(path, SIZE)
        except OSError:
            raise UsageError(f"{path}: no such font, or not a TrueType or OpenType file") from None

    def glyph(self, character):
        """Return a character as drawn, 255 = ink, cut out; None where the font has none."""
        if fonts.missing(self._font, [character]):
            return None
        left, top, right, bottom = self._font.getbbox(character)
        picture = Image.new("L", (right - left, bottom - top))
        ImageDraw.Draw(picture).text((-left, -top), character, font=self._font, fill=255)
        box = picture.getbbox()
        return box and picture.crop(box)


def distorted(glyph, slant, rise, aspect, unsteadiness, rng):
    """Return a glyph as a hand would write it: warped, slanted, with thicker or thinner strokes.

    Args:
        glyph: PIL image of mode "L", 255 = ink.
        slant, rise, aspect, unsteadiness: the writer's, as in hand.Writers.
        rng: numpy Generator.

    Returns:
        PIL image of mode "L", never blank.
    """
    margin = SIZE // 5
    wide, high = glyph.width + 2 * margin, glyph.height + 2 * margin
    framed = Image.new("L", (wide, high))
    framed.paste(glyph, (margin, margin))
    steps = np.linspace(-0.5, 0.5, NODES)
    x, y = np.meshgrid(steps, steps, indexing="ij")
    source = np.stack([x + slant * y, y - rise / 2 * x], 2) * 1.08
    source += WARP * unsteadiness * rng.standard_normal(source.shape)
    source = (source + 0.5) * [wide, high]
    root = aspect**0.5
    size = max(20, round(wide * root)), max(20, round(high / root))
    columns, rows = (np.linspace(0, side, NODES).round().astype(int).tolist() for side in size)
    mesh = [
        (
            (columns[i], rows[j], columns[i + 1], rows[j + 1]),
            (*source[i, j], *source[i, j + 1], *source[i + 1, j + 1], *source[i + 1, j]),
        )
        for i in range(NODES - 1)
        for j in range(NODES - 1)
    ]
    warped = framed.transform(size, Image.Transform.MESH, mesh, Image.Resampling.BILINEAR)
    # Blurred and cut off at a grey value, strokes are thicker or thinner.
    cut = int(rng.uniform(50, 165))
    blurred = warped.filter(ImageFilter.BoxBlur(rng.uniform(0.6, 2.0)))
    redrawn = blurred.point(_levels(cut))
    # Hair lines would vanish.
    is_whole = redrawn.getbbox() and _amount(redrawn) > 0.4 * _amount(warped)
    return redrawn if is_whole else warped


@functools.cache
def _levels(cut):
    """Return the table of grey values that cuts off below a value, with a soft edge."""
    return [min(255, max(0, (value - cut + 20) * 255 // 40)) for value in range(256)]


def _amount(picture):
    return ImageStat.Stat(picture).sum[0]
