"""Plain PNG files take a shorter way, and become what `Image.open` makes of them."""

import io
import random
import zipfile

import kinds
import pytest
from conftest import DATA
from mutants import damaged, join, split
from PIL import Image

from glyphs.errors import PictureError
from glyphs.images import decode
from glyphs.images.plain_png import decode_plain_png

PLAIN = [f"PNG, type {colour}, {bits} bits" for colour, bits in ((0, 1), (0, 4), (0, 8), (2, 8))]
OTHERS = [name for name in kinds.PICTURES if name not in PLAIN]


def outcome(data):
    try:
        grey = decode.decode_picture(data, "a")
    except PictureError as error:
        return str(error)
    return grey.mode, grey.size, grey.info, grey.tobytes()


def check(wholes, monkeypatch):
    """Check that pictures become the same, or are refused for the same, without the short way."""
    found = [outcome(data) for data in wholes]
    with monkeypatch.context() as patch:
        patch.setattr(decode, "decode_plain_png", lambda data: None)
        for data, expected in zip(wholes, found, strict=True):
            assert outcome(data) == expected
    return found


@pytest.mark.parametrize("kind", PLAIN)
def test_plain_files_are_decoded_to_the_same_pixels(kind):
    data = kinds.PICTURES[kind]()
    picture = decode_plain_png(data)
    with Image.open(io.BytesIO(data)) as expected:
        assert (picture.mode, picture.size) == (expected.mode, expected.size)
        assert picture.tobytes() == expected.tobytes()


@pytest.mark.parametrize("kind", OTHERS)
def test_all_other_files_are_left_to_pillow(kind):
    assert decode_plain_png(kinds.PICTURES[kind]()) is None


@pytest.mark.filterwarnings("ignore")  # as console.run does
@pytest.mark.parametrize("kind", PLAIN)
def test_damaged_files_have_the_same_outcome(kind, monkeypatch):
    whole, rng = kinds.PICTURES[kind](), random.Random(kind)
    found = check([damaged(whole, rng) for _ in range(400)], monkeypatch)
    assert 20 < sum(isinstance(each, str) for each in found) < 400


@pytest.mark.parametrize("kind", PLAIN)
def test_data_in_several_chunks_and_remarks_about_pixels_are_plain(kind):
    whole = kinds.PICTURES[kind]()
    chunks = []
    for name, data in split(whole):
        parts = [data[:50], data[50:51], data[51:]] if name == b"IDAT" else [data]
        chunks += [(name, part) for part in parts]
    chunks[1:1] = [(b"pHYs", bytes(9)), (b"tIME", bytes(7))]
    picture = decode_plain_png(join(chunks))
    assert picture.tobytes() == decode_plain_png(whole).tobytes()
    assert decode_plain_png(join([*chunks[:1], (b"eXIf", bytes(9)), *chunks[1:]])) is None
    assert decode_plain_png(join([*chunks[:1], (b"pHYs", bytes(8)), *chunks[1:]])) is None


@pytest.mark.skipif(not (DATA / "pngsuite").exists(), reason="the real data are not here")
def test_pngsuite_has_the_same_outcome(monkeypatch):
    paths = sorted((DATA / "pngsuite").glob("*.png"))
    check([path.read_bytes() for path in paths], monkeypatch)


@pytest.mark.skipif(not (DATA / "omniglot_small1.zip").exists(), reason="the data are not here")
def test_omniglot_is_plain_and_has_the_same_pixels(monkeypatch):
    with zipfile.ZipFile(DATA / "omniglot_small1.zip") as archive:
        wholes = [archive.read(name) for name in archive.namelist() if name.endswith(".png")]
    assert all(decode_plain_png(data) is not None for data in wholes)
    check(wholes, monkeypatch)
