"""Whatever the bytes, one picture takes little time and memory."""

import io
import logging
import random
import struct
import subprocess
import sys
import zlib

import pytest
from conftest import PRINT_PEAK, ROOT
from mutants import change_bytes, cut
from PIL import Image

from glyphs.errors import PictureError
from glyphs.images.decode import decode_picture

# Decodes a picture file; prints its error, or its size, and then the peak of the memory in kB.
PEAK = f"""
import sys
from glyphs.errors import PictureError
from glyphs.images.decode import read_picture

try:
    found = read_picture(sys.argv[1]).size
except PictureError as error:
    found = error.reason
print(found)
{PRINT_PEAK}
"""
KILOBYTES = 500_000


def saved(picture, kind, **options):
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def png(side, bits, colour, interlace=0):
    """Return a black PNG of a colour type."""
    channels = {0: 1, 2: 3, 4: 2, 6: 4}[colour]
    packer = zlib.compressobj(9)
    line = bytes(1 + side * bits * channels // 8)
    data = b"".join(packer.compress(line) for _ in range(side * (1 + interlace))) + packer.flush()
    header = struct.pack(">IIBBBBB", side, side, bits, colour, 0, 0, interlace)
    chunks = ((b"IHDR", header), (b"IDAT", data), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    )


def jpeg_of_scans(side, count):
    """Return a progressive JPEG whose last scan is there many times more."""
    whole = saved(Image.new("L", (side, side), 128), "JPEG", progressive=True)
    last = whole[whole.rindex(b"\xff\xda") : -2]
    return whole[:-2] + count * last + whole[-2:]


def black(mode, side, kind, **options):
    return saved(Image.new(mode, (side, side)), kind, **options)


BOMBS = {
    "few scans of many pixels": lambda: jpeg_of_scans(7000, 300),
    "many scans of few pixels": lambda: jpeg_of_scans(100, 20_000),
    "grey": lambda: png(7000, 8, 0),
    "16-bit grey": lambda: png(7000, 16, 0),
    "16-bit alpha": lambda: png(5000, 16, 6),
    "16-bit alpha, large": lambda: png(7000, 16, 6),
    "interlaced alpha": lambda: png(5200, 8, 6, interlace=1),
    "palette": lambda: black("P", 7000, "PNG"),
    "floats": lambda: black("F", 3300, "TIFF", compression="tiff_lzw"),
    "floats, large": lambda: black("F", 7000, "TIFF", compression="tiff_lzw"),
    "ink in CMYK": lambda: black("CMYK", 7000, "TIFF", compression="tiff_adobe_deflate"),
    "fax": lambda: black("1", 7000, "TIFF", compression="group4"),
    "lossless WebP": lambda: black("RGB", 5200, "WEBP", lossless=True),
    "lossless WebP, large": lambda: black("RGB", 7000, "WEBP", lossless=True),
    "GIF": lambda: black("L", 7000, "GIF"),
    "BMP": lambda: black("1", 7000, "BMP"),
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_bomb_takes_little_memory(bomb, tmp_path):
    (tmp_path / "bomb").write_bytes(BOMBS[bomb]())
    command = [sys.executable, "-c", PEAK, str(tmp_path / "bomb")]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    found, peak = run.stdout.splitlines()
    assert found.startswith("(") or "too many" in found or "passes" in found
    assert int(peak) < KILOBYTES
    assert run.stderr == ""


def test_usual_progressive_pictures_of_any_size_are_read():
    for side in (10, 1000, 4000):
        whole = black("RGB", side, "JPEG", progressive=True)
        assert decode_picture(whole, "a.jpg").size == (side, side)
    whole = saved(Image.new("L", (300, 300)), "TIFF", compression="jpeg")
    assert decode_picture(whole, "a.tif").size == (300, 300)


def test_scans_are_counted_in_tiffs_too():
    whole = saved(Image.new("L", (100, 100)), "TIFF", compression="jpeg")
    with pytest.raises(PictureError, match="passes over"):
        decode_picture(whole + 1500 * b"\xff\xda", "a.tif")


def test_what_pillow_logs_is_not_printed(capfd):
    logging.getLogger("PIL.TiffImagePlugin").error("More samples per pixel than can be decoded")
    assert capfd.readouterr().err == ""


SMALL = {
    "PNG": {}, "JPEG": {"progressive": True}, "GIF": {}, "BMP": {}, "WEBP": {"lossless": True},
    "TIFF": {"compression": "tiff_lzw"},
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("kind", SMALL)
def test_damaged_pictures_of_every_kind_are_read_or_refused(kind, capfd):
    picture = Image.linear_gradient("L").resize((40, 30)).convert("RGB")
    whole = saved(picture, kind, **SMALL[kind])
    rng = random.Random(kind)
    for _ in range(3500):
        damaged = rng.choice((change_bytes, change_bytes, cut))(whole, rng)
        try:
            grey = decode_picture(damaged, "a")
        except PictureError:
            continue
        assert grey.mode == "L"
    assert capfd.readouterr().err == ""
