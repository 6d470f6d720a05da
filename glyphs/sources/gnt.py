"""CASIA's .gnt files of handwritten Chinese characters, one file per writer.

A file is a sequence of records, little-endian: uint32 size of the record, 10 + width * height;
the character's code in GB 18030, two bytes, lead byte first (ASCII: one byte and a NUL); uint16
width; uint16 height; a grey byte per pixel, row by row, 255 = paper.

Source: "CASIA Online and Offline Chinese Handwriting Databases", Liu, Yin, Wang, Wang, ICDAR 2011.
"""

import array
import os
import struct

import numpy as np

from glyphs.characters import class_name_of
from glyphs.errors import UsageError
from glyphs.images.decode import MAX_PIXELS
from glyphs.sources import records
from glyphs.sources.index import Index

SUFFIX = ".gnt"
_HEADER = struct.Struct("<IHHH")
_BUFFER = 1 << 18  # bytes; the walk from header to header reads everything between, too


def recognise(listing):
    """Return whether there are .gnt files in a listing."""
    return any(name.lower().endswith(SUFFIX) for name in records.first_names(listing))


def index(listing, options):
    """Find the records of the .gnt files of a listing, at any depth.

    A class is a character, named by its code point: `U+554A`. A group is a file: its writer, unless
    there are too few. Folders give splits as `records.splits_of` says.

    Damaged records are named and passed over. After a record of impossible size the rest of its
    file is lost, except where its sides, or else its size, lead to a sound record.

    Args:
        listing: a listing.Listing.
        options: index.Options; none applies to this reader.

    Returns:
        An Index.

    Raises:
        UsageError: no record can be read.

    Example:
        >>> import pathlib, tempfile
        >>> from glyphs.sources.index import Options
        >>> from glyphs.sources.listing import FolderListing
        >>> record = struct.pack("<I2sHH", 10 + 6 * 5, "啊".encode("gb18030"), 6, 5) + bytes(6 * 5)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = pathlib.Path(folder, "1001.gnt").write_bytes(2 * record)
        ...     found = index(FolderListing(folder, None), Options())
        >>> found.class_names, np.bincount(found.labels)
        (['U+554A'], array([2]))
    """
    names = [name for name in records.all_names(listing) if name.lower().endswith(SUFFIX)]
    if listing.only is not None:
        names = [listing.only]  # whatever its suffix: the user may have forced this reader
    if not names:
        raise UsageError(f"{listing.source}: no {SUFFIX} files in it")
    found = _Found()
    for name in names:
        with records.noting_damage(listing.path(name), found.damaged):
            found.add(name, records.File(listing.path(name), *listing.locate(name)))
    file_numbers = np.array(found.file_numbers, np.int32)
    offsets = np.array(found.offsets, np.int64)
    widths, heights = np.array(found.sizes, np.uint16).reshape(-1, 2).T
    class_names, labels_ = _classes(np.array(found.tags, np.uint16))

    known = labels_ >= 0
    for i in np.flatnonzero(~known):
        found.note_tag(i)
    if not known.any():
        first = "; {}: {}".format(*found.damaged[0]) if found.damaged else ""
        raise UsageError(f"{listing.source}: no records in its {SUFFIX} files{first}")

    file_numbers = file_numbers[known]
    group_names, file_groups = _writers(found.names, file_numbers)
    return Index(
        listing.name,
        "gnt",
        class_names,
        records.Records(
            found.files,
            file_numbers,
            offsets[known],
            widths[known],
            heights[known],
            header=_HEADER.size,
            bits=8,
        ),
        labels_[known],
        polarity="dark-on-light",
        is_framed=True,
        skipped=records.skipped(listing, names),
        damaged=found.damaged,
        **records.splits_and_writers(
            found.names, file_numbers, file_groups[file_numbers], group_names
        ),
    )


def _classes(tags):
    """Return the class names, and int32 `(n,)`: the label of each tag, -1 of impossible ones."""
    unique, numbers = np.unique(tags, return_inverse=True)
    names = [_class_name(int(tag)) for tag in unique]
    class_names = sorted(set(names) - {None})
    label_of = {None: -1} | {name: label for label, name in enumerate(class_names)}
    return class_names, np.array([label_of[name] for name in names], np.int32)[numbers]


def _class_name(tag):
    try:
        text = _bytes(tag).strip(b"\0").decode("gb18030")
    except UnicodeDecodeError:
        return None
    return class_name_of(text) if len(text) == 1 else None


def _bytes(tag):
    return tag.to_bytes(2, "little")


def _writers(names, file_numbers):
    """Return the writers of the files that have records, and int32 (files,): the writer of each."""
    stems = [os.path.splitext(name.rpartition("/")[2])[0] for name in names]
    writers = list(dict.fromkeys(stems[i] for i in np.unique(file_numbers)))
    number_of = {writer: number for number, writer in enumerate(writers)}
    return writers, np.array([number_of.get(stem, -1) for stem in stems], np.int32)


class _Found:
    """The records found so far, at 18 bytes each."""

    def __init__(self):
        self.names = []
        self.files = []
        self.damaged = []
        self.file_numbers = array.array("i")
        self.offsets = array.array("q")
        self.tags = array.array("H")
        self.sizes = array.array("H")  # width, height, width, height, ...

    def add(self, name, file):
        """Append the records of a File, whose relative name is `name`."""
        number = len(self.files)
        self.names.append(name)
        self.files.append(file)
        with open(file.path, "rb", buffering=_BUFFER) as stream:
            for position, tag, width, height in _records(stream, file, self.damaged):
                self.file_numbers.append(number)
                self.offsets.append(position)
                self.tags.append(tag)
                self.sizes.append(width)
                self.sizes.append(height)

    def note_tag(self, i):
        """Note that the tag of record `i` is impossible."""
        name = records.name_of(self.files[self.file_numbers[i]].name, self.offsets[i])
        tag = _bytes(self.tags[i]).hex()
        self.damaged.append((name, f"{tag} is the code of no character in GB 18030"))


def _records(stream, file, damaged):
    """Yield `(position, tag, width, height)` of each record; note damaged ones in `damaged`."""

    def note(reason):
        damaged.append((records.name_of(file.name, position), reason))

    position = 0
    while header := _header(stream, file, position):
        size, tag, width, height = header
        needed = _HEADER.size + width * height
        if size != needed and not _is_sound(stream, file, position + needed):
            note(f"its size of {size} bytes is not that of {width} x {height} pixels")
            if size < _HEADER.size or not _is_sound(stream, file, position + size):
                note("the file cannot be read from here on")
                return
            position += size
            continue
        if position + needed > file.size:
            break
        if 0 < width * height <= MAX_PIXELS:
            yield position, tag, width, height
        else:
            note(f"{width} x {height} pixels are no character")
        position += needed
    if position < file.size or not file.size:
        note("the file ends inside this record")


def _header(stream, file, position):
    """Return size, tag, width and height of the record at `position`, or None past the end."""
    stream.seek(file.start + position)
    data = stream.read(max(0, min(_HEADER.size, file.size - position)))
    return _HEADER.unpack(data) if len(data) == _HEADER.size else None


def _is_sound(stream, file, position):
    """Return whether a whole record starts at `position`, or the file ends there."""
    if position == file.size:
        return True
    header = _header(stream, file, position)
    if header is None:
        return False
    size, _, width, height = header
    return size == _HEADER.size + width * height and position + size <= file.size
