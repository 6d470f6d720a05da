"""Pictures in archives, read where they lie: what the worker processes do with an archive.

A worker reads the header before a zip member itself: opening a zipfile.ZipFile for each chunk would
parse the list of all members, .3 to .45 s for 78,200 of them, where decoding 128 takes .01 s.
"""

import io
import os
import struct
import zlib

from glyphs.errors import PictureError
from glyphs.images.decode import MAX_BYTES, decode_picture, reason_of
from glyphs.sources.index import Samples

OTHER_METHOD = "encrypted, or compressed by a method other than deflate; pack the archive again"
ENCRYPTED = -1  # in place of a method of compression
_STORED, _DEFLATED = 0, 8  # methods, as zip files number them
_LOCAL_HEADER = struct.Struct("<4s22x2H")


class _Members(Samples):
    """Pictures in an archive.

    Args:
        source: path of the archive, to name in messages.
        path: of the file to read them from.
        names: relative names of the pictures.
        places: for each, where it lies in the file: a tuple of int.
    """

    def __init__(self, source, path, names, places):
        self.source = source
        self.path = path
        self.names = names
        self.places = places

    def __len__(self):
        return len(self.names)

    def name(self, number):
        return os.path.join(self.source, self.names[number])

    def chunk(self, numbers):
        names = [self.names[number] for number in numbers]
        places = [self.places[number] for number in numbers]
        return type(self)(self.source, self.path, names, places)

    def pictures(self):
        with open(self.path, "rb") as file:
            for number, place in enumerate(self.places):
                name = self.name(number)
                try:
                    yield decode_picture(self._read(file, name, *place), name)
                except PictureError as error:
                    yield error
                except (OSError, ValueError, OverflowError, MemoryError) as error:
                    # The archive's list of files says where it lies: before the start, say.
                    yield PictureError(name, f"the archive is damaged here ({reason_of(error)})")


class TarMembers(_Members):
    """Members of an uncompressed tar file; places are `(offset, size)` in bytes."""

    def _read(self, file, name, offset, size):
        _refuse_large(name, size)
        file.seek(offset)
        data = file.read(size)
        if len(data) < size:
            raise PictureError(name, "the archive is cut short")
        return data


class ZipMembers(_Members):
    """Members of a zip file; places are `(header offset, stored size, size, method, CRC)`."""

    def _read(self, file, name, offset, stored, size, method, crc):
        _refuse_large(name, max(size, stored))
        if method not in (_STORED, _DEFLATED):
            raise PictureError(name, OTHER_METHOD)
        file.seek(offset)
        header = file.read(_LOCAL_HEADER.size)
        if len(header) < _LOCAL_HEADER.size or header[:4] != b"PK\x03\x04":
            raise PictureError(name, "the archive is damaged here")
        _, name_size, extra_size = _LOCAL_HEADER.unpack(header)
        file.seek(name_size + extra_size, io.SEEK_CUR)
        data = file.read(stored)
        if method == _DEFLATED:
            try:
                data = zlib.decompressobj(-15).decompress(data, size + 1)
            except zlib.error:
                raise PictureError(name, "the archive is damaged here") from None
        if len(data) != size or zlib.crc32(data) != crc:
            raise PictureError(name, "the archive is damaged here (its checksum differs)")
        return data


def _refuse_large(name, size):
    if size > MAX_BYTES:
        raise PictureError(name, f"{size / 1e6:,.0f} MB are too many for one picture")
