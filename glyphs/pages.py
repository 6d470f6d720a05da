"""HTML pages that need nothing but themselves: no network, no fonts, no scripts.

Characters are drawn as little pictures with the font we bring along, since a reader's machine may
lack a font that has them and show boxes instead.
"""

import base64
import html
import io
import re
import unicodedata

from glyphs import cli, fonts

GREYS = 16  # of pictures; enough for the eye, and half the size

# Latin letters, digits and signs, which every machine's fonts have. The rest is drawn.
_TEXT = re.compile(r"[ -~\u00a1-\u00ac\u00ae-\u017f]+")
_CELL = 40  # pixels of a drawn character
_COLUMNS = 64


class Characters:
    """Text as HTML; what is not Latin is drawn, all into one picture, a cell per character."""

    def __init__(self):
        self.cells = {}  # character -> number of its cell
        self.lacking = set()
        path = fonts.bundled_font()
        self.font = path and _load(path)

    def html(self, text):
        """Return text as HTML: a character that cannot be drawn as its code point."""
        text = unicodedata.normalize("NFC", cli.one_line(text))
        parts, end = [], 0
        for match in _TEXT.finditer(text):
            parts += map(self._draw, text[end : match.start()])
            parts.append(re.sub("[_/]", r"\g<0><wbr>", html.escape(match[0])))
            end = match.end()
        return "".join([*parts, *map(self._draw, text[end:])])

    def can_show(self, text):
        """Return whether text can be shown without code points."""
        return all(_TEXT.match(character) or self._has(character) for character in text)

    def _draw(self, character):
        code_point = f"U+{ord(character):04X}"
        if not self._has(character):
            return f'<code class="point">{code_point}</code>'
        row, column = divmod(self.cells[character], _COLUMNS)
        position = f"{-1.25 * column:g}em {-1.25 * row:g}em"
        return (
            f'<i class="character" role="img" aria-label="{code_point}" title="{code_point}" '
            f'style="background-position:{position}"></i>'
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
        for character, cell in self.cells.items():
            row, column = divmod(cell, _COLUMNS)
            middle = ((column + 0.5) * _CELL, (row + 0.5) * _CELL)
            draw.text(middle, character, fill=255, font=self.font, anchor="mm")
        # Four degrees of black; the page's style inverts them where the ground is dark.
        sheet = sheet.point([round(value / 85) for value in range(256)])
        sheet.putpalette(bytes(3 * 4))
        uri = _uri(sheet, bits=2, transparency=bytes((0, 85, 170, 255)))
        return (
            f".character{{background-image:url({uri});background-size:{1.25 * _COLUMNS:g}em auto}}"
        )


def _load(path):
    from PIL import ImageFont

    return ImageFont.truetype(path, _CELL - 6)


def picture_uri(picture):
    """Return a PIL image of mode "L" as a data URI, in GREYS degrees of grey."""
    step = 255 // (GREYS - 1)
    reduced = picture.point([round(value / step) for value in range(256)])
    reduced.putpalette(bytes(step * level for level in range(GREYS) for _ in "rgb"))
    return _uri(reduced, bits=4)


def _uri(picture, **options):
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", optimize=True, **options)
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def page(title, body, css):
    """Return a whole HTML page.

    Args:
        title: text; for the window's frame, where nothing can be drawn.
        body: HTML.
        css: style beyond STYLE.
    """
    title = "".join(c if _TEXT.match(c) else f"U+{ord(c):04X}" for c in title)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(title)}</title>\n<style>\n{STYLE}{css}\n</style>\n</head>\n"
        f"<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    )


STYLE = """
:root {
  color-scheme: light dark;
  --ground: #faf9f6; --card: #ffffff; --ink: #1d1c1a; --soft: #6a665e; --line: #e4e0d8;
  --curve: #2f5d8a; --fill: #2f5d8a22;
  --serious: #b3261e; --warning: #946200; --note: #3f6591; --good: #2c6e49;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #171614; --card: #211f1d; --ink: #ece8e1; --soft: #a39d92; --line: #393530;
    --curve: #8ab8e6; --fill: #8ab8e622;
    --serious: #ff8a80; --warning: #f0bd58; --note: #93bdec; --good: #84cfa2;
  }
  .character { filter: invert(1); }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--ground); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif;
  font-variant-numeric: tabular-nums;
}
main { max-width: 1120px; margin: 0 auto; padding: 3rem 1.5rem 5rem; }
h1 { font-size: 2.1rem; line-height: 1.2; margin: 0; overflow-wrap: anywhere; }
h2 { font-size: 1.35rem; margin: 3.5rem 0 .35rem; letter-spacing: -.01em; }
h3 { font-size: 1.05rem; margin: 0; line-height: 1.4; }
p { margin: .35rem 0; max-width: 44rem; }
.soft { color: var(--soft); }
code { font: .84em/1.4 ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; }
.point {
  padding: 0 .3em; margin: 0 .1em; border: 1px solid var(--line); border-radius: 4px;
  white-space: nowrap;
}
.character {
  display: inline-block; width: 1.25em; height: 1.25em; vertical-align: -.3em;
  background-repeat: no-repeat;
}
table { border-collapse: collapse; margin: .8rem 0; }
th, td { text-align: right; padding: .3rem 0 .3rem 2rem; border-bottom: 1px solid var(--line); }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
th { font-weight: 600; color: var(--soft); font-size: .85rem; }
svg { display: block; width: 100%; height: auto; font-size: 12px; }
svg text { fill: var(--soft); }
img { display: block; background: #fff; }
"""
