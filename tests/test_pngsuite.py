"""PngSuite: what its names promise, by a decoder of the test's own that knows no Pillow."""

import struct
import zlib

import numpy as np
import pytest
from conftest import DATA, run_script

from glyphs.dataset.open import open_dataset
from glyphs.errors import PictureError
from glyphs.images.decode import read_picture
from glyphs.images.preprocessing import read_image

SUITE = DATA / "pngsuite"
pytestmark = pytest.mark.skipif(not SUITE.exists(), reason="the real data are not here")
FORGIVEN = {"xcsn0g01.png"}  # a wrong checksum, which decoders may forgive
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by colour type
VALID = [
    path
    for path in sorted(SUITE.glob("*.png"))
    if not path.name.startswith("x") or path.name in FORGIVEN
]
# NAME = feature, i or n (interlaced or not), colour type, letter, bit depth.
INTERLACED = [path for path in VALID if path.stem[3:4] == "i" and path.stem != "PngSuite"]
PLAIN = [path for path in VALID if path not in INTERLACED]


def chunks_of(data):
    place, chunks = 8, {}
    while place < len(data):
        length, name = struct.unpack(">I4s", data[place : place + 8])
        chunks[name] = chunks.get(name, b"") + data[place + 8 : place + 8 + length]
        place += length + 12
    return chunks


def unfilter(raw, height, stride, step):
    """Undo the filters of a PNG's lines; return uint8 `(height, stride)`."""
    lines = np.zeros((height + 1, stride + step), np.int64)
    for row in range(height):
        line = raw[row * (stride + 1) : (row + 1) * (stride + 1)]
        for i in range(stride):
            left, up = lines[row + 1, i], lines[row, i + step]
            corner = lines[row, i]
            nearest = min((left, up, corner), key=lambda value: abs(left + up - corner - value))
            guess = (0, left, up, (left + up) // 2, nearest)[line[0]]
            lines[row + 1, i + step] = (line[1 + i] + guess) % 256
    return lines[1:, step:].astype(np.uint8)


def decode(path):
    """Return the grey values on white paper, float `(height, width)`, 0..255."""
    chunks = chunks_of(path.read_bytes())
    width, height, depth, kind, _, _, interlaced = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
    assert not interlaced
    bits = depth * CHANNELS[kind]
    raw = zlib.decompress(chunks[b"IDAT"])
    lines = unfilter(raw, height, (width * bits + 7) // 8, max(1, bits // 8))
    if depth == 16:
        samples = lines.view(">u2").astype(np.int64)
    else:
        ones = np.unpackbits(lines, axis=1).reshape(height, -1, depth)
        samples = ones @ (1 << np.arange(depth)[::-1])
    samples = samples[:, : width * CHANNELS[kind]].reshape(height, width, -1)
    full = 2**depth - 1
    transparent = chunks.get(b"tRNS")
    alpha = np.ones((height, width))
    if kind == 3:
        palette = np.frombuffer(chunks[b"PLTE"], np.uint8).reshape(-1, 3)
        if transparent is not None:
            opacity = np.full(len(palette), 255)
            opacity[: len(transparent)] = np.frombuffer(transparent, np.uint8)
            alpha = opacity[samples[..., 0]] / 255
        colours = palette[samples[..., 0]] / 255
    else:
        n_colours = 3 if kind in (2, 6) else 1
        colours = samples[..., :n_colours] / full
        if kind in (4, 6):
            alpha = samples[..., -1] / full
        elif transparent is not None:
            key = np.frombuffer(transparent, ">u2")
            alpha = 1.0 - (samples == key).all(axis=2)
    grey = colours @ [0.299, 0.587, 0.114] if colours.shape[2] == 3 else colours[..., 0]
    return 255 * (grey * alpha + 1 - alpha)


@pytest.mark.parametrize("path", PLAIN, ids=lambda path: path.stem)
def test_a_valid_picture_has_the_grey_values_of_its_definition(path):
    found = np.asarray(read_picture(path)).astype(float)
    np.testing.assert_allclose(found, decode(path), atol=1.6)  # three roundings


@pytest.mark.parametrize("path", INTERLACED, ids=lambda path: path.stem)
def test_an_interlaced_picture_equals_the_other_one(path):
    # bga: with a background colour, which is not used, or else the same as bas.
    other = path.with_name(path.name[:3].replace("bga", "bas") + "n" + path.name[4:])
    np.testing.assert_array_equal(read_picture(path), read_picture(other))


def test_all_pictures_in_class_folders_become_a_dataset_and_broken_ones_are_named(tmp_path):
    broken = sorted(set(SUITE.glob("*.png")) - set(VALID))
    for i, path in enumerate(sorted(SUITE.glob("*.png"))):
        folder = tmp_path / "suite" / f"class{i % 2}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / path.name).write_bytes(path.read_bytes())
    arguments = ("--split", 100, 0, 0, "--polarity", "dark-on-light", "--crop", "none")
    run = run_script("create_dataset.py", tmp_path / "suite", *arguments, cwd=tmp_path)
    assert f"{len(VALID)} pictures of 2 classes" in run.stdout
    assert f"skipped: {len(broken)} unreadable" in run.stdout
    for path in broken:
        assert f"/{path.name}: " in run.stderr
        with pytest.raises(PictureError):
            read_picture(path)
    dataset = open_dataset(tmp_path / "characters_dataset")
    names = sorted(SUITE.glob("*.png"))
    expected = {
        read_image(str(path), dataset.preprocessing).tobytes() for path in names if path in VALID
    }
    assert {image.tobytes() for image in dataset.X_train} == expected
