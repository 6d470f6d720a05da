"""What people's pictures are like."""

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from glyphs import fonts
from glyphs.images import conditions
from glyphs.images.preprocessing import Preprocessing, image_of
from glyphs.images.view import view_of


def character(text="永", side=32):
    image = Image.new("L", (side, side))
    font = ImageFont.truetype(fonts.bundled_font(), 3 * side // 4)
    ImageDraw.Draw(image).text((side // 2, side // 2), text, fill=255, font=font, anchor="mm")
    return np.asarray(image)


def ink_of(picture, side=32):
    """Return the image of the ink in a picture, as a network sees it."""
    preprocessing = Preprocessing.usual((side, side))
    return image_of(view_of(picture, preprocessing), preprocessing)


@pytest.mark.parametrize("name", conditions.CONDITIONS)
def test_the_same_seed_makes_the_same_picture(name):
    image, before = character(), character()
    condition = conditions.CONDITIONS[name]
    first, second, other = (condition(image, np.random.default_rng(seed)) for seed in (5, 5, 6))
    assert first.mode in ("L", "RGB")
    assert (first.mode, first.size, first.tobytes()) == (second.mode, second.size, second.tobytes())
    if name != "as_it_is":
        assert (first.size, first.tobytes()) != (other.size, other.tobytes())
    assert (image == before).all()
    assert condition.__doc__


@pytest.mark.parametrize("name", conditions.CONDITIONS)
def test_blank_and_odd_characters_never_raise(name):
    for shape in ((1, 1), (32, 32), (8, 200), (300, 40)):
        for grey in (0, 255):
            image = np.full(shape, grey, np.uint8)
            picture = conditions.CONDITIONS[name](image, np.random.default_rng(1))
            assert min(picture.size) >= 1


def test_an_image_may_be_of_pillow():
    image = character()
    for condition in conditions.CONDITIONS.values():
        pictures = [condition(i, np.random.default_rng(2)) for i in (image, Image.fromarray(image))]
        assert pictures[0].tobytes() == pictures[1].tobytes()


def test_small_pictures_have_12_to_16_pixels():
    for seed in range(10):
        picture = conditions.small(character(), np.random.default_rng(seed))
        assert 12 <= max(picture.size) <= 16


def test_a_fax_is_black_and_white():
    picture = conditions.fax(character(), np.random.default_rng(1))
    assert set(picture.tobytes()) == {0, 255}


def test_a_thick_pen_is_thicker_and_a_thin_one_thinner():
    image = character()
    darkness = []
    for condition in (conditions.thin_pen, conditions.as_it_is, conditions.thick_pen):
        darkness.append(ink_of(condition(image, np.random.default_rng(1)), side=64).mean())
    assert darkness == sorted(darkness)


@pytest.mark.parametrize("name", conditions.CONDITIONS)
def test_the_ink_is_found_again(name):
    image = character("永")
    expected = ink_of(Image.fromarray(255 - image))
    for seed in range(3):
        picture = conditions.CONDITIONS[name](image, np.random.default_rng([8, seed]))
        found = ink_of(picture.convert("L"))
        overlap = np.corrcoef(found.ravel(), expected.ravel())[0, 1]
        assert overlap > (0.3 if name in ("on_table", "rotated", "sheared") else 0.6)


def test_the_contact_sheet_has_a_row_a_character_and_a_column_a_condition():
    sheet = conditions.contact_sheet([character("永"), character("い")], side=40)
    assert sheet.size == (40 * len(conditions.CONDITIONS), 12 + 2 * 40)
