"""The record files of the ETL Character Database: ETL8B, ETL8G, ETL9B and ETL9G.

All records of a file have the same size; numbers are big-endian. A record begins with uint16 sheet,
uint16 JIS X 0208 code, and a reading in ASCII. The pictures, rows from the top, are 64 x 63 pixels
of one bit or 128 x 127 of four, the left pixel in the higher bits; ink is bright. The first record
of the files of binary pictures is a dummy.

Source: ETL Character Database, National Institute of Advanced Industrial Science and Technology
(AIST), http://etlcdb.db.aist.go.jp/.
"""

import collections
import dataclasses
import functools
import os
import re

import numpy as np

from glyphs.characters import character_of
from glyphs.errors import PictureError, UsageError
from glyphs.sources import records
from glyphs.sources.index import Index


@dataclasses.dataclass(frozen=True)
class Format:
    """Where things are in a file.

    Attributes:
        record_size: in bytes.
        dummies: number of records before the first sample.
        header: number of bytes before the pixels in a record.
        bits: per pixel.
        width, height: in pixels.
    """

    record_size: int
    dummies: int
    header: int
    bits: int
    width: int
    height: int


FORMATS = {
    "etl8b": Format(512, 1, 8, 1, 64, 63),
    "etl8g": Format(8199, 0, 60, 4, 128, 127),
    "etl9b": Format(576, 1, 8, 1, 64, 63),
    "etl9g": Format(8199, 0, 64, 4, 128, 127),
}

# ETL8B2C1, ETL8G_01, ETL9B-1, etl9g_50.bin, ...
_NAME = re.compile(r"(etl[89][bg])(?:2c)?[-_.]?[0-9]*(?:\.bin|\.dat)?\Z", re.IGNORECASE)
_SUFFIXES = ("", ".bin", ".dat")
_HEAD = 64  # records by which a file of another name is recognised
_LARGEST = max(form.record_size for form in FORMATS.values())
_BLOCK = 1 << 22  # bytes read at a time


def recognise(listing):
    """Return whether there are ETL record files in a listing, by name or, failing that, content."""
    names = records.first_names(listing)
    return any(_named(name) for name in names) or bool(_by_content(listing, _nameless(names)[:3]))


def index(listing, options):
    """Find the records of the ETL files of a listing, at any depth.

    A class is a character, named by its JIS code: `3021`. A group is a sheet, filled by one writer,
    unless there are too few. Folders give splits as `records.splits_of` says. Records with an
    impossible code, and what is left of a record at the end of a file, are named as damaged.

    Args:
        listing: a listing.Listing.
        options: index.Options; `reader` decides where names and contents do not.

    Returns:
        An Index.

    Raises:
        UsageError: the files are of several formats, or of one that cannot be determined, or no
            record can be read.

    Example:
        >>> import pathlib, struct, tempfile
        >>> from glyphs.sources.index import Options
        >>> from glyphs.sources.listing import FolderListing
        >>> data = b"".join(struct.pack(">2H8195x", sheet, 0x3021) for sheet in (1, 2, 3))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = pathlib.Path(folder, "ETL9G_01").write_bytes(data)
        ...     found = index(FolderListing(folder, None), Options())
        >>> found.class_names, np.bincount(found.labels)
        (['3021'], array([3]))
        >>> found.group_names
        ['sheet 1', 'sheet 2', 'sheet 3']
    """
    reader, names = _choose(listing, options.reader)
    form = FORMATS[reader]
    found, damaged = [], []
    for name in names:
        with records.noting_damage(listing.path(name), damaged):
            file = records.File(listing.path(name), *listing.locate(name))
            found.append((name, file, *_read_file(file, reader, damaged)))
    if not found:
        first = "; {}: {}".format(*damaged[0]) if damaged else ""
        raise UsageError(f"{listing.source}: no {reader.upper()} records in it{first}")

    read, files, sheets, codes, offsets = zip(*found, strict=True)
    file_numbers = np.repeat(np.arange(len(files), dtype=np.int32), [len(c) for c in codes])
    codes, labels_ = np.unique(np.concatenate(codes), return_inverse=True)
    sheets, groups = np.unique(np.concatenate(sheets), return_inverse=True)
    group_names = [f"sheet {sheet}" for sheet in sheets]
    return Index(
        listing.name,
        reader,
        [f"{code:04X}" for code in codes],
        records.Records(
            files,
            file_numbers,
            np.concatenate(offsets),
            np.broadcast_to(np.uint16(form.width), len(labels_)),
            np.broadcast_to(np.uint16(form.height), len(labels_)),
            header=form.header,
            bits=form.bits,
        ),
        labels_.astype(np.int32),
        polarity="light-on-dark",
        label_encoding="jis",
        is_framed=True,
        skipped=records.skipped(listing, names),
        damaged=damaged,
        **records.splits_and_writers(read, file_numbers, groups.astype(np.int32), group_names),
    )


def _named(name):
    """Return the format that a file's name tells, or None."""
    match = _NAME.match(name.rpartition("/")[2])
    return match and match[1].lower()


def _nameless(names):
    """Return those of the names that may be of record files."""
    return [
        name
        for name in names
        if os.path.splitext(name)[1].lower() in _SUFFIXES and not name.upper().endswith("INFO")
    ]


def _choose(listing, reader):
    """Return the format, and the names of the files that are in it."""
    names = list(records.all_names(listing))
    by_format = collections.defaultdict(list)
    for name in names:
        by_format[_named(name)].append(name)
    nameless = by_format.pop(None, [])
    if reader is not None:
        return reader, by_format[reader] or (names if listing.only else _nameless(nameless))
    by_format = by_format or _by_content(listing, _nameless(nameless))
    if len(by_format) > 1:
        formats = sorted(by_format)
        raise UsageError(
            f"{listing.source}: holds files of {' or '.join(map(str.upper, formats))}; say which "
            f"to read with --reader {formats[0]} or another of these"
        )
    return by_format.popitem()


def _by_content(listing, names):
    """Return a dict, format -> names of the files whose first records look like it."""
    by_format = collections.defaultdict(list)
    for name in names:
        try:
            head = np.frombuffer(listing.read(name, _HEAD * _LARGEST), np.uint8)
        except PictureError:
            continue
        for reader in _formats(head):
            by_format[reader].append(name)
    return by_format


def _formats(head):
    """Return the formats that a file with these first bytes may have; ETL8G and 9G may look alike.

    ETL8 and ETL9 hold hiragana and the kanji of level 1, and have a few thousand sheets. Where one
    of the G formats has four bytes of a picture, which vary, the other has filler.
    """
    fitting = {}
    for reader, form in FORMATS.items():
        samples = _as_records(head, form)[form.dummies : _HEAD]
        sheets, codes = samples[:, :4].copy().view(">u2").T
        rows = codes >> 8
        usual = (rows == 0x24) | ((rows >= 0x30) & (rows <= 0x4F))
        if len(samples) >= 4 and (usual & _is_character()[codes] & (sheets < 0x2000)).all():
            fitting[reader] = samples
    if list(fitting) == ["etl8g", "etl9g"]:
        samples = fitting["etl8g"]
        in_8g, in_9g = samples[:, 60:64], samples[:, 8188:8192]
        varies_8g, varies_9g = ((part != part[0]).any() for part in (in_8g, in_9g))
        if varies_8g != varies_9g:
            return ["etl8g"] if varies_8g else ["etl9g"]
    return list(fitting)


def _as_records(data, form):
    count = len(data) // form.record_size
    return data[: count * form.record_size].reshape(count, form.record_size)


@functools.cache
def _is_character():
    """Return bool `(65536,)`: whether a number is the JIS X 0208 code of a character."""
    table = np.zeros(1 << 16, bool)
    for row in range(0x21, 0x7F):
        for cell in range(0x21, 0x7F):
            code = f"{row:02X}{cell:02X}"
            table[row << 8 | cell] = character_of(code, "jis") is not None
    return table


def _read_file(file, reader, damaged):
    """Return sheets, codes and offsets of the records of a File; note damaged ones in `damaged`.

    Raises:
        PictureError: it is not such a file at all.
    """
    form = FORMATS[reader]
    if file.size < (form.dummies + 1) * form.record_size:
        raise PictureError(file.name, f"{file.size:,} bytes hold no {reader.upper()} record")
    sheets, codes = _read_headers(file, form)
    numbers = np.arange(len(codes)) + form.dummies
    possible = _is_character()[codes]
    if 2 * possible.sum() < len(codes):
        raise PictureError(file.name, f"most of its JIS codes are impossible: not {reader.upper()}")
    for run in _runs(numbers[~possible]):
        first, last = run[0], run[-1]
        which = f"record {first + 1}" if first == last else f"records {first + 1} to {last + 1}"
        name = records.name_of(file.name, first * form.record_size)
        damaged.append((name, f"{which}: {codes[first - form.dummies]:04X} is no JIS code"))
    if rest := file.size % form.record_size:
        number = file.size // form.record_size
        name = records.name_of(file.name, number * form.record_size)
        damaged.append((name, f"record {number + 1}: {rest} of {form.record_size} bytes are there"))
    return sheets[possible], codes[possible], numbers[possible] * form.record_size


def _read_headers(file, form):
    """Return sheets and JIS codes of the samples in a File, both uint16 `(n,)`."""
    step = max(1, _BLOCK // form.record_size) * form.record_size
    headers = []
    with open(file.path, "rb") as stream:
        stream.seek(file.start)
        for position in range(0, file.size, step):
            block = np.frombuffer(stream.read(min(step, file.size - position)), np.uint8)
            headers.append(_as_records(block, form)[:, :4].copy())
    headers = np.concatenate(headers)[form.dummies :]
    return headers.view(">u2").astype(np.uint16).T


def _runs(numbers):
    """Cut sorted numbers into stretches without a gap."""
    cuts = np.flatnonzero(np.diff(numbers) > 1) + 1
    return np.split(numbers, cuts) if len(numbers) else []
