"""The part of a picture that its image shows: the ink of the character, or all of it."""

import typing

from PIL import Image

from glyphs.ink.find import find_ink


class NoInkError(ValueError):
    """A picture without ink: there is nothing to read."""

    def __init__(self):
        super().__init__("blank: no ink found; write darker or larger")


class View(typing.NamedTuple):
    """The part of a picture that its image shows.

    Attributes:
        picture: PIL image of mode "L"; cropped to the ink, 0 is paper.
        box: `(left, top, right, bottom)` of it in the whole picture, in pixels.
        polarity: where the ink was found, its polarity, which is undone already; else None.
    """

    picture: Image.Image
    box: tuple
    polarity: str | None = None


def view_of(picture, preprocessing):
    """Return the View of a picture: its ink, or all of it.

    Args:
        picture: PIL image of mode "L", any size.
        preprocessing: a Preprocessing.

    Raises:
        NoInkError: the ink is wanted, and there is none.
    """
    if preprocessing.crop == "none":
        return View(picture, (0, 0, *picture.size))
    found = find_ink(picture, preprocessing.polarity)
    if found is None:
        raise NoInkError
    return View(found.image, found.box, found.polarity)
