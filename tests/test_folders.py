import os
import unicodedata

import pytest
from conftest import index_of, make_folder

from glyphs.errors import UsageError
from glyphs.sources import folders


def touch(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_classes_are_in_code_point_order_and_files_in_natural_order(tmp_path):
    touch(tmp_path, "b/10.png", "b/2.png", "B/1.png", "亜/1.png", "あ/1.png")
    index = index_of(tmp_path)
    assert index.class_names == ["B", "b", "あ", "亜"]
    assert [os.path.basename(path) for path in index.samples.paths] == [
        "1.png",
        "2.png",
        "10.png",
    ] + 2 * ["1.png"]
    assert index.labels == [0, 1, 1, 2, 3]


def test_hidden_and_stray_files_are_counted_not_read(tmp_path):
    touch(tmp_path, "a/1.png", "a/.DS_Store", "a/Thumbs.db", "b/1.JPG", ".git/x", "notes.txt")
    touch(tmp_path, "2.png", "b/2.png", "b/old/1.png")
    index = index_of(tmp_path)
    assert len(index.samples.paths) == 3
    assert index.skipped == {
        "hidden": 2,
        "not a picture by its name": 2,
        "outside the class folders": 1,
        "in a folder inside a class folder": 1,
    }
    assert index.notes == ["b: 1 pictures in a folder inside a class folder are passed over"]


def test_nested_folders_are_classes_named_by_their_path(tmp_path):
    touch(tmp_path, "all/Greek/beta/1.png", "all/Greek/alpha/1.png", "all/Latin/a/1.png")
    touch(tmp_path, "all/Latin/chart.png", "all/Latin/a/2.png")
    index = index_of(tmp_path)
    assert index.class_names == ["Greek/alpha", "Greek/beta", "Latin/a"]
    assert index.labels == [0, 1, 2, 2]
    assert index.notes == ["all/Latin: 1 pictures outside the class folders are passed over"]


def test_a_folder_around_the_splits_is_passed_by(tmp_path):
    touch(tmp_path, "data/train/a/1.png", "data/train/b/1.png", "data/test/a/1.png")
    index = index_of(tmp_path)
    assert index.class_names == ["a", "b"]
    assert index.splits == [0, 2, 0]


def test_label_regex_finds_the_class_in_the_path(tmp_path):
    touch(tmp_path, "scans/w1_a_01.png", "scans/w2_a_01.png", "scans/w1_b_01.png", "scans/odd.png")
    index = index_of(tmp_path, label_regex=r"w\d+_(?P<label>[a-z])_")
    assert index.class_names == ["a", "b"]
    assert index.labels == [0, 0, 1]
    assert index.skipped == {"no label in the name": 1}
    with pytest.raises(UsageError, match="finds nothing in the names of its 4 pictures"):
        index_of(tmp_path, label_regex="xyz")


def test_folders_named_train_val_test_are_splits(tmp_path):
    touch(tmp_path, "train/a/1.png", "val/a/2.png", "test/a/3.png", "test/b/4.png")
    index = index_of(tmp_path)
    assert index.class_names == ["a", "b"]
    assert index.splits == [0, 1, 2, 2]


@pytest.mark.parametrize("names", ["TRAIN Dev testing", "training Validation Test"])
def test_folders_of_splits_have_the_synonyms_of_tables(tmp_path, names):
    train, val, test = names.split()
    touch(tmp_path, f"{test}/b/4.png", f"{train}/a/1.png", f"{val}/a/2.png", f"{test}/a/3.png")
    index = index_of(tmp_path)
    assert index.class_names == ["a", "b"]
    assert index.splits == [0, 1, 2, 2]
    assert index.notes == []


def test_two_folders_of_one_split_are_one(tmp_path):
    touch(tmp_path, "valid/a/1.png", "dev/a/2.png", "train/a/3.png")
    assert index_of(tmp_path).splits == [0, 1, 1]


@pytest.mark.parametrize("other", ["other/3.png", "tests/3.png", "3.png"])
def test_names_of_splits_beside_anything_else_are_classes(tmp_path, other):
    touch(tmp_path, "Test/1.png", "dev/2.png", other)
    index = index_of(tmp_path)
    assert {"Test", "dev"} <= set(index.class_names)
    assert index.splits is None


def test_a_class_named_test_beside_others_is_a_class(tmp_path):
    touch(tmp_path, "test/1.png", "train/2.png", "other/3.png")
    index = index_of(tmp_path)
    assert index.class_names == ["other", "test", "train"]
    assert index.splits is None


def test_names_that_differ_in_normal_form_only_are_one_class(tmp_path):
    names = [unicodedata.normalize(form, "が") for form in ("NFC", "NFD")]
    touch(tmp_path, *[f"{name}/1.png" for name in names], "b/1.png")
    index = index_of(tmp_path)
    assert index.class_names == ["b", "が"]
    assert index.labels == [0, 1, 1]
    assert len(index.notes) == 1


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([], "no class folders"),
        (["1.png"], "no class folders in it; it holds pictures itself"),
        (["train/1.png"], "no class folders"),
    ],
)
def test_folder_without_classes_is_an_error_that_says_what_to_do(tmp_path, names, message):
    touch(tmp_path, *names)
    with pytest.raises(UsageError, match=message):
        index_of(tmp_path)


def test_missing_folder_and_file_in_its_place_are_errors(tmp_path):
    touch(tmp_path, "file")
    with pytest.raises(UsageError, match="no such file or folder"):
        index_of(tmp_path / "missing")
    with pytest.raises(UsageError, match="file: neither a folder, nor"):
        index_of(tmp_path / "file")


def test_class_folder_that_is_not_utf8_is_an_error(tmp_path):
    os.makedirs(os.fsencode(tmp_path) + b"/\xff")
    with pytest.raises(UsageError, match="not valid UTF-8"):
        index_of(tmp_path)


def test_walk_finds_pictures_of_all_levels_once(tmp_path):
    make_folder(tmp_path / "top", {"ring": 2, "bar": 1})
    touch(tmp_path, "top/0.png", "top/.hidden/1.png", "top/notes.txt")
    (tmp_path / "top" / "ring" / "loop").symlink_to(tmp_path / "top")
    paths = folders.walk(tmp_path / "top", on_error=pytest.fail)
    found = [os.path.relpath(path, tmp_path / "top") for path in paths]
    assert found == ["0.png", "bar/1.png", "ring/1.png", "ring/2.png"]
