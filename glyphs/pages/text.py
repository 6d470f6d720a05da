"""Text in pages, in any script.

Characters are drawn as little pictures with the font we bring along, since a reader's machine may
lack a font that has them and show boxes instead.
"""

import re
import unicodedata

from markupsafe import Markup, escape

from glyphs import fonts
from glyphs.errors import one_line
from glyphs.pages.page import png_uri

# Latin letters, digits and signs, which every machine's fonts have. The rest is drawn.
_LATIN = re.compile(r"[ -~\u00a1-\u00ac\u00ae-\u017f]+")
_CELL = 40  # pixels of a drawn character
_COLUMNS = 64


class Text:
    """Text as HTML; what is not Latin is drawn, all into one picture, a cell per character."""

    def __init__(self):
        self.cells = {}  # character -> number of its cell
        self.lacking = set()
        path = fonts.bundled_font()
        self.font = path and _load(path)

    def __call__(self, text):
        """Return text as HTML: a character that cannot be drawn as its code point."""
        text = unicodedata.normalize("NFC", one_line(text))
        parts, end = [], 0
        for match in _LATIN.finditer(text):
            parts += map(self._draw, text[end : match.start()])
            # As a Markup it would escape the <wbr> too.
            parts.append(re.sub("[_/]", r"\g<0><wbr>", str(escape(match[0]))))
            end = match.end()
        return Markup("".join([*parts, *map(self._draw, text[end:])]))

    def plain(self, text):
        """Return text for where nothing can be drawn, with code points for what is not Latin."""
        return "".join(c if _LATIN.match(c) else _code_point(c) for c in text)

    def can_show(self, text):
        """Return whether text can be shown without code points."""
        is_line = text == one_line(text)  # what ends a line has no shape
        return is_line and all(_LATIN.match(c) or self._has(c) for c in text)

    def _draw(self, character):
        point = _code_point(character)
        if not self._has(character):
            return f'<code class="point">{point}</code>'
        return (
            f'<i class="character c{self.cells[character]}" role="img" aria-label="{point}" '
            f'title="{point}"></i>'
        )

    def _has(self, character):
        if character not in self.cells and character not in self.lacking:
            if not self.font or fonts.missing(self.font, [character]):
                self.lacking.add(character)
            else:
                self.cells[character] = len(self.cells)
        return character in self.cells

    def css(self):
        """Return the style that shows all characters drawn so far."""
        if not self.cells:
            return ""
        from PIL import Image, ImageDraw

        rows = -(-len(self.cells) // _COLUMNS)
        sheet = Image.new("L", (_COLUMNS * _CELL, rows * _CELL))
        draw = ImageDraw.Draw(sheet)
        positions = []
        for character, cell in self.cells.items():
            row, column = divmod(cell, _COLUMNS)
            middle = ((column + 0.5) * _CELL, (row + 0.5) * _CELL)
            draw.text(middle, character, fill=255, font=self.font, anchor="mm")
            place = f"{1.25 * -column:g}em {1.25 * -row:g}em"
            positions.append(f".c{cell}{{background-position:{place}}}")
        # Four degrees of black; the page's style inverts them where the ground is dark.
        sheet = sheet.point([round(value / 85) for value in range(256)])
        sheet.putpalette(bytes(3 * 4))
        uri = png_uri(sheet, bits=2, transparency=bytes((0, 85, 170, 255)))
        size = f"{1.25 * _COLUMNS:g}em auto"
        image = f".character{{background-image:url({uri});background-size:{size}}}"
        return Markup("\n".join([image, *positions]))


def _code_point(character):
    return f"U+{ord(character):04X}"


def _load(path):
    from PIL import ImageFont

    return ImageFont.truetype(path, _CELL - 6)
