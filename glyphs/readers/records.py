"""Uncompressed pictures inside larger files: what the readers of ETL and GNT files share.

Imports Pillow but not NumPy, since the worker processes load it.
"""

import collections
import contextlib
import itertools

from PIL import Image

from glyphs.errors import PictureError
from glyphs.images import reason_of
from glyphs.readers import SPLITS, Samples

LOOKED_AT = 200  # files by which a reader recognises a source: a million pictures are refused fast
MIN_GROUPS = 3  # fewer cannot be kept apart in train, val and test

_RAW_MODES = {1: ("1", "1"), 4: ("L", "L;4"), 8: ("L", "L")}  # Pillow's, by bits a pixel
_SPLIT_ENDINGS = {"trn_gnt": "train", "tst_gnt": "test"}  # HWDB1.1trn_gnt, HWDB1.1tst_gnt

# A file of records: what to call it in messages, and where its `size` bytes lie.
File = collections.namedtuple("File", "name path start size")


class Records(Samples):
    """Pictures of 1, 4 or 8 bits a pixel, each a stretch of a file.

    Args:
        files: list of File.
        file_numbers: int `(n,)`: which of them each picture is in.
        offsets: int64 `(n,)`: where its record starts in the file, in bytes.
        sizes: uint16 `(n, 2)`: width and height in pixels; rows are padded to whole bytes.
        header: number of bytes between the start of a record and its pixels.
        bits: per pixel; 4 bits have the left pixel high; brightest is all bits set.
    """

    few = 20_000  # nothing has to be decompressed

    def __init__(self, files, file_numbers, offsets, sizes, *, header, bits):
        self.files = files
        self.file_numbers = file_numbers
        self.offsets = offsets
        self.sizes = sizes
        self.header = header
        self.bits = bits

    def __len__(self):
        return len(self.offsets)

    def name(self, number):
        return name_of(self.files[self.file_numbers[number]].name, self.offsets[number])

    def chunk(self, numbers):
        places = [
            (file.name, file.path, file.start, int(self.offsets[i]), *self.sizes[i].tolist())
            for i in numbers
            for file in [self.files[self.file_numbers[i]]]
        ]
        return _RecordChunk(places, self.header, self.bits)


class _RecordChunk:
    def __init__(self, places, header, bits):
        self.places = places
        self.header = header
        self.bits = bits

    def pictures(self):
        with contextlib.ExitStack() as stack:
            opened = {}
            for place in self.places:
                try:
                    path = place[1]
                    if path not in opened:
                        opened[path] = stack.enter_context(open(path, "rb"))
                    picture = self._read(opened[path], place)
                except OSError as error:
                    picture = PictureError(name_of(place[0], place[3]), reason_of(error))
                except PictureError as error:
                    picture = error
                yield picture

    def _read(self, file, place):
        name, _, start, offset, width, height = place
        file.seek(start + offset + self.header)
        count = (width * self.bits + 7) // 8 * height
        data = file.read(count)
        if len(data) < count:
            raise PictureError(name_of(name, offset), "the file has become shorter")
        mode, raw_mode = _RAW_MODES[self.bits]
        return Image.frombytes(mode, (width, height), data, "raw", raw_mode).convert("L")


def name_of(path, offset):
    """Return what to call the record that starts at this byte of a file."""
    return f"{path} at byte {offset}"


def first_names(listing):
    """Return the first few relative names of a listing; of a single file, its own."""
    return list(itertools.islice(all_names(listing), LOOKED_AT))


def all_names(listing):
    """Return an iterator over the relative names of a listing; of a single file, its own."""
    return iter([listing.only]) if listing.only is not None else listing.names()


def skipped(listing, names):
    """Return the Counter of what was passed over, `names` being the files that were not."""
    others = sum(1 for _ in all_names(listing)) - len(names)
    return listing.skipped + collections.Counter({"not a file of records": others})


@contextlib.contextmanager
def noting_damage(path, damaged):
    """Append to `damaged` the `(name, reason)` of a file that cannot be read in this block."""
    try:
        yield
    except PictureError as error:
        damaged.append((error.path, error.reason))
    except OSError as error:
        damaged.append((path, reason_of(error)))


def splits_and_writers(names, file_numbers, groups, group_names):
    """Return the fields of an Index that say where samples belong; see splits_of.

    Groups are left out if they are fewer than MIN_GROUPS: one file may hold many writers.

    Args:
        names: relative names of the files.
        file_numbers: int `(n,)`: for each sample the index of its file.
        groups: int `(n,)`: for each sample the index of its writer in `group_names`.
        group_names: text.
    """
    import numpy as np

    fields = {}
    splits = splits_of(names)
    if splits is not None:
        fields["splits"] = np.array(splits, np.int8)[file_numbers]
    if len(group_names) >= MIN_GROUPS:
        fields.update(groups=groups, group_names=group_names, group_kind="writer")
    return fields


def splits_of(names):
    """Return the split that the topmost folder of each file names, or None.

    These are `train`, `val` and `test`, or CASIA's `HWDB1.1trn_gnt` and `HWDB1.1tst_gnt`. Folders
    around all files are passed by. There are none unless all files are in such folders, of at
    least two splits.

    Args:
        names: relative names of files.

    Returns:
        list of indices in SPLITS, one per name, or None.
    """
    paths = [name.split("/")[:-1] for name in names]
    depth = 0
    while all(len(path) > depth and path[depth] == paths[0][depth] for path in paths):
        depth += 1
    found = [_split_named(path[depth]) if len(path) > depth else None for path in paths]
    if None in found or len(set(found)) < 2:
        return None
    return [SPLITS.index(split) for split in found]


def _split_named(folder):
    return folder if folder in SPLITS else _SPLIT_ENDINGS.get(folder[-7:].lower())
