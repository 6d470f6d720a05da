"""Uncompressed pictures inside larger files: what the readers of ETL and GNT files share.

Imports Pillow but not NumPy, since the worker processes load it.
"""

import array
import collections
import contextlib
import itertools

from PIL import Image

from glyphs.errors import PictureError
from glyphs.images.decode import reason_of
from glyphs.sources.index import SPLITS, Samples, split_named

LOOKED_AT = 200  # files by which a source is recognised; folders of a million are refused fast
MIN_GROUPS = 3  # fewer cannot be kept apart in train, val and test

_RAW_MODES = {1: ("1", "1"), 4: ("L", "L;4"), 8: ("L", "L")}  # Pillow's, by bits a pixel
_SPLIT_ENDINGS = {"trn_gnt": "train", "tst_gnt": "test"}  # HWDB1.1trn_gnt, HWDB1.1tst_gnt

# A file of records: what to call it in messages, and where its `size` bytes lie.
File = collections.namedtuple("File", "name path start size")


class Records(Samples):
    """Pictures of 1, 4 or 8 bits a pixel, each a stretch of a file.

    Args:
        files: list of File.
        file_numbers: for each picture the index of its file: sequence of int.
        offsets: for each picture where its record starts in the file, in bytes: sequence of int.
        widths, heights: in pixels: sequences of int below 65,536. Rows are padded to whole bytes.
        header: number of bytes between the start of a record and its pixels.
        bits: per pixel; of 4 bits, the left pixel is the higher; the brightest has all bits set.
    """

    few = 20_000  # nothing has to be decompressed

    def __init__(self, files, file_numbers, offsets, widths, heights, *, header, bits):
        self.files = files
        self.file_numbers = file_numbers
        self.offsets = offsets
        self.widths = widths
        self.heights = heights
        self.header = header
        self.bits = bits

    def __len__(self):
        return len(self.offsets)

    def name(self, number):
        return name_of(self.files[self.file_numbers[number]].name, self.offsets[number])

    def chunk(self, numbers):
        number_of = {}  # number of a file here -> in the chunk
        files = [number_of.setdefault(self.file_numbers[i], len(number_of)) for i in numbers]
        return Records(
            [self.files[number] for number in number_of],
            array.array("i", files),
            array.array("q", [self.offsets[i] for i in numbers]),
            array.array("H", [self.widths[i] for i in numbers]),
            array.array("H", [self.heights[i] for i in numbers]),
            header=self.header,
            bits=self.bits,
        )

    def pictures(self):
        with contextlib.ExitStack() as stack:
            opened = {}
            for i, number in enumerate(self.file_numbers):
                path = self.files[number].path
                try:
                    if path not in opened:
                        opened[path] = stack.enter_context(open(path, "rb"))
                    picture = self._read(opened[path], i)
                except OSError as error:
                    picture = PictureError(self.name(i), reason_of(error))
                except PictureError as error:
                    picture = error
                yield picture

    def _read(self, file, i):
        width, height = int(self.widths[i]), int(self.heights[i])  # 16 bits would overflow
        file.seek(self.files[self.file_numbers[i]].start + self.offsets[i] + self.header)
        count = (width * self.bits + 7) // 8 * height
        data = file.read(count)
        if len(data) < count:
            raise PictureError(self.name(i), "the file has become shorter")
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
    """Return the Counter of what was skipped, `names` being the files that were not."""
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

    These are `train`, `val` and `test` or synonyms, or CASIA's `HWDB1.1trn_gnt` and
    `HWDB1.1tst_gnt`. Folders around all files do not count. There are no splits unless all files
    are in such folders, of at least two splits.

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
    return split_named(folder) or _SPLIT_ENDINGS.get(folder[-7:].lower())
