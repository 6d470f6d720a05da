"""Strokes, hands, pens and fonts, each by itself; the script is tested in test_draw_samples.py."""

import gzip
import io
import json
import random
import tarfile
import zipfile

import kinds
import numpy as np
import pytest
from mutants import change_bytes, cut
from PIL import Image, ImageDraw

from glyphs import fonts
from glyphs.drawing import character, hand, paper, pen
from glyphs.drawing.material import Checker, Material
from glyphs.drawing.strokes import Strokes, path_points
from glyphs.drawing.typeface import Typeface, distorted
from glyphs.errors import UsageError

CROSS = [np.array([[0, 0.5], [1, 0.5]]), np.array([[0.5, 0], [0.5, 1]])]
SVG = '<svg><path id="a" d="M10,10c5,0 10,5 10,10"/><path id="b" d="M10,30L40,30"/></svg>'
MEDIANS = {"strokes": [], "medians": [[[0, 900], [1000, 900]], [[500, 900], [500, -100]]]}


def write_kanjivg(folder):
    folder.mkdir()
    (folder / "04e00.svg").write_text(SVG)
    (folder / "README.md").write_text("not strokes")
    return folder


def writers(n, **traits):
    """Return writers that are all alike: careful, upright, steady, unless said otherwise."""
    usual = {
        "speed": 0, "slant": 0, "rise": 0, "aspect": 1, "unsteadiness": 0, "width": 0.05,
        "pressure": 0,
    }  # fmt: skip
    return hand.Writers(**{k: np.full(n, float(v)) for k, v in (usual | traits).items()})


# Strokes.


def test_kanjivg_is_read_from_a_folder_and_from_an_archive(tmp_path):
    folder = write_kanjivg(tmp_path / "kanji")
    archive = tmp_path / "kanjivg.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.write(folder / "04e00.svg", "kanjivg/kanji/04e00.svg")
    for path in (folder, archive):
        strokes = Strokes(str(path))
        assert strokes.characters == {"一"}
        first, second = strokes.of("一")
        assert len(first) == 9  # the start, and 8 points of the curve
        assert np.ptp(np.concatenate([first, second])[:, 0]) == pytest.approx(1)
        assert second[0, 1] > first[-1, 1]  # y goes down
        assert strokes.of("二") == []


def test_medians_of_hanzi_writer_are_turned_upside_down(tmp_path):
    path = tmp_path / "data.tgz"
    with tarfile.open(path, "w:gz") as archive:
        member = tarfile.TarInfo("package/十.json")
        data = json.dumps(MEDIANS).encode()
        member.size = len(data)
        archive.addfile(member, io.BytesIO(data))
    across, down = Strokes(str(path)).of("十")
    np.testing.assert_allclose(across, [[0, 0], [1, 0]])
    np.testing.assert_allclose(down, [[0.5, 0], [0.5, 1]])


def test_paths_are_followed_through_curves_that_go_on_smoothly():
    points = path_points("M0,0C0,1 1,2 2,2s2,0 2-1l1 1")
    np.testing.assert_allclose(points[[8, 16, 17]], [[2, 2], [4, 1], [5, 2]])
    # At the joint the second curve leaves as the first arrives.
    before, after = points[8] - points[7], points[9] - points[8]
    assert before @ after / np.hypot(*before) / np.hypot(*after) > 0.97


@pytest.mark.parametrize("path", ["M0,0A1,1 0 0 1 2,2", "M0,0C1,1", "3,4", "M0"])
def test_paths_that_are_not_understood_are_refused(path):
    with pytest.raises(ValueError, match="path"):
        path_points(path)


@pytest.mark.parametrize("content", ["", "<svg/>", '<path d="Q1,2"/>', '<path d="M1,2,3"/>'])
def test_a_damaged_character_is_named(tmp_path, content):
    folder = write_kanjivg(tmp_path / "kanji")
    (folder / "04e8c.svg").write_text(content)
    with pytest.raises(UsageError, match=r"04e8c\.svg is damaged"):
        Strokes(str(folder)).of("二")


def test_what_holds_no_strokes_is_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "text").write_text("no archive")
    mistakes = {"empty": "no strokes", "text": "not a folder, a zip", "x": "no such"}
    for name, message in mistakes.items():
        with pytest.raises(UsageError, match=message):
            Strokes(str(tmp_path / name))


@pytest.mark.parametrize("kind", ["zip", "stored zip", "tgz"])
def test_a_damaged_archive_is_read_or_refused(kind, tmp_path):
    files = {f"{c}.json": json.dumps(MEDIANS).encode() for c in "一二十"}
    if kind == "tgz":
        whole = gzip.compress(kinds.tarred(files), mtime=0)
    else:
        whole = kinds.zipped(files, zipfile.ZIP_DEFLATED if kind == "zip" else zipfile.ZIP_STORED)
    refused = []
    rng = random.Random(kind)
    for _ in range(300):
        (tmp_path / "data").write_bytes(rng.choice((change_bytes, cut))(whole, rng))
        try:
            strokes = Strokes(str(tmp_path / "data"))
            for character in "一二十":
                strokes.of(character)
        except UsageError as error:
            refused.append(str(error))
    assert len(refused) > 50
    assert not [message for message in refused if "\n" in message]


# Hands.


def test_a_steady_careful_hand_writes_the_strokes_as_they_are():
    trajectories = hand.write(CROSS, writers(2), np.random.default_rng(1))
    down = trajectories.pressure[0] == 1
    points = trajectories.points[0]
    across, upright = np.split(points[down], 2)
    np.testing.assert_allclose(across[:, 1], 0, atol=1e-9)
    np.testing.assert_allclose(upright[[0, -1]], [[0, -0.5], [0, 0.5]], atol=1e-9)
    np.testing.assert_array_equal(points, trajectories.points[1])
    assert not trajectories.pressure[0][~down].any()  # the pen is up between strokes


def test_first_pictures_stay_the_same_when_more_are_drawn():
    few, many = (hand.Writers.drawn(n, np.random.default_rng(1)) for n in (3, 50))
    np.testing.assert_array_equal(few.slant, many.slant[:3])
    few, many = (hand.write(CROSS, w, np.random.default_rng(2)) for w in (few, many))
    np.testing.assert_allclose(few.points, many.points[:3])
    np.testing.assert_array_equal(few.pressure, many.pressure[:3])


def test_slant_rise_and_aspect_change_the_shape_as_they_say():
    rng = np.random.default_rng(1)
    slanted = hand.write(CROSS, writers(1, slant=0.2), rng).points[0]
    assert slanted[-1, 0] - slanted[-4, 0] < 0  # further down is further left
    risen = hand.write(CROSS, writers(1, rise=-0.2), rng).points[0]
    assert risen[0, 1] > 0 > risen[12, 1]  # up to the right
    narrow = hand.write(CROSS, writers(1, aspect=0.25), rng).points[0]
    assert np.ptp(narrow[:, 0]) == pytest.approx(np.ptp(narrow[:, 1]) / 4)


def test_only_fast_hands_join_strokes_and_round_corners():
    corner = [np.array([[0, 0], [1, 0], [1, 1]]), np.array([[0.9, 0.9], [0, 1]])]
    careful = hand.write(corner, writers(200), np.random.default_rng(1))
    fast = hand.write(corner, writers(200, speed=1), np.random.default_rng(1))
    assert set(np.unique(careful.pressure)) == {0, 1}
    dragged = (fast.pressure > 0) & (fast.pressure < 1)
    assert 0.3 < dragged.any(axis=1).mean() <= 1

    def sharpest(points):
        steps = np.diff(points, axis=0)
        cosines = (steps[1:] * steps[:-1]).sum(1)
        return (cosines / np.hypot(*steps[1:].T) / np.hypot(*steps[:-1].T)).min()

    first = slice(0, 12)
    assert sharpest(careful.points[0, first]) < 0.8 < sharpest(fast.points[0, first])


def test_a_dot_is_written():
    trajectories = hand.write([np.array([[0.5, 0.5]])], writers(1), np.random.default_rng(1))
    ink = pen.ink(trajectories.points[0], trajectories.pressure[0], 0.05, 0.5)
    assert ink.getbbox()


# Pens and paper.


def test_pen_is_as_wide_as_said_and_lifts():
    points = np.stack([np.linspace(0, 1, 11), np.zeros(11)], 1)
    pressure = np.where(np.arange(11) == 5, 0, 1.0)
    ink = np.asarray(pen.ink(points, pressure, 0.1, 0.0))
    columns = np.flatnonzero(ink.any(0))
    assert (ink[:, columns[20]] > 0).sum() == pytest.approx(0.1 * pen.SIDE, abs=2)
    assert (np.diff(columns) > 1).sum() == 1  # where the pen was up


def test_paper_is_light_with_dark_ink_and_a_margin():
    ink = Image.new("L", (30, 90))
    ImageDraw.Draw(ink).line((15, 5, 15, 85), fill=255, width=6)
    picture = np.asarray(paper.on_paper(ink, np.random.default_rng(1), np.random.default_rng(2)))
    assert picture.shape[0] > paper.SIDE
    assert np.median(picture[:2]) > 215
    assert picture.min() < 150


# Fonts.


def test_a_font_says_what_it_lacks():
    font = Typeface(fonts.bundled_font())
    assert font.glyph("亜").getbbox()
    assert font.glyph("\U0002f9ff") is None
    assert font.glyph(" ") is None
    with pytest.raises(UsageError, match="no such font"):
        Typeface("missing.ttf")


def test_a_distorted_glyph_keeps_its_ink():
    glyph = Typeface(fonts.bundled_font()).glyph("鬱")
    for seed in range(30):
        picture = distorted(glyph, 0.1, -0.2, 0.8, 1.2, np.random.default_rng(seed))
        share = np.asarray(picture).mean() / np.asarray(glyph).mean()
        assert picture.getbbox()
        assert share > 0.15


# All together.


def test_half_of_the_pictures_are_of_strokes_and_half_of_fonts():
    filled = Image.new("L", (80, 80), 255)
    pictures = list(character.draw("十", [CROSS], [filled], 10, seed=1))
    dark = [np.mean(np.asarray(picture) < 190) > 0.4 for picture in pictures]
    assert dark == [False, True] * 5
    again = list(character.draw("十", [CROSS], [filled], 4, seed=1))
    assert [p.tobytes() for p in again] == [p.tobytes() for p in pictures[:4]]


class Reader:
    """Stands for a Classifier that knows bars, and reads whatever is higher than wide as one."""

    characters = ("|", "-")

    def __init__(self, preprocessing):
        self.preprocessing = preprocessing

    def probabilities(self, images):
        rows = (images > 127).any(2).sum(1)
        columns = (images > 127).any(1).sum(1)
        return np.stack([rows > columns, rows <= columns], 1).astype(np.float32)


def test_a_font_that_draws_another_character_is_left_out_by_the_check(monkeypatch):
    from glyphs.drawing import material
    from glyphs.images.preprocessing import Preprocessing

    monkeypatch.setattr(material, "BEST", 1)
    upright, flat = Image.new("L", (10, 80), 255), Image.new("L", (80, 10), 255)
    checker = Checker.__new__(Checker)
    checker._classifier = Reader(Preprocessing.usual((32, 32)))
    checker.known = {"|", "-"}
    glyphs = {"right.ttf": upright, "wrong.ttf": flat}
    assert checker.readable("|", glyphs) == {"right.ttf": upright}
    assert checker.readable("x", glyphs) == glyphs  # the model does not know it


def test_material_says_what_no_source_has(tmp_path):
    folder = write_kanjivg(tmp_path / "kanji")
    material = Material((str(folder),), (fonts.bundled_font(),))
    assert not material.lacks("一")
    assert material.lacks("\U0002f9ff")
    ways, glyphs, refused = material.of("一")
    assert list(ways) == [str(folder)]
    assert list(glyphs) == [fonts.bundled_font()]
    assert refused == []
