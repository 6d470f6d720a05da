import io
import os
import struct
import zlib

import numpy as np
import pytest
from conftest import SHAPES, draw_shape
from PIL import Image, ImageChops

from glyphs.errors import PictureError
from glyphs.images import decode
from glyphs.images.decode import read_picture
from glyphs.images.levels import otsu_threshold
from glyphs.images.preprocessing import (
    FITS,
    Preprocessing,
    at_own_size,
    image_of,
    read_image,
    resize_images,
    to_image,
)
from glyphs.images.view import View

PLAIN = Preprocessing(((16, 16),))


def character(picture, preprocessing):
    image, polarity = to_image(picture, preprocessing)
    return np.asarray(image), polarity


def ramp():
    """Return uint8 (4, 64): every fourth grey value in each row."""
    return np.tile(np.arange(0, 256, 4, dtype=np.uint8), (4, 1))


def png(width, height, depth, colour, lines, extra=(), *, interlace=0):
    """Return a PNG of the bytes of its lines, written chunk by chunk, independent of Pillow."""

    def chunk(kind, data):
        sum_ = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", sum_)

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlace)
    data = zlib.compress(b"".join(b"\0" + line for line in lines))  # 0: no filter
    chunks = [(b"IHDR", header), *extra, (b"IDAT", data), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*c) for c in chunks)


def scan_lines(array):
    return [row.tobytes() for row in array]


def read(tmp_path, data):
    path = tmp_path / "picture"
    path.write_bytes(data)
    return np.asarray(read_picture(path))


def test_16_bit_grey_is_divided_by_257(tmp_path):
    values = np.arange(0, 65536, 257, dtype=np.uint16).reshape(4, 64)
    data = png(64, 4, 16, 0, scan_lines(values.astype(">u2")))
    np.testing.assert_array_equal(read(tmp_path, data), np.arange(256).reshape(4, 64))


def test_interlaced_picture_is_put_together(tmp_path):
    grey = np.random.default_rng(0).integers(0, 256, (13, 9), dtype=np.uint8)
    passes = [(0, 8, 0, 8), (0, 8, 4, 8), (4, 8, 0, 4), (0, 4, 2, 4), (2, 4, 0, 2), (0, 2, 1, 2),
              (1, 2, 0, 1)]  # fmt: skip
    lines = [line for y, dy, x, dx in passes for line in scan_lines(grey[y::dy, x::dx])]
    np.testing.assert_array_equal(read(tmp_path, png(9, 13, 8, 0, lines, interlace=1)), grey)


def test_transparent_grey_value_of_a_16_bit_picture_is_paper(tmp_path):
    values = np.full((4, 64), 30000, np.uint16)
    values[1] = 1000
    extra = [(b"tRNS", struct.pack(">H", 1000))]
    grey = read(tmp_path, png(64, 4, 16, 0, scan_lines(values.astype(">u2")), extra))
    assert (grey[1] == 255).all()
    assert (grey[0] == 117).all()


def test_1_bit_picture_is_black_and_white(tmp_path):
    data = png(8, 2, 1, 0, [b"\xf0", b"\x0f"])
    np.testing.assert_array_equal(read(tmp_path, data), [[255] * 4 + [0] * 4, [0] * 4 + [255] * 4])


def test_palette_colours_are_looked_up(tmp_path):
    extra = [(b"PLTE", bytes((10, 10, 10, 200, 200, 200)))]
    data = png(8, 1, 1, 3, [b"\x0f"], extra)
    np.testing.assert_array_equal(read(tmp_path, data), [[10] * 4 + [200] * 4])


@pytest.mark.parametrize("mode", ["LA", "RGBA", "PA"])
def test_transparent_pixels_become_paper(tmp_path, mode):
    picture = Image.new("RGBA", (8, 8), (0, 0, 0, 0))
    picture.paste((0, 0, 0, 255), (2, 2, 6, 6))
    picture = picture.convert(mode) if mode != "PA" else picture.convert("P")
    path = tmp_path / "picture.png"
    picture.save(path)
    grey = np.asarray(read_picture(path))
    assert grey[0, 0] == 255
    assert grey[4, 4] == 0


def test_white_ink_on_nothing_does_not_vanish(tmp_path):
    picture = Image.new("RGBA", (8, 8), (255, 255, 255, 0))
    picture.paste((255, 255, 255, 255), (2, 2, 6, 6))
    picture.save(tmp_path / "picture.png")
    grey = np.asarray(read_picture(tmp_path / "picture.png"))
    assert grey[0, 0] == 0
    assert grey[4, 4] == 255


def test_exif_rotation_is_applied(tmp_path):
    picture = Image.fromarray(ramp()).convert("RGB")
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees to the right
    picture.save(tmp_path / "picture.jpg", exif=exif, quality=100)
    assert read_picture(tmp_path / "picture.jpg").size == (4, 64)


def frames(count):
    return [Image.new("L", (20, 20), 40 * i) for i in range(count)]


@pytest.mark.parametrize("suffix", [".gif", ".tif", ".webp", ".png"])
@pytest.mark.parametrize("count", [1, 2, 5])
def test_a_picture_knows_whether_its_file_holds_further_ones(tmp_path, suffix, count):
    first, *others = frames(count)
    options = {"save_all": True, "append_images": others} if others else {}
    first.save(tmp_path / f"a{suffix}", **options)
    assert read_picture(tmp_path / f"a{suffix}").info["has_more"] == (count > 1)


@pytest.mark.parametrize(("kinds", "has_more"), [((0, 1, 1), False), ((0, 1, 0), True)])
def test_small_copies_of_a_tiff_are_no_further_pictures(tmp_path, kinds, has_more):
    pages = frames(len(kinds))
    for page, kind in zip(pages, kinds, strict=True):
        page.encoderinfo = {"tiffinfo": {254: kind}}
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:], tiffinfo={254: 0})
    assert read_picture(tmp_path / "a.tif").info["has_more"] == has_more


def test_a_huge_gif_is_not_searched_for_further_frames(tmp_path, monkeypatch):
    first, *others = frames(2)
    first.save(tmp_path / "a.gif", save_all=True, append_images=others)
    monkeypatch.setattr(decode, "_MAX_GIF", 10)
    assert not read_picture(tmp_path / "a.gif").info["has_more"]


@pytest.mark.parametrize("suffix", [".gif", ".tif"])
def test_damage_behind_the_first_picture_does_not_matter(tmp_path, suffix):
    first, *others = frames(3)
    first.save(tmp_path / f"a{suffix}", save_all=True, append_images=others)
    whole = (tmp_path / f"a{suffix}").read_bytes()
    grey = read_picture(tmp_path / f"a{suffix}").tobytes()
    for length in range(len(whole) // 2, len(whole), 7):
        (tmp_path / f"b{suffix}").write_bytes(whole[:length])
        assert read_picture(tmp_path / f"b{suffix}").tobytes() == grey


@pytest.mark.parametrize("suffix", [".gif", ".tif", ".webp"])
def test_first_frame_counts(tmp_path, suffix):
    first, second = (Image.new("L", (8, 8), grey) for grey in (40, 200))
    path = tmp_path / f"picture{suffix}"
    first.save(
        path,
        save_all=True,
        append_images=[second],
        **({"lossless": True} if suffix == ".webp" else {}),
    )
    assert read_picture(path).getpixel((4, 4)) == 40


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".gif", ".tif", ".webp"])
@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB"])
def test_every_format_and_mode_gives_the_same_image(tmp_path, suffix, mode):
    if (suffix, mode) == (".webp", "P"):
        pytest.skip("WebP has no palettes")
    picture = draw_shape("ring", np.random.default_rng(0)).point(lambda v: 255 * (v > 128))
    path = tmp_path / f"picture{suffix}"
    picture.convert(mode).save(path, **({"lossless": True} if suffix == ".webp" else {}))
    np.testing.assert_array_equal(np.asarray(read_picture(path)), np.asarray(picture))


@pytest.mark.parametrize("full", [1.0, 255.0, 65535.0])
def test_float_pictures_are_scaled_by_their_range(tmp_path, full):
    Image.fromarray((ramp() / 255 * full).astype(np.float32)).save(tmp_path / "picture.tif")
    grey = np.asarray(read_picture(tmp_path / "picture.tif")).astype(int)
    assert np.abs(grey - ramp()).max() <= 1 + (255 - ramp().max())


@pytest.mark.parametrize("ink", ["dark", "light"])
@pytest.mark.parametrize("shape", SHAPES)
def test_polarity_is_found_from_the_border(shape, ink):
    picture = draw_shape(shape, np.random.default_rng(3))
    if ink == "light":
        picture = picture.point(lambda v: 255 - v)
    image, polarity = character(picture, PLAIN)
    assert polarity == ("dark-on-light" if ink == "dark" else "light-on-dark")
    assert image[0].max() < 30  # paper
    assert image.max() > 150  # ink


@pytest.mark.parametrize("majority", ["dark-on-light", "light-on-dark"])
def test_blank_picture_follows_the_majority(majority):
    preprocessing = Preprocessing(((8, 8),), majority=majority)
    image, polarity = character(Image.new("L", (9, 9), 255), preprocessing)
    assert polarity is None
    assert (image == (0 if majority == "dark-on-light" else 255)).all()


def test_given_polarity_is_obeyed():
    preprocessing = Preprocessing(((8, 8),), polarity="light-on-dark")
    image, _ = character(Image.new("L", (8, 8), 200), preprocessing)
    assert (image == 200).all()


def test_pad_keeps_the_shape_and_centres():
    preprocessing = Preprocessing(((20, 30),), "pad", "light-on-dark")
    image, _ = character(Image.new("L", (10, 10), 100), preprocessing)
    expected = np.zeros((20, 30), np.uint8)
    expected[:, 5:25] = 100
    np.testing.assert_array_equal(image, expected)


def test_stretch_fills_the_image():
    image, _ = character(
        Image.new("L", (10, 40), 100), Preprocessing(((20, 30),), polarity="light-on-dark")
    )
    assert (image == 100).all()


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (500, 1)])
@pytest.mark.parametrize("fit", FITS)
def test_extreme_shapes_are_read(size, fit):
    image, _ = character(Image.new("L", size, 0), Preprocessing(((32, 32),), fit))
    assert image.shape == (32, 32)


def test_chain_of_sizes_equals_one_resize_after_the_other(tmp_path):
    path = tmp_path / "picture.png"
    draw_shape("ring", np.random.default_rng(1)).save(path)
    twice = read_image(path, Preprocessing(((32, 32), (30, 30))))
    once = read_image(path, Preprocessing(((32, 32),)))
    np.testing.assert_array_equal(twice, resize_images(once[None], (30, 30))[0])


def test_preprocessing_survives_json():
    preprocessing = Preprocessing(((32, 32), (30, 28)), "pad", "auto", "light-on-dark")
    assert Preprocessing.from_json(preprocessing.to_json()) == preprocessing


@pytest.mark.parametrize(
    "change",
    [{"fit": "crop"}, {"image_sizes": []}, {"image_sizes": [[0, 5]]}, {"image_sizes": [[10**9, 5]]},
     {"majority": "auto"}, {"polarity": None}, {"clean": "yes"}, {"border": 16}, {"border": 1.0}],
)  # fmt: skip
def test_impossible_preprocessing_is_refused(change):
    with pytest.raises(ValueError, match="not a preprocessing"):
        Preprocessing.from_json({**PLAIN.to_json(), **change})


def error_of(path):
    with pytest.raises(PictureError) as caught:
        read_picture(path)
    assert caught.value.path == path
    assert "\n" not in caught.value.reason
    return caught.value.reason


def test_unreadable_files_say_why(tmp_path):
    (tmp_path / "empty.png").touch()
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "link.png").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "pipe.png")
    assert error_of(str(tmp_path / "missing.png")) == "no such file"
    assert error_of(str(tmp_path / "empty.png")) == "empty file; download or save it again"
    assert error_of(str(tmp_path / "text.png")).startswith("not a PNG, JPEG")
    assert error_of(str(tmp_path / "folder.png")) == "is a folder, not a picture"
    assert error_of(str(tmp_path / "link.png")) == "dangling link"
    assert error_of(str(tmp_path / "pipe.png")) == "not a regular file"
    assert error_of("\0") == "not a possible file name"


def test_huge_picture_is_refused_from_its_header(tmp_path):
    path = str(tmp_path / "huge.png")
    for side in (8000, 60000):
        data = png(side, side, 8, 0, [])
        (tmp_path / "huge.png").write_bytes(data)
        assert "too many" in error_of(path)


@pytest.mark.filterwarnings("ignore")  # as console.run does
@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp", ".gif", ".tif", ".webp"])
def test_damaged_pictures_never_raise_anything_else(tmp_path, suffix):
    buffer = io.BytesIO()
    kind = {".jpg": "JPEG", ".tif": "TIFF"}.get(suffix, suffix[1:].upper())
    draw_shape("cross", np.random.default_rng(0)).convert("RGB").save(buffer, kind)
    whole = buffer.getvalue()
    rng = np.random.default_rng(1)
    path = tmp_path / f"picture{suffix}"
    failed = 0
    for trial in range(60):
        data = bytearray(whole)
        for position in rng.integers(0, len(data), 8):
            data[position] = rng.integers(256)
        path.write_bytes(data if trial % 3 else data[: rng.integers(1, len(data))])
        try:
            to_image(read_picture(path), PLAIN)
        except PictureError:
            failed += 1
    assert failed


def test_damaged_tiff_prints_nothing(tmp_path, capfd):
    path = tmp_path / "picture.tif"
    draw_shape("cross", np.random.default_rng(0)).save(path, compression="tiff_lzw")
    damaged = bytearray(path.read_bytes())
    damaged[20:60] = bytes(40)
    path.write_bytes(damaged)
    with pytest.raises(PictureError):
        read_picture(str(path))
    assert capfd.readouterr() == ("", "")


def test_otsu_threshold_equals_the_definition():
    rng = np.random.default_rng(0)
    for _ in range(20):
        dark, light = rng.normal(60, 20, 300), rng.normal(170, 30, 500)
        values = np.clip(np.concatenate((dark, light)), 0, 255).astype(np.uint8)
        variances = []
        for threshold in range(255):
            low, high = values[values <= threshold], values[values > threshold]
            if len(low) and len(high):
                shares = len(low) * len(high) / len(values) ** 2
                variances.append((shares * (low.mean() - high.mean()) ** 2, threshold))
        best = max(variance for variance, _ in variances)
        equals = [t for variance, t in variances if variance > best * (1 - 1e-12)]
        found = otsu_threshold(np.bincount(values, minlength=256).tolist())
        assert found == (equals[0] + equals[-1]) // 2


@pytest.mark.parametrize("ink", [30, 220])
def test_clean_otsu_leaves_black_and_white(ink):
    picture = Image.new("L", (60, 60), 250 - ink)
    picture.paste(ink, (20, 25, 40, 35))
    preprocessing = Preprocessing(((16, 16),), clean="otsu")
    image, _ = to_image(picture, preprocessing)
    assert set(image.tobytes()) == {0, 255}
    assert image.getpixel((8, 8)) == 255
    assert image.getpixel((1, 1)) == 0


@pytest.mark.parametrize("is_inverted", [False, True])
def test_clean_otsu_grey_makes_paper_white_and_leaves_ink_grey(is_inverted):
    picture = Image.linear_gradient("L").resize((64, 64)).point(lambda v: 180 + v // 8)
    picture.paste(60, (20, 20, 30, 44))
    picture.paste(40, (30, 20, 40, 44))
    if is_inverted:
        picture = ImageChops.invert(picture)
    image, _ = to_image(picture, Preprocessing(((64, 64),), clean="otsu-grey"))
    assert image.getpixel((5, 60)) == image.getpixel((60, 5)) == 0
    assert (image.getpixel((25, 30)), image.getpixel((35, 30))) == (195, 215)


def test_clean_leaves_no_specks_on_blank_paper():
    noise = np.random.default_rng(0).integers(240, 247, (40, 40), np.uint8)
    for clean in ("otsu", "otsu-grey"):
        preprocessing = Preprocessing(((32, 32),), clean=clean)
        image, _ = to_image(Image.fromarray(noise), preprocessing)
        assert image.getextrema() == (0, 0)


@pytest.mark.parametrize("fit", FITS)
def test_border_is_paper_around_the_picture(fit):
    picture = Image.new("L", (30, 30), 0)
    preprocessing = Preprocessing(((20, 24),), fit, polarity="dark-on-light", border=3)
    image = np.asarray(to_image(picture, preprocessing)[0])
    inside = image[3:-3, 3:-3] if fit == "stretch" else image[3:-3, 5:-5]
    assert (inside == 255).all()
    assert image.astype(int).sum() == inside.size * 255


@pytest.mark.parametrize(
    ("size", "image_size", "box"),
    [
        ((60, 10), (32, 32), (2, 13, 30, 18)),
        ((10, 60), (32, 32), (13, 2, 18, 30)),
        ((60, 10), (48, 96), (3, 16, 93, 31)),
        ((1, 1), (16, 16), (1, 1, 15, 15)),
    ],
)
def test_ink_is_centred_and_keeps_its_proportions(size, image_size, box):
    bar = View(Image.new("L", size, 255), (0, 0, *size), "light-on-dark")
    image = image_of(bar, Preprocessing.usual(image_size))
    assert image.shape == image_size
    assert Image.fromarray(image).getbbox() == box


def test_a_preprocessing_of_older_files_is_read():
    value = Preprocessing(((8, 8),)).to_json()
    del value["clean"], value["border"]
    assert Preprocessing.from_json(value) == Preprocessing(((8, 8),))


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((40, 70), (70, 40)),
        ((1000, 500), (128, 256)),
        ((8, 4), (16, 32)),
        ((1, 2_000_000), (256, 16)),
        ((300, 1), (16, 256)),
        ((1, 1), (16, 16)),
    ],
)
def test_a_picture_at_its_own_size_is_only_brought_within_limits(size, expected):
    preprocessing = at_own_size(size, Preprocessing(((80, 80),), "pad"))
    assert preprocessing.image_size == expected
    border = at_own_size(size, Preprocessing(((80, 80),), "pad", border=2))
    assert border.image_size == tuple(side + 4 for side in expected)
