import hashlib
import os
import shutil

import numpy as np
import pytest
from conftest import run_script
from PIL import Image

import draw_samples
from glyphs import fonts
from glyphs.artifacts.saving import write_model
from glyphs.characters import class_name_of
from glyphs.errors import StorageError
from glyphs.images.preprocessing import Preprocessing
from glyphs.networks import catalogue


def digest(folder):
    sums = [hashlib.sha256(path.read_bytes()).digest() for path in sorted(folder.glob("*/*.png"))]
    return hashlib.sha256(b"".join(sums)).hexdigest()


def test_default_characters_are_the_100_from_b0a1_to_b1a6():
    assert len(draw_samples.KANJI) == 100
    assert (draw_samples.KANJI[0], draw_samples.KANJI[-1]) == ("亜", "右")
    names = [class_name_of(character, "euc-jp") for character in draw_samples.KANJI]
    assert (names[0], names[93], names[94], names[99]) == ("B0A1", "B0FE", "B1A1", "B1A6")


def test_same_seed_same_pictures_with_any_number_of_workers(tmp_path):
    for name, seed, workers in (("a", 1, 1), ("b", 1, 2), ("c", 2, 1)):
        run_script(
            "draw_samples.py", name, "--characters", "一二", "--count", 3, "--seed", seed,
            "--workers", workers, cwd=tmp_path,
        )  # fmt: skip
    assert digest(tmp_path / "a") == digest(tmp_path / "b") != digest(tmp_path / "c")
    assert sorted(os.listdir(tmp_path)) == ["a", "b", "c"]


def test_pictures_are_dark_on_light_and_differ(tmp_path):
    run_script("draw_samples.py", "s", "--characters", "亜 あ亜", "--count", 4, cwd=tmp_path)
    assert sorted(os.listdir(tmp_path / "s")) == ["A4A2", "B0A1"]
    pictures = [np.asarray(Image.open(path)) for path in sorted(tmp_path.glob("s/B0A1/*.png"))]
    assert len({picture.tobytes() for picture in pictures}) == 4
    for picture in pictures:
        assert max(picture.shape) >= 64
        assert np.median(picture) > 180
        assert picture.min() < 140


def test_character_without_a_code_is_named_by_code_point(tmp_path):
    run_script(
        "draw_samples.py", "s", "--characters", "Aα", "--count", 1, "--label-encoding", "unicode",
        cwd=tmp_path,
    )  # fmt: skip
    assert sorted(os.listdir(tmp_path / "s")) == ["U+0041", "U+03B1"]


def test_sets_files_and_text_are_drawn_together_each_character_once(tmp_path):
    (tmp_path / "more.txt").write_text("U+4E00 9")
    run = run_script(
        "draw_samples.py", "s", "--characters", "9", "--classes", "digits", "more.txt",
        "--count", 2, "--label-encoding", "unicode", cwd=tmp_path,
    )  # fmt: skip
    assert sorted(os.listdir(tmp_path / "s")) == [f"U+003{n}" for n in range(10)] + ["U+4E00"]
    assert run.stdout == "s: 22 pictures of 11 characters\n"


def test_strokes_and_fonts_are_told_and_what_only_one_of_them_has(tmp_path):
    (tmp_path / "strokes").mkdir()
    (tmp_path / "strokes" / "04e00.svg").write_text('<path d="M0,0c9,1 50,1 80,0"/>')
    font = fonts.bundled_font()
    run = run_script(
        "draw_samples.py", "s", "--characters", "一二", "--strokes", "strokes", "--font", font,
        "--count", 2, cwd=tmp_path,
    )  # fmt: skip
    assert run.stdout.splitlines() == [
        "s: 4 pictures of 2 characters",
        "       1 characters from strokes",
        f"       2 characters from {font}",
        "       1 from one source alone: 二",
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--strokes", "missing"], "missing: cannot be read as stroke data"),
        (["--classes", "kanji"], "kanji: no such file, and no such set; sets are hiragana"),
        (["--check", "missing"], "missing_architecture.json: no such file"),
        (["--characters", "亜\U0002f9ff"], "has no glyph for"),
        (["--characters", " "], "--characters is empty"),
        (["--font", "missing.ttf"], "missing.ttf: no such font"),
        (["--count", "0"], "at least 1"),
    ],
)
def test_mistakes_are_named_and_leave_nothing(tmp_path, options, message):
    code = 3 if "--check" in options else 2
    run = run_script("draw_samples.py", "s", *options, cwd=tmp_path, expect=code)
    assert message in run.stderr
    assert os.listdir(tmp_path) == []


@pytest.fixture(scope="module")
def checker(tmp_path_factory):
    """The prefix of a model that knows 一 and 二."""
    prefix = str(tmp_path_factory.mktemp("checker") / "model")
    facts = {
        "class_names": ["一", "二"],
        "characters": ["一", "二"],
        "preprocessing": Preprocessing.usual((28, 28)).to_json(),
    }
    write_model(prefix, catalogue.build("kmnist", (28, 28), 2), facts)
    return prefix


def test_characters_that_the_check_does_not_know_are_said(tmp_path, checker):
    command = ("draw_samples.py", "s", "--count", 1, "--check", checker, "--characters")
    run = run_script(*command, "一亜二唖", cwd=tmp_path)
    assert run.stderr == (
        f"warning: --check: {checker} does not know 2 of 4 characters, which are not checked: "
        "亜 唖\n"
    )
    shutil.rmtree(tmp_path / "s")
    assert run_script(*command, "一二", cwd=tmp_path).stderr == ""


def test_a_check_that_knows_no_character_is_an_error(tmp_path, checker):
    command = ("draw_samples.py", "s", "--count", 1, "--check", checker, "--characters", "亜唖")
    run = run_script(*command, cwd=tmp_path, expect=2)
    assert f"--check: {checker} knows none of the 2 characters" in run.stderr
    assert os.listdir(tmp_path) == []


def test_existing_folder_is_never_touched(tmp_path):
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "mine").touch()
    run = run_script("draw_samples.py", "s", cwd=tmp_path, expect=2)
    assert "exists already" in run.stderr
    assert os.listdir(tmp_path / "s") == ["mine"]


def test_a_slash_at_the_end_is_no_other_folder(tmp_path):
    run_script("draw_samples.py", "s/", "--characters", "一", "--count", 1, cwd=tmp_path)
    assert os.listdir(tmp_path) == ["s"]


def test_a_file_above_the_folder_is_a_mistake(tmp_path):
    (tmp_path / "file").touch()
    run = run_script("draw_samples.py", "file/s", cwd=tmp_path, expect=4)
    assert run.stderr == "error: file/s: the folder above it does not exist\n"


def test_what_was_drawn_is_kept_where_its_name_is_taken_meanwhile(tmp_path, monkeypatch):
    def draw_class(character, folder, *_):
        os.makedirs(folder)
        (tmp_path / "s" / "mine").mkdir(parents=True)
        return [], []

    monkeypatch.setattr(draw_samples, "draw_class", draw_class)
    with pytest.raises(StorageError, match=r"s: is in the way now; all lies in .*s\.tmp"):
        draw_samples.main([str(tmp_path / "s"), "--characters", "一", "--workers", "1"])
    assert os.listdir(tmp_path / "s.tmp") == [class_name_of("一", "euc-jp")]


def test_codes_are_characters_of_the_table_that_names_the_folders(tmp_path):
    (tmp_path / "codes").write_text("B0A1 B0A2")
    options = ["--classes", "codes", "--count", 1]
    run_script("draw_samples.py", "s", *options, cwd=tmp_path)
    assert sorted(os.listdir(tmp_path / "s")) == ["B0A1", "B0A2"]
    run = run_script(
        "draw_samples.py", "t", *options, "--label-encoding", "unicode", cwd=tmp_path, expect=2
    )
    assert run.stderr == ("error: codes: B0A1 is a code; say of what table with --label-encoding\n")


def test_remains_of_a_killed_run_are_replaced_but_nothing_else(tmp_path):
    (tmp_path / "s.tmp").mkdir()
    (tmp_path / "s.tmp" / draw_samples.MARK).touch()
    run_script("draw_samples.py", "s", "--characters", "一", "--count", 1, cwd=tmp_path)
    assert os.listdir(tmp_path) == ["s"]
    (tmp_path / "t.tmp").mkdir()
    run = run_script("draw_samples.py", "t", cwd=tmp_path, expect=2)
    assert "t.tmp: is in the way" in run.stderr
