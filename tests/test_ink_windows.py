"""The filters that the ink is found by, beside those of SciPy."""

import numpy as np
import pytest

from glyphs.ink import windows

ndimage = pytest.importorskip("scipy.ndimage")

SHAPES = [(1, 1), (1, 9), (9, 1), (7, 30), (40, 33)]


def pixels(shape):
    return np.random.default_rng(sum(shape)).integers(0, 256, shape, dtype=np.uint8)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("side", [1, 2, 3, 6, 7, 31, 80])
def test_windows_agree_with_scipy(shape, side):
    values = pixels(shape)
    for ours, theirs in (
        (windows.largest, ndimage.maximum_filter),
        (windows.smallest, ndimage.minimum_filter),
    ):
        assert (ours(values, side) == theirs(values, side, mode="nearest")).all()


@pytest.mark.parametrize("shape", SHAPES)
def test_the_mean_agrees_with_scipy(shape):
    fine = pixels(shape).astype(np.uint16) * 16
    for values in (pixels(shape), fine):
        found = windows.smoothed(values)
        assert found.dtype == values.dtype
        assert (found == ndimage.uniform_filter(values, 3)).all()


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("reach", [1, 2, 3])
def test_a_mask_grows_as_scipy_dilates_it(shape, reach):
    mask = pixels(shape) > 230
    expected = ndimage.binary_dilation(mask, np.ones((3, 3), bool), iterations=reach)
    assert (windows.grown(mask, reach) == expected).all()


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("threshold", [0, 60, 120, 150, 180, 240, 256])
def test_parts_are_numbered_as_scipy_numbers_them(shape, threshold):
    mask = pixels(shape) >= threshold
    expected, count = ndimage.label(mask, np.ones((3, 3), bool))
    numbers, found = windows.label(mask)
    assert found == count
    assert (numbers == expected).all()
    boxes = windows.boxes(numbers, count)
    for i, (rows, columns) in enumerate(ndimage.find_objects(expected), 1):
        assert boxes[i] == (columns.start, rows.start, columns.stop, rows.stop)


def test_a_part_that_winds_through_the_picture_is_one():
    mask = np.zeros((41, 9), bool)
    mask[::2] = True
    mask[1::4, -1] = mask[3::4, 0] = True
    assert windows.label(mask)[1] == 1
    assert windows.label(mask.T)[1] == 1
