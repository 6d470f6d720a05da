"""From a picture file of any kind to 8-bit grey.

NumPy is imported only by the functions that need it: the worker processes that decode do without,
and so start in a third of the time.
"""

import contextlib
import errno
import io
import logging
import os
import stat
import threading

from PIL import Image

from glyphs.errors import MissingError, PictureError
from glyphs.images.plain_png import decode_plain_png

FORMATS = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP")

# A character needs thousands of pixels; a picture past these is a mistake or an attack, and is
# refused from its header, before anything is decoded: none takes two seconds or 500 MB.
MAX_PIXELS = 50_000_000
MAX_MEMORY = 450_000_000  # bytes, of a picture's file and its pixels on their way to grey
MAX_BYTES = 150_000_000  # of a file
MAX_RUNS = 9_000_000  # pixels of a run-length encoded BMP, which Pillow decodes in Python
MAX_SCANS = 1000  # of a progressive JPEG, which usually has ten
MAX_SCANNED = 1_000_000_000  # its pixels times its scans

# Bytes of memory a pixel takes on its way to grey, by the beginning of Pillow's mode.
_PIXEL_BYTES = {
    "1": 6, "L": 6, "P": 6, "I;16": 6, "RGB": 9, "CMYK": 9, "YCbCr": 9, "LAB": 9, "I": 8, "F": 8,
}  # fmt: skip
_ALPHA_BYTES = 11
_WEBP_BYTES = 16  # it is decoded as an animation, in two canvases
_OTHER_BYTES = 40

MIN_CONTRAST = 8  # grey levels; a picture with less is blank

_RUNS = (1, 2)  # the numbers of these compressions in BMP, of 8 and of 4 bits
_TRANSPOSED = 0x0112  # the EXIF tag `Orientation`
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_BAND = 1 << 16  # pixels that are made grey at a time where that takes memory
_STRIPS, _TILES = 273, 324  # TIFF tags: where these lie in the file
_KIND = 254  # TIFF tag `NewSubfileType`, odd where a page is a smaller copy of another one
_COPIES = 20  # of a TIFF picture, that may come before a further one
_MAX_GIF = 50_000_000  # bytes; what stands between its frames is read into memory
_ANIMATED = ("GIF", "PNG", "WEBP")  # in JPEG, further pictures are copies for other screens

# Pillow logs what it finds odd in a file, and without a handler Python prints it.
logging.getLogger("PIL").addHandler(logging.NullHandler())


def read_picture(path):
    """Read a picture file as 8-bit grey.

    The first frame counts, EXIF rotation is applied, transparent pixels become white paper, 16-bit
    values are divided by 257.

    Args:
        path: a PNG, JPEG, BMP, GIF, TIFF or WebP file.

    Returns:
        A PIL image of mode "L". Its `info` says how the picture is stored: "mode" as Pillow calls
        it, "alpha": whether pixels can be transparent, and "has_more": whether the file holds
        further pictures, pages or frames.

    Raises:
        MissingError: there is no such file.
        PictureError: it is no picture, damaged, or larger than MAX_PIXELS, MAX_MEMORY or
            MAX_BYTES.
    """
    return decode_picture(_read_file(path), path)


def decode_picture(data, path):
    """Read the bytes of a picture file as 8-bit grey; see read_picture.

    Args:
        data: bytes.
        path: what to call it in errors.
    """
    if (picture := decode_plain_png(data)) is not None:
        grey = picture if picture.mode == "L" else picture.convert("L")
        grey.info = {"mode": picture.mode, "alpha": False, "has_more": False}
        return grey
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as picture:
            _refuse_bomb(picture, data, path)
            with _quiet() if picture.format == "TIFF" else contextlib.nullcontext():
                picture.load()
            grey = _to_grey(picture)
            grey.info = {"mode": picture.mode, "alpha": picture.has_transparency_data}
            # Last, as it may leave the first frame.
            grey.info["has_more"] = _has_more(picture, len(data))
            return grey
    except PictureError:
        raise
    except Image.UnidentifiedImageError:
        raise PictureError(
            path, "not a PNG, JPEG, BMP, GIF, TIFF or WebP picture; save it as one"
        ) from None
    except Image.DecompressionBombError:
        raise PictureError(path, "far too many pixels; cut out single characters") from None
    except MemoryError:
        raise PictureError(path, "not enough memory to decode it; make it smaller") from None
    except Exception as error:  # of a dozen kinds, AssertionError and struct.error among them
        raise PictureError(
            path, f"cannot be decoded ({reason_of(error)}); download it again, or save it as PNG"
        ) from None


def _refuse_bomb(picture, data, path):
    """Raise PictureError if decoding an opened picture would take too long or too much memory."""
    width, height = picture.size
    pixels = width * height
    mode = "I;16" if picture.mode.startswith("I;16") else picture.mode  # whatever its byte order
    each = _PIXEL_BYTES.get(mode, _OTHER_BYTES)
    if picture.format == "WEBP":
        each = _WEBP_BYTES
    elif picture.has_transparency_data:
        each = _ALPHA_BYTES
    if pixels > MAX_PIXELS or len(data) + pixels * each > MAX_MEMORY:
        is_grey_better = pixels <= MAX_PIXELS and each > _PIXEL_BYTES["L"]
        else_grey = ", or save it in 8-bit grey, as PNG" if is_grey_better else ""
        raise PictureError(
            path, f"{width} x {height} pixels are too many; cut out single characters{else_grey}"
        )
    if picture.format == "BMP" and picture.info.get("compression") in _RUNS and pixels > MAX_RUNS:
        raise PictureError(path, f"{width} x {height} pixels in runs are too many; save it as PNG")
    # Marked so in JPEG, where it occurs by chance in no data.
    scans = 0
    if picture.format in ("JPEG", "MPO"):
        scans = data.count(b"\xff\xda")
    elif picture.info.get("compression") in ("jpeg", "tiff_jpeg"):
        tags = picture.tag_v2
        scans = data.count(b"\xff\xda") - len(tags.get(_STRIPS) or tags.get(_TILES) or ()) + 1
    if scans > MAX_SCANS or scans * pixels > MAX_SCANNED:
        raise PictureError(path, f"{scans:,} passes over its pixels; save it as PNG")


def _has_more(picture, size):
    """Return whether the file of a decoded picture holds further ones, without decoding them."""
    if picture.format == "GIF" and size > _MAX_GIF:
        return False
    with contextlib.suppress(Exception):  # what is damaged there does not matter to the first
        if picture.format != "TIFF":
            return picture.format in _ANIMATED and picture.is_animated
        for page in range(1, _COPIES):
            picture.seek(page)
            if not picture.tag_v2.get(_KIND, 0) & 1:
                return True
    return False


_STDERR = threading.Lock()  # there is one for all threads


@contextlib.contextmanager
def _quiet():
    """Silence libtiff: it prints what is wrong, without a file name, past Python's stderr."""
    with _STDERR:
        saved, null = os.dup(2), os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(null, 2)
            yield
        finally:
            os.dup2(saved, 2)
            os.close(saved)
            os.close(null)


def _read_file(path):
    """Return the bytes of a regular file that is neither empty nor huge; a FIFO would block."""
    try:
        status = os.stat(path)
        if stat.S_ISREG(status.st_mode) and 0 < status.st_size <= MAX_BYTES:
            with open(path, "rb", buffering=0) as file:
                return file.read()
    except ValueError:
        raise PictureError(path, "not a possible file name") from None
    except OSError as error:
        kind = MissingError if error.errno in (errno.ENOENT, errno.ENOTDIR) else PictureError
        is_dangling = error.errno == errno.ENOENT and os.path.islink(path)
        reason = "dangling link" if is_dangling else reason_of(error)
        raise kind(path, reason.replace(" or directory", "")) from None
    if stat.S_ISDIR(status.st_mode):
        raise PictureError(path, "is a folder, not a picture")
    if not stat.S_ISREG(status.st_mode):
        raise PictureError(path, "not a regular file")
    if not status.st_size:
        raise PictureError(path, "empty file; download or save it again")
    size = f"{status.st_size / 1e6:,.0f} MB"
    raise PictureError(path, f"{size} are too many for one picture; save it in grey, as PNG")


def reason_of(error):
    """Return what an exception says, as part of one line."""
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return " ".join((text or type(error).__name__).split())[:150].rstrip(".").lower()


def _to_grey(picture):
    """Return a decoded picture of any mode as mode "L", upright, on white paper."""
    if not picture.info and picture.mode in ("L", "RGB") and picture.format != "TIFF":
        return picture.convert("L")  # nothing below applies to the bulk of pictures
    if picture.mode.startswith(("I", "F")):
        grey = _wide_to_grey(picture)
    elif picture.has_transparency_data:
        grey = _on_paper(picture)
    elif picture.mode == "LAB":
        grey = picture.getchannel("L")
    elif picture.mode == "P":
        grey = _in_bands(picture, lambda band: band.convert("RGB").convert("L"))
    else:
        grey = picture.convert("L")
    turn = _TURNS.get(picture.getexif().get(_TRANSPOSED))
    return grey.transpose(turn) if turn is not None else grey


def _bands(picture):
    """Yield `(top, band)` of a decoded picture: what a band becomes on its way may be large."""
    width, height = picture.size
    rows = max(1, _BAND // width)
    for top in range(0, height, rows):
        yield top, picture.crop((0, top, width, min(top + rows, height)))


def _in_bands(picture, to_grey):
    """Return a decoded picture as mode "L", each band of it by `to_grey`."""
    if picture.width * picture.height <= _BAND:
        return to_grey(picture)
    grey = Image.new("L", picture.size)
    for top, band in _bands(picture):
        grey.paste(to_grey(band), (0, top))
    return grey


def _wide_to_grey(picture):
    """Return a picture of 16-bit or wider grey values as mode "L"."""
    import numpy as np

    def values_of(band):
        values = np.asarray(band)
        return values if np.isfinite(values).all() else np.nan_to_num(values.astype(np.float64))

    def to_grey(band):
        values = values_of(band)
        if is_short:
            grey = (values.astype(np.uint32) + 128) // 257
        else:
            grey = np.rint(np.multiply(values.clip(0), 255 / full, dtype=np.float64))
        grey = grey.astype(np.uint8)
        if isinstance(transparent, int):
            grey[values == transparent] = 255
        return Image.fromarray(grey)

    is_short = picture.mode.startswith("I;16")
    transparent = picture.info.get("transparency")
    if not is_short:
        # 32-bit pictures hold 0..1, 0..255 or 0..65535 in practice; the values tell which.
        largest = float(max(values_of(band).max(initial=0) for _, band in _bands(picture)))
        is_unit = picture.mode == "F" and largest <= 1
        full = 1 if is_unit else next((m for m in (255, 65535) if largest <= m), largest)
    return _in_bands(picture, to_grey)


def _on_paper(picture):
    """Return a picture as mode "L", its transparent pixels turned into paper.

    Paper is white, unless the ink itself is: white strokes on nothing would vanish.
    """
    for paper in ("white", "black"):

        def to_grey(band, paper=paper):
            background = Image.new("RGBA", band.size, paper)
            return Image.alpha_composite(background, band.convert("RGBA")).convert("L")

        grey = _in_bands(picture, to_grey)
        darkest, lightest = grey.getextrema()
        if lightest - darkest > MIN_CONTRAST or darkest < 248:
            return grey
    return grey
