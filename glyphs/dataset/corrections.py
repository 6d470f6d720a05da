"""Labels put right: a table of pictures, the labels they have, and those they should have.

    path,label,correction
    B0A1/0007.png,B0A1,B0A2
    B0A1/0012.png,B0A1,

`path` is what a picture is called within the source, see index.Index.name:

- of class folders and tables, in archives too, the picture's path in it;
- `1001-c.gnt at byte 4096` or `ETL9B_1 at byte 576` for a record;
- `kmnist-train-imgs.npz[17]` or `mnist.npz:x_train[17]` for an image in an array;
- `train_images/100241706_00004_2.jpg, box 3` for a box on a page.

`label` is the class that it has in the source, `correction` the class that it shows, by name or by
character; none, or `-`, stands for no character at all.
"""

import collections
import csv
import dataclasses
import io
import unicodedata

import numpy as np

from glyphs import files
from glyphs.characters import character_of, matched, numbers_of
from glyphs.dataset.select import subset
from glyphs.errors import UsageError

COLUMNS = ("path", "label", "correction")
NOTHING = ("", "-")  # unless a class has this name

Line = collections.namedtuple("Line", "number label correction")


@dataclasses.dataclass(frozen=True)
class Corrections:
    """What a table of corrections says.

    Attributes:
        path: of its file.
        sha256: of the file's bytes.
        lines: dict, what a picture is called -> its Line.
    """

    path: str
    sha256: str
    lines: dict


def read_corrections(path):
    """Read a CSV table of corrections: UTF-8, separated by commas, semicolons or tabs.

    Columns may stand in any order, and others beside them.

    Raises:
        UsageError: it cannot be read, has other columns, or contradicts itself.
    """
    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError as error:
        reason = error.strerror.lower()
        raise UsageError(f"{path}: {reason}; it should list corrections") from None
    # Names of files are bytes to the system, and not always UTF-8.
    text = io.StringIO(data.decode("utf-8-sig", "surrogateescape"), newline="")
    first = text.readline()
    text.seek(0)
    rows = csv.reader(text, delimiter=max(",;\t", key=first.count), strict=True)
    lines = {}
    try:
        header = [cell.strip().lower() for cell in next(rows, [])]
        if not set(COLUMNS) <= set(header):
            raise UsageError(f"{path}: {_wrong_header(header, first)}")
        for row in rows:
            if any(row):
                _add_row(dict(zip(header, row, strict=False)), path, rows.line_num, lines)
    except csv.Error as error:
        raise UsageError(f"{path}: line {rows.line_num}: {error}") from None
    return Corrections(path, files.sha256(data), lines)


def _wrong_header(header, first):
    if {"path", "label", "suggestion"} <= set(header):
        return (
            "holds suggestions, not corrections: look at the pictures, delete the lines whose "
            "label is right, and name the column suggestion correction"
        )
    return (
        f"needs a header line with the columns {', '.join(COLUMNS)}. Received: "
        f"{first[:60].strip()!r}"
    )


def _add_row(row, path, number, lines):
    name = row.get("path")
    if not name or not row.get("label") or "correction" not in row:
        raise UsageError(f"{path}: line {number}: expected {', '.join(COLUMNS)}")
    label, correction = (unicodedata.normalize("NFC", row[key]) for key in ("label", "correction"))
    line = Line(number, label, correction.strip())
    before = lines.setdefault(name, line)
    if before[1:] != line[1:]:
        raise UsageError(
            f"{path}: line {number}: contradicts line {before.number}, which says something else "
            f"about {name}"
        )


def correct(index, corrections, label_encoding=None):
    """Return an Index with the labels put right, and without what is no character.

    Args:
        index: an index.Index.
        corrections: Corrections.
        label_encoding: what four hex digits mean in class names; see characters.character_of.

    Returns:
        `(index, chosen)`: the Index; and for the manifest, under "corrections", a dict of the
        file's SHA-256 and how many pictures were changed, left out, and confirmed (their
        correction is their label).

    Raises:
        UsageError: a picture is not in the source, does not have the label that the table says,
            or is to have one that is no class of the source.
    """
    y = np.array(index.labels, np.int32)
    characters = [character_of(name, label_encoding) for name in index.class_names]
    label_of = numbers_of(index.class_names, characters)

    def meant(text):
        if text in NOTHING and text not in index.class_names:
            return None
        return matched([text], [character_of(text, label_encoding)], label_of)[0]

    places = _find(index, corrections)
    is_kept = np.ones(len(y), bool)
    facts = {"sha256": corrections.sha256, "changed": 0, "left_out": 0, "confirmed": 0}
    for name, (number, label, correction) in corrections.lines.items():
        where = f"{corrections.path}: line {number}"
        if name not in places:
            raise UsageError(f"{where}: {name} is no picture of {index.source}{_hint(index, name)}")
        place = places[name]
        before, after = (meant(text) for text in (label, correction))
        if before != y[place]:
            raise UsageError(
                f"{where}: {name} has the label {index.class_names[y[place]]} in {index.source}, "
                f"not {label}"
            )
        if after == before:
            facts["confirmed"] += 1
        elif after is not None:
            y[place] = after
            facts["changed"] += 1
        elif correction in NOTHING:
            is_kept[place] = False
            facts["left_out"] += 1
        else:
            raise UsageError(f"{where}: {correction} is no class of {index.source}")
    index = dataclasses.replace(index, labels=y)
    if not is_kept.all():
        index = subset(index, np.flatnonzero(is_kept))
    return index, {"corrections": facts}


def _find(index, corrections):
    """Return dict, name -> position in the index, of the pictures that are to be corrected."""
    places = {}
    for place, number in enumerate(index.sample_numbers):
        name = index.name(int(number))
        if name not in corrections.lines:
            continue
        if name in places:
            line = corrections.lines[name].number
            raise UsageError(
                f"{corrections.path}: line {line}: {index.source} has two pictures of the name "
                f"{name}"
            )
        places[name] = place
    return places


def _hint(index, name):
    try:
        name.encode()
    except UnicodeEncodeError:
        return "; is the table UTF-8 text?"
    if not len(index.sample_numbers):
        return ""
    return f"; its pictures have names such as {index.name(int(index.sample_numbers[0]))}"
