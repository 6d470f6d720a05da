"""Displacement fields and how they are applied, against slow plain twins."""

import hashlib

import numpy as np
import pytest

from glyphs.augment.affine import affine_fields
from glyphs.augment.elastic import _bases, displacement_fields
from glyphs.augment.presets import PRESETS, Preset, block_length, distort_block
from glyphs.augment.resample import distort, paper_of
from glyphs.errors import UsageError

SIZES = [(32, 32), (96, 96), (24, 48)]


def rng(seed=1):
    return np.random.default_rng(seed)


def plain_blur(side, sigma):
    """Return the matrix that blurs noise within and beyond a line of `side` pixels."""
    radius = int(4 * sigma + 0.5)
    weights = [np.exp(-0.5 * (i / sigma) ** 2) for i in range(-radius, radius + 1)]
    matrix = np.zeros((side, side + 2 * radius))
    for i in range(side):
        matrix[i, i : i + 2 * radius + 1] = np.array(weights) / sum(weights)
    return matrix


def plain_covariances(size, alpha, sigma):
    """Return the covariances of a blurred field along y and along x."""
    scale = (size[0] * size[1]) ** 0.5 / 32
    blurs = [plain_blur(side, sigma * scale) for side in size]
    return [alpha * scale**2 / 3**0.5 * blur @ blur.T for blur in blurs]


def slow_distort(images, fields, paper=0):
    """Bilinear interpolation, pixel by pixel, of positions taken to 1/256 pixel."""
    n, height, width = images.shape
    distorted = np.zeros_like(images)

    def pixel(i, y, x):
        return int(images[i, y, x]) if 0 <= y < height and 0 <= x < width else paper

    for i, row, column in np.ndindex(n, height, width):
        y = 256 * row + round(256 * float(fields[i, 0, row, column]))
        x = 256 * column + round(256 * float(fields[i, 1, row, column]))
        top, left, down, right = y // 256, x // 256, y % 256, x % 256
        value = (256 - down) * (256 - right) * pixel(i, top, left)
        value += (256 - down) * right * pixel(i, top, left + 1)
        value += down * (256 - right) * pixel(i, top + 1, left)
        value += down * right * pixel(i, top + 1, left + 1)
        distorted[i, row, column] = (value + 32768) // 65536
    return distorted


def pictures(n, size, seed=1):
    return rng(seed).integers(0, 256, (n, *size), dtype=np.uint8)


# --- displacement_fields ---


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("alpha", "sigma"), [(47, 6), (41.4, 4.41), (20, 1)])
def test_covariance_is_that_of_the_plain_blur(size, alpha, sigma):
    bases = _bases(size, (alpha,), (sigma,))
    ours = [basis[0] @ basis[0].T for basis in bases]
    plain = plain_covariances(size, alpha, sigma)
    for a, b in zip(ours, plain, strict=True):
        assert np.abs(a - b).max() < 0.002 * b.max()


@pytest.mark.parametrize("size", SIZES)
def test_every_pixel_keeps_999_thousandths_of_the_variance(size):
    kept = 1
    for axis, plain in enumerate(plain_covariances(size, 47, 6)):
        basis = _bases(size, (47,), (6,))[axis][0]
        share = (basis**2).sum(axis=1) / plain.diagonal()
        kept = kept * share.min()
        assert share.max() < 1.0005  # what the rounding of the basis may add
    assert kept > 0.9985  # 0.999, less the same


@pytest.mark.parametrize("size", SIZES)
def test_strength_is_the_same_at_the_border_as_in_the_centre(size):
    for basis in _bases(size, (47,), (6,)):
        variance = (basis[0] ** 2).sum(axis=1)
        assert variance.max() / variance.min() < 1.002


def test_seven_vectors_describe_sigma_6_at_any_side():
    for side in (32, 64, 96):
        assert _bases((side, side), (47,), (6,))[0].shape == (1, side, 7)


def test_pooled_standard_deviation_is_that_of_the_formula():
    fields = displacement_fields(2000, (32, 32), alpha=47, sigma=6, rng=rng())
    expected = 47 / np.sqrt(3) / (2 * 6 * np.sqrt(np.pi))
    assert fields.std() == pytest.approx(expected, rel=0.01)
    assert fields[..., 0, 0].std() == pytest.approx(expected, rel=0.03)


def test_fields_are_as_strong_as_blurred_uniform_noise():
    size, generator = (20, 28), rng()
    down, across = (plain_blur(side, 4 * (20 * 28) ** 0.5 / 32) for side in size)
    noise = generator.uniform(-1, 1, (1500, down.shape[1], across.shape[1]))
    plain = 34 * (20 * 28) / 32**2 * (down @ noise @ across.T)
    fields = displacement_fields(1500, size, alpha=34, sigma=4, rng=generator)
    assert fields.std(axis=(0, 1)) == pytest.approx(plain.std(axis=0), rel=0.1)
    assert fields.std() == pytest.approx(plain.std(), rel=0.02)


def test_dy_and_dx_are_independent():
    fields = displacement_fields(2000, (32, 32), rng=rng())
    correlation = np.corrcoef(fields[:, 0, 9, 9], fields[:, 1, 9, 9])[0, 1]
    assert abs(correlation) < 0.07


def test_fields_are_float32_whole_multiples_of_a_256th_pixel():
    fields = displacement_fields(3, (24, 48), rng=rng())
    assert fields.dtype == np.float32
    assert fields.shape == (3, 2, 24, 48)
    assert (fields * 256 == np.rint(fields * 256)).all()


def test_fields_equal_those_of_whole_number_arithmetic():
    size = (24, 48)
    basis_y, basis_x = (
        np.rint(basis[0] * 4096).astype(np.int64) for basis in _bases(size, (47,), (6,))
    )
    noise = rng().standard_normal((5, 2, basis_y.shape[1], basis_x.shape[1]))
    exact = basis_y @ np.rint(noise * 256).astype(np.int64) @ basis_x.T  # in 2**-32 pixels
    # np.rint on exact quotients: no sum of these needs more than the 53 bits of a float64.
    expected = np.rint(exact / 2**24) / 256
    assert (displacement_fields(5, size, rng=rng()) == expected).all()


def test_fields_of_a_seed_are_the_same_on_every_machine():
    fields = displacement_fields(8, (32, 32), rng=rng(1))
    digest = hashlib.sha256((fields * 256).astype("<i4").tobytes()).hexdigest()
    assert digest == "28f88882c98ef406a07af3b6569d9afad235427e64b4f067c70706788fbb433a"


def test_n_fields_are_n_times_one_field():
    together = displacement_fields(70, (32, 32), rng=rng())
    generator = rng()
    apart = [displacement_fields(1, (32, 32), rng=generator)[0] for _ in range(70)]
    assert (together == apart).all()


def test_fields_of_a_larger_picture_are_larger_in_proportion():
    small = displacement_fields(20, (32, 32), rng=rng())
    large = displacement_fields(20, (96, 96), rng=rng())
    assert large.std() / small.std() == pytest.approx(3, rel=0.02)


def test_side_of_an_oblong_picture_is_the_root_of_its_area():
    square = _bases((32, 32), (47,), (6,))
    oblong = _bases((16, 64), (47,), (6,))
    for a, b in zip(square, oblong, strict=True):
        assert (a[0] ** 2).sum(axis=1).mean() == pytest.approx(
            (b[0] ** 2).sum(axis=1).mean(), rel=0.002
        )


def test_one_of_several_strengths_is_drawn_per_picture():
    fields = displacement_fields(100, (32, 32), alpha=(0, 47), sigma=(5, 6), rng=rng())
    still = ~fields.any(axis=(1, 2, 3))
    assert 30 < still.sum() < 70


def test_alpha_0_gives_fields_of_zeros():
    assert not displacement_fields(3, (32, 32), alpha=0, rng=rng()).any()


@pytest.mark.parametrize(
    ("alpha", "sigma"), [(47, 0), (47, -6), (47, 0.9), (47, 33), (-1, 6), (601, 6), (np.nan, 6)]
)
def test_impossible_strengths_are_refused(alpha, sigma):
    with pytest.raises(UsageError, match="Received"):
        displacement_fields(1, (32, 32), alpha, sigma, rng=rng())


# --- distort ---


@pytest.mark.parametrize(("n", "size"), [(3, (7, 9)), (2, (9, 7)), (9, (96, 96)), (70, (32, 32))])
def test_distort_equals_the_slow_loop(n, size):
    images = pictures(n, size)
    fields = displacement_fields(n, size, alpha=80, sigma=3, rng=rng())
    assert (distort(images, fields) == slow_distort(images, fields)).all()


def test_distort_equals_the_slow_loop_far_outside_the_picture():
    images = pictures(20, (6, 8))
    fields = rng().uniform(-12, 12, (20, 2, 6, 8)).astype(np.float32)
    fields[::2] = np.rint(fields[::2])  # whole pixels, the border's own positions among them
    assert (distort(images, fields) == slow_distort(images, fields)).all()


def test_distort_agrees_with_scipy_within_rounding():
    ndimage = pytest.importorskip("scipy.ndimage")
    images = pictures(4, (20, 30))
    fields = rng().uniform(-5, 5, (4, 2, 20, 30)).astype(np.float32)
    ours = distort(images, fields).astype(float)
    for image, field, distorted in zip(images, fields, ours, strict=True):
        positions = np.mgrid[:20, :30] + field
        # Paper around the image: scipy's own border cuts off the pixel between edge and outside.
        padded = np.pad(image.astype(float), 8)
        expected = ndimage.map_coordinates(padded, positions + 8, order=1)
        assert np.abs(distorted - expected).max() < 1.6  # 1/512 pixel of 255, and rounding


def test_fields_of_zeros_return_the_bytes():
    images = pictures(70, (32, 32))
    assert (distort(images, np.zeros((70, 2, 32, 32), np.float32)) == images).all()


def test_whole_displacements_shift_pixels():
    images = pictures(2, (8, 10))
    fields = np.zeros((2, 2, 8, 10), np.float32)
    fields[:, 0], fields[:, 1] = 2, -3
    shifted = distort(images, fields)
    assert (shifted[:, :6, 3:] == images[:, 2:, :7]).all()
    assert not shifted[:, 6:].any()
    assert not shifted[:, :, :3].any()


def test_paper_is_what_lies_outside():
    images = pictures(3, (8, 10))
    fields = rng().uniform(-12, 12, (3, 2, 8, 10)).astype(np.float32)
    paper = np.array([0, 40, 90], np.uint8)
    distorted = distort(images, fields, paper=paper)
    for i in range(3):
        part = slice(i, i + 1)
        assert (distorted[part] == slow_distort(images[part], fields[part], int(paper[i]))).all()


def test_paper_is_the_lower_quartile_of_the_border():
    images = np.full((2, 10, 10), 255, np.uint8)
    images[0, [0, -1]], images[0, :, [0, -1]] = 17, 17
    images[1, [0, -1]], images[1, 1:, [0]], images[1, 1:, [-1]] = 100, 9, 30
    assert paper_of(images).tolist() == [17, 30]


def test_paper_around_a_character_that_fills_the_border_is_clean():
    images = np.full((1, 10, 10), 0, np.uint8)
    images[0, [0, -1]], images[0, :, [0, -1]] = 200, 200
    assert paper_of(images).tolist() == [0]


def test_n_distorted_images_are_n_times_one():
    images, fields = pictures(70, (32, 32)), displacement_fields(70, (32, 32), rng=rng())
    together = distort(images, fields)
    for i in range(70):
        assert (distort(images[i : i + 1], fields[i : i + 1])[0] == together[i]).all()


def test_images_and_fields_are_not_modified():
    images, fields = pictures(2, (8, 8)), displacement_fields(2, (8, 8), rng=rng())
    images.flags.writeable = fields.flags.writeable = False
    distort(images, fields)


def test_no_images_give_no_images():
    fields = displacement_fields(0, (8, 9), rng=rng())
    assert distort(np.zeros((0, 8, 9), np.uint8), fields).shape == (0, 8, 9)


@pytest.mark.parametrize(
    ("images", "fields"),
    [
        (np.zeros((2, 8, 8), np.float32), np.zeros((2, 2, 8, 8), np.float32)),
        (np.zeros((8, 8), np.uint8), np.zeros((2, 8, 8), np.float32)),
        (np.zeros((2, 8, 8), np.uint8), np.zeros((1, 2, 8, 8), np.float32)),
        (np.zeros((2, 8, 9), np.uint8), np.zeros((2, 2, 9, 8), np.float32)),
    ],
)
def test_arrays_that_do_not_fit_are_refused(images, fields):
    with pytest.raises(ValueError, match="Received"):
        distort(images, fields)


# --- affine_fields ---


def blank(n, size=(32, 32)):
    return np.zeros((n, *size), np.uint8)


def slopes(fields):
    """Return d(dy)/dy, d(dy)/dx, d(dx)/dy, d(dx)/dx of affine fields, each `(n,)`."""
    height, width = fields.shape[2:]
    down = (fields[:, :, -1, 0] - fields[:, :, 0, 0]) / (height - 1)
    across = (fields[:, :, 0, -1] - fields[:, :, 0, 0]) / (width - 1)
    return down[:, 0], across[:, 0], down[:, 1], across[:, 1]


def test_no_angle_and_no_scaling_move_nothing():
    fields = affine_fields(pictures(5, (24, 32)), angle=0, scaling=(0, 0), rng=rng())
    assert not fields.any()


def test_affine_fields_turn_or_shear_within_the_angle():
    fields = affine_fields(blank(400), angle=15, scaling=(0, 0), rng=rng())
    _, up, slant, _ = slopes(fields)
    is_shear = abs(up) < 1e-3
    assert 150 < is_shear.sum() < 250
    sheared = np.rad2deg(np.arctan(slant[is_shear]))
    turned = np.rad2deg(np.arcsin(up[~is_shear]))
    for angles in (sheared, turned):
        assert 14 < angles.max() < 15.05
        assert -15.05 < angles.min() < -14


def test_affine_fields_scale_height_and_width_within_the_share():
    fields = affine_fields(blank(400), angle=0, scaling=(0.15, 0.20), rng=rng())
    tall, up, slant, wide = slopes(fields)
    assert not up.any()
    assert not slant.any()
    for change in (tall, wide):
        scales = 1 / (1 + change)
        assert 0.799 < scales.min() < 0.82
        assert 1.18 < scales.max() < 1.201
    assert abs(np.corrcoef(tall, wide)[0, 1]) < 0.15


def test_angle_may_differ_from_picture_to_picture():
    angles = np.repeat([0.0, 15.0], 50)
    fields = affine_fields(blank(100), angle=angles, scaling=(0, 0), rng=rng())
    assert not fields[:50].any()
    assert fields[50:].any()


@pytest.mark.parametrize("size", [(32, 32), (24, 48)])
def test_affine_fields_keep_all_ink_inside(size):
    # A character up to the edges, and a small one in a corner.
    images = blank(200, size)
    images[::2, [0, -1], 1:-1] = 200
    images[::2, 1:-1, [0, -1]] = 200
    images[1::2, :5, -9:] = 200
    fields = affine_fields(images, angle=15, scaling=(0.15, 0.20), rng=rng())
    height, width = size
    for image, field in zip(images, fields, strict=True):
        dy_dy, dy_dx, dx_dy, dx_dx = (s[0] for s in slopes(field[None]))
        # Where each pixel of ink goes: the inverse of the affine map that the field is.
        back = np.array([[1 + dy_dy, dy_dx], [dx_dy, 1 + dx_dx]])
        moved = np.linalg.solve(back, np.argwhere(image).T - field[:, 0, 0][:, None])
        assert moved.min() > -0.3
        assert moved[0].max() < height - 0.7
        assert moved[1].max() < width - 0.7


def test_with_shift_fields_turn_shear_scale_and_move_the_centre():
    size = (48, 48)
    fields = affine_fields(blank(500, size), angle=10, scaling=(0.12, 0.12), shift=1.5, rng=rng())
    dy_dy, dy_dx, dx_dy, dx_dx = slopes(fields)
    tall, wide = (np.hypot(*column) for column in ((1 + dy_dy, dx_dy), (dy_dx, 1 + dx_dx)))
    turn = np.arcsin(-dy_dx / wide)
    slant = np.arcsin(np.cos(turn) * dx_dy / tall - np.sin(turn) * (1 + dy_dy) / tall)
    centre = fields[:, :, [23, 24], [23, 24]].mean(axis=2).T  # 1.5 pixels of 32 are 2.25 of 48
    for values, most in [(turn, np.deg2rad(10)), (slant, np.deg2rad(10)), (1 / wide, None),
                         (centre[0], 2.25), (centre[1], 2.25)]:  # fmt: skip
        low, high = (-most, most) if most else (0.88, 1.12)
        width = high - low
        assert low - 0.01 < values.min() < low + 0.03 * width
        assert high - 0.03 * width < values.max() < high + 0.01


def test_a_shift_alone_moves_all_pixels_alike():
    fields = affine_fields(blank(20), angle=0, scaling=(0, 0), shift=1.5, rng=rng())
    assert (fields == fields[:, :, :1, :1]).all()
    assert fields[:, :, 0, 0].std() > 0.5


# --- blocks and presets ---


@pytest.mark.parametrize("preset", list(PRESETS))
def test_a_block_depends_on_its_key_alone(preset):
    images, angles = pictures(6, (20, 24)), np.full(6, 15.0)

    def block(*key):
        return distort_block(images, PRESETS[preset], angles, key).tobytes()

    assert block(1, 2, 3) == block(1, 2, 3)
    assert len({block(1, 2, 3), block(1, 3, 2), block(2, 1, 3), block(1, 2, 4)}) == 4


def test_alpha_0_returns_the_bytes_of_a_block():
    images = pictures(6, (20, 24))
    still = Preset((0.0,), (6.0,))
    assert (distort_block(images, still, np.zeros(6), (1, 0, 0)) == images).all()


@pytest.mark.parametrize("name", ["ciresan", "affine"])
def test_a_block_equals_fields_drawn_then_applied(name):
    images, preset = pictures(150, (20, 24)), PRESETS[name]
    generator = rng([1, 2, 3])
    fields = displacement_fields(150, (20, 24), preset.alpha, preset.sigma, rng=generator)
    fields += affine_fields(
        images, angle=preset.angle, scaling=preset.scaling, shift=preset.shift, rng=generator
    )
    expected = distort(images, fields, paper=paper_of(images))
    block = distort_block(images, preset, np.full(150, preset.angle), (1, 2, 3))
    assert (block == expected).all()


def test_presets_are_in_pixels_of_a_32_pixel_picture():
    simard, ciresan = PRESETS["simard"], PRESETS["ciresan"]
    assert simard.alpha == (41.4,)
    assert simard.sigma == (4.41,)
    assert ciresan.alpha == (43.83, 45.05, 46.27)
    assert ciresan.sigma == (5.52, 6.07, 6.62)
    # What they do to a picture of 29 pixels is what was published for one.
    fields = displacement_fields(500, (29, 29), simard.alpha, simard.sigma, rng=rng())
    assert fields.std() == pytest.approx(34 / np.sqrt(3) / (2 * 4 * np.sqrt(np.pi)), rel=0.02)


def test_block_length_depends_on_the_size_alone():
    lengths = [block_length(size) for size in ((32, 32), (96, 96), (1024, 1024))]
    assert lengths == [2048, 227, 2]
