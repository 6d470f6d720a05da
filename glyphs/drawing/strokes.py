"""Strokes of characters as polylines, from open stroke data that the user has.

Two kinds are read, from a folder or from the package as it is published:

- KanjiVG: `kanji/04e00.svg`, one SVG path a stroke, named by code point.
- hanzi-writer-data (Make Me a Hanzi): `一.json` with "medians", named by the character.
"""

import json
import os
import re
import tarfile
import zipfile

import numpy as np

from glyphs.errors import UsageError
from glyphs.images.decode import reason_of
from glyphs.sources.archives import DAMAGE

_UNREADABLE = (*DAMAGE, OSError, RuntimeError)  # the last where a zip is encrypted
_KANJIVG = re.compile(r"(?:.*/)?0?([0-9a-f]{4,5})\.svg\Z")
_HANZI_WRITER = re.compile(r"(?:.*/)?(.)\.json\Z", re.DOTALL)
_PATH = re.compile(rb'<path[^>]*? d="([^"]+)"')
_TOKEN = re.compile(r"[A-Za-z]|-?\d*\.?\d+(?:e-?\d+)?")
CURVE_POINTS = 8  # of a Bezier curve


class Strokes:
    """The strokes of many characters.

    Args:
        path: folder, `.zip`, `.whl`, `.tar`, `.tgz` of one of the kinds above.

    Attributes:
        path: as given.
        characters: set of the characters that it has.

    Raises:
        UsageError: there is no such file, or it holds no strokes.
    """

    def __init__(self, path):
        self.path = path
        try:
            self._names, self._read = _opened(path)
        except _UNREADABLE as error:
            raise UsageError(
                f"{path}: cannot be read as stroke data ({reason_of(error)})"
            ) from None
        self._members = {}
        for name in self._names:
            if match := _KANJIVG.match(name):
                self._members.setdefault(chr(int(match[1], 16)), name)
            elif match := _HANZI_WRITER.match(name):
                self._members.setdefault(match[1], name)
        if not self._members:
            raise UsageError(
                f"{path}: holds no strokes; KanjiVG (04e00.svg, ...) and hanzi-writer-data "
                "(一.json, ...) are read"
            )
        self.characters = set(self._members)

    def of(self, character):
        """Return the strokes of a character, in writing order.

        Returns:
            List of float64 `(points, 2)`, x to the right and y down; the longer side of what
            they cover is 1 long, and its middle is (0.5, 0.5). Empty where it has none.

        Raises:
            UsageError: the file of this character is damaged.
        """
        name = self._members.get(character)
        if name is None:
            return []
        try:
            data = self._read(name)
            strokes = _svg_strokes(data) if name.endswith(".svg") else _median_strokes(data)
            if not strokes or not all(np.isfinite(stroke).all() for stroke in strokes):
                raise ValueError("no strokes")
            return _in_unit_box(strokes)
        except (*_UNREADABLE, KeyError, IndexError, TypeError) as error:
            raise UsageError(f"{self.path}: {name} is damaged ({reason_of(error)})") from None


def _opened(path):
    """Return the names in a folder or an archive, and the function that reads one of them."""
    if os.path.isdir(path):
        names = [os.path.join(folder, name) for folder, _, files in os.walk(path) for name in files]
        return sorted(names), _read_file
    if zipfile.is_zipfile(path):
        archive = zipfile.ZipFile(path)
        return sorted(archive.namelist()), archive.read
    if not tarfile.is_tarfile(path):
        raise UsageError(f"{path}: not a folder, a zip or a tar, which stroke data come in")
    # A compressed tar has no index: all of it is read once.
    with tarfile.open(path) as archive:
        contents = {
            member.name: archive.extractfile(member).read() for member in archive if member.isfile()
        }
    return sorted(contents), contents.__getitem__


def _read_file(path):
    with open(path, "rb") as file:
        return file.read()


def _median_strokes(data):
    """Return the medians of a character of hanzi-writer-data: y goes up there, from -124 to 900."""
    return [
        np.array([[x, 900 - y] for x, y in median], float) for median in json.loads(data)["medians"]
    ]


def _svg_strokes(data):
    return [path_points(match.decode()) for match in _PATH.findall(data)]


def path_points(path):
    """Return points along an SVG path of the commands M, L, C and S, absolute or relative.

    >>> path_points("M0,0c0,0 3,4 3,4").shape, path_points("M0,0c0,0 3,4 3,4")[-1].tolist()
    ((9, 2), [3.0, 4.0])

    Raises:
        ValueError: it has other commands, or lacks numbers.
    """
    tokens = iter(_TOKEN.findall(path))
    points, here, handle, command = [], np.zeros(2), None, None
    for token in tokens:
        is_command = token.isalpha()
        if is_command:
            command = token
        if command is None or command not in "MmLlCcSs":
            raise ValueError(f"the path command {command} is not known")
        origin = here if command.islower() else 0
        count = {"M": 2, "L": 2, "C": 6, "S": 4}[command.upper()]
        numbers = [next(tokens, None) if is_command or i else token for i in range(count)]
        if None in numbers:
            raise ValueError("a path lacks numbers")
        given = np.array(numbers, float).reshape(-1, 2) + origin
        if command in "MmLl":
            here = handle = given[0]
            points.append(here)
            command = {"M": "L", "m": "l"}.get(command, command)
            continue
        first = given[0] if command in "Cc" else 2 * here - handle
        second, end = given[-2:]
        t = np.linspace(0, 1, CURVE_POINTS + 1)[1:, None]
        points.extend(
            (1 - t) ** 3 * here
            + 3 * (1 - t) ** 2 * t * first
            + 3 * (1 - t) * t**2 * second
            + t**3 * end
        )
        here, handle = end, second
    return np.array(points)


def _in_unit_box(strokes):
    points = np.concatenate(strokes)
    low, high = points.min(0), points.max(0)
    size = max(*(high - low), 1e-6)
    return [(stroke - (low + high) / 2) / size + 0.5 for stroke in strokes]
