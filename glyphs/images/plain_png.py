"""Plain PNG files, the bulk of all data sets, by Pillow's decoder alone.

`Image.open` looks for what few files have: animation, a palette, transparency, text. For a picture
of 32x32 pixels that takes longer than to decode it. What is not quite plain, or in the least
damaged, is left to it, with what it says about that.
"""

from zlib import crc32

from PIL import Image

_START = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
_END = b"\0\0\0\0IEND\xaeB`\x82"
# By bit depth and colour type: Pillow's mode, and how its decoder calls the pixels.
_FORMS = {
    b"\x01\x00": ("1", "1"),
    b"\x02\x00": ("L", "L;2"),
    b"\x04\x00": ("L", "L;4"),
    b"\x08\x00": ("L", "L"),
    b"\x08\x02": ("RGB", "RGB"),
}
# Chunks that don't change the pixels, and their sizes in bytes.
_SKIPPED = {b"pHYs": 9, b"tIME": 7, b"gAMA": 4, b"sRGB": 1, b"cHRM": 32}
_MAX_PIXELS = 1 << 20


def decode_plain_png(data):
    """Decode the bytes of a grey or RGB PNG file of at most 8 bits with nothing special about it.

    Args:
        data: bytes of any file.

    Returns:
        A PIL image of mode "1", "L" or "RGB", the same as `Image.open` gives; None where the file
        is anything else.

    Source: Portable Network Graphics (PNG) Specification, W3C, section 5.
    """
    if not (data.startswith(_START) and data.endswith(_END)):
        return None
    form = _FORMS.get(data[24:26])
    width, height = int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")
    is_plain = form and data[26:29] == b"\0\0\0" and 0 < width * height <= _MAX_PIXELS
    if not is_plain or not _is_whole(data, 12, 29):
        return None
    place, last, parts = 33, len(data) - len(_END), []
    while place < last:
        start = place + 8
        stop = start + int.from_bytes(data[place : place + 4], "big")
        name = data[place + 4 : start]
        if stop + 4 > last or not _is_whole(data, place + 4, stop):
            return None
        if name == b"IDAT":
            parts.append(data[start:stop])
        elif parts or _SKIPPED.get(name) != stop - start:
            return None
        place = stop + 4
    try:
        return Image.frombytes(form[0], (width, height), b"".join(parts), "zip", form[1], 0)
    except ValueError:
        return None


def _is_whole(data, start, stop):
    """Return whether the checksum behind a stretch of the data is that of the stretch."""
    return crc32(data[start:stop]) == int.from_bytes(data[stop : stop + 4], "big")
