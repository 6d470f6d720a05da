"""The package managers are stood in for by programs of our own: tests fetch nothing."""

import hashlib
import io
import os
import pathlib
import subprocess
import sys
import tarfile

import pytest
from conftest import run_script

import fetch_sources
from fetch_sources import Source

FONT = b"a font"
MEMBER = "package/files/toy-japanese-400-normal.woff"


def packed(content=FONT, member=MEMBER):
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz") as archive:
        info = tarfile.TarInfo(member)
        info.size = len(content)
        archive.addfile(info, io.BytesIO(content))
    return data.getvalue()


def source(sha256=None, manager="npm"):
    sha256 = sha256 or hashlib.sha256(FONT).hexdigest()
    return Source(manager, "@fonts/toy==1.0", MEMBER, sha256, "OFL 1.1")


@pytest.fixture
def manager(monkeypatch):
    """A list of what was run; what a package manager leaves behind is set by its `package`."""

    class Manager(list):
        package = packed()
        code = 0

    ran = Manager()

    def run(command, cwd, **_):
        ran.append(command)
        if ran.package is None:
            raise FileNotFoundError(command[0])
        pathlib.Path(cwd, "toy-1.0.tgz").write_bytes(ran.package)
        return subprocess.CompletedProcess(command, ran.code, "", "first line\nno network")

    monkeypatch.setattr(fetch_sources.subprocess, "run", run)
    return ran


def test_a_font_is_taken_out_of_its_package_and_fetched_once(manager, tmp_path):
    path = fetch_sources.fetch(source(), str(tmp_path), "japanese")
    assert path == str(tmp_path / "japanese/fonts/toy-japanese-400-normal.woff")
    assert pathlib.Path(path).read_bytes() == FONT
    assert manager == [["npm", "pack", "--silent", "@fonts/toy@1.0"]]
    fetch_sources.fetch(source(), str(tmp_path), "japanese")
    # What one set has is copied to the other.
    copy = fetch_sources.fetch(source(), str(tmp_path), "chinese")
    assert pathlib.Path(copy).read_bytes() == FONT
    assert len(manager) == 1


def test_a_file_that_was_changed_is_fetched_again(manager, tmp_path):
    path = pathlib.Path(fetch_sources.fetch(source(), str(tmp_path), "japanese"))
    path.write_bytes(b"changed")
    fetch_sources.fetch(source(), str(tmp_path), "japanese")
    assert path.read_bytes() == FONT


def test_another_file_than_expected_is_not_laid_there(manager, tmp_path):
    with pytest.raises(fetch_sources.FetchError, match="not the file that was drawn from"):
        fetch_sources.fetch(source("0" * 64), str(tmp_path), "japanese")
    assert not os.listdir(tmp_path)


@pytest.mark.parametrize(
    ("package", "code", "message"),
    [
        (None, 0, "npm is not installed; fetch package/files/toy"),
        (packed(), 1, r"npm pack failed \(no network\); fetch"),
        (packed(member="other"), 0, "cannot be unpacked"),
        (b"no archive", 0, "cannot be unpacked"),
    ],
    # A packed file holds the time it was made: a name made of it differs between processes.
    ids=["no manager", "manager fails", "no such member", "no archive"],
)
def test_what_fails_says_what_to_do(manager, tmp_path, package, code, message):
    manager.package, manager.code = package, code
    with pytest.raises(fetch_sources.FetchError, match=message):
        fetch_sources.fetch(source(), str(tmp_path), "japanese")


def test_strokes_stay_packed(manager, tmp_path):
    manager.package = b"a wheel"
    sha256 = hashlib.sha256(manager.package).hexdigest()
    strokes = Source("pip", "strokes==1", "", sha256, "CC BY-SA 3.0", ("japanese",))
    path = fetch_sources.fetch(strokes, str(tmp_path), "japanese")
    assert path == str(tmp_path / "japanese/strokes/strokes.whl")
    assert manager[0][:4] == [sys.executable, "-m", "pip", "download"]


def test_list_names_every_source_with_its_licence():
    lines = run_script("fetch_sources.py", "--list").stdout.splitlines()
    assert len(lines) == len(fetch_sources.SOURCES)
    assert "CC BY-SA 3.0" in next(line for line in lines if "kanjivg" in line)


def test_columns_of_the_list_do_not_run_together():
    lines = run_script("fetch_sources.py", "--list").stdout.splitlines()
    for line, source in zip(lines, fetch_sources.SOURCES, strict=True):
        assert f" {source.package} " in line


def test_no_two_strokes_of_different_licences_are_in_one_set():
    for name in fetch_sources.SETS:
        strokes = [s for s in fetch_sources.SOURCES if name in s.sets and not s.is_font]
        assert len({s.licence for s in strokes}) == 1


def test_missing_sources_are_counted_and_the_exit_code_is_1(tmp_path):
    # Without any program to fetch by.
    run = run_script(
        "fetch_sources.py", "chinese", "--folder", tmp_path, environment={"PATH": ""}, expect=1
    )
    wanted = [s for s in fetch_sources.SOURCES if "chinese" in s.sets]
    assert run.stdout == ""
    assert run.stderr.count("is not installed; fetch ") == len(wanted)
    assert f"{len(wanted)} sources are missing" in run.stderr
