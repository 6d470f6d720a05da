"""HTML pages that need nothing but themselves: no network, no fonts, no files beside them.

A page is a Jinja2 template that extends base.html, which has the blocks body, style and script. Its
template lies in the folder of the module that fills it. All values are escaped, and the page's
Content-Security-Policy admits its own style and script by their hashes and nothing else, so
attributes named style or onclick do not work. What a script is to know lies as JSON in an element
of type "application/json", which no policy runs. This module and `text` import Jinja2: import them
only where a page is wanted.
"""

import base64
import functools
import hashlib
import io
import json
import os

import jinja2
from markupsafe import Markup

GREYS = 16  # of pictures; enough for the eye, and half the size


def render(template, **values):
    """Return a filled template as Markup, which other templates do not escape again.

    Args:
        template: its path in the package, as "inspection/report.html".
        values: what it asks for. Pages ask for `title`, text for the window's frame, and `text`, a
            text.Text.
    """
    return Markup(environment().get_template(template).render(values))


@functools.cache
def environment():
    """Return the jinja2.Environment of all pages."""
    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    pages = jinja2.Environment(
        loader=jinja2.FileSystemLoader(package),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    pages.filters["capital"] = lambda text: text[:1].upper() + text[1:]
    pages.filters["thousands"] = "{:,}".format
    pages.filters["picture_uri"] = picture_uri
    pages.filters["png_uri"] = png_uri
    pages.filters["sha256"] = _sha256
    return pages


def _sha256(text):
    """Return the hash of a style or script as Content-Security-Policy has it."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def json_text(value):
    """Return a value as JSON that may stand in a script element: ASCII, without what ends one."""
    text = json.dumps(value, separators=(",", ":"))
    return Markup(text.replace("&", r"\u0026").replace("<", r"\u003c").replace(">", r"\u003e"))


def picture_uri(picture):
    """Return a PIL image of mode "L" as a data URI, in GREYS degrees of grey."""
    step = 255 // (GREYS - 1)
    reduced = picture.point([round(value / step) for value in range(256)])
    reduced.putpalette(bytes(step * level for level in range(GREYS) for _ in "rgb"))
    return png_uri(reduced, bits=4)


def png_uri(picture, **options):
    """Return a PIL image as a data URI. `options` are Pillow's for PNG."""
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", optimize=True, **options)
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def strip(pictures, side, gap):
    """Return small pictures side by side in one, on white.

    Args:
        pictures: list of PIL images of mode "L", of at most `side` pixels a side; None: a space.
        side, gap: pixels of a picture's place, and between two.
    """
    from PIL import Image

    pitch = side + gap
    row = Image.new("L", (pitch * len(pictures) - gap, side), 255)
    for i, picture in enumerate(pictures):
        if picture is not None:
            left = i * pitch + (side - picture.width) // 2
            row.paste(picture, (left, (side - picture.height) // 2))
    return row
