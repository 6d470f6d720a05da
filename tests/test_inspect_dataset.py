import json
import os
import shutil
import subprocess
import sys

import pytest
from conftest import DATA, ROOT, run_script
from test_pages import check_page
from toy_audits import make_clean, make_faulty, make_splits

from glyphs.inspection import report_json


@pytest.fixture
def clean(tmp_path):
    return make_clean(tmp_path / "clean")


@pytest.fixture
def split(tmp_path):
    return make_splits(tmp_path / "split")


@pytest.fixture
def faulty(split):
    return make_faulty(split)


def test_clean_folder_exits_0_and_serious_findings_exit_5(clean, faulty):
    assert "nothing wrong was found" in run_script("inspect_dataset.py", clean).stdout
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
    documented = report_json.__doc__
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


def test_groups_are_taken_from_names_and_known_to_datasets(split, tmp_path):
    for path in split.glob("*/*/*.png"):
        number = int(path.stem)
        path.rename(path.with_name(f"w{3 if number % 20 == 0 else number // 20}_{number}.png"))
    options = ("--groups", "w([0-9])", "--json")
    dataset = tmp_path / "characters_dataset"
    run_script(
        "create_dataset.py",
        split,
        *options[:2],
        "--output",
        dataset,
        "--image-size",
        40,
        "--crop",
        "none",
    )
    for source in ((split, *options), (dataset, "--json")):
        report = json.loads(run_script("inspect_dataset.py", *source, expect=5).stdout)
        assert report["groups"] == {"kind": "group", "count": 4}
        (finding,) = report["findings"]
        assert (finding["id"], finding["groups"]) == ("groups-across-splits", ["3"])


def test_datasets_are_inspected_too(tmp_path, split):
    shutil.copy(split / "train" / "ring" / "3.png", split / "test" / "ring" / "copy.png")
    dataset = tmp_path / "characters_dataset"
    run_script(
        "create_dataset.py", split, "--output", dataset, "--image-size", 40, "--crop", "none"
    )
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
        ("create_dataset.py", [clean, "--crop", "none"]),
        ("create_augmented_dataset.py", ["--copies", 1]),
    ):
        run_script(script, *source, cwd=tmp_path)
    run = run_script("inspect_dataset.py", "characters_dataset_elastic", cwd=tmp_path)
    assert "distorted images are not looked at" in run.stdout
    assert "36 pictures of 3 classes" in run.stdout


def test_templates_are_loaded_only_for_a_page(clean, tmp_path):
    code = (
        "import sys, inspect_dataset\n"
        "inspect_dataset.main(sys.argv[1:])\n"
        "print('jinja2' in sys.modules)"
    )
    for page in ((), ("--html", tmp_path / "page.html")):
        command = [sys.executable, "-c", code, clean, "--workers", "1", *page]
        output = subprocess.check_output(command, cwd=ROOT, text=True)
        assert output.splitlines()[-1] == str(bool(page))


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
