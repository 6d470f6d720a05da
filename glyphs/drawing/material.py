"""What is drawn from: stroke data and fonts, each asked for what it has of a character."""

import dataclasses
import functools

import numpy as np
from PIL import ImageOps

from glyphs.drawing.strokes import Strokes
from glyphs.drawing.typeface import Typeface
from glyphs.images.preprocessing import image_of
from glyphs.images.view import NoInkError, view_of

BEST = 10  # answers of the model among which a font's character must be
FRAME = 20  # pixels of paper around a glyph


@dataclasses.dataclass(frozen=True)
class Material:
    """Stroke data and fonts; small to send to a worker process, which opens them once.

    Attributes:
        strokes: paths of stroke data.
        fonts: paths of fonts.
        check: None, or PREFIX of a model: what a font draws for a character is left out where the
            model does not find that character among its best answers. Some fonts draw 東 for 东.
    """

    strokes: tuple
    fonts: tuple
    check: str | None = None

    def open(self):
        """Open everything now.

        Raises:
            UsageError: something cannot be read.
            ArtifactError: the model is missing or damaged.
        """
        for path in self.strokes:
            _strokes(path)
        for path in self.fonts:
            _typeface(path)
        if self.check:
            _checker(self.check)

    def lacks(self, character):
        """Return whether no source has a character; fonts are not checked by the model."""
        has_strokes = any(character in _strokes(path).characters for path in self.strokes)
        return not has_strokes and not any(_typeface(path).glyph(character) for path in self.fonts)

    def can_check(self, character):
        """Return whether the model of `check` knows a character."""
        return character in _checker(self.check).known

    def of(self, character):
        """Return what there is of a character.

        Returns:
            `(ways, glyphs, refused)`: dicts from a source's path to what Strokes.of or
            Typeface.glyph returns, and the paths of the fonts that were left out by the check.
            Where there are no strokes, and the model reads no font, all fonts are kept.
        """
        ways = {path: _strokes(path).of(character) for path in self.strokes}
        glyphs = {path: _typeface(path).glyph(character) for path in self.fonts}
        ways = {path: way for path, way in ways.items() if way}
        glyphs = {path: glyph for path, glyph in glyphs.items() if glyph}
        if not self.check or not glyphs:
            return ways, glyphs, []
        readable = _checker(self.check).readable(character, glyphs)
        if not ways and not readable:
            return ways, glyphs, []
        return ways, readable, [path for path in glyphs if path not in readable]


class Checker:
    """A model that says whether a glyph is the character that it should be.

    Args:
        prefix: of the model files.

    Attributes:
        known: set of the characters that it knows.
    """

    def __init__(self, prefix):
        from glyphs.inference.classifier import Classifier  # takes time, and is seldom needed

        self._classifier = Classifier(prefix)
        self.known = set(self._classifier.characters)

    def readable(self, character, glyphs):
        """Return those of the glyphs that are read as the character; all, if it is not known.

        Args:
            character: text.
            glyphs: dict whose values are PIL images of mode "L", 255 = ink.
        """
        if character not in self.known:
            return glyphs
        images, paths = [], []
        for path, glyph in glyphs.items():
            picture = ImageOps.expand(ImageOps.invert(glyph), FRAME, 255)
            try:
                view = view_of(picture, self._classifier.preprocessing)
            except NoInkError:
                continue
            images.append(image_of(view, self._classifier.preprocessing))
            paths.append(path)
        if not images:
            return {}
        from glyphs.inference.prediction import best_of

        rows = self._classifier.probabilities(np.stack(images))
        characters = self._classifier.characters
        return {
            path: glyphs[path]
            for path, row in zip(paths, rows, strict=True)
            if character in [characters[number] for number in best_of(row, BEST)]
        }


@functools.cache
def _strokes(path):
    return Strokes(path)


@functools.cache
def _typeface(path):
    return Typeface(path)


@functools.cache
def _checker(prefix):
    return Checker(prefix)
