"""What a worker process does when pictures are inspected; it imports only Pillow, to start fast."""

import hashlib
import struct

from PIL import Image

from glyphs import images
from glyphs.errors import PictureError

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
        chunk: what readers.Samples.chunk returned.

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
        POLARITIES.index(images.polarity_of(picture)),
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


class ImagesChunk:
    """Images of a dataset as a task for a worker.

    Args:
        width, height: of all images.
        images: a list of bytes, one for each image: its grey values.
    """

    def __init__(self, width, height, images):
        self.size = width, height
        self.images = images

    def pictures(self):
        for grey in self.images:
            yield Image.frombytes("L", self.size, grey)
