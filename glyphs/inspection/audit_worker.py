"""What a worker process does when pictures are inspected; it imports only Pillow, to start fast."""

import bisect
import hashlib
import itertools
import struct

from PIL import Image

from glyphs.errors import PictureError
from glyphs.images.levels import polarity_of
from glyphs.sources.index import Samples

CHUNK_BYTES = 1 << 22  # of images of a dataset, which are sent to the workers

# Of one picture: a hash of its pixels, width, height, pixels of ink, contrast, polarity, mode as
# stored, whether it has alpha. audit.FACTS is the same for NumPy. Width 0: it is unreadable.
RECORD = struct.Struct("<16s3I4B")
POLARITIES = (None, "dark-on-light", "light-on-dark")
MODES = (  # as Pillow names them; "raw" are the grey values of data files
    "other", "raw", "1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "I;16",
    "I;16B", "I", "F",
)  # fmt: skip


def inspect_chunk(chunk):
    """Look at pictures.

    Args:
        chunk: an index.Samples, as its `chunk` returns it.

    Returns:
        `(records, failures)`: the RECORDs of all pictures as bytes; `(position, reason)` of those
        that cannot be read, whose records are zero.
    """
    records, failures = [], []
    for i, picture in enumerate(chunk.pictures()):
        if isinstance(picture, PictureError):
            failures.append((i, picture.reason))
            records.append(bytes(RECORD.size))
        else:
            records.append(_record(picture))
    return b"".join(records), failures


def _record(picture):
    size = struct.pack("<2I", *picture.size)
    digest = hashlib.blake2b(size + picture.tobytes(), digest_size=16).digest()
    darkest, lightest = picture.getextrema()
    mode = picture.info.get("mode", "raw")
    return RECORD.pack(
        digest,
        *picture.size,
        _ink(picture, darkest, lightest),
        lightest - darkest,
        POLARITIES.index(polarity_of(picture)),
        MODES.index(mode if mode in MODES else "other"),
        picture.info.get("alpha", False),
    )


def _ink(picture, darkest, lightest):
    """Return how many pixels are ink: the rarer of the darker and the lighter half of the greys."""
    dark = sum(picture.histogram()[: (darkest + lightest) // 2 + 1])
    return min(dark, picture.width * picture.height - dark)


def shrink_chunk(chunk, side):
    """Make small versions of pictures, whose longer side is `side` pixels.

    Returns:
        For each picture `(width, height, grey)`, `grey` being its bytes; None if unreadable.
    """
    return [
        None if isinstance(picture, PictureError) else _shrink(picture, side)
        for picture in chunk.pictures()
    ]


def _shrink(picture, side):
    scale = side / max(picture.size)
    size = tuple(max(1, round(length * scale)) for length in picture.size)
    return *size, picture.resize(size, Image.Resampling.BILINEAR).tobytes()


class DatasetImages(Samples):
    """The images of a dataset.

    Args:
        image_size: `(height, width)` of all images.
        parts: list of `(name, first, images)`: what an array is called, the place in it of the
            first of these images, and the images: a uint8 array `(n, height, width)`, or a list of
            bytes.
    """

    def __init__(self, image_size, parts):
        self.image_size = image_size
        self.parts = parts
        self.ends = list(itertools.accumulate(len(images) for _, _, images in parts))

    def __len__(self):
        return self.ends[-1]

    def _find(self, number):
        """Return the part that holds sample `number`, and its place among the part's images."""
        i = bisect.bisect_right(self.ends, number)
        return self.parts[i], number - self.ends[i] + len(self.parts[i][2])

    def name(self, number):
        (name, first, _), i = self._find(number)
        return f"{name}[{first + i}]"

    def chunk(self, numbers):
        places = map(self._find, numbers)
        parts = [(name, first + i, [bytes(images[i])]) for (name, first, images), i in places]
        return DatasetImages(self.image_size, parts)

    def pictures(self):
        for *_, stored in self.parts:
            for image in stored:
                yield Image.frombytes("L", self.image_size[::-1], bytes(image))

    def runs(self, numbers, size):
        height, width = self.image_size
        yield from super().runs(numbers, min(size, max(1, CHUNK_BYTES // (height * width))))
