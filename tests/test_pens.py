"""Other pens and cameras: what becomes of strokes."""

import numpy as np
import pytest

from glyphs.augment import pens
from glyphs.augment.presets import PRESETS, distort_block


@pytest.fixture
def strokes():
    images = np.zeros((60, 32, 32), np.uint8)
    images[:, 8:24, 14:18] = 255
    return images


def redraw(images, seed=1):
    return pens.redraw(images, np.random.default_rng(seed))


def test_the_same_seed_redraws_the_same(strokes):
    before = strokes.copy()
    np.testing.assert_array_equal(redraw(strokes), redraw(strokes))
    assert (redraw(strokes) != redraw(strokes, 2)).any()
    np.testing.assert_array_equal(strokes, before)


def test_strokes_get_thicker_and_thinner(strokes):
    rows = redraw(strokes)[:, 16].astype(int)
    widths = rows.sum(axis=1) / rows.max(axis=1)
    assert widths.min() < 3.5
    assert 5 < widths.max() < 7


def test_faint_ink_stays_darker_than_paper(strokes):
    redrawn = redraw(strokes).astype(int)
    assert (redrawn[:, 12:20, 15:17].mean(axis=(1, 2)) > 90).all()
    assert (redrawn[:, :4].mean(axis=(1, 2)) < 20).all()


def test_images_higher_than_wide_and_of_one_row_are_redrawn():
    for shape in ((3, 20, 50), (2, 1, 9), (0, 8, 8)):
        assert redraw(np.full(shape, 255, np.uint8)).shape == shape


def test_blank_paper_gets_no_ink():
    redrawn = redraw(np.zeros((50, 32, 32), np.uint8))
    assert np.median(redrawn, axis=(1, 2)).max() <= 1


def test_the_preset_redraws_what_affine_distorts(strokes):
    angles = np.full(len(strokes), 10.0)
    plain, redrawn = (
        distort_block(strokes, PRESETS[name], angles, (1, 2, 3)) for name in ("affine", "pens")
    )
    assert (plain != redrawn).any()
    assert "pens" not in PRESETS["affine"].to_json()
    assert PRESETS["pens"].to_json()["pens"] is True
