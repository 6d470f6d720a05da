import os
import shutil

import numpy as np
import pytest
from conftest import index_of, make_folder, run_script
from PIL import Image, ImageOps

from glyphs.dataset.open import open_dataset
from glyphs.images.preprocessing import Preprocessing, read_image


def test_images_are_those_that_classify_reads(toy_folder, toy_dataset):
    dataset = open_dataset(toy_dataset)
    index = index_of(toy_folder)
    first_of_each = [index.samples.paths[index.labels.index(label)] for label in range(3)]
    expected = [read_image(path, dataset.preprocessing) for path in first_of_each]
    np.testing.assert_array_equal(dataset.X_train[:3], expected)
    assert dataset.y_train[:6].tolist() == [0, 1, 2, 0, 1, 2]
    assert dataset.class_names == ["bar", "cross", "ring"]


def test_split_is_80_10_10_in_file_order(toy_folder, toy_dataset):
    dataset = open_dataset(toy_dataset)
    assert [len(y) for y in (dataset.y_train, dataset.y_val, dataset.y_test)] == [144, 18, 18]
    last = read_image(str(toy_folder / "ring" / "60.png"), dataset.preprocessing)
    np.testing.assert_array_equal(dataset.X_test[-1], last)


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_same_bytes_for_any_number_of_workers(toy_folder, toy_dataset, tmp_path, workers):
    out = tmp_path / "out"
    run_script(
        "create_dataset.py", toy_folder, "--image-size", 16, "--output", out, "--workers", workers
    )
    assert out.read_bytes() == toy_dataset.read_bytes()


def test_summary_counts_everything(tmp_path):
    folder = make_folder(tmp_path / "shapes", {"ring": 10, "bar": 20})
    (folder / "ring" / "broken.png").write_bytes(b"\x89PNG")
    (folder / "ring" / ".DS_Store").touch()
    (folder / "empty class").mkdir()
    run = run_script("create_dataset.py", folder, cwd=tmp_path)
    for line in (
        "characters_dataset: written\n",
        "30 pictures of 2 classes, 32x32, cropped to the ink, pad, border 2",
        "train        24 pictures, 2 classes",
        "pictures a class: 10 (ring) to 20 (bar)",
        "polarity: 30 dark-on-light",
        "skipped: 1 hidden, 1 unreadable",
    ):
        assert line in run.stdout
    assert f"{folder}/ring/broken.png: not a PNG" in run.stderr
    assert "1 classes without a readable picture, left out: empty class" in run.stderr
    again = run_script("create_dataset.py", folder, cwd=tmp_path)
    assert "the file that was there is replaced" in again.stdout


def test_strict_stops_at_a_bad_picture_and_keeps_the_old_file(tmp_path):
    folder = make_folder(tmp_path / "shapes", {"ring": 10, "bar": 10})
    run_script("create_dataset.py", folder, cwd=tmp_path)
    before = (tmp_path / "characters_dataset").read_bytes()
    (folder / "ring" / "broken.png").touch()
    run = run_script("create_dataset.py", folder, "--strict", cwd=tmp_path, expect=1)
    assert "broken.png: empty file" in run.stderr
    assert (tmp_path / "characters_dataset").read_bytes() == before
    assert sorted(os.listdir(tmp_path)) == ["characters_dataset", "shapes"]


@pytest.mark.parametrize(
    ("split", "sizes", "rule"),
    [
        ([], [36, 4, 10], "; val is the last 10 % of each class of train"),
        ([50, 50, 0], [20, 20, 10], "; val is the last 50 % of each class of train"),
        ([100, 0, 0], [40, 0, 10], "split: as the source has it\n"),
    ],
)
def test_split_folders_keep_their_splits(tmp_path, split, sizes, rule):
    make_folder(tmp_path / "data" / "train", {"ring": 20, "bar": 20})
    make_folder(tmp_path / "data" / "test", {"ring": 5, "bar": 5})
    options = ["--split", *split] if split else []
    run = run_script("create_dataset.py", tmp_path / "data", *options, cwd=tmp_path)
    dataset = open_dataset(tmp_path / "characters_dataset")
    assert [len(y) for y in (dataset.y_train, dataset.y_val, dataset.y_test)] == sizes
    assert rule in run.stdout
    assert "which are kept" not in run.stderr


def test_a_split_is_not_used_where_the_source_has_all_of_them(tmp_path):
    for split, count in (("train", 8), ("val", 2), ("test", 2)):
        make_folder(tmp_path / "data" / split, {"ring": count, "bar": count})
    run = run_script("create_dataset.py", tmp_path / "data", "--split", 50, 50, 0, cwd=tmp_path)
    assert "the source has splits of its own, which are kept" in run.stderr
    dataset = open_dataset(tmp_path / "characters_dataset")
    assert [len(y) for y in (dataset.y_train, dataset.y_val, dataset.y_test)] == [16, 4, 4]


def test_undecided_pictures_follow_the_majority_of_the_dataset(tmp_path):
    folder = make_folder(tmp_path / "shapes", {"ring": 5, "bar": 5})
    for path in folder.glob("*/*.png"):
        Image.eval(Image.open(path), lambda v: 255 - v).save(path)
    Image.new("L", (20, 20), 255).save(folder / "ring" / "0.png")
    run = run_script("create_dataset.py", folder, "--crop", "none", "--fit", "pad", cwd=tmp_path)
    assert "polarity: 10 light-on-dark, 1 undecided" in run.stdout
    dataset = open_dataset(tmp_path / "characters_dataset")
    assert dataset.preprocessing.majority == "light-on-dark"
    assert (dataset.X_train[1] == 255).all()  # the first ring: read as ink on dark paper


def test_pictures_without_ink_are_named_and_left_out(tmp_path):
    folder = make_folder(tmp_path / "shapes", {"ring": 5, "bar": 5})
    Image.new("L", (20, 20), 255).save(folder / "ring" / "0.png")
    run = run_script("create_dataset.py", folder, cwd=tmp_path)
    assert f"{folder}/ring/0.png: blank: no ink found; " in run.stderr
    assert "skipped: 1 blank" in run.stdout
    assert open_dataset(tmp_path / "characters_dataset").manifest["unreadable"] == 1


def test_ink_is_cut_out_of_wide_paper(tmp_path):
    tight = make_folder(tmp_path / "tight", {"ring": 5, "bar": 5})
    for path in tight.glob("*/*.png"):
        wide = tmp_path / "wide" / path.relative_to(tight)
        wide.parent.mkdir(parents=True, exist_ok=True)
        ImageOps.expand(Image.open(path), 40, 240).save(wide)
    for name in ("tight", "wide"):
        run_script("create_dataset.py", name, "--output", f"{name}_dataset", cwd=tmp_path)
    a, b = (open_dataset(tmp_path / f"{name}_dataset").X_train for name in ("tight", "wide"))
    assert np.abs(a.astype(int) - b).max() < 16  # the least level of ink is judged anew


def test_options_are_stored_for_classify(tmp_path):
    folder = make_folder(tmp_path / "shapes", {"ring": 5, "bar": 5})
    shutil.move(folder / "ring", folder / "B0A1")
    run_script(
        "create_dataset.py", folder, "--output", "set", "--image-size", "20x24", "--border", 3,
        "--polarity", "dark-on-light", "--label-encoding", "euc-jp", "--split", 60, 20, 20,
        "--shuffle-seed", 3, cwd=tmp_path,
    )  # fmt: skip
    dataset = open_dataset(tmp_path / "set")
    assert dataset.preprocessing == Preprocessing(
        ((20, 24),), "pad", "dark-on-light", border=3, crop="ink"
    )
    assert dataset.characters == ["亜", None]
    assert dataset.X_train.shape == (6, 20, 24)
    assert dataset.manifest["split"] == "60/20/20 of each class, shuffled with seed 3"


def test_one_image_class_is_kept_for_training(tmp_path):
    folder = make_folder(tmp_path / "shapes", {"ring": 1, "bar": 10})
    run = run_script("create_dataset.py", folder, cwd=tmp_path)
    assert "1 classes without a picture in val: ring" in run.stderr
    assert "uneven classes" in run.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["missing"], "missing: no such file or folder"),
        (["one"], "at least 2 classes"),
        (["shapes", "--split", "80", "10", "20"], "add up to 100"),
        (["shapes", "--image-size", "0"], "4 to 1024 pixels"),
        (["shapes", "--fit", "crop"], "invalid choice"),
        (["shapes", "--workers", "0"], "at least 1"),
        (["shapes", "--transpose"], "--transpose is for the reader kmnist"),
        (["shapes", "--margin", ".1"], "--margin is for the reader kaggle"),
        (["shapes", "--class-map", "none"], "--class-map is for the reader kmnist"),
        (["shapes", "--label-regex", "("], "not a regular expression"),
        (["shapes", "--reader", "gnt"], "shapes"),
        (["shapes", "--border", "16"], "--border 16 leaves nothing"),
        (["shapes", "--coverage", "1.5"], "at most 1"),
        (["shapes", "--classes", "missing"], "missing: no such file"),
        (["shapes", "--classes", "empty"], "empty: lists no classes"),
        ([], "SOURCE"),
    ],
)
def test_usage_errors_exit_with_2(tmp_path, arguments, message):
    make_folder(tmp_path / "one", {"ring": 3})
    make_folder(tmp_path / "shapes", {"ring": 3, "bar": 3})
    (tmp_path / "empty").touch()
    run = run_script("create_dataset.py", *arguments, cwd=tmp_path, expect=2)
    assert message in run.stderr
    assert run.stdout == ""


def test_impossible_output_exits_with_4(toy_folder, tmp_path):
    for output in ("missing/out", "."):
        run_script("create_dataset.py", toy_folder, "--output", output, cwd=tmp_path, expect=4)


def test_full_disk_keeps_the_old_file_and_says_what_was_needed(tmp_path):
    folder = make_folder(tmp_path / "shapes", {"ring": 30, "bar": 30})
    run_script("create_dataset.py", folder, cwd=tmp_path)
    before = (tmp_path / "characters_dataset").read_bytes()
    run = run_script("create_dataset.py", folder, cwd=tmp_path, largest_file=40000, expect=4)
    assert "no space left (123 kB were needed)" in run.stderr
    assert (tmp_path / "characters_dataset").read_bytes() == before
    assert sorted(os.listdir(tmp_path)) == ["characters_dataset", "shapes"]


def test_undecided_pictures_of_all_chunks_are_decoded_again(tmp_path):
    folder = tmp_path / "data"
    for name in ("a", "b"):
        (folder / name).mkdir(parents=True)
        for i in range(150):
            ink = Image.new("L", (16, 16), 0)
            if i % 3:
                ink.paste(255, (5, 5, 10, 10))  # light on dark; every third is blank
            ink.save(folder / name / f"{i}.png")
    run = run_script(
        "create_dataset.py", folder, "--image-size", 16, "--crop", "none", cwd=tmp_path
    )
    assert "200 light-on-dark, 100 undecided" in run.stdout
    dataset = open_dataset(tmp_path / "characters_dataset")
    assert set(dataset.X_train.max(axis=(1, 2)).tolist()) == {0, 255}
    assert (dataset.X_train[:, 0, 0] == 0).all()


def test_cleaning_and_border_are_stored_and_repeated_by_classify(toy_folder, tmp_path):
    arguments = ("--image-size", "20", "--fit", "pad", "--clean", "otsu", "--border", 2)
    run = run_script("create_dataset.py", toy_folder, *arguments, cwd=tmp_path)
    assert "180 pictures of 3 classes, 20x20, cropped to the ink, pad, otsu, border 2" in run.stdout
    dataset = open_dataset(tmp_path / "characters_dataset")
    assert set(np.unique(dataset.X_train)) == {0, 255}
    assert not dataset.X_train[:, :2].any()
    # classify.py reads pictures by what is stored with the model, which is the dataset's.
    stored = Preprocessing.from_json(dataset.manifest["preprocessing"])
    character = read_image(str(toy_folder / "bar" / "1.png"), stored)
    np.testing.assert_array_equal(dataset.X_train[0], character)


def test_selections_are_stored_and_summed_up(tmp_path):
    folder = make_folder(tmp_path / "shapes", {"ring": 60, "bar": 30, "cross": 10})
    run = run_script("create_dataset.py", folder, "--coverage", ".9", cwd=tmp_path)
    assert "coverage: 2 classes make up 90.0 %, 1 others are one class, rare" in run.stdout
    manifest = open_dataset(tmp_path / "characters_dataset").manifest
    assert manifest["selection"] == {
        "coverage": 0.9, "kept": 2, "share": 0.9, "rare": ["cross"],
    }  # fmt: skip
    (tmp_path / "list.txt").write_text("ring\nbar\n")
    run = run_script(
        "create_dataset.py", folder, "--classes", "list.txt", "--min-count", 20,
        "--max-per-class", 40, cwd=tmp_path,
    )  # fmt: skip
    assert "classes: the 2 of list.txt" in run.stdout
    assert "at most 40 pictures of a class" in run.stdout
    dataset = open_dataset(tmp_path / "characters_dataset")
    assert dataset.class_names == ["bar", "ring"]
    assert sum(dataset.manifest["counts"].values()) == 70


def test_groups_found_by_regex_never_cross_splits(tmp_path):
    folder = tmp_path / "data"
    for shape in ("ring", "bar"):
        (folder / shape).mkdir(parents=True)
        for i in range(100):
            picture = Image.new("L", (8, 8), 255)
            picture.paste(i, (2, 2, 6, 6))  # the ink tells the writer
            picture.save(folder / shape / f"w{i // 10}_{i}.png")
    arguments = ("--groups", r"(w\d+)_", "--image-size", 8, "--crop", "none")
    run = run_script("create_dataset.py", folder, *arguments, cwd=tmp_path)
    assert "split: 80/10/10, whole groups at a time" in run.stdout
    assert "groups: 10 (group), each in one split only" in run.stdout
    dataset = open_dataset(tmp_path / "characters_dataset")
    writers = [set((255 - x[:, 4, 4].astype(int)) // 10) for x in (dataset.X_train, dataset.X_test)]
    assert len(writers[0]) == 8
    assert not writers[0] & writers[1]
    assert dataset.manifest["groups"]["test"] == [f"w{writers[1].pop()}"]


def test_an_output_never_replaces_what_is_read(tmp_path):
    folder = make_folder(tmp_path / "shapes", {"ring": 4, "bar": 4})
    rows = [f"shapes/{shape}/{i}.png,{shape}" for shape in ("ring", "bar") for i in range(1, 5)]
    table = tmp_path / "labels.csv"
    table.write_text("\n".join(["file,label", *rows]))
    before = table.read_bytes()
    arguments = ("create_dataset.py", "labels.csv", "--output")
    run = run_script(*arguments, "shapes/../labels.csv", cwd=tmp_path, expect=4)
    assert "would replace what is read" in run.stderr
    assert table.read_bytes() == before
    run_script(*arguments, "out", cwd=tmp_path)
    run_script("inspect_dataset.py", "out", "--html", "out", cwd=tmp_path, expect=4)
    assert open_dataset(tmp_path / "out")
    assert folder.exists()


def test_missing_pictures_of_a_split_bring_a_warning(tmp_path):
    make_folder(tmp_path / "data" / "train", {"ring": 20, "bar": 20})
    make_folder(tmp_path / "data" / "test", {"ring": 5, "cross": 5})
    run = run_script("create_dataset.py", "data", "--split", 70, 20, 10, cwd=tmp_path)
    assert "1 classes without a picture in train: cross" in run.stderr
    assert "val is the last 20 % of each class of train" in run.stdout
    folder = make_folder(tmp_path / "few", {"ring": 2, "bar": 2})
    assert "no pictures in val" in run_script("create_dataset.py", folder, cwd=tmp_path).stderr


def test_folders_that_look_like_splits_but_are_none_bring_a_warning(tmp_path):
    make_folder(tmp_path / "data" / "Train", {"ring": 4, "bar": 4})
    make_folder(tmp_path / "data" / "Test", {"ring": 4, "bar": 4})
    run = run_script("create_dataset.py", "data", cwd=tmp_path)
    assert "look like splits" not in run.stderr
    (tmp_path / "data" / "overview.png").touch()
    run = run_script("create_dataset.py", "data", cwd=tmp_path)
    assert "look like splits (Test, Train)" in run.stderr


def test_why_no_class_is_left_is_said(tmp_path):
    folder = make_folder(tmp_path / "shapes", {"ring": 2})
    (folder / "bar").mkdir()
    (folder / "bar" / "1.png").write_bytes(b"no picture")
    run = run_script("create_dataset.py", folder, cwd=tmp_path, expect=2)
    assert f"{folder}/bar/1.png: not a PNG" in run.stderr


def test_names_and_groups_are_kept_where_wanted(tmp_path):
    folder = make_folder(tmp_path / "shapes", {"ring": 20, "bar": 20})
    (folder / "ring" / "3.png").write_bytes(b"no picture")
    arguments = ("--groups", r"(\d)\.png", "--keep-names")
    run_script("create_dataset.py", folder, *arguments, cwd=tmp_path)
    run_script("create_augmented_dataset.py", "--copies", 1, cwd=tmp_path)
    for name in ("characters_dataset", "characters_dataset_elastic"):
        dataset = open_dataset(tmp_path / name)
        names = dataset.names
        assert len(set(names)) == 39
        row = names.index("ring/17.png")
        images = np.concatenate([dataset.X_train, dataset.X_val, dataset.X_test])
        expected = read_image(str(folder / names[row]), dataset.preprocessing)
        np.testing.assert_array_equal(images[row], expected)
        of_group = dict(zip(names, dataset.group_numbers, strict=True))
        assert of_group["ring/17.png"] == of_group["bar/7.png"] != of_group["bar/8.png"]
