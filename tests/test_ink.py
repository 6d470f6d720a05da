"""Finding the ink: what belongs to a character stays, what does not goes."""

import subprocess
import sys

import numpy as np
import pytest
from conftest import ROOT
from PIL import Image, ImageChops, ImageDraw, ImageFont, ImageOps

from glyphs import fonts
from glyphs.images.preprocessing import Preprocessing, image_of
from glyphs.images.view import View
from glyphs.ink import bits, lines, paper, printed, strokes
from glyphs.ink import find as ink

USUAL = Preprocessing.usual((32, 32))


def drawn(text, *, side=96, size=64, place=None):
    """Return dark text on white paper."""
    picture = Image.new("L", (side, side), 255)
    font = ImageFont.truetype(fonts.bundled_font(), size)
    place = place or (side // 2, side // 2)
    ImageDraw.Draw(picture).text(place, text, fill=0, font=font, anchor="mm")
    return picture


def tight(picture):
    """Return the box around what is dark."""
    return ImageOps.invert(picture).point([0] * 65 + [255] * 191).getbbox()


def noisy(picture, sigma=4, seed=1):
    grey = np.asarray(picture, float) + np.random.default_rng(seed).normal(
        0, sigma, picture.size[::-1]
    )
    return Image.fromarray(np.rint(grey.clip(0, 255)).astype(np.uint8))


def on_grey(picture, paper=225, darkest=40):
    return picture.point([darkest + v * (paper - darkest) // 255 for v in range(256)])


def assert_found(picture, box, *, within=3):
    found = ink.find_ink(picture)
    assert found is not None
    assert max(abs(a - b) for a, b in zip(found.box, box, strict=True)) <= within, found.box
    return found


def drawable(characters):
    """Return those that the bundled font has."""
    font = ImageFont.truetype(fonts.bundled_font(), 20)
    return [character for character in characters if not fonts.missing(font, character)]


CHARACTERS = drawable("い三二一八川心国口田小ふ:;ङ")


@pytest.mark.parametrize("character", CHARACTERS)
@pytest.mark.parametrize("dirt", ["clean", "grey and noisy", "uneven"])
def test_the_parts_of_a_character_stay_together(character, dirt):
    picture = drawn(character)
    box = tight(picture)
    if dirt == "grey and noisy":
        picture = noisy(on_grey(picture))
    elif dirt == "uneven":
        light = (
            Image.linear_gradient("L").resize(picture.size).point(lambda v: 140 + v * 110 // 255)
        )
        picture = noisy(ImageChops.multiply(picture, light))
    assert assert_found(picture, box).polarity == "dark-on-light"


@pytest.mark.parametrize("character", [c for c in CHARACTERS if c not in "一:;"])  # all ink
def test_a_tight_crop_stays_whole(character):
    picture = drawn(character)
    picture = picture.crop(tight(picture))
    assert_found(picture, (0, 0, *picture.size), within=1)
    strokes_only = strokes.find_strokes(noisy(on_grey(picture)), "dark-on-light")
    assert strokes_only is not None
    assert max(abs(a - b) for a, b in zip(strokes_only[1], (0, 0, *picture.size), strict=True)) <= 3


def headline(picture):
    """Draw a stem that hangs from a line on top, as most Devanagari letters do."""
    draw = ImageDraw.Draw(picture)
    draw.line((20, 25, 76, 25), fill=0, width=5)
    draw.line((60, 25, 60, 75), fill=0, width=5)
    draw.arc((25, 35, 60, 65), 0, 300, fill=0, width=5)
    return picture


@pytest.mark.parametrize("side", ["free", "tight"])
def test_a_headline_is_no_ruled_line(side):
    picture = headline(Image.new("L", (96, 96), 255))
    box = tight(picture)
    if side == "tight":
        picture = picture.crop(box)
        box = (0, 0, *picture.size)
    assert_found(picture, box)
    assert_found(noisy(on_grey(picture)), box)


@pytest.mark.parametrize("tilt", [0, 4])
@pytest.mark.parametrize("grey", [0, 120])
def test_ruled_lines_go(tilt, grey):
    picture = drawn("あ", size=48)
    box = tight(picture)
    draw = ImageDraw.Draw(picture)
    for y in (12, 44, 76):
        draw.line((0, y, 96, y + tilt), fill=grey)
    assert_found(picture, box)
    assert_found(noisy(on_grey(picture)), box)


def test_squared_paper_goes():
    picture = drawn("あ", size=56)
    box = tight(picture)
    for at in range(5, 96, 22):
        ImageDraw.Draw(picture).line((0, at, 96, at), fill=130)
        ImageDraw.Draw(picture).line((at, 0, at, 96), fill=130)
    assert_found(noisy(on_grey(picture)), box)


@pytest.mark.parametrize("edge", [6, 15])
def test_a_printed_box_goes(edge):
    picture = drawn("永", size=64)
    box = tight(picture)
    ImageDraw.Draw(picture).rectangle((edge, edge, 95 - edge, 95 - edge), outline=0)
    assert_found(picture, box, within=4)
    assert_found(noisy(on_grey(picture)), box, within=4)


def test_strokes_of_neighbours_go():
    picture = drawn("あ", size=52)
    box = tight(picture)
    draw = ImageDraw.Draw(picture)
    draw.line((0, 30, 6, 40), fill=0, width=5)
    draw.line((90, 60, 95, 50), fill=0, width=5)
    draw.line((40, 95, 50, 91), fill=0, width=5)
    assert_found(picture, box)
    assert_found(noisy(on_grey(picture)), box)


def test_a_shadow_with_an_edge_is_no_ink():
    picture = drawn("あ", size=56)
    box = tight(picture)
    shadow = Image.new("L", picture.size, 255)
    ImageDraw.Draw(shadow).polygon([(50, 0), (96, 0), (96, 96), (38, 96)], fill=150)
    assert_found(noisy(ImageChops.multiply(picture, shadow)), box)


def test_specks_go_and_dots_stay():
    picture = drawn("あ", size=48)
    ImageDraw.Draw(picture).ellipse((44, 74, 51, 81), fill=0)  # a dot below
    box = tight(picture)
    for x, y in ((8, 10), (85, 14), (10, 88), (88, 80)):
        ImageDraw.Draw(picture).point([(x, y), (x + 1, y)], fill=60)
    assert_found(picture, box)


@pytest.mark.parametrize("light_paper", [True, False])
@pytest.mark.parametrize("dirt", [0, 5])
def test_polarity(light_paper, dirt):
    picture = on_grey(drawn("あ"), paper=215, darkest=70)
    if not light_paper:
        picture = ImageOps.invert(picture)
    polarity = "dark-on-light" if light_paper else "light-on-dark"
    assert ink.find_ink(noisy(picture, dirt)).polarity == polarity


def test_a_given_polarity_is_taken():
    picture = drawn("口", size=90)
    # A black stroke and a white one on grey: either may be the ink.
    panel = Image.new("L", (120, 120), 128)
    panel.paste(0, (20, 30, 100, 40))
    panel.paste(255, (20, 80, 100, 90))
    for polarity in ("light-on-dark", "dark-on-light"):
        assert ink.find_ink(panel, polarity).polarity == polarity
    board = noisy(ImageOps.invert(on_grey(picture)))
    assert ink.find_ink(board, "light-on-dark").box == ink.find_ink(board).box


@pytest.mark.parametrize("grey", [0, 90, 255])
def test_without_ink_there_is_none(grey):
    blank = Image.new("L", (60, 60), grey)
    assert ink.find_ink(blank) is None
    assert ink.find_ink(noisy(blank)) is None


@pytest.mark.parametrize("width", [1, 2])
@pytest.mark.parametrize("character", drawable("囲咽語隠"))
def test_paper_between_thick_strokes_is_no_ink(character, width):
    picture = Image.new("L", (96, 96), 255)
    font = ImageFont.truetype(fonts.bundled_font(), 56)
    ImageDraw.Draw(picture).text(
        (48, 48), character, fill=0, font=font, anchor="mm", stroke_width=width
    )
    found = assert_found(noisy(on_grey(picture), 2), tight(picture))
    assert found.polarity == "dark-on-light"


@pytest.mark.parametrize("is_dark", [False, True])
def test_ink_is_found_on_a_sheet_on_a_table(is_dark):
    picture = Image.new("L", (200, 160), 40)
    written = drawn("R", side=120, size=80)
    picture.paste(on_grey(written), (40, 20))
    box = np.add(tight(written), (40, 20, 40, 20))
    assert_found(noisy(ImageOps.invert(picture) if is_dark else picture), box)


TABLES = {
    "dark": lambda x, y: 40 + 0 * x,
    "light": lambda x, y: 160 + 0 * x,
    "wood": lambda x, y: 90 + 20 * np.sin(y / 4 + np.sin(x / 40)),
    "checked": lambda x, y: 50 + 80 * ((x // 30 + y // 30) % 2),
}


@pytest.mark.parametrize("place", [(60, 30), (-20, -30), (20, 150)], ids=["free", "edge", "cut"])
@pytest.mark.parametrize("turn", [0, -8, 25])
@pytest.mark.parametrize("table", TABLES)
def test_a_photographed_sheet_on_a_table_is_read_as_if_it_were_alone(table, turn, place):
    y, x = np.mgrid[:400, :400].astype(float)
    picture = Image.fromarray(np.rint(TABLES[table](x, y)).astype(np.uint8))
    written = drawn("永", side=280, size=150)
    ink_alone = Image.new("L", picture.size, 255)
    for layer, sheet in ((picture, on_grey(written, 235)), (ink_alone, written)):
        mask = Image.new("L", sheet.size, 255).rotate(turn, expand=True)
        layer.paste(sheet.rotate(turn, Image.Resampling.BICUBIC, expand=True), place, mask)
    light = Image.linear_gradient("L").resize(picture.size).point(lambda v: 180 + v // 4)
    picture = noisy(ImageChops.multiply(picture, light), 2)
    assert_found(picture, tight(ink_alone), within=6)


def test_uneven_light_is_no_ink():
    light = Image.linear_gradient("L").resize((80, 60)).point(lambda v: 120 + v // 2)
    for turn in (Image.Transpose.ROTATE_180, Image.Transpose.TRANSPOSE):
        assert ink.find_ink(light.transpose(turn)) is None
        assert ink.find_ink(noisy(light.transpose(turn), 3)) is None


@pytest.mark.parametrize(
    "size", [(1, 1), (2, 1), (1, 2), (2, 2), (1, 5000), (5000, 1), (3, 40), (7, 7), (9, 400)]
)
def test_odd_pictures_never_raise(size):
    rng = np.random.default_rng(3)
    shape = size[::-1]
    half = np.zeros(shape, np.uint8)
    half[: shape[0] // 2, : -(-shape[1] // 2)] = 255
    dot = np.full(shape, 250, np.uint8)
    dot[shape[0] // 2, shape[1] // 2] = 0
    noise = rng.integers(0, 256, shape, dtype=np.uint8)
    for grey in (half, dot, noise, 255 * (noise > 128).astype(np.uint8)):
        for polarity in ("auto", "dark-on-light", "light-on-dark"):
            found = ink.find_ink(Image.fromarray(grey), polarity)
            if found is not None:
                left, top, right, bottom = found.box
                assert 0 <= left < right <= size[0]
                assert 0 <= top < bottom <= size[1]
                image_of(View(found.image, found.box, found.polarity), USUAL)


def test_the_box_is_in_pixels_of_the_picture():
    picture = drawn("あ", side=400, size=100, place=(300, 120))
    box = tight(picture)
    large = picture.resize((2400, 2400), Image.Resampling.NEAREST)
    found = assert_found(large, [6 * side for side in box], within=30)
    assert max(found.image.size) >= 128
    assert_found(noisy(on_grey(picture)), box, within=4)


def test_both_ways_find_the_same():
    for character in "あ永い三":
        for size in (40, 80):
            picture = drawn(character, size=size)
            clean = ink.find_ink(picture)
            searched = strokes.find_strokes(picture, "auto")
            assert max(abs(a - b) for a, b in zip(clean.box, searched[1], strict=True)) <= 2
            views = View(clean.image, clean.box, clean.polarity), View(*searched)
            images = [image_of(view, USUAL) for view in views]
            assert np.corrcoef([np.ravel(image) for image in images])[0, 1] > 0.9


def test_the_same_picture_gives_the_same_bytes():
    for picture in (drawn("あ"), noisy(on_grey(drawn("あ")))):
        first, second = ink.find_ink(picture), ink.find_ink(picture.copy())
        assert first.image.tobytes() == second.image.tobytes()
        assert first.box == second.box


def test_clean_pictures_need_no_numpy():
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
        "from PIL import Image, ImageDraw\n"
        "from glyphs.ink import find as ink\n"
        "picture = Image.new('L', (64, 64), 255)\n"
        "ImageDraw.Draw(picture).line((15, 20, 50, 45), fill=0, width=5)\n"
        "assert ink.find_ink(picture).box\n"
        "assert 'numpy' not in sys.modules, 'numpy'\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_stroke_width():
    mask = np.zeros((60, 60), bool)
    mask[10:50, 20:26] = True
    assert 5 <= lines.stroke_width(mask) <= 8


def test_a_line_is_followed_through_what_crosses_it():
    mask = np.zeros((60, 120), bool)
    mask[30:32] = True
    mask[10:50, 50:58] = True
    (line,) = lines.find_lines(mask)
    assert (line.start, line.end, line.thickness) == (0, 119, 2)
    rest = printed.without_lines(mask)
    assert rest[10:50, 50:58].all()
    assert not rest[:, :49].any()


def test_paper_keeps_the_edge_of_a_shadow():
    grey = np.full((100, 100), 230, np.uint8)
    grey[:, 60:] = 120
    written = grey.copy()
    written[40:46, 20:90] = 30
    estimated = paper.paper_of(written).astype(int)
    apart = abs(estimated - grey)
    apart[:, 57:63] = 0  # where the smoothing mixes both
    assert apart.max() <= 4
    # What the edge looks like is no ink.
    depth = paper.contrast(grey, estimated.astype(np.uint8))
    assert depth.max() < paper.MIN_CONTRAST


def test_specks_are_no_single_character():
    def box(image):
        digits = image.tobytes("raw", "L", image.width + 1)
        digits = digits.translate(bytes([48]) + bytes([49]) * 255)
        return bits.box_of_one_character(digits, image.size)

    image = Image.new("L", (40, 40))
    ImageDraw.Draw(image).line((12, 12, 28, 25), fill=255, width=4)
    assert box(image) is not None
    ImageDraw.Draw(image).rectangle((2, 2, 3, 3), fill=255)
    assert box(image) is None


def test_a_flat_stroke_with_hardly_any_paper_around_is_no_blank_picture():
    stroke = Image.new("L", (44, 6), 255)
    ImageDraw.Draw(stroke).line((1, 3, 42, 2), fill=90, width=4)
    found = ink.find_ink(stroke)
    assert found.polarity == "dark-on-light"
    assert found.box[2] - found.box[0] > 36
    assert ink.find_ink(Image.new("L", (44, 6), 255)) is None


@pytest.mark.parametrize("width", [40, 41, 47, 48])
def test_ink_in_the_last_column_does_not_run_into_the_next_row(width):
    image = Image.new("L", (width, 40))
    ImageDraw.Draw(image).ellipse((0, 0, width - 1, 39), outline=255, width=5)
    digits = image.tobytes("raw", "L", width + 1).translate(bits.IS_INK)
    assert bits.box_of_one_character(digits, image.size) == (0, 0, width, 40)


def test_runs_of_bits():
    row = "0111011111010"
    for length in (1, 2, 3, 4, 5, 6):
        begins = [row[i : i + length] == "1" * length for i in range(len(row))]
        found = bits._runs(int(row[::-1], 2), 1, length)
        assert [found >> i & 1 == 1 for i in range(len(row))] == begins


def bar(size, paper, darkest, slope=0.0):
    """Return a stroke with soft edges that fills its picture."""
    width, height = size
    ys, xs = np.mgrid[:height, :width]
    across = np.abs(ys - (height - 1) / 2 - slope * (xs - width / 2)) / (height / 2)
    grey = darkest + (paper - darkest) * (across**2).clip(0, 1)
    return noisy(Image.fromarray(np.rint(grey).astype(np.uint8)), 8)


@pytest.mark.parametrize("size", [(30, 7), (35, 6), (41, 6), (45, 8), (7, 30)])
@pytest.mark.parametrize("levels", [(255, 90), (80, 230)])
def test_one_stroke_that_fills_its_picture_is_ink(size, levels):
    for slope in (0, 0.03):
        picture = bar((max(size), min(size)), *levels, slope=slope)
        if size[1] > size[0]:
            picture = picture.transpose(Image.Transpose.TRANSPOSE)
        found = ink.find_ink(picture)
        assert found.polarity == ("dark-on-light" if levels[0] > levels[1] else "light-on-dark")
        assert max(abs(a - b) for a, b in zip(found.box, (0, 0, *size), strict=True)) <= 1
        assert np.asarray(found.image).max() > 200


@pytest.mark.parametrize("size", [(30, 7), (60, 6), (90, 30)])
def test_a_low_picture_of_paper_has_no_bar(size):
    rng = np.random.default_rng(2)
    steps = np.linspace(90, 250, size[1])[:, None].repeat(size[0], 1)
    for grey in (rng.integers(0, 256, size[::-1]), steps, 255 - steps):
        assert ink._find_bar(Image.fromarray(grey.astype(np.uint8)), "auto") is None


@pytest.mark.parametrize("size", [(1, 1), (5, 9), (31, 8), (32, 33), (40, 3)])
def test_rows_and_columns_of_bits(size):
    width, height = size
    pixels = np.random.default_rng(width).random((height, width)) < 0.05
    pixels[height // 2, width // 3] = True
    grid = bits._grid(width + 1, (height - 1).bit_length())
    spaced = np.pad(pixels, ((0, 0), (0, 1)))
    mask = int("".join(map(str, spaced.ravel().astype(int))), 2)
    columns = f"{bits._columns(mask, grid):0{width + 1}b}"
    rows = f"{bits._rows(mask, grid):0{(width + 1) * height}b}"[width :: width + 1]
    assert [digit == "1" for digit in columns] == spaced.any(axis=0).tolist()
    assert [digit == "1" for digit in rows] == pixels.any(axis=1).tolist()
    box = Image.fromarray(pixels.astype(np.uint8)).getbbox()
    assert bits._box(mask, grid, height) == box


def test_a_dot_as_wide_as_the_pen_is_no_speck():
    def box(dot):
        image = Image.new("L", (40, 40))
        ImageDraw.Draw(image).line([(6, 8), (20, 8), (8, 20), (20, 30)], fill=255, width=3)
        ImageDraw.Draw(image).rectangle((30, 20, 29 + dot, 19 + dot), fill=255)
        digits = image.tobytes("raw", "L", 41).translate(bits.IS_INK)
        return bits.box_of_one_character(digits, image.size)

    assert box(2) is None
    assert box(4)[2] == 34


@pytest.mark.parametrize(("pen", "is_sure"), [(1, False), (5, True)])
def test_a_thick_box_in_a_small_picture_is_a_character(pen, is_sure):
    image = Image.new("L", (32, 32))
    ImageDraw.Draw(image).rectangle((5, 5, 26, 26), outline=255, width=pen)
    digits = image.tobytes("raw", "L", 33).translate(bits.IS_INK)
    assert (bits.box_of_one_character(digits, image.size) is not None) == is_sure


@pytest.mark.parametrize("character", drawable("い二三心"))
def test_parts_that_reach_the_border_stay(character):
    picture = drawn(character, side=300)
    left, top, right, bottom = tight(picture)
    # A strip, cut closely above and below.
    strip = on_grey(picture).crop((left - 60, top - 1, right + 90, bottom + 1))
    assert_found(noisy(strip, 2), (60, 1, 60 + right - left, 1 + bottom - top))


@pytest.mark.parametrize("width", [2, 4])
def test_a_printed_box_as_thick_as_strokes_is_removed(width):
    # Turned, so that no stroke is as straight as the box.
    written = drawn("永", side=120, size=72).rotate(7, Image.Resampling.BICUBIC, fillcolor=255)
    box = tight(written)
    picture = on_grey(written)
    ImageDraw.Draw(picture).rectangle((8, 8, 111, 111), outline=60, width=width)
    assert_found(noisy(picture, 2), box)


def test_a_dot_on_a_large_sheet_is_kept():
    picture = drawn("i", side=900, size=120)
    assert_found(noisy(on_grey(picture), 2), tight(picture), within=6)


@pytest.mark.parametrize("edge", [30, 70])
def test_faint_ink_half_in_shadow(edge):
    picture = drawn("永")
    light = np.full((96, 96), 230)
    light[:, edge:] = 110
    faint = 1 - 0.35 * (255 - np.asarray(picture, float)) / 255
    shaded = Image.fromarray((light * faint).astype(np.uint8))
    assert_found(noisy(shaded, 2), tight(picture))
