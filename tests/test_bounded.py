"""Whatever the bytes, one picture takes little time and memory."""

import logging
import os
import random
import shutil
import struct
import subprocess
import sys
import zlib

import kinds
import pytest
from conftest import PRINT_PEAK, ROOT, run_script
from kinds import saved
from mutants import change_bytes, cut
from PIL import Image

from glyphs.errors import PictureError
from glyphs.images import decode
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


def png(width, bits, colour, interlace=0, height=None):
    """Return a black PNG of a colour type, as high as wide unless told otherwise."""
    height = height or width
    channels = {0: 1, 2: 3, 4: 2, 6: 4}[colour]
    packer = zlib.compressobj(9)
    line = bytes(1 + width * bits * channels // 8)
    data = b"".join(packer.compress(line) for _ in range(height * (1 + interlace)))
    data += packer.flush()
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, interlace)
    chunks = ((b"IHDR", header), (b"IDAT", data), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    )


def tiff_of_samples(count):
    """Return a TIFF of 8x8 pixels that are said to have so many samples each."""
    tags = {256: 8, 257: 8, 258: 8, 259: 1, 262: 1, 273: 200, 277: count, 278: 8, 279: 64}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    return (struct.pack("<2sHIH", b"II", 42, 8, len(tags)) + entries).ljust(200, b"\0") + bytes(64)


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


def peak_of(data, path):
    """Decode in a new process; return its size or error as text, and the kilobytes at the peak."""
    path.write_bytes(data)
    command = [sys.executable, "-c", PEAK, str(path)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stderr == ""
    found, peak = run.stdout.splitlines()
    return found, int(peak)


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_bomb_takes_little_memory(bomb, tmp_path):
    found, peak = peak_of(BOMBS[bomb](), tmp_path / "bomb")
    assert found.startswith("(") or "too many" in found or "passes" in found
    assert peak < KILOBYTES


def test_a_bmp_of_runs_may_not_be_large():
    whole = bytearray(kinds.bmp_of_runs())
    assert decode_picture(bytes(whole), "a.bmp").size == kinds.SIDES
    struct.pack_into("<i", whole, 18, 33 << 16)  # its width, which two bytes say to be blank
    with pytest.raises(PictureError, match="2162688 x 18 pixels in runs are too many; save it as"):
        decode_picture(bytes(whole), "a.bmp")


PAGE = (4960, 7016)  # pixels of an A4 page at 600 dots an inch
PAGES = {
    "16-bit grey": lambda: png(PAGE[0], 16, 0, height=PAGE[1]),
    "16-bit grey, uncompressed": lambda: saved(Image.new("I;16", PAGE), "TIFF"),
    "16-bit grey, one strip": lambda: saved(
        Image.new("I;16", PAGE), "TIFF", compression="tiff_lzw", tiffinfo={278: PAGE[1]}
    ),
    "alpha": lambda: png(PAGE[0], 8, 6, height=PAGE[1]),
    "alpha, one strip": lambda: saved(
        Image.new("RGBA", PAGE), "TIFF", compression="tiff_lzw", tiffinfo={278: PAGE[1]}
    ),
    "floats, one strip": lambda: saved(
        Image.new("F", PAGE), "TIFF", compression="tiff_lzw", tiffinfo={278: PAGE[1]}
    ),
}


@pytest.mark.parametrize("kind", PAGES)
def test_a_page_of_a_good_scanner_is_read_in_little_memory(kind, tmp_path):
    found, peak = peak_of(PAGES[kind](), tmp_path / "page")
    assert found == str(PAGE)
    assert peak < KILOBYTES


def test_a_page_that_would_take_too_much_is_refused_with_advice():
    whole = black("RGB", 5800, "WEBP", lossless=True)
    with pytest.raises(PictureError, match="or save it in 8-bit grey, as PNG"):
        decode_picture(whole, "a.webp")
    assert decode_picture(png(5800, 8, 0), "a.png").size == (5800, 5800)


@pytest.mark.parametrize("kind", kinds.PICTURES)
def test_bands_give_what_a_picture_as_a_whole_gives(kind, monkeypatch):
    data = kinds.PICTURES[kind]()
    whole = decode_picture(data, "a")
    monkeypatch.setattr(decode, "_BAND", 50)
    bands = decode_picture(data, "a")
    assert (bands.size, bands.info) == (whole.size, whole.info)
    assert bands.tobytes() == whole.tobytes()


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


def test_stderr_is_still_there_after_two_threads_have_silenced_it():
    code = """
import io, os, sys, threading
from PIL import Image
from glyphs.images.decode import decode_picture

data = io.BytesIO()
Image.new("L", (300, 300)).save(data, "TIFF", compression="tiff_lzw")
sys.setswitchinterval(1e-5)

def decode():
    for _ in range(300):
        decode_picture(data.getvalue(), "a.tif")

threads = [threading.Thread(target=decode) for _ in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
os.write(2, b"still here")
"""
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=True)
    assert run.stderr == b"still here"


def test_nothing_is_printed_while_a_file_is_identified(toy_model, toy_folder, tmp_path):
    folder = shutil.copytree(toy_folder, tmp_path / "data")
    for label in ("bar", "ring"):
        (folder / label / "odd.tif").write_bytes(tiff_of_samples(100))
    for workers in (1, 2):
        run = run_script("create_dataset.py", folder, "--workers", workers, cwd=tmp_path)
        lines = run.stderr.splitlines()
        assert len(lines) == 2
        assert all("odd.tif: not a PNG" in line for line in lines)
    run = run_script(
        "classify.py", "--model", toy_model, folder / "bar" / "odd.tif", folder / "bar" / "1.png",
        cwd=tmp_path, expect=1,
    )  # fmt: skip
    assert run.stderr.splitlines() == [
        f"error: {folder}/bar/odd.tif: not a PNG, JPEG, BMP, GIF, TIFF or WebP picture; save it as "
        "one"
    ]


@pytest.mark.skipif(not os.path.exists("/proc/self/clear_refs"), reason="measured on Linux")
@pytest.mark.parametrize(
    ("chosen", "count"),
    [(("PNG, palette", "zip", "tar"), 30), pytest.param(("",), 100, marks=pytest.mark.slow)],
    ids=("some", "all"),
)
def test_damaged_files_are_read_or_refused_in_little_time_and_memory(chosen, count):
    command = [sys.executable, ROOT / "tests" / "fuzz.py", "--count", str(count), "--kinds"]
    run = subprocess.run([*command, *chosen], capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr


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
