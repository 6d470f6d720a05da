import html.parser
import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from conftest import DATA, ROOT, draw_shape, run_script
from PIL import Image

from glyphs import (
    audit_json,
    audit_page,
    auditing,
    findings,
    fonts,
    images,
    inspecting,
    labels,
    pages,
)
from glyphs.readers import Index, Options, Samples, sources

SHAPES = ("bar", "cross", "ring")


def picture(shape, number):
    """Return a picture that is like no other of that shape."""
    image = draw_shape(shape, np.random.default_rng(number))
    image.putpixel((number % 40, number // 40), 200)
    return image


def make_clean(folder, classes=SHAPES, count=12, first=0):
    """Make a folder of classes in which nothing is wrong; return it."""
    for i, name in enumerate(classes):
        (folder / name).mkdir(parents=True)
        for number in range(first, first + count):
            picture(SHAPES[i % 3], number + 100 * (i // 3)).save(folder / name / f"{number}.png")
    return folder


def make_splits(folder):
    for i, split in enumerate(("train", "val", "test")):
        make_clean(folder / split, first=20 * i)
    return folder


@pytest.fixture
def clean(tmp_path):
    return make_clean(tmp_path / "clean")


@pytest.fixture
def split(tmp_path):
    return make_splits(tmp_path / "split")


def measure(index, encoding=None, **options):
    characters = [labels.character(name, encoding) for name in index.class_names]
    return auditing.measure(
        index, characters, auditing.groups_by_split(index), workers=1, **options
    )


def inspect(folder, change=lambda index: None, encoding=None):
    """Return `(audit, findings by id)` of a folder whose index was changed."""
    with sources.open_index(folder, Options(), scratch=f"{folder}.scratch") as index:
        change(index)
        audit = measure(index, encoding)
        found = findings.find(audit)
        assert len({finding.id for finding in found}) == len(found)
        return audit, {finding.id: finding for finding in found}


def only(folder, name, severity, **options):
    """Return `(audit, finding)`, the only finding of a folder."""
    audit, found = inspect(folder, **options)
    assert list(found) == [name]
    assert found[name].severity == severity
    return audit, found[name]


def relative(folder, samples):
    return [os.path.relpath(sample["name"], folder) for sample in samples]


def samples_of(audit, finding, folder):
    return relative(folder, audit_json.samples(audit, finding))


def test_nothing_is_found_in_clean_folders(clean, split):
    assert inspect(clean)[1] == inspect(split)[1] == {}


def test_unreadable_pictures_are_serious(clean):
    (clean / "ring" / "broken.png").write_bytes(b"\x89PNG")
    audit, finding = only(clean, "unreadable", "serious")
    (sample,) = audit_json.samples(audit, finding)
    assert relative(clean, [sample]) == ["ring/broken.png"]
    assert (sample["class"], sample["detail"][:9]) == ("ring", "not a PNG")


def test_damaged_records_are_serious(clean):
    records = [("file.gnt at byte 12", "cut short")]
    _, finding = only(
        clean, "damaged-records", "serious", change=lambda index: index.damaged.extend(records)
    )
    assert (finding.records, finding.count) == (records, 1)


def canvas(side, *boxes, paper=230, ink=20):
    image = Image.new("L", (side, side), paper)
    for box in boxes:
        image.paste(ink, box)
    return image


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
    partners = [sample["same_as"] for sample in audit_json.samples(audit, finding)]
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
    (sample,) = audit_json.samples(audit, finding)
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


def test_pictures_know_how_they_were_stored(tmp_path):
    for mode, alpha in (("1", False), ("L", False), ("LA", True), ("RGB", False), ("RGBA", True)):
        draw_shape("ring", np.random.default_rng(1), mode=mode).save(tmp_path / "a.png")
        grey = images.read_picture(tmp_path / "a.png")
        assert grey.info == {"mode": mode, "alpha": alpha}


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


def test_groups_are_taken_from_names_and_known_to_datasets(split, tmp_path):
    for path in split.glob("*/*/*.png"):
        number = int(path.stem)
        path.rename(path.with_name(f"w{3 if number % 20 == 0 else number // 20}_{number}.png"))
    options = ("--groups", "w([0-9])", "--json")
    dataset = tmp_path / "characters_dataset"
    run_script("create_dataset.py", split, *options[:2], "--output", dataset, "--image-size", 40)
    for source in ((split, *options), (dataset, "--json")):
        report = json.loads(run_script("inspect_dataset.py", *source, expect=5).stdout)
        assert report["groups"] == {"kind": "group", "count": 4}
        (finding,) = report["findings"]
        assert (finding["id"], finding["groups"]) == ("groups-across-splits", ["3"])


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


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ([(28, 28)] * 3, ("28", "stretch")),
        ([(64, 63)] * 3, ("64x63", "stretch")),
        ([(60, 60), (62, 62), (59, 59)], ("32", "stretch")),
        ([(70, 72), (60, 62), (90, 89)], ("48", "stretch")),
        ([(105, 105)] * 3, ("64", "stretch")),
        ([(400, 300), (500, 370)], ("96", "stretch")),
        ([(20, 60), (60, 20), (40, 40)], ("32", "pad")),
    ],
)
def test_advice_follows_the_sizes(sizes, expected):
    facts = np.zeros(len(sizes), auditing.FACTS)
    facts["height"], facts["width"] = np.transpose(sizes)
    index = Index("name", "folders", ["a"], None, [0] * len(sizes))
    audit = auditing.Audit(
        index,
        facts,
        {},
        np.zeros(len(sizes), np.int32),
        None,
        np.ones((1, 1), int),
        [None],
        None,
        0.9,
    )
    advice = findings.advise(audit)
    assert [a.option for a in advice] == ["--image-size", "--fit"]
    assert tuple(a.value for a in advice) == expected


def test_coverage_counts_the_most_frequent_classes(tmp_path):
    for name, count in {"a": 60, "b": 30, "c": 10}.items():
        make_clean(tmp_path / "uneven", [name], count)
    with sources.open_index(tmp_path / "uneven", Options(), scratch="scratch") as index:
        for coverage, classes in ((0.5, 0), (0.6, 1), (0.61, 1), (0.9, 2), (1, 3)):
            assert measure(index, coverage=coverage).covering() == classes


def test_workers_do_not_load_numpy():
    code = "import glyphs.inspecting, sys; print('numpy' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code], cwd=ROOT) == b"False\n"


# The script


@pytest.fixture
def faulty(split):
    """A split folder with some faults, and names that are hard to print."""
    for name in ("train", "test"):
        (split / name / "ring").rename(split / name / "<script>")
        (split / name / "bar").rename(split / name / "亜")
    shutil.copy(split / "train" / "亜" / "3.png", split / "test" / "亜" / "leak.png")
    (split / "train" / "cross" / "名 & \n.png").touch()
    (split / "train" / "cross" / os.fsdecode(b"\xff.png")).touch()
    canvas(40).save(split / "test" / "cross" / "blank.png")
    return split


def test_clean_folder_exits_0_and_serious_findings_exit_5(clean, faulty):
    assert "nothing found that is wrong" in run_script("inspect_dataset.py", clean).stdout
    run = run_script("inspect_dataset.py", faulty, "--coverage", 0.5, expect=5)
    for line in (
        "split: 110 pictures of 5 classes",
        "  train                      36 pictures, 3 classes",
        "  unreadable pictures: 2  [unreadable]",
        r"cross/名 & \n.png: empty file",
        "test/亜/leak.png = ",
        "  height              40 to 40, median 40, half are 40 to 40",
        "  --image-size 40: all pictures have this size",
        "classes make up at most 50 %",
    ):
        assert line in run.stdout
    assert run.stderr == ""


def test_json_is_the_same_for_any_number_of_workers_and_has_the_documented_keys(faulty):
    one, two = (
        run_script("inspect_dataset.py", faulty, "--json", "--workers", n, expect=5).stdout
        for n in (1, 2)
    )
    assert one == two
    report = json.loads(one)
    documented = audit_json.__doc__
    assert all(key in documented for key in report)
    assert list(report) == [
        "format", "version", "source", "reader", "pictures", "splits", "classes", "coverage",
        "sizes", "modes", "polarities", "groups", "skipped", "notes", "advice", "severities",
        "findings",
    ]  # fmt: skip
    assert report["splits"]["train"] == {"pictures": 36, "classes": 3}
    assert report["classes"][-1] == {
        "name": "亜", "character": "亜", "pictures": 25, "train": 12, "val": 0, "test": 13,
    }  # fmt: skip
    assert report["sizes"]["height"] == [40] * 5
    assert report["modes"] == {"L": 110}
    assert report["coverage"] == {"share": 0.9, "classes": 4}
    assert report["severities"] == {"serious": 4, "warning": 3, "note": 0}
    found = {finding["id"]: finding for finding in report["findings"]}
    for finding in found.values():
        assert list(finding) == [
            "id", "severity", "count", "title", "advice", "samples", "records", "classes", "groups",
        ]  # fmt: skip
    (leak,) = found["duplicates-across-splits"]["samples"]
    assert leak["same_as"] == {
        "name": str(faulty / "train" / "亜" / "3.png"), "class": "亜", "split": "train",
    }  # fmt: skip
    assert found["missing-from-val"]["classes"] == [
        {"names": ["<script>"], "detail": None}, {"names": ["亜"], "detail": None},
    ]  # fmt: skip


class Tags(html.parser.HTMLParser):
    """Checks that every tag is closed, in order."""

    def __init__(self, page):
        super().__init__()
        self.open, self.seen, self.texts = [], set(), []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.seen.add(tag)
        if tag not in ("meta", "img", "br", "wbr"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_startendtag(self, tag, attributes):
        self.seen.add(tag)

    def handle_data(self, data):
        self.texts.append(data)


def check_page(page):
    """Check what holds for any page; return its Tags."""
    tags = Tags(page)
    assert not {"script", "link", "iframe", "object"} & tags.seen
    assert "://" not in page
    assert "@import" not in page
    assert all(ord(character) < 0x180 for character in page)  # the rest is drawn
    return tags


def test_page_is_whole_and_shows_the_faults(faulty, tmp_path):
    pages_of = []
    for workers in (1, 2):
        path = tmp_path / f"{workers}.html"
        run_script("inspect_dataset.py", faulty, "--html", path, "--workers", workers, expect=5)
        pages_of.append(path.read_text())
    assert pages_of[0] == pages_of[1]
    tags = check_page(pages_of[0])
    for text in ("<script>", "leak.png", "U+DCFF", "empty file", "Blank pictures", "--fit stretch"):
        assert any(text in found for found in tags.texts), text
    assert pages_of[0].count('class="character"') > 5
    assert sorted(os.listdir(tmp_path)) == ["1.html", "2.html", "split"]


def test_page_shows_code_points_without_the_font(faulty, monkeypatch):
    monkeypatch.setattr(fonts, "bundled_font", lambda: None)
    audit, found = inspect(faulty)
    page = audit_page.render(audit, list(found.values()), findings.advise(audit), workers=1)
    check_page(page)
    assert '<code class="point">U+4E9C</code>' in page


def test_characters_are_drawn_and_others_shown_as_code_points():
    characters = pages.Characters()
    drawn = characters.html("亜 & α")
    assert drawn.count('class="character"') == 2
    assert " &amp; " in drawn
    assert characters.html("\u0936\U0002f9ff").count('<code class="point">') == 2
    assert characters.cells == {"亜": 0, "α": 1}
    assert "base64" in characters.css()


class Memory(Samples):
    """Samples in memory: noise in which no two are alike."""

    def __init__(self, count):
        self.count = count

    def __len__(self):
        return self.count

    def name(self, number):
        return f"record {number}"

    def chunk(self, numbers):
        rng = np.random.default_rng(numbers[0])
        return inspecting.ImagesChunk(16, 16, [rng.bytes(256) for _ in numbers])


def test_pages_of_many_classes_stay_small():
    names = [f"U+{0x4E00 + i:04X}" for i in range(900)]
    y = np.sort(np.arange(5000) % 900)
    index = Index("many", "records", names, Memory(len(y)), y, numbers=np.arange(len(y))[::-1])
    audit = measure(index)
    page = audit_page.render(audit, findings.find(audit), findings.advise(audit), workers=1)
    check_page(page)
    assert len(page) < 1_500_000
    assert "the 60 most frequent and the 60 rarest of 900 classes" in page
    assert audit.name(0) == "record 4999"


def test_datasets_are_inspected_too(tmp_path, split):
    shutil.copy(split / "train" / "ring" / "3.png", split / "test" / "ring" / "copy.png")
    dataset = tmp_path / "characters_dataset"
    run_script("create_dataset.py", split, "--output", dataset, "--image-size", 40)
    run = run_script("inspect_dataset.py", dataset, "--json", expect=5)
    report = json.loads(run.stdout)
    found = {finding["id"]: finding for finding in report["findings"]}
    assert list(found) == ["duplicates-across-splits"]
    (sample,) = found["duplicates-across-splits"]["samples"]
    assert sample["name"].startswith("X_test[")
    assert sample["same_as"]["name"].startswith("X_train[")
    assert report["reader"] == "dataset"
    assert report["sizes"] is report["modes"] is None
    assert report["advice"] == []
    page = tmp_path / "page.html"
    run_script("inspect_dataset.py", dataset, "--html", page, expect=5)
    check_page(page.read_text())

    data = bytearray(dataset.read_bytes())
    data[5000] ^= 1
    dataset.write_bytes(data)
    assert "damaged" in run_script("inspect_dataset.py", dataset, expect=3).stderr


def test_distorted_images_are_noted_not_looked_at(tmp_path, clean):
    for script, source in (
        ("create_dataset.py", [clean]),
        ("create_augmented_dataset.py", ["--copies", 1]),
    ):
        run_script(script, *source, cwd=tmp_path)
    run = run_script("inspect_dataset.py", "characters_dataset_elastic", cwd=tmp_path)
    assert "distorted images are not looked at" in run.stdout
    assert "36 pictures of 3 classes" in run.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["missing"], 2, "missing: no such file or folder"),
        (["clean", "--reader", "nonsense"], 2, "invalid choice: 'nonsense'"),
        (["clean", "--coverage", "1.5"], 2, "must be at most 1"),
        (["clean", "--html", "missing/page.html"], 4, "does not exist"),
    ],
)
def test_mistakes_are_one_line(clean, arguments, code, message):
    run = run_script("inspect_dataset.py", *arguments, cwd=clean.parent, expect=code)
    assert message in run.stderr
    assert not os.path.exists(clean.parent / "page.html")


@pytest.mark.skipif(not DATA.is_dir(), reason="needs the real data")
def test_kmnist_has_a_blank_picture():
    report = json.loads(
        run_script("inspect_dataset.py", DATA / "kmnist", "--json", expect=5).stdout
    )
    (finding,) = report["findings"]
    (sample,) = finding["samples"]
    assert (finding["id"], sample["name"][-10:]) == ("blank", ".npz[9677]")
    assert report["modes"] == {"raw": 10_000}


@pytest.mark.skipif(not DATA.is_dir(), reason="needs the real data")
def test_omniglot_as_it_comes():
    run = run_script("inspect_dataset.py", DATA / "omniglot_small1.zip", "--json")
    report = json.loads(run.stdout)
    assert set(report["modes"]) == {"1"}
    assert report["severities"]["serious"] == 0
    assert report["sizes"]["height"] == [105] * 5
