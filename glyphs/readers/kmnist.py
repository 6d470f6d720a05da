"""KMNIST, Kuzushiji-49, MNIST and EMNIST: arrays of pictures in .npz or idx files.

Images and labels are paired by their names, as in `k49-train-imgs.npz` and `k49-train-labels.npz`
or `train-images-idx3-ubyte.gz` and `train-labels-idx1-ubyte.gz`. The `mnist.npz` of Keras holds
all its arrays. NumPy is imported late: the workers do without.
"""

import bisect
import contextlib
import csv
import dataclasses
import gzip
import io
import itertools
import math
import operator
import re
import struct
import zipfile

from PIL import Image

from glyphs import labels as characters
from glyphs.errors import GlyphsError, PictureError, UsageError
from glyphs.images import MAX_PIXELS, reason_of
from glyphs.readers import SPLITS, Index, Samples
from glyphs.readers.listing import join

_NAME = re.compile(
    r"(?P<stem>.+)-(?:(?P<images>imgs|images)|labels)(?:\.npz|[-.]idx[13]-ubyte(?:\.gz)?)", re.I
)
_SPLIT_OF = {"train": "train", "val": "val", "test": "test", "t10k": "test"}
_KERAS = (("train", "x_train", "y_train"), ("test", "x_test", "y_test"))
MANY = 1000  # files; folders of arrays hold a few
MAX_CLASS_MAP = 1 << 22  # bytes
_HEAD = 1 << 14  # bytes of a .npy file that hold its header
_UBYTE = 8  # the code of an idx file's type; that of its dimensions follows


def recognise(listing):
    """Return whether the names of a source are those of array files."""
    if listing.only is not None:
        return bool(_NAME.fullmatch(listing.only)) or listing.only.lower().endswith(".npz")
    if sum(map(len, listing.tree.values())) > MANY:
        return False
    names = itertools.chain.from_iterable(listing.tree.values())
    return any(_NAME.fullmatch(name) or name.lower() == "mnist.npz" for name in names)


def index(listing, options):
    """Find the arrays of a source.

    Files of train, val and test keep their splits; those of one alone have none. Classes are
    named by a class map where there is one, else by their numbers. Compressed arrays are unpacked
    into the listing's scratch file.

    Args:
        listing: a listing.Listing.
        options: readers.Options; `class_map` and `transpose` count. By default the images are
            transposed if their file's name begins with `emnist`.

    Returns:
        An Index.

    Raises:
        UsageError: the files do not belong together, are damaged, or hold something else.
        PictureError: a file cannot be read.
        StorageError: there is no space for the scratch file.
    """
    import numpy as np

    pairs, notes = _choose(listing)
    names = _class_map(listing, options.class_map, pairs[0], notes)
    parts, numbers = [], []
    for pair in pairs:
        is_emnist = pair.images.rpartition("/")[2].lower().startswith("emnist")
        transposed = is_emnist if options.transpose is None else options.transpose
        if is_emnist and options.transpose is None:
            notes.append(
                f"{pair.images}: transposed, since EMNIST stores columns as rows "
                "(--no-transpose leaves them)"
            )
        parts.append(_locate_images(listing, pair, transposed))
        numbers.append(_read_labels(listing, pair, parts[-1].count, names))
    values, numbers = np.unique(np.concatenate(numbers), return_inverse=True)
    if names is None:
        digits = len(str(values[-1]))
        names = {value: f"{value:0{digits}}" for value in values.tolist()}
    class_names = sorted(names.values())
    places = [bisect.bisect_left(class_names, names[value]) for value in values.tolist()]

    splits = None
    if len(pairs) > 1 and pairs[0].split == "train":
        splits = np.repeat(
            np.array([SPLITS.index(pair.split) for pair in pairs], np.int8),
            [part.count for part in parts],
        )
    return Index(
        listing.name,
        "kmnist",
        class_names,
        Arrays(parts),
        np.array(places, np.int32)[numbers],
        splits=splits,
        polarity="light-on-dark",
        skipped=listing.skipped.copy(),
        notes=notes,
    )


@dataclasses.dataclass(frozen=True)
class _Pair:
    """Images and their labels: relative names of the files, and of the arrays in .npz files."""

    images: str
    labels: str | None
    data_set: str  # what the names of its splits have in common: "emnist-balanced", or ""
    split: str | None
    images_array: str = "arr_0"
    labels_array: str = "arr_0"


def _choose(listing):
    """Return `(pairs, notes)`: what to read, in the order of SPLITS."""
    pairs, notes = _pairs(listing), []
    if listing.only is not None:
        chosen = [pair for pair in pairs if listing.only in (pair.images, pair.labels)]
        for pair in pairs:
            is_sibling = chosen and pair.data_set == chosen[0].data_set
            if is_sibling and pair.split not in [c.split for c in chosen]:
                notes.append(
                    f"{pair.images} lies beside and is not read; a folder with only the files of "
                    "these two sets gives both, with their splits"
                )
        pairs = chosen
    if not pairs:
        raise UsageError(
            f"{listing.source}: no images in it; expected names such as kmnist-train-imgs.npz or "
            "train-images-idx3-ubyte.gz"
        )
    splits = [pair.split for pair in pairs]
    if len(set(splits)) < len(splits) or (None in splits and len(splits) > 1):
        names = [pair.images for pair in pairs]
        shown = ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")
        raise UsageError(
            f"{listing.source}: more than one set of arrays ({shown}); give one of these files "
            "instead (unpack an archive first), or a folder with the files of one set"
        )
    return sorted(pairs, key=lambda pair: SPLITS.index(pair.split or "train")), notes


def _pairs(listing):
    """Return a _Pair for each set of images."""
    found = {}  # (folder, stem, is .npz) -> {"images": name, "labels": name}
    pairs = []
    # The file that the user named counts before others, a plain one before its .gz beside it.
    for name in [listing.only or "", *listing.names()]:
        folder, _, base = name.rpartition("/")
        is_npz = base.lower().endswith(".npz")
        if match := _NAME.fullmatch(base):
            role = "images" if match["images"] else "labels"
            found.setdefault((folder, match["stem"], is_npz), {}).setdefault(role, name)
        elif is_npz and (name == listing.only if listing.only else base.lower() == "mnist.npz"):
            pairs += [_Pair(name, name, "mnist", *arrays) for arrays in _KERAS]
    for (_, stem, _), names in found.items():
        words = re.split(r"[-_.]", stem.lower())
        split = next((_SPLIT_OF[word] for word in words if word in _SPLIT_OF), None)
        data_set = "-".join(word for word in words if word not in _SPLIT_OF)
        if "images" in names:
            pairs.append(_Pair(names["images"], names.get("labels"), data_set, split))
    return list(dict.fromkeys(pairs))


def _class_map(listing, path, pair, notes):
    """Return dict, class number -> class name; None if there is no class map."""
    if path is not None:
        try:
            with open(path, "rb") as file:
                return _parse_class_map(file.read(MAX_CLASS_MAP + 1), path)
        except OSError as error:
            raise UsageError(f"{path}: {reason_of(error)}; it is to be the class map") from None
    folder = pair.images.rpartition("/")[0]
    beside = [(name.lower(), name) for name in listing.tree[folder]]
    maps = [name for lower, name in beside if lower == f"{pair.data_set}-mapping.txt"]
    if not maps:
        maps = [name for lower, name in beside if "classmap" in lower and lower.endswith(".csv")]
        named = [name for name in maps if name.lower().startswith(pair.data_set)]
        if len(maps) == 1 and not named:
            notes.append(f"{maps[0]}: taken for the class map of {pair.images}")
        maps = named or maps
    if len(maps) > 1:
        raise UsageError(
            f"{listing.source}: more than one class map ({', '.join(maps)}); say which with "
            "--class-map"
        )
    if not maps:
        return None
    name = join(folder, maps[0])
    return _parse_class_map(listing.read(name, MAX_CLASS_MAP + 1), listing.path(name))


def _parse_class_map(data, path):
    """Read `index,codepoint,char` below a header, or lines of an index and ASCII codes.

    EMNIST's letters have two codes, of the upper and the lower case; the first is the name.
    """
    if len(data) > MAX_CLASS_MAP:
        raise UsageError(f"{path}: too large for a class map")
    lines = data.decode("utf-8-sig", "replace").splitlines()
    is_csv = bool(lines) and lines[0].lower().startswith("index,")
    names, taken = {}, set()
    for number, line in enumerate(lines[is_csv:], 1 + is_csv):
        if not line.strip():
            continue
        try:
            value, code = (next(csv.reader([line])) if is_csv else line.split())[:2]
            value = int(value)
            if not 0 <= value < 1 << 31:
                raise ValueError
            code = int(code.upper().removeprefix("U+"), 16) if is_csv else int(code)
            name = characters.class_name(chr(code))
        except (ValueError, OverflowError, csv.Error):
            wanted = "index,U+XXXX,char" if is_csv else "an index and a character's decimal code"
            raise UsageError(
                f"{path}, line {number}: expected {wanted}. Received: {line!r:.60}"
            ) from None
        if value in names or name in taken:
            raise UsageError(f"{path}, line {number}: {value} or {name} is there twice")
        names[value] = name
        taken.add(name)
    if not names:
        raise UsageError(f"{path}: no classes in this class map")
    return names


@dataclasses.dataclass
class _Array:
    """An array in a file.

    Attributes:
        shape: tuple of int, as the file says.
        dtype: numpy dtype.
        stream: stands at the data.
        stored: bytes of the data before unpacking; an upper bound.
        available: bytes of the data, or None if only unpacking tells.
        offset: where the data begin in the file if they are not packed, else None.
    """

    shape: tuple
    dtype: object
    stream: object
    stored: int
    available: int | None
    offset: int | None = None

    @property
    def size(self):
        """Bytes that an array of this shape has."""
        return math.prod(self.shape) * self.dtype.itemsize


@contextlib.contextmanager
def _open_array(listing, name, array, dimensions):
    """Yield the _Array of a .npz or idx file; damage found in the block is a UsageError."""
    import numpy as np

    path = listing.path(name)
    try:
        with contextlib.ExitStack() as stack:
            file = stack.enter_context(listing.open(name))
            stored = file.seek(0, io.SEEK_END)
            file.seek(0)
            if name.lower().endswith(".npz"):
                archive = stack.enter_context(zipfile.ZipFile(file))
                if f"{array}.npy" not in archive.namelist():
                    raise UsageError(f"{path}: no array named {array} in it")
                member = archive.getinfo(f"{array}.npy")
                with archive.open(member) as stream:
                    shape, dtype, start = _npy_header(stream.read(_HEAD), path)
                stream = stack.enter_context(archive.open(member))
                stream.read(start)
                available = member.file_size - start
                yield _Array(shape, dtype, stream, member.compress_size, available)
            elif file.peek(2)[:2] == b"\x1f\x8b":
                stream = stack.enter_context(gzip.GzipFile(fileobj=file))
                shape = _idx_shape(stream, path, dimensions)
                yield _Array(shape, np.dtype(np.uint8), stream, stored, None)
            else:
                shape = _idx_shape(file, path, dimensions)
                start = file.tell()
                yield _Array(shape, np.dtype(np.uint8), file, stored, stored - start, start)
    except GlyphsError:
        raise
    except Exception as error:  # of a dozen kinds, from zipfile, zlib, ast and others
        raise UsageError(f"{path}: damaged ({reason_of(error)}); download it again") from None


def _npy_header(head, path):
    """Return `(shape, dtype, size of the header)` of the beginning of a .npy file."""
    from numpy.lib import format as npy

    stream = io.BytesIO(head)
    read = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
    shape, is_fortran, dtype = read[npy.read_magic(stream)](stream)
    if is_fortran:
        raise UsageError(f"{path}: is in Fortran order; save it again in C order")
    return shape, dtype, stream.tell()


def _idx_shape(stream, path, dimensions):
    """Read the header of an idx file; return the shape that it tells."""
    header = stream.read(4 + 4 * dimensions)
    expected = bytes((0, 0, _UBYTE, dimensions))
    if header[:4] != expected:
        raise UsageError(
            f"{path}: not an idx file of unsigned bytes in {dimensions} dimensions: expected "
            f"{expected.hex()} at byte 0. Received: {header[:4].hex() or 'an empty file'}"
        )
    if len(header) < 4 + 4 * dimensions:
        raise UsageError(f"{path}: damaged: cut short at byte {len(header)}; download it again")
    return struct.unpack(f">{dimensions}I", header[4:])


def _check_size(array, path):
    if array.available not in (None, array.size):
        raise UsageError(
            f"{path}: damaged: an array of shape {array.shape} has {array.size:,} bytes, here are "
            f"{array.available:,}; download it again"
        )


def _locate_images(listing, pair, transposed):
    """Return the _Part of a pair, unpacked if need be."""
    path = listing.path(pair.images)
    with _open_array(listing, pair.images, pair.images_array, 3) as array:
        if array.dtype != "uint8" or len(array.shape) != 3:
            raise UsageError(
                f"{path}: expected images as a uint8 array of shape (n, rows, columns). Received: "
                f"{array.dtype} of shape {array.shape}"
            )
        count, rows, columns = array.shape
        if min(array.shape) < 1 or rows * columns > MAX_PIXELS:
            raise UsageError(f"{path}: impossible shape {array.shape}; download it again")
        _check_size(array, path)
        if array.offset is not None:
            place, offset, _ = listing.locate(pair.images)
            offset += array.offset
        else:
            place, offset, _ = listing.unpack(pair.images, array.stream, array.size, array.stored)
            _check_end(array.stream, path)
    return _Part(path, place, offset, count, rows, columns, transposed)


def _check_end(stream, path):
    """Refuse what is longer than its header says; reading on checks a gzip file's checksum."""
    if stream.read(1):
        raise UsageError(f"{path}: damaged: longer than its header says; download it again")


def _read_labels(listing, pair, count, names):
    """Return the labels of a pair as int64 `(n,)`, after checking them against the class map."""
    import numpy as np

    if pair.labels is None:
        raise UsageError(
            f"{listing.path(pair.images)}: its labels are not beside it; expected a file of the "
            "same name with `labels` in it"
        )
    path = listing.path(pair.labels)
    with _open_array(listing, pair.labels, pair.labels_array, 1) as array:
        if array.dtype.kind not in "iu" or len(array.shape) != 1:
            raise UsageError(
                f"{path}: expected labels as integers of shape (n,). Received: {array.dtype} of "
                f"shape {array.shape}"
            )
        if array.shape[0] != count:
            raise UsageError(
                f"{path}: {array.shape[0]:,} labels, but {count:,} images in "
                f"{listing.path(pair.images)}; the two do not belong together"
            )
        _check_size(array, path)
        labels = np.frombuffer(array.stream.read(array.size), array.dtype).astype(np.int64)
        _check_end(array.stream, path)
    if len(labels) < count:
        raise UsageError(f"{path}: damaged: cut short after {len(labels):,} labels")
    known = labels >= 0 if names is None else np.isin(labels, list(names))
    if not known.all():
        first = int(np.argmin(known))
        reason = "is negative" if names is None else "is not in the class map"
        raise UsageError(f"{path}: label {labels[first]} of image {first} {reason}")
    return labels


@dataclasses.dataclass(frozen=True)
class _Part:
    """An array of images, and where its bytes lie."""

    name: str
    path: str
    offset: int
    count: int
    rows: int
    columns: int
    transposed: bool

    def picture(self, file, number):
        """Return an image of the open file `path`, or the PictureError instead."""
        size = self.rows * self.columns
        file.seek(self.offset + number * size)
        data = file.read(size)
        if len(data) < size:
            return PictureError(f"{self.name}[{number}]", "the file has become shorter")
        picture = Image.frombytes("L", (self.columns, self.rows), data)
        return picture.transpose(Image.Transpose.TRANSPOSE) if self.transposed else picture


class Arrays(Samples):
    """The images of some arrays, one array after another."""

    few = 20_000  # nothing has to be decompressed

    def __init__(self, parts):
        self.parts = parts
        self.ends = list(itertools.accumulate(part.count for part in parts))

    def __len__(self):
        return self.ends[-1]

    def name(self, number):
        part, place = self._find(number)
        return f"{part.name}[{place}]"

    def chunk(self, numbers):
        return _ArrayChunk([self._find(number) for number in numbers])

    def _find(self, number):
        i = bisect.bisect_right(self.ends, number)
        return self.parts[i], number - self.ends[i] + self.parts[i].count


class _ArrayChunk:
    def __init__(self, places):
        self.places = places

    def pictures(self):
        for part, places in itertools.groupby(self.places, key=operator.itemgetter(0)):
            with open(part.path, "rb") as file:
                for _, number in places:
                    yield part.picture(file, number)
