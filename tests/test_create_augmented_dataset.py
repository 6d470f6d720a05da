"""From characters_dataset to characters_dataset_elastic: format, errors, same bytes."""

import hashlib
import json
import shutil
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import create_augmented_dataset
from glyphs import console, files
from glyphs.augment import build, presets
from glyphs.augment.presets import PRESETS
from glyphs.dataset.format import ARRAYS
from glyphs.dataset.open import ArtifactError, open_dataset
from glyphs.dataset.write import write_dataset
from glyphs.images.preprocessing import Preprocessing

ROOT = Path(create_augmented_dataset.__file__).parent
SIZE = (12, 10)  # height != width
TRAIN = 30


def write_blots(path, size=SIZE, train=TRAIN, class_names=("あ", "い", "う")):
    """Write a characters_dataset of random blots."""
    generator = np.random.default_rng(5)
    pool = generator.integers(0, 256, (train + 9, *size), dtype=np.uint8)
    y = np.arange(len(pool)) % len(class_names)
    cuts = {"train": (0, train), "val": (train, train + 6), "test": (train + 6, train + 9)}
    splits = {
        name: (pool, np.arange(*cut), y[slice(*cut)].astype(np.int32)) for name, cut in cuts.items()
    }
    preprocessing = Preprocessing((size,))
    manifest = {"source": "blots", "split": "as the folders say", "groups": None, "unreadable": 0}
    write_dataset(path, splits, list(class_names), preprocessing, manifest)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder with a characters_dataset in it."""
    monkeypatch.chdir(tmp_path)
    write_blots("characters_dataset")
    return tmp_path


def run(*arguments):
    """Run the script as `python create_augmented_dataset.py` does; return its exit code."""
    try:
        return console.run(lambda: create_augmented_dataset.main(list(arguments)))
    except SystemExit as error:  # argparse
        return error.code


def load(path, count):
    with open(path, "rb") as file:
        return [np.load(file) for _ in range(count)]


# --- the file ---


def test_first_seven_arrays_are_those_of_the_dataset(folder):
    assert run("--copies", "2") == 0
    plain, with_elastic = load("characters_dataset", 7), load("characters_dataset_elastic", 7)
    for a, b in zip(plain, with_elastic, strict=True):
        assert a.dtype == b.dtype
        assert (a == b).all()


def test_eighth_array_holds_the_distorted_images(folder):
    run("--copies", "3")
    x_train_elastic = load("characters_dataset_elastic", 8)[7]
    assert x_train_elastic.dtype == np.uint8
    assert x_train_elastic.shape == (3 * TRAIN, *SIZE)
    assert (x_train_elastic != np.tile(load("characters_dataset", 1)[0], (3, 1, 1))).any()


def test_copies_follow_one_another(folder):
    run("--copies", "3", "--alpha", "0")
    arrays = load("characters_dataset_elastic", 8)
    assert (arrays[7] == np.concatenate([arrays[0]] * 3)).all()


def test_manifest_is_last_and_names_how_the_images_were_made(folder):
    run("--copies", "2", "--preset", "ciresan", "--small-angle", "い", "--seed", "7")
    manifest = json.loads(str(load("characters_dataset_elastic", 9)[8]))
    source = open_dataset("characters_dataset")
    assert manifest["format"] == "characters_dataset_elastic"
    assert manifest["elastic"] == {
        "preset": "ciresan",
        **json.loads(json.dumps(PRESETS["ciresan"].to_json())),
        "copies": 2,
        "seed": 7,
        "small_angle": ["い"],
        "dataset": source.fingerprint,
    }
    for key in ("source", "split", "counts", "characters", "preprocessing"):
        assert manifest[key] == source.manifest[key]


def test_alpha_and_sigma_replace_those_of_the_preset(folder):
    run("--preset", "simard", "--alpha", "10", "--sigma", "3")
    described = open_dataset("characters_dataset_elastic").manifest["elastic"]
    assert (described["preset"], described["alpha"], described["sigma"]) == ("simard", [10], [3])


def test_manifest_holds_the_sha256_of_every_array(folder):
    run("--copies", "1")
    manifest = json.loads(str(load("characters_dataset_elastic", 9)[8]))
    data, start = Path("characters_dataset_elastic").read_bytes(), 0
    with open("characters_dataset_elastic", "rb") as file:
        for name in (*ARRAYS, "X_train_elastic"):
            np.load(file)
            digest = hashlib.sha256(data[start : file.tell()]).hexdigest()
            assert manifest["sha256"].pop(name) == digest
            start = file.tell()
    assert not manifest["sha256"]


def test_opening_maps_the_distorted_images(folder):
    run("--copies", "2")
    opened = open_dataset("characters_dataset_elastic")
    assert isinstance(opened.X_train_elastic, np.memmap)
    assert opened.X_train_elastic.shape == (2 * TRAIN, *SIZE)
    assert opened.class_names == ["あ", "い", "う"]


def test_a_plain_dataset_has_no_distorted_images(folder):
    assert open_dataset("characters_dataset").X_train_elastic is None


@pytest.mark.parametrize("where", np.linspace(0, 0.999, 40).tolist())
def test_one_changed_byte_is_found(folder, where):
    run("--copies", "2")
    path = Path("characters_dataset_elastic")
    data = bytearray(path.read_bytes())
    data[int(where * len(data))] ^= 4
    path.write_bytes(data)
    with pytest.raises(ArtifactError, match=r"dataset\.py again"):
        open_dataset(path)


@pytest.mark.parametrize("kept", [0, 100, 0.5, 0.8, 0.999])
def test_a_cut_file_is_found(folder, kept):
    run("--copies", "2")
    path = Path("characters_dataset_elastic")
    data = path.read_bytes()
    path.write_bytes(data[: int(kept if kept >= 1 else kept * len(data))])
    with pytest.raises(ArtifactError, match="characters_dataset_elastic"):
        open_dataset(path)


def test_a_file_without_its_distorted_images_is_found(folder):
    run("--copies", "2")
    path = Path("characters_dataset_elastic")
    with path.open("rb") as file:
        for _ in range(7):
            np.load(file)
        start = file.tell()
        np.load(file)
        end = file.tell()
    data = path.read_bytes()
    path.write_bytes(data[:start] + data[end:])
    with pytest.raises(ArtifactError):
        open_dataset(path)


# --- same bytes ---


def elastic_file(name, *arguments):
    assert run("--copies", "2", "--output", name, *arguments) == 0
    return Path(name).read_bytes()


@pytest.mark.parametrize("preset", list(PRESETS))
def test_same_bytes_for_any_number_of_workers(folder, monkeypatch, preset):
    monkeypatch.setattr(presets, "BLOCK_PIXELS", 4 * SIZE[0] * SIZE[1])  # several blocks
    one = elastic_file("one", "--preset", preset, "--workers", "1")
    assert elastic_file("two", "--preset", preset, "--workers", "2") == one


def test_same_seed_gives_the_same_bytes_and_another_does_not(folder):
    assert elastic_file("a", "--seed", "3") == elastic_file("b", "--seed", "3")
    assert elastic_file("a", "--seed", "3") != elastic_file("c", "--seed", "4")


def test_no_two_copies_are_equal(folder):
    run("--copies", "3")
    copies = load("characters_dataset_elastic", 8)[7].reshape(3, TRAIN, *SIZE)
    for a, b in ((0, 1), (0, 2), (1, 2)):
        assert (copies[a] != copies[b]).any(axis=(1, 2)).all()


def test_small_angle_changes_its_classes_alone(folder):
    run("--preset", "ciresan", "--copies", "1")
    before = load("characters_dataset_elastic", 8)
    run("--preset", "ciresan", "--copies", "1", "--small-angle", "い", "う")
    after = load("characters_dataset_elastic", 8)
    changed = (before[7] != after[7]).any(axis=(1, 2))
    assert (changed == (before[1] > 0)).all()


def test_small_angle_takes_a_class_name_or_a_character(folder):
    write_blots("characters_dataset", class_names=("U+3042", "U+3044"))
    run("--preset", "ciresan", "--small-angle", "い", "U+3042")
    described = open_dataset("characters_dataset_elastic").manifest["elastic"]
    assert described["small_angle"] == ["U+3042", "U+3044"]


# --- what it prints, what it refuses ---


def test_the_preset_classic_answers_to_its_old_name(folder):
    assert elastic_file("old", "--preset", "seed") == elastic_file("new", "--preset", "classic")


def test_summary_names_file_counts_and_preset(folder, capsys):
    run("--copies", "4")
    out, err = capsys.readouterr()
    assert out.startswith("characters_dataset_elastic: written\n")
    assert "120 distorted pictures of 3 classes, 12x10: 4 of each in train" in out
    assert "preset classic: alpha 47, sigma 6; seed 1" in out
    assert not err


def test_summary_says_that_a_file_was_replaced(folder, capsys):
    run()
    capsys.readouterr()
    run()
    assert "(the file that was there is replaced)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("--sigma", "0"), 2, "--sigma"),
        (("--sigma", "0.5"), 2, "sigma must be 1 to 32"),
        (("--sigma", "wide"), 2, "not a number"),
        (("--alpha", "-1"), 2, "--alpha"),
        (("--alpha", "nan"), 2, "--alpha"),
        (("--alpha", "5000"), 2, "alpha must be 0 to 100 times sigma"),
        (("--copies", "-9"), 2, "--copies"),
        (("--copies", "0"), 2, "--copies"),
        (("--seed", "-1"), 2, "--seed"),
        (("--preset", "strong"), 2, "--preset"),
        (("--preview", "0"), 2, "--preview"),
        (("--small-angle", "い"), 2, "does not turn"),
        (("--preset", "ciresan", "--small-angle", "え"), 2, "no such class"),
        (("--output", "characters_dataset"), 2, "is the dataset itself"),
        (("--dataset", "nowhere"), 3, "run create_dataset.py first"),
        (("--output", "no/folder"), 4, "does not exist"),
    ],
)
def test_mistakes_end_with_one_line_and_their_exit_code(folder, capsys, arguments, code, message):
    assert run(*arguments) == code
    out, err = capsys.readouterr()
    assert message in err.strip().splitlines()[-1]
    assert "Traceback" not in err
    assert not out
    assert sorted(path.name for path in folder.iterdir()) == ["characters_dataset"]


def test_an_elastic_dataset_is_not_distorted_again(folder, capsys):
    run()
    assert run("--dataset", "characters_dataset_elastic", "--output", "twice") == 3
    assert "has distorted images already" in capsys.readouterr().err


def test_a_damaged_dataset_is_refused(folder, capsys):
    data = bytearray(Path("characters_dataset").read_bytes())
    data[200] ^= 1
    Path("characters_dataset").write_bytes(data)
    assert run() == 3
    assert "damaged (X_train" in capsys.readouterr().err


def test_want_of_space_is_found_before_any_work(folder, monkeypatch, capsys):
    usage = shutil.disk_usage(folder)._replace(free=5000)
    monkeypatch.setattr(files.shutil, "disk_usage", lambda path: usage)
    monkeypatch.setattr(presets, "distort_block", None)
    assert run() == 4
    assert "only 5 kB are free" in capsys.readouterr().err


def test_an_interrupted_run_leaves_the_old_file(folder, monkeypatch):
    old = elastic_file("kept")

    def interrupt(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(presets, "distort_block", interrupt)
    assert run("--output", "kept") == 130
    assert Path("kept").read_bytes() == old
    assert not Path(files.temporary("kept")).exists()


def test_memory_does_not_grow_with_the_copies(folder):
    write_blots("characters_dataset", (32, 32), 3000)
    dataset = open_dataset("characters_dataset")
    tracemalloc.start()
    try:
        build.augment_dataset(dataset, "large", PRESETS["classic"], copies=10, workers=1)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert Path("large").stat().st_size > 33e6
    assert peak < 20e6


# --- the script ---


def test_preview_writes_a_sheet_per_class(folder, capsys):
    assert run("--copies", "2", "--preview", "2") == 0
    sheets = sorted(Path("Dataset-Augmentation").iterdir())
    assert [path.name for path in sheets] == ["0001_あ.png", "0003_う.png"]
    out = capsys.readouterr().out
    for path in sheets:
        assert f"{path}: written" in out
        with Image.open(path) as sheet:
            sheet.load()
            assert sheet.mode == "L"
            # 12x10 enlarged by 5: 8 lines, an original and 2 copies, with gaps.
            assert sheet.size == (4 + 3 * 54 + 12, 4 + 8 * 64)


def test_preview_shows_dark_ink_on_light_paper(folder):
    run("--alpha", "0", "--copies", "1", "--preview", "3")
    train = load("characters_dataset", 1)[0]
    with Image.open("Dataset-Augmentation/0001_あ.png") as sheet:
        shown = np.asarray(sheet)
    first = 255 - train[0].repeat(5, axis=0).repeat(5, axis=1)
    assert (shown[4:64, 4:54] == first).all()
    assert (shown[4:64, 70:120] == first).all()


def test_preview_where_the_folder_cannot_be_made_ends_before_any_work(folder, capsys):
    Path("Dataset-Augmentation").write_text("in the way")
    assert run("--preview", "1") == 4
    assert not Path("characters_dataset_elastic").exists()


def test_presets_of_the_command_line_are_those_of_the_module(capsys):
    for preset in PRESETS:
        assert create_augmented_dataset.parse_args(["--preset", preset]).preset == preset


def test_importing_the_script_imports_no_numpy():
    code = "import create_augmented_dataset, sys; sys.exit('numpy' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
