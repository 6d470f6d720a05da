"""The README's commands work as they stand, and name options that exist."""

import re
import shlex
import shutil

import numpy as np
import pytest
import test_etl
import test_kaggle
import test_mnist
from conftest import ROOT, SHAPES, make_folder, run_script

README = (ROOT / "README.md").read_text()
TRAINING, DATA = ((ROOT / "docs" / name).read_text() for name in ("training.md", "data.md"))
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
TEXT = "".join(page.read_text() for page in PAGES)
COMMANDS = sorted(set(re.findall(r"^    (?:\$ |.*\| )?python (\w+\.py.*)$", TEXT, re.M)))
IN_TEXT = sorted(set(re.findall(r"`(?:KERAS_BACKEND=jax )?python (\w+\.py[^`]*)`", TEXT)))


@pytest.mark.parametrize("command", COMMANDS + IN_TEXT)
def test_options_of_every_command_exist(command):
    words = shlex.split(command.partition(">")[0])
    help_text = run_script(words[0], "--help").stdout
    for word in words[1:]:
        if word.startswith("--"):
            assert re.search(rf"^  {word}\b", help_text, re.M), f"{words[0]} has no {word}"


def test_commands_are_found():
    assert {command.split()[0] for command in COMMANDS + IN_TEXT} >= {
        "create_dataset.py", "model.py", "classify.py", "draw_samples.py",
    }  # fmt: skip


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_exist(page):
    for target in re.findall(r"\]\(([^)]+)\)", page.read_text()):
        assert (page.parent / target).exists(), target


def test_the_readme_is_a_front_door():
    assert len(README.splitlines()) < 250


def test_the_front_page_shows_what_the_japanese_model_reads(tmp_path):
    shown = README.split("    $ python classify.py")[1].split("\n\n")[0]
    command, *lines = shown.splitlines()
    run = run_script("classify.py", *shlex.split(command), cwd=ROOT)
    assert run.stdout.splitlines() == [line.strip() for line in lines]
    assert "".join(line[-1] for line in lines) == "漢字龍ひネぬ"


def test_listed_files_exist():
    listing = README.split("## The files")[1].split("`characters_dataset`")[0]
    for name in re.findall(r"^    (\S+\.(?:py|txt|lock)|\S+/)", listing, re.M):
        assert (ROOT / name).exists(), name
    rooms = re.findall(r"(\w+)/", "".join(re.findall(r"^        (\w+/.*?) {3,}", listing, re.M)))
    assert set(rooms) == {path.parent.name for path in ROOT.glob("glyphs/*/__init__.py")}


def test_list_of_networks_is_what_the_readme_shows():
    shown = TRAINING.split("$ python train.py --list\n")[1].split("    ...")[0].splitlines()
    printed = run_script("train.py", "--list").stdout.splitlines()
    assert [line.strip() for line in shown] == printed[: len(shown)]


@pytest.fixture
def sources(tmp_path):
    """A folder with small stand-ins, of our own making, for the data that the README names."""
    records = test_etl.encode_file("etl9b", test_etl.random_records("etl9b", 60))
    (tmp_path / "ETL9B").mkdir()
    (tmp_path / "ETL9B" / "ETL9B_1").write_bytes(records)
    shutil.make_archive(str(tmp_path / "ETL9B"), "zip", tmp_path, "ETL9B")
    letters = make_folder(tmp_path / "omniglot" / "Greek", dict.fromkeys(SHAPES, 20))
    for path in sorted(letters.rglob("*.png")):
        path.rename(path.with_name(f"0001_{path.name}"))  # the second number is the drawer
    shutil.make_archive(str(tmp_path / "omniglot_small1"), "zip", tmp_path, "omniglot")
    pages = {f"{i}_1": [("U+306F", 1, 1, 9, 9), ("U+4E00", 20, 20, 9, 5)] for i in range(30)}
    pages["30_1"] = [("U+2000B", 5, 5, 9, 9)]
    test_kaggle.write(tmp_path / "kuzushiji", pages)
    for name in ("hebrew", "characters", "hanzi100", "scans"):
        make_folder(tmp_path / name, dict.fromkeys(SHAPES, 30))
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (40, 28, 28), np.uint8), np.arange(40, dtype=np.uint8) % 4
    images[7] = 0  # blank
    (tmp_path / "corrections.csv").write_text("path,label,correction\nring/1.png,ring,bar\n")
    test_mnist.write_pair(tmp_path / "kmnist", "npz", "kmnist-test", images, labels)
    return tmp_path


def test_sources_are_read_by_the_commands_of_the_readme(sources):
    commands = re.findall(r"^    (?:\$ )?python (\w+_dataset\.py.*)$", DATA, re.M)
    assert len(commands) == 7
    assert set(re.findall(r"^    python (create_dataset\.py.*)$", README, re.M)) <= set(
        commands
    ) | {"create_dataset.py characters"}
    for command in commands:
        expected = 5 if command.startswith("inspect") else 0
        run = run_script(*shlex.split(command), cwd=sources, expect=expected)
        assert command != "inspect_dataset.py kmnist" or "pictures: 1  [blank]" in run.stdout
    run_script("inspect_dataset.py", "hanzi100", cwd=sources)


@pytest.mark.slow
def test_trainings_of_the_readme_run(sources):
    run_script("create_dataset.py", "characters", "--image-size", "16", cwd=sources)
    run_script("create_augmented_dataset.py", "--copies", "2", cwd=sources)
    for command in (
        "model.py",
        "model_for_augmented_dataset.py --epochs 2",
        "train.py --network kuzushiji --epochs 5",
        "train.py characters/ --network hebrew --batch-size 8 --validation-split 0.2 --output out/",
        "train.py",
        "classify.py scans/ --top 3",
        "classify.py scans/ --format csv",
        "classify.py --model out/model scans/",
    ):
        assert f"python {command}" in TEXT or "out/model" in command
        run_script(*shlex.split(command), cwd=sources)
    assert (sources / "out" / "model_curves.png").exists()


@pytest.mark.slow
def test_step_by_step_prints_what_the_readme_shows(tmp_path):
    run_script("draw_samples.py", "characters", cwd=tmp_path)
    for command in ("create_dataset.py characters", "create_augmented_dataset.py"):
        shown = README.split(f"$ python {command}\n")[1].split("\n\n")[0].splitlines()
        printed = run_script(*command.split(), cwd=tmp_path).stdout.splitlines()
        # The last line is the time.
        assert [line.strip() for line in printed[:-1]] == [line.strip() for line in shown[:-1]]
    run_script("model.py", "--epochs", 1, "--no-refit", cwd=tmp_path)
    (tmp_path / "a.png").write_bytes((tmp_path / "characters/B0A1/0001.png").read_bytes())
    (tmp_path / "b.png").write_bytes((tmp_path / "characters/B0A2/0001.png").read_bytes())
    lines = run_script("classify.py", "a.png", "b.png", cwd=tmp_path).stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["a.png", "b.png"]


def test_python_example_runs(toy_model, toy_folder, monkeypatch, capsys):
    code = README.split("```python\n")[1].split("```")[0]
    code = code.replace("demo/model", str(toy_model))
    code = code.replace("demo/unseen/B0A1/0001.png", str(toy_folder / "ring" / "1.png"))
    exec(compile(code, "README.md", "exec"), {})  # noqa: S102
    assert " ring None " in capsys.readouterr().out
