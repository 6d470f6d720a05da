"""What is found to be wrong with pictures, classes and groups."""

import doctest
import shutil

import numpy as np
import pytest
from PIL import Image
from toy_audits import (
    canvas,
    inspect,
    make_clean,
    make_splits,
    only,
    relative,
    samples_of,
)

from glyphs.inspection import confusable, report_json


@pytest.fixture
def clean(tmp_path):
    return make_clean(tmp_path / "clean")


@pytest.fixture
def split(tmp_path):
    return make_splits(tmp_path / "split")


def test_nothing_is_found_in_clean_folders(clean, split):
    assert inspect(clean)[1] == inspect(split)[1] == {}


def test_unreadable_pictures_are_serious(clean):
    (clean / "ring" / "broken.png").write_bytes(b"\x89PNG")
    audit, finding = only(clean, "unreadable", "serious")
    (sample,) = report_json.samples(audit, finding)
    assert relative(clean, [sample]) == ["ring/broken.png"]
    assert (sample["class"], sample["detail"][:9]) == ("ring", "not a PNG")


def test_damaged_records_are_serious(clean):
    records = [("file.gnt at byte 12", "cut short")]
    _, finding = only(
        clean, "damaged-records", "serious", change=lambda index: index.damaged.extend(records)
    )
    assert (finding.records, finding.count) == (records, 1)


@pytest.mark.parametrize(
    "image",
    [
        canvas(40),
        canvas(40, (10, 10, 30, 30), ink=223),  # contrast 7
        canvas(40, (5, 5, 6, 8)),  # three pixels
        canvas(300, (5, 5, 14, 14)),  # 81 of 90,000
        Image.new("RGBA", (40, 40), (0, 0, 0, 0)),
    ],
)
def test_blank_pictures_are_serious(clean, image):
    image.save(clean / "bar" / "blank.png")
    audit, found = inspect(clean)
    assert found["blank"].severity == "serious"
    assert samples_of(audit, found["blank"], clean) == ["bar/blank.png"]
    assert set(found) <= {"blank", "mixed-alpha", "mixed-colour"}


def test_a_class_of_dots_is_not_blank(clean):
    for number in range(12):  # as the zero of Arabic is written
        dot = canvas(200)
        dot.putpixel((90 + number, 100), 0)
        (clean / "dot").mkdir(exist_ok=True)
        dot.save(clean / "dot" / f"{number}.png")
    canvas(200).save(clean / "dot" / "nothing.png")
    audit, found = inspect(clean)
    assert samples_of(audit, found["blank"], clean) == ["dot/nothing.png"]


@pytest.mark.parametrize(
    "image",
    [
        canvas(28, (20, 4, 22, 6)),  # a dot
        canvas(300, (140, 140, 155, 155)),  # a dot by a pen
        canvas(300, (20, 150, 280, 152)),  # a hair-thin 一
        canvas(40, (10, 10, 30, 30), ink=221),  # contrast 9
        canvas(28, (20, 4, 22, 6), paper=0, ink=255).point(lambda value: 255 - value),
    ],
)
def test_dots_and_thin_strokes_are_not_blank(clean, image):
    image.save(clean / "bar" / "little.png")
    assert inspect(clean)[1] == {}


def test_copies_within_a_class_are_a_warning(clean):
    shutil.copy(clean / "ring" / "3.png", clean / "ring" / "copy.png")
    Image.open(clean / "ring" / "4.png").save(clean / "ring" / "other format.bmp")
    audit, finding = only(clean, "duplicates", "warning")
    assert samples_of(audit, finding, clean) == ["ring/copy.png", "ring/other format.bmp"]
    partners = [sample["same_as"] for sample in report_json.samples(audit, finding)]
    assert relative(clean, partners) == ["ring/3.png", "ring/4.png"]
    assert "a split may put one into train" in finding.advice


def test_copies_across_splits_are_serious_and_counted_once(split):
    for name in ("copy.png", "another.png"):
        shutil.copy(split / "train" / "ring" / "3.png", split / "test" / "ring" / name)
    shutil.copy(split / "train" / "bar" / "3.png", split / "train" / "bar" / "copy.png")
    audit, found = inspect(split)
    assert [f.severity for f in found.values()] == ["serious", "warning"]
    assert samples_of(audit, found["duplicates-across-splits"], split) == [
        "test/ring/another.png",
        "test/ring/copy.png",
    ]
    assert samples_of(audit, found["duplicates"], split) == ["train/bar/copy.png"]
    assert "a split may" not in found["duplicates"].advice


@pytest.mark.parametrize("other", ["train", "test"])
def test_one_picture_under_two_labels_is_serious(split, other):
    shutil.copy(split / "train" / "ring" / "3.png", split / other / "bar" / "copy.png")
    audit, finding = only(split, "two-labels", "serious")
    (sample,) = report_json.samples(audit, finding)
    assert {sample["class"], sample["same_as"]["class"]} == {"ring", "bar"}


def test_same_bytes_in_another_shape_are_no_copy(clean):
    grey = np.random.default_rng(1).integers(0, 256, 800, np.uint8)
    for height in (20, 40):
        Image.fromarray(grey.reshape(height, -1)).save(clean / "ring" / f"of {height}.png")
    assert "duplicates" not in inspect(clean)[1]


def test_blank_pictures_are_no_copies_of_one_another(clean):
    for name in ("ring/a.png", "ring/b.png", "bar/c.png"):
        canvas(40).save(clean / name)
    only(clean, "blank", "serious")


def test_the_minority_of_polarities_is_a_warning(clean):
    path = clean / "ring" / "3.png"
    Image.eval(Image.open(path), lambda value: 255 - value).save(path)
    audit, finding = only(clean, "mixed-polarity", "warning")
    assert samples_of(audit, finding, clean) == ["ring/3.png"]
    for path in clean.glob("*/*.png"):
        Image.eval(Image.open(path), lambda value: 255 - value).save(path)
    audit, finding = only(clean, "mixed-polarity", "warning")
    assert samples_of(audit, finding, clean) == ["ring/3.png"]


def test_undecided_polarity_is_a_note(clean):
    noise = np.random.default_rng(1).integers(0, 256, (40, 40), np.uint8)
    Image.fromarray(noise).save(clean / "ring" / "noise.png")
    audit, finding = only(clean, "undecided-polarity", "note")
    assert samples_of(audit, finding, clean) == ["ring/noise.png"]


def deep(image):
    return Image.fromarray(np.asarray(image).astype(np.uint16) * 257)


@pytest.mark.parametrize(
    ("convert", "name", "severity"),
    [
        (
            lambda image: image.point(lambda v: 255 * (v > 128)).convert("1"),
            "mixed-depth",
            "warning",
        ),
        (deep, "mixed-depth", "warning"),
        (lambda image: image.convert("LA"), "mixed-alpha", "warning"),
        (lambda image: image.convert("RGB"), "mixed-colour", "note"),
        (lambda image: image.convert("P"), "mixed-colour", "note"),
    ],
)
def test_mixed_ways_to_store_pictures_are_named(clean, convert, name, severity):
    path = clean / "ring" / "3.png"
    convert(Image.open(path)).save(path)
    audit, finding = only(clean, name, severity)
    assert samples_of(audit, finding, clean) == ["ring/3.png"]
    for other in set(clean.glob("*/*.png")) - {path}:
        convert(Image.open(other)).save(other)
    assert name not in inspect(clean)[1]


@pytest.mark.parametrize(
    ("names", "detail"),
    [
        (("ab", "AB"), "differ in upper and lower case"),
        (("ab", "ａｂ"), "differ in width"),
        (("ab", " ab"), "differ in spaces"),
        (("ab", " ＡB"), "differ in several"),
        (("亜", "B0A1"), "stand for the same character"),
        (("が", "か\u3099"), "differ in Unicode normal form"),
    ],
)
def test_confusable_class_names_are_a_warning(clean, names, detail):
    def rename(index):
        index.class_names[:2] = names

    audit, finding = only(clean, "label-collisions", "warning", change=rename, encoding="euc-jp")
    ((together, text),) = finding.classes
    assert [audit.index.class_names[label] for label in together] == list(names)
    assert text.startswith(detail)
    assert finding.count == 2


def test_classes_with_few_pictures_are_a_warning(clean):
    make_clean(clean, ["few"], 9, first=50)
    _, finding = only(clean, "few-samples", "warning")
    assert finding.classes == [((2,), "9")]  # bar, cross, few, ring


@pytest.mark.parametrize("count", [0, 1])
def test_classes_with_one_picture_or_none_are_serious(clean, count):
    make_clean(clean, ["few"], count, first=50)
    _, found = inspect(clean)
    assert found["too-few-samples"].severity == "serious"
    assert found["too-few-samples"].classes == [((2,), f"{count}")]
    assert "few-samples" not in found


def test_classes_with_less_than_a_third_of_the_largest_are_a_warning(clean):
    make_clean(clean, ["large"], 37, first=50)
    _, finding = only(clean, "uneven-classes", "warning")
    assert {labels for labels, _ in finding.classes} == {(0,), (1,), (3,)}


@pytest.mark.parametrize(
    ("name", "severity"), [("train", "serious"), ("val", "warning"), ("test", "warning")]
)
def test_classes_missing_from_a_split_are_named(split, name, severity):
    shutil.rmtree(split / name / "ring")
    _, finding = only(split, f"missing-from-{name}", severity)
    assert finding.classes == [((2,), None)]


def test_a_source_without_val_misses_nothing_there(split):
    shutil.rmtree(split / "val")
    assert inspect(split)[1] == {}


def test_groups_in_two_splits_are_serious(split):
    def add_groups(index):
        index.groups = [0 if i == 0 else 1 + s for i, s in enumerate(index.splits)]
        index.groups[-1] = 0
        index.group_names, index.group_kind = ["w1", "w2", "w3", "w4"], "writer"

    _, finding = only(split, "groups-across-splits", "serious", change=add_groups)
    assert finding.groups == ["w1"]
    assert finding.title == "writers in more than one split"


def test_polarity_that_the_format_says_is_not_guessed(clean):
    path = clean / "ring" / "3.png"
    Image.eval(Image.open(path), lambda value: 255 - value).save(path)

    def say_polarity(index):
        index.polarity = "dark-on-light"

    audit, found = inspect(clean, change=say_polarity)
    assert found == {}
    assert audit.polarities() == {"dark-on-light": 36}


def test_serious_findings_come_first(clean):
    make_clean(clean, ["few"], 9, first=50)
    canvas(40).save(clean / "ring" / "blank.png")
    assert list(inspect(clean)[1]) == ["blank", "few-samples"]


def test_the_example_of_confusable_classes_is_right():
    assert doctest.testmod(confusable) == (0, 1)
