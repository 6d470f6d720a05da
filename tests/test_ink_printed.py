"""Printed paper, tight crops and the rims of scans: what is around a character goes, it stays."""

import numpy as np
import pytest
from PIL import Image, ImageDraw
from test_ink import assert_found, drawable, drawn, noisy, on_grey, tight

from glyphs.images import sheets
from glyphs.ink import desk, lines, printed, rims

SIDE = 200


def cell(character, *, first=8, grey=110, gap=0, diagonals=True, width=2, turn=0):
    """Return `(picture, box)`: a character in a cell of practice paper, and where it is."""
    strokes = drawn(character, side=SIDE, size=110)
    paper = Image.new("L", strokes.size)
    last, middle = SIDE - 1 - first, SIDE // 2
    guides = [(first, middle, last, middle), (middle, first, middle, last)]
    if diagonals:
        guides += [(first, first, last, last), (first, last, last, first)]
    for guide in guides:
        sheets.draw_dashes(paper, guide, 8, gap, width)
    ImageDraw.Draw(paper).rectangle((first, first, last, last), outline=255, width=width)
    lines = np.where(np.asarray(paper) > 0, grey, 255).astype(np.uint8)
    picture = Image.fromarray(np.minimum(lines, np.asarray(strokes)))
    turned = [p.rotate(turn, Image.Resampling.BICUBIC, fillcolor=255) for p in (picture, strokes)]
    return turned[0], tight(turned[1])


@pytest.mark.parametrize("character", drawable("あ永木"))
@pytest.mark.parametrize("first", [8, 1, -8], ids=["whole", "at the border", "within the cell"])
@pytest.mark.parametrize("gap", [0, 6], ids=["lines", "dashes"])
@pytest.mark.parametrize("diagonals", [False, True])
def test_practice_paper_goes(character, first, gap, diagonals):
    picture, box = cell(character, first=first, gap=gap, diagonals=diagonals)
    assert_found(picture, box, within=6)
    assert_found(noisy(on_grey(picture)), box, within=6)


@pytest.mark.parametrize("turn", [-4, 3])
def test_practice_paper_may_lie_askew(turn):
    picture, box = cell("あ", first=16, gap=6, turn=turn)
    assert_found(picture, box, within=6)


def test_a_smaller_box_among_guide_lines_goes():
    picture, box = cell("あ", diagonals=False, gap=6)
    ImageDraw.Draw(picture).rectangle((50, 40, 150, 160), outline=110, width=2)
    assert_found(picture, box, within=6)


@pytest.mark.parametrize("width", [1, 3])
def test_a_printed_cross_in_a_box_is_a_character(width):
    mask = np.zeros((120, 120), bool)
    mask[20:100, 20:100] = True
    mask[20 + width : 100 - width, 20 + width : 100 - width] = False
    mask[59 : 59 + width, 20:100] = mask[20:100, 59 : 59 + width] = True
    np.testing.assert_array_equal(printed.without_lines(mask), mask)


def test_the_cells_of_a_row_beside_it_go():
    sheet = Image.new("L", (440, SIDE), 255)
    sheet.paste(drawn("あ", side=SIDE, size=90), (120, 0))
    box = tight(sheet)
    draw = ImageDraw.Draw(sheet)
    for left in (-60, 130, 320):
        draw.rectangle((left, 12, left + 180, 188), outline=120, width=2)
    assert_found(sheet, box, within=6)


def test_a_margin_beside_rules_goes():
    picture = drawn("あ", side=SIDE, size=90, place=(120, 100))
    box = tight(picture)
    draw = ImageDraw.Draw(picture)
    for y in range(8, SIDE, 26):
        draw.line((0, y, SIDE, y), fill=190, width=2)
    draw.line((36, 0, 36, SIDE), fill=140, width=2)
    assert_found(picture, box)


def test_diagonals_are_found_from_corner_to_corner():
    mask = np.zeros((60, 80), bool)
    mask[np.arange(60), np.arange(60)] = True
    (line,) = lines.find_diagonals(mask)
    assert (line.start, line.end) == (0, 59)
    assert np.abs(line.rows[:60] - np.arange(60)).max() <= 1
    assert line.pixels.sum() > 54
    assert not (line.pixels & ~mask).any()
    assert not lines.find_diagonals(mask[:, ::-1])


@pytest.mark.parametrize("character", drawable("あ永半与木本東車馬"))
def test_a_tight_crop_on_grey_paper_stays_whole(character):
    picture = drawn(character, side=300, size=220)
    picture = noisy(on_grey(picture.crop(tight(picture))))
    assert_found(picture, (0, 0, *picture.size), within=6)


def rimmed(sides, *, depth=9, thin=9, grey=25):
    """Return `(picture, box)`: a character on a scan with rims, and where it is."""
    picture = drawn("あ", side=SIDE, size=110)
    box = tight(picture)
    pixels = np.array(picture)
    for side in sides:
        turned = np.rot90(pixels, ("top", "right", "bottom", "left").index(side))
        turned[np.arange(SIDE)[:, None] < np.linspace(depth, thin, SIDE)] = grey
    return Image.fromarray(pixels), box


@pytest.mark.parametrize(
    "sides",
    [
        ["left"], ["bottom"], ["left", "top"], ["top", "right"], ["left", "bottom"],
        ["left", "right"], ["left", "top", "right"],
    ],
)  # fmt: skip
@pytest.mark.parametrize(("depth", "thin"), [(3, 3), (24, 24), (20, 0), (2, 12)])
def test_the_rims_of_a_scan_go(sides, depth, thin):
    picture, box = rimmed(sides, depth=depth, thin=thin)
    assert_found(picture, box)
    assert_found(noisy(on_grey(picture)), box)


@pytest.mark.parametrize("character", drawable("一二三工旦司同区門日目上下五王丁厂"))
def test_strokes_along_the_borders_are_no_rims(character):
    picture = drawn(character, side=160, size=120)
    picture = picture.crop(tight(picture))
    assert rims.within_rims(np.asarray(picture)) is None


@pytest.mark.parametrize("free", [4, 12, 25])
@pytest.mark.parametrize("side", range(4))
@pytest.mark.parametrize("character", drawable("二三川旦旧ニテラ"))
def test_nor_where_one_side_of_the_crop_is_free(character, side, free):
    picture = drawn(character, side=160, size=80)
    box = list(tight(picture))
    box[side] += -free if side < 2 else free
    picture = picture.crop(box)
    for grey in (picture, noisy(on_grey(picture))):
        assert rims.within_rims(np.asarray(grey)) is None


@pytest.mark.parametrize("count", [4, 6, 8])
def test_a_net_of_lines_stays(count):
    mask = np.zeros((224, 224), bool)
    for at in np.linspace(20, 200, count + 1).astype(int):
        mask[at : at + 2, 20:202] = mask[20:202, at : at + 2] = True
    assert 2 * printed.without_lines(mask).sum() > mask.sum()


@pytest.mark.parametrize("stroke", [3, 6])
@pytest.mark.parametrize("shape", ["across", "down", "cross"])
def test_a_stroke_through_the_middle_of_a_box_stays(shape, stroke):
    picture = Image.new("L", (120, 120), 255)
    draw = ImageDraw.Draw(picture)
    if shape != "down":
        draw.line((22, 60, 98, 60), fill=0, width=stroke)
    if shape != "across":
        draw.line((60, 22, 60, 98), fill=0, width=stroke)
    box = tight(picture)
    draw.rectangle((10, 10, 110, 110), outline=0, width=2)
    assert_found(picture, box, within=4)


@pytest.mark.parametrize("side", [30, 36, 40, 48])
def test_the_rims_of_a_small_scan_take_no_ink(side):
    picture = drawn("二", side=side, size=side // 2)
    box = tight(picture)
    pixels = np.array(picture)
    pixels[:, :5] = 10
    assert_found(Image.fromarray(pixels), box, within=1)


def test_paper_is_painted_where_a_rim_was():
    picture, box = rimmed(["left", "top"], depth=20, thin=6)
    sheet = desk.without_rims(picture)
    grey = np.array(sheet.picture)
    left, top = sheet.offset
    grey[box[1] - top - 1 : box[3] - top + 1, box[0] - left - 1 : box[2] - left + 1] = 255
    assert grey.min() > 240
