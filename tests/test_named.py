import io
import os
import shutil

import pytest
from conftest import run_script

from glyphs.sources import named

PNG = b"\x89PNG\r\n\x1a\n" + bytes(8)


def search(*names, listed=b""):
    """Return `(pictures, errors, warnings)` of what names stand for."""
    errors, warnings = [], []
    found = named.expand(
        [str(name) for name in names],
        stdin=io.BytesIO(listed),
        on_error=lambda error: errors.append(str(error)),
        warn=warnings.append,
    )
    return list(found), errors, warnings


def make(folder, *names, data=b"x"):
    for name in names:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(data)


def test_pictures_that_are_passed_over_by_name_are_counted(tmp_path):
    make(tmp_path, "1.png", "a.HEIC", "sub/b.pdf", "c.jp2")
    found, errors, warnings = search(tmp_path)
    assert (found, errors) == ([f"{tmp_path}/1.png"], [])
    assert warnings == [
        f"{tmp_path}: files passed over by their names: 3, such as {tmp_path}/a.HEIC; save them "
        "as PNG or JPEG, or name one by itself to have it read"
    ]


def test_what_usually_lies_beside_pictures_is_passed_over_in_silence(tmp_path):
    make(
        tmp_path,
        *("1.png", "Thumbs.db", ".DS_Store", "._2.heic", "labels.csv", "meta.json", "notes.txt"),
        *(
            "desktop.ini",
            "README",
            "model.h5",
            "a.xml",
            "page.html",
            "x.py",
            "v1.2",
            ".hidden/3.pdf",
        ),
    )
    assert search(tmp_path)[1:] == ([], [])


def test_a_picture_without_an_ending_is_counted_and_a_text_is_not(tmp_path):
    make(tmp_path, "1.png", "LICENSE", "empty", data=b"")
    make(tmp_path, "scan 1", "scan.002", data=PNG)
    os.mkfifo(tmp_path / "pipe")
    _, _, (warning,) = search(tmp_path)
    assert f"files passed over by their names: 2, such as {tmp_path}/scan 1;" in warning


@pytest.mark.parametrize(("data", "count"), [(PNG, 1000), (b"text", 0)])
def test_of_many_names_without_an_ending_few_are_opened(tmp_path, monkeypatch, data, count):
    make(tmp_path, "x", data=data)
    opened = []
    look = os.path.isfile
    monkeypatch.setattr(os.path, "isfile", lambda path: opened.append(path) or look(path))
    passed_over = named.PassedOver()
    for _ in range(1000):
        passed_over.see(str(tmp_path), "x")
    assert (passed_over.count, len(opened)) == (count, named.LOOKS)


def test_a_folder_with_other_pictures_only_is_one_error(tmp_path):
    make(tmp_path, "a.heic")
    found, (error,), warnings = search(tmp_path)
    assert error.startswith(
        f"{tmp_path}: no pictures in this folder: files passed over by their names: 1,"
    )
    assert (found, warnings) == ([], [])


def test_a_folder_that_cannot_be_listed_is_one_error(tmp_path, monkeypatch):
    def refuse(folder):
        raise PermissionError(13, "Permission denied", folder)

    monkeypatch.setattr(os, "scandir", refuse)
    assert search(tmp_path)[1] == [f"{tmp_path}: cannot be listed (permission denied)"]


@pytest.mark.parametrize("separator", [b"\n", b"\r\n", b"\0"])
def test_a_list_may_begin_with_a_byte_order_mark(separator):
    listed = b"\xef\xbb\xbf" + separator.join((b"a.png", b"-", b"b.png"))
    assert search("-", listed=listed)[0] == ["a.png", "./-", "b.png"]


def test_classify_warns_of_them_and_exits_with_0(toy_model, unseen, tmp_path):
    shutil.copy(unseen / "bar 1.png", tmp_path)
    make(tmp_path, "a.heic", "b.heic")
    run = run_script("classify.py", "--model", toy_model, tmp_path)
    assert run.stdout == f"{tmp_path}/bar 1.png bar\n"
    assert run.stderr.startswith(f"warning: {tmp_path}: files passed over by their names: 2,")
    assert len(run.stderr.splitlines()) == 1
