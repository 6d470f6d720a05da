"""The font that draws characters where none can be relied on: IPAex Gothic of matplotlib-fontja."""

import importlib.util
import os


def bundled_font():
    """Return the path of IPAex Gothic, or None; without importing matplotlib."""
    package = importlib.util.find_spec("matplotlib_fontja")
    if package is None:
        return None
    return os.path.join(package.submodule_search_locations[0], "fonts", "ipaexg.ttf")


def missing(font, characters):
    """Return those of the characters that a font draws as a box, or as nothing.

    Args:
        font: a PIL FreeTypeFont.
        characters: iterable of text.
    """
    box = bytes(font.getmask("\U0010ffff"))  # a noncharacter: no font has it
    return [c for c in characters if bytes(font.getmask(c)) in (box, b"")]
