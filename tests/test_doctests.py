"""The examples in docstrings, run as a reader would run them."""

import doctest
import importlib
import os
import tempfile

import pytest
from conftest import ROOT

MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted((ROOT / "glyphs").rglob("*.py"))
}
WITH_EXAMPLES = [name for name, path in MODULES.items() if ">>> " in path.read_text("utf-8")]
EXPECTED = 13  # modules with examples: each reader, and what the Python API begins with


def test_modules_that_people_read_first_have_examples():
    assert len(WITH_EXAMPLES) >= EXPECTED


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_examples_do_what_they_say_and_leave_nothing_behind(name, tmp_path, monkeypatch):
    module = importlib.import_module(name)
    (tmp_path / "scratch").mkdir()
    (tmp_path / "pretrained").symlink_to(ROOT / "pretrained")  # as if in the project's folder
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "scratch"))
    results = doctest.testmod(module)
    assert results.attempted
    assert not results.failed  # pytest shows what was printed: expected and got
    assert set(os.listdir(tmp_path)) == {"scratch", "pretrained"}
    assert not os.listdir(tmp_path / "scratch")
