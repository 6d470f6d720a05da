import errno
import os

import pytest

from glyphs import files
from glyphs.errors import StorageError


def test_replacing_leaves_the_old_file_when_the_block_fails(tmp_path):
    path = tmp_path / "data"
    path.write_bytes(b"old")

    def write_half():
        with files.replacing(path) as file:
            file.write(b"half of the new")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write_half()
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["data"]


def test_replacing_shows_the_new_file_only_at_the_end(tmp_path):
    path = tmp_path / "data"
    with files.replacing(path) as file:
        file.write(b"new")
        assert not path.exists()
    assert path.read_bytes() == b"new"


def test_full_disk_is_a_storage_error_that_says_how_much_was_needed(tmp_path):
    def fill():
        with files.replacing(tmp_path / "data", needed=5_000_000):
            raise OSError(errno.ENOSPC, "full")

    with pytest.raises(StorageError, match=r"data: no space left \(5 MB were needed\)"):
        fill()


def test_too_large_an_output_is_refused_before_work_begins(tmp_path):
    with pytest.raises(StorageError, match="only"):
        files.check_can_write(tmp_path / "data", 10**18)


@pytest.mark.parametrize("name", ["missing/data", "."])
def test_impossible_output_is_refused(tmp_path, name):
    with pytest.raises(StorageError):
        files.check_can_write(tmp_path / name)


def test_a_folder_that_cannot_be_written_in_is_named_itself(tmp_path, monkeypatch):
    (tmp_path / "file").mkdir()  # what lies in it does not matter
    files.make_folder(tmp_path)
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(StorageError) as raised:
        files.make_folder(tmp_path)
    assert str(raised.value) == f"{tmp_path}: no permission to write in it; choose another place"
