"""Images and labels in .npz and idx files, the formats of NumPy and of MNIST.

NumPy is imported late: the worker processes do without.

Source: the idx format is described on the page of MNIST, http://yann.lecun.com/exdb/mnist/.
"""

import bisect
import contextlib
import dataclasses
import gzip
import io
import itertools
import math
import operator
import struct
import zipfile

from PIL import Image

from glyphs.errors import GlyphsError, PictureError, UsageError
from glyphs.images.decode import MAX_PIXELS, reason_of
from glyphs.sources.index import Samples

FIRST = "arr_0"  # what np.savez calls an array that it is given without a name
_HEAD = 1 << 14  # bytes of a .npy file that hold its header
_UBYTE = 8  # the code of an idx file's type; that of its dimensions follows


def locate_images(listing, name, array_name, transposed):
    """Find the images of a .npz or idx file.

    Args:
        listing: a listing.Listing; compressed images are unpacked into its scratch file.
        name: relative name of the file.
        array_name: of the array in it, if it is a .npz file.
        transposed: whether rows and columns are swapped in it.

    Returns:
        A Part.

    Raises:
        UsageError: it is damaged, or holds something else.
        PictureError: it cannot be read.
        StorageError: there is no space for the scratch file.
    """
    path = listing.path(name)
    with _open_array(listing, name, array_name, 3) as array:
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
            place, offset, _ = listing.locate(name)
            offset += array.offset
        else:
            place, offset, _ = listing.unpack(name, array.stream, array.size, array.stored)
            _check_end(array.stream, path)
    name = path if array_name == FIRST else f"{path}:{array_name}"
    return Part(name, place, offset, count, rows, columns, transposed)


def read_labels(listing, name, array_name, images):
    """Read the labels of images.

    Args:
        listing, name, array_name: as in locate_images.
        images: their Part.

    Returns:
        int64 `(n,)`.

    Raises:
        UsageError: the file is damaged, holds something else, or has another number of labels.
        PictureError: it cannot be read.
    """
    import numpy as np

    path = listing.path(name)
    with _open_array(listing, name, array_name, 1) as array:
        if array.dtype.kind not in "iu" or len(array.shape) != 1:
            raise UsageError(
                f"{path}: expected labels as integers of shape (n,). Received: {array.dtype} of "
                f"shape {array.shape}"
            )
        if array.shape[0] != images.count:
            raise UsageError(
                f"{path}: {array.shape[0]:,} labels, but {images.count:,} images in {images.name}; "
                "the two do not belong together"
            )
        _check_size(array, path)
        labels = np.frombuffer(array.stream.read(array.size), array.dtype).astype(np.int64)
        _check_end(array.stream, path)
    if len(labels) < images.count:
        raise UsageError(f"{path}: damaged: cut short after {len(labels):,} labels")
    return labels


@dataclasses.dataclass
class _Array:
    """An array in a file.

    Attributes:
        shape: tuple of int, as the file says.
        dtype: numpy dtype.
        stream: positioned at the start of the data.
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
        """How many bytes an array of this shape has."""
        return math.prod(self.shape) * self.dtype.itemsize


@contextlib.contextmanager
def _open_array(listing, name, array_name, dimensions):
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
                if f"{array_name}.npy" not in archive.namelist():
                    raise UsageError(f"{path}: no array named {array_name} in it")
                member = archive.getinfo(f"{array_name}.npy")
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
    except Exception as error:  # one of a dozen kinds, from zipfile, zlib, ast and others
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
            f"{path}: damaged: an array of shape {array.shape} has {array.size:,} bytes, but there "
            f"are {array.available:,}; download it again"
        )


def _check_end(stream, path):
    """Refuse what is longer than its header says. Reading on also checks the sum of a gzip file."""
    if stream.read(1):
        raise UsageError(f"{path}: damaged: longer than its header says; download it again")


@dataclasses.dataclass(frozen=True)
class Part:
    """An array of images, and where its bytes lie.

    Attributes:
        name: what to call it in messages.
        path, offset: the file that holds its bytes uncompressed, and where they begin.
        count, rows, columns: its shape.
        transposed: whether rows and columns are swapped.
    """

    name: str
    path: str
    offset: int
    count: int
    rows: int
    columns: int
    transposed: bool

    def picture(self, file, number):
        """Return image `number`, read from the open file, or the PictureError instead."""
        size = self.rows * self.columns
        file.seek(self.offset + number * size)
        data = file.read(size)
        if len(data) < size:
            return PictureError(f"{self.name}[{number}]", "the file has become shorter")
        picture = Image.frombytes("L", (self.columns, self.rows), data)
        return picture.transpose(Image.Transpose.TRANSPOSE) if self.transposed else picture


class Arrays(Samples):
    """Images of some arrays.

    Args:
        parts: list of Part.
        numbers: which of their images, counted through all parts: sequence of int. None: all.
    """

    few = 20_000  # nothing has to be decompressed

    def __init__(self, parts, numbers=None):
        self.parts = parts
        self.ends = list(itertools.accumulate(part.count for part in parts))
        self.numbers = range(self.ends[-1]) if numbers is None else numbers

    def __len__(self):
        return len(self.numbers)

    def _find(self, number):
        """Return the part that holds sample `number`, and its place in this part."""
        number = self.numbers[number]
        i = bisect.bisect_right(self.ends, number)
        return self.parts[i], number - self.ends[i] + self.parts[i].count

    def name(self, number):
        part, place = self._find(number)
        return f"{part.name}[{place}]"

    def chunk(self, numbers):
        return Arrays(self.parts, [self.numbers[i] for i in numbers])

    def pictures(self):
        places = map(self._find, range(len(self)))
        for part, inside in itertools.groupby(places, key=operator.itemgetter(0)):
            with open(part.path, "rb") as file:
                for _, number in inside:
                    yield part.picture(file, number)
