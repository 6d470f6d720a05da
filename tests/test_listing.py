import gzip
import io
import os
import pathlib
import shutil
import stat
import struct
import tarfile
import zipfile

import numpy as np
import pytest
from conftest import index_of, make_folder, run_script

from glyphs.dataset.open import open_dataset
from glyphs.errors import PictureError, UsageError
from glyphs.sources import listing, opening
from glyphs.sources.index import Options

KINDS = ("zip", "tar", "gztar", "xztar", "bztar")


@pytest.fixture(scope="module")
def shapes(tmp_path_factory):
    return make_folder(tmp_path_factory.mktemp("archives") / "shapes", {"ring": 12, "bar": 11})


@pytest.fixture(scope="module")
def from_folder(shapes):
    path = shapes.parent / "from_folder"
    run_script("create_dataset.py", shapes, "--output", path)
    return open_dataset(path)


def pack(folder, kind, base):
    return shutil.make_archive(str(base), kind, folder.parent, folder.name)


@pytest.mark.parametrize("kind", KINDS)
def test_an_archive_gives_the_dataset_of_its_folder(shapes, from_folder, tmp_path, kind):
    archive = pack(shapes, kind, tmp_path / "packed")
    run_script("create_dataset.py", archive, "--output", tmp_path / "out")
    dataset = open_dataset(tmp_path / "out")
    assert dataset.class_names == from_folder.class_names
    for name in ("X_train", "y_train", "X_val", "y_val", "X_test", "y_test"):
        np.testing.assert_array_equal(getattr(dataset, name), getattr(from_folder, name))
    assert sorted(os.listdir(tmp_path)) == sorted(["out", os.path.basename(archive)])


def read_all(archive, scratch):
    """Return what comes of every sample: a size, or an error's text."""
    with opening.open_index(archive, Options(), scratch=scratch) as index:
        chunk = index.samples.chunk(range(len(index.samples)))
        return [p.size if not isinstance(p, PictureError) else str(p) for p in chunk.pictures()]


@pytest.mark.parametrize("kind", KINDS)
def test_damaged_archives_give_pictures_or_one_line(shapes, tmp_path, kind):
    archive = pack(shapes, kind, tmp_path / "packed")
    whole = pathlib.Path(archive).read_bytes()
    rng = np.random.default_rng(KINDS.index(kind))
    outcomes = set()
    for i in range(60):
        damaged = bytearray(whole)
        if i % 3:
            damaged[rng.integers(len(whole))] ^= 1 << rng.integers(8)
        else:
            del damaged[rng.integers(len(whole)) :]
        path = tmp_path / f"damaged{os.path.basename(archive)[6:]}"
        path.write_bytes(damaged)
        try:
            outcomes |= {type(result) for result in read_all(path, tmp_path / "scratch")}
        except UsageError as error:
            outcomes |= {UsageError, "\n" in str(error)}
    assert UsageError in outcomes
    assert True not in outcomes  # no error of two lines
    assert tuple in outcomes or kind not in ("zip", "tar")  # what is packed as a whole is refused


def test_names_that_lead_elsewhere_and_links_are_not_read(shapes, tmp_path):
    picture = (shapes / "ring" / "1.png").read_bytes()
    names = ("../a/1.png", "/b/1.png", "C:/c/1.png", "d/../../e/1.png", "f/1.png", "g/1.png")
    with zipfile.ZipFile(tmp_path / "z.zip", "w") as archive:
        for name in names:
            archive.writestr(name, picture)
        link = zipfile.ZipInfo("f/link.png")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    with tarfile.open(tmp_path / "t.tar", "w") as archive:
        for name in names:
            member = tarfile.TarInfo(name)
            member.size = len(picture)
            archive.addfile(member, io.BytesIO(picture))
        link = tarfile.TarInfo("f/link.png")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    for name in ("z.zip", "t.tar"):
        index = index_of(tmp_path / name)
        assert index.class_names == ["f", "g"]
        assert index.skipped == {"unsafe name in the archive": 4, "link in the archive": 1}


def test_a_bomb_is_not_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr(listing, "SMALL", 1 << 20)
    blank = tarfile.TarInfo("a/1.png")
    blank.size = 1 << 24
    with tarfile.open(tmp_path / "bomb.tar.gz", "w:gz") as archive:
        archive.addfile(blank, io.BytesIO(bytes(blank.size)))
    with pytest.raises(UsageError, match="more than 200 times its size"):
        index_of(tmp_path / "bomb.tar.gz")
    assert os.listdir(tmp_path) == ["bomb.tar.gz"]


def test_a_zip_member_that_lies_about_its_size_is_refused(shapes, tmp_path):
    path = tmp_path / "lies.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/1.bmp", bytes(1 << 20))
        archive.write(shapes / "bar" / "1.png", "b/1.png")
    stored = path.read_bytes()
    size = (1 << 20).to_bytes(4, "little")
    path.write_bytes(stored.replace(size, (1000).to_bytes(4, "little")))
    assert ["its checksum differs" in str(result) for result in read_all(path, tmp_path / "s")] == [
        True,
        False,
    ]


def test_encrypted_and_oddly_packed_members_are_named(shapes, tmp_path):
    path = tmp_path / "odd.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as archive:
        archive.write(shapes / "bar" / "1.png", "a/1.png")
    assert read_all(path, tmp_path / "s") == [
        f"{path}/a/1.png: encrypted, or compressed by a method other than deflate; pack the "
        "archive again"
    ]


def test_members_said_to_lie_before_the_start_of_the_zip_are_named(shapes, tmp_path):
    path = tmp_path / "early.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(shapes / "bar" / "1.png", "a/1.png")
    stored = bytearray(path.read_bytes())
    end = stored.rfind(b"PK\x05\x06")
    (place,) = struct.unpack_from("<I", stored, end + 16)
    struct.pack_into("<I", stored, end + 16, place + 10)  # where the list of files begins
    path.write_bytes(stored)
    (error,) = read_all(path, tmp_path / "s")
    assert error.startswith(f"{path}/a/1.png: the archive is damaged here")


def test_a_zip_member_without_a_name_is_passed_over(shapes, tmp_path):
    path = tmp_path / "nameless.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(shapes / "bar" / "1.png", "a/1.png")
        archive.write(shapes / "bar" / "1.png", "x")
    stored = bytearray(path.read_bytes())
    entry = stored.rfind(b"PK\x01\x02")
    struct.pack_into("<H", stored, entry + 28, 0)  # the length of its name
    struct.pack_into("<H", stored, entry + 32, 1)  # and of a remark behind it
    path.write_bytes(stored)
    assert len(read_all(path, tmp_path / "s")) == 1


def test_utf8_names_are_read_whether_or_not_the_zip_says_so(shapes, tmp_path):
    path = tmp_path / "names.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(shapes / "bar" / "1.png", "亜/1.png")
        archive.write(shapes / "bar" / "1.png", "右/1.png")
    assert index_of(path).class_names == ["亜", "右"]
    stored = bytearray(path.read_bytes())
    for header, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        start = -1
        while (start := stored.find(header, start + 1)) >= 0:
            stored[start + flags + 1] &= ~0x08  # the flag for UTF-8
    path.write_bytes(stored)
    assert index_of(path).class_names == ["亜", "右"]


def test_a_gz_file_that_is_no_archive_is_said_to_be_unknown(tmp_path):
    (tmp_path / "x.gz").write_bytes(gzip.compress(b"hello" * 200))
    with pytest.raises(UsageError, match="neither a folder, nor an archive"):
        index_of(tmp_path / "x.gz")


def test_full_disk_while_unpacking_leaves_nothing(shapes, tmp_path):
    archive = pack(shapes, "gztar", tmp_path / "packed")
    run = run_script("create_dataset.py", archive, cwd=tmp_path, expect=4, largest_file=20_000)
    assert "no space left" in run.stderr
    assert sorted(os.listdir(tmp_path)) == ["packed.tar.gz"]
