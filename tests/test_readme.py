"""The README's commands work as they stand, and name options that exist."""

import re
import shlex

import pytest
from conftest import ROOT, run_script

README = (ROOT / "README.md").read_text()
COMMANDS = sorted(set(re.findall(r"^    (?:\$ |.*\| )?python (\w+\.py.*)$", README, re.M)))
IN_TEXT = re.findall(r"`python (\w+\.py[^`]*)`", README)


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


def test_links_and_listed_files_exist():
    for target in re.findall(r"\]\(([^)]+)\)", README):
        assert (ROOT / target).exists(), target
    listing = README.split("## The files")[1].split("`characters_dataset`")[0]
    for name in re.findall(r"^    (\S+\.(?:py|txt|lock))", listing, re.M):
        assert (ROOT / name).exists(), name


def test_list_of_networks_is_what_the_readme_shows():
    shown = README.split("$ python train.py --list\n")[1].split("    ...")[0].splitlines()
    printed = run_script("train.py", "--list").stdout.splitlines()
    assert [line.strip() for line in shown] == printed[: len(shown)]


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
