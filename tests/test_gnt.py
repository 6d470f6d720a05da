"""GNT files, written here from the description of their format, with nothing of the reader."""

import random
import struct
import tarfile
import zipfile

import numpy as np
import pytest
from conftest import draw_shape, run_script

from glyphs.dataset.open import open_dataset
from glyphs.errors import PictureError, UsageError
from glyphs.sources import gnt, opening
from glyphs.sources.index import SPLITS, Options

TAGS = {"U+554A": b"\xb0\xa1", "U+963F": b"\xb0\xa2", "U+0041": b"A\0"}  # 啊, 阿, A


def encode(tag, pixels, size=None):
    """Return a record; `size` overrides what its first field says."""
    height, width = pixels.shape
    size = 10 + width * height if size is None else size
    return struct.pack("<I2sHH", size, tag, width, height) + pixels.tobytes()


def random_pictures(count, seed=0):
    rng = np.random.default_rng(seed)
    sides = rng.integers(1, 300, (count, 2))
    return [rng.integers(0, 256, side, np.uint8) for side in sides]


def encode_file(count, seed=0):
    tags = list(TAGS.values())
    return b"".join(encode(tags[i % 3], p) for i, p in enumerate(random_pictures(count, seed)))


def open_index(path):
    return gnt.index(opening.open_listing(path, f"{path}.scratch"), Options())


def pictures(index):
    return list(index.samples.chunk(range(len(index.samples))).pictures())


def test_pictures_are_read_to_the_pixel(tmp_path):
    (tmp_path / "001-f.gnt").write_bytes(encode_file(12))
    index = open_index(tmp_path)
    assert index.class_names == ["U+0041", "U+554A", "U+963F"]
    assert [index.class_names[label] for label in index.labels[:3]] == list(TAGS)
    assert index.polarity == "dark-on-light"
    assert not index.damaged
    for picture, pixels in zip(pictures(index), random_pictures(12), strict=True):
        assert picture.mode == "L"
        np.testing.assert_array_equal(np.asarray(picture), pixels)


def test_groups_are_files_in_natural_order(tmp_path):
    for number in (10, 2, 1):
        (tmp_path / f"{number}.gnt").write_bytes(encode_file(2, number))
    (tmp_path / "readme.txt").touch()
    index = open_index(tmp_path)
    assert index.group_kind == "writer"
    assert index.group_names == ["1", "2", "10"]
    assert index.groups.tolist() == [0, 0, 1, 1, 2, 2]
    assert index.skipped == {"not a file of records": 1}


def test_one_file_of_all_writers_has_no_groups(tmp_path):
    (tmp_path / "1.0train-gb1.gnt").write_bytes(encode_file(5))
    assert open_index(tmp_path).groups is None


@pytest.mark.parametrize(
    ("files", "splits"),
    [
        (["train/1.gnt", "test/2.gnt"], ["test", "train"]),
        (["HWDB/val/a/1.gnt", "HWDB/test/2.gnt"], ["test", "val"]),
        (["HWDB1.1trn_gnt/1.gnt", "HWDB1.1tst_gnt/2.gnt"], ["train", "test"]),
        (["Training/1.gnt", "TEST/2.gnt"], ["test", "train"]),
        (["train/1.gnt", "other/2.gnt"], None),
        (["train/1.gnt", "2.gnt"], None),
        (["train/1.gnt", "train/2.gnt"], None),
    ],
)
def test_folders_named_for_splits_give_them(tmp_path, files, splits):
    for name in files:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(encode_file(1))
    found = open_index(tmp_path).splits
    assert (None if found is None else [SPLITS[number] for number in found]) == splits


@pytest.mark.parametrize("pack", ["zip", "tar.xz", "file"])
def test_archives_and_single_files_are_read_alike(tmp_path, pack):
    (tmp_path / "gnt").mkdir()
    for number in (1, 2):
        (tmp_path / "gnt" / f"{number}.gnt").write_bytes(encode_file(4, number))
    expected = [picture.tobytes() for picture in pictures(open_index(tmp_path / "gnt"))]
    source = tmp_path / f"source.{pack}"
    if pack == "zip":
        with zipfile.ZipFile(source, "w", zipfile.ZIP_DEFLATED) as archive:
            for number in (1, 2):
                archive.write(tmp_path / "gnt" / f"{number}.gnt", f"gnt/{number}.gnt")
    elif pack == "file":
        source, expected = tmp_path / "gnt" / "1.gnt", expected[:4]
    else:
        with tarfile.open(source, "w:xz") as archive:
            archive.add(tmp_path / "gnt", "gnt")
    with opening.open_index(source, Options(), scratch=tmp_path / "scratch") as index:
        assert index.reader == "gnt"
        assert [picture.tobytes() for picture in pictures(index)] == expected


def test_other_sources_are_not_recognised(tmp_path, toy_folder):
    (tmp_path / "ETL9B_1").write_bytes(b"\0" * 5760)
    for folder in (toy_folder, tmp_path):
        assert not gnt.recognise(opening.open_listing(folder, "scratch"))


@pytest.mark.parametrize("kept", [3, 10, 500])
def test_cut_file_is_read_up_to_the_cut(tmp_path, kept):
    path = tmp_path / "1.gnt"
    whole = encode_file(4)
    path.write_bytes(whole + encode(b"\xb0\xa1", np.zeros((30, 30), np.uint8))[:kept])
    index = open_index(tmp_path)
    assert len(index.samples) == 4
    assert index.damaged == [(f"{path} at byte {len(whole)}", "the file ends inside this record")]


def test_empty_file_is_named(tmp_path):
    (tmp_path / "1.gnt").write_bytes(encode_file(2))
    (tmp_path / "2.gnt").touch()
    [(name, _)] = open_index(tmp_path).damaged
    assert name == f"{tmp_path}/2.gnt at byte 0"


SQUARE = np.full((20, 20), 7, np.uint8)  # a record of 410 bytes


@pytest.mark.parametrize(
    ("record", "read", "reasons"),
    [
        # Sides that lead to the next record are trusted, whatever the size field says.
        (encode(b"\xb0\xa1", SQUARE, size=5), 3, []),
        # Else a size that leads to the next record loses only this one.
        (
            struct.pack("<I2sHH", 410, b"\xb0\xa1", 20, 21) + bytes(400),
            2,
            ["its size of 410 bytes is not that of 20 x 21 pixels"],
        ),
        # Neither does: the rest of the file is lost.
        (
            struct.pack("<I2sHH", 4, b"\xb0\xa1", 60000, 60000) + bytes(400),
            1,
            [
                "its size of 4 bytes is not that of 60000 x 60000 pixels",
                "the file cannot be read from here on",
            ],
        ),
        (struct.pack("<I2sHH", 10, b"\xb0\xa1", 0, 5), 2, ["0 x 5 pixels are no character"]),
        (encode(b"\xff\xff", SQUARE), 2, ["ffff is the code of no character in GB 18030"]),
        (encode(b"AB", SQUARE), 2, ["4142 is the code of no character in GB 18030"]),
        (encode(b"\0\0", SQUARE), 2, ["0000 is the code of no character in GB 18030"]),
    ],
)
def test_inconsistent_record_is_named_with_its_offset(tmp_path, record, read, reasons):
    good = encode(b"\xb0\xa2", SQUARE)
    path = tmp_path / "1.gnt"
    path.write_bytes(good + record + good)
    index = open_index(tmp_path)
    assert len(index.samples) == read
    assert index.damaged == [(f"{path} at byte 410", reason) for reason in reasons]
    assert all(picture.tobytes() == SQUARE.tobytes() for picture in pictures(index))


def test_picture_of_absurd_size_is_passed_over(tmp_path):
    path = tmp_path / "1.gnt"
    good = encode(b"\xb0\xa2", SQUARE)
    with open(path, "wb") as file:
        file.write(good + struct.pack("<I2sHH", 10 + 60000 * 60000, b"\xb0\xa1", 60000, 60000))
        file.seek(60000 * 60000, 1)  # sparse
        file.write(good)
    index = open_index(tmp_path)
    assert len(index.samples) == 2
    assert index.damaged == [(f"{path} at byte 410", "60000 x 60000 pixels are no character")]
    assert index.samples.name(1) == f"{path} at byte {410 + 10 + 60000 * 60000}"
    assert pictures(index)[1].tobytes() == SQUARE.tobytes()


def test_folder_without_records_is_an_error_that_names_the_file(tmp_path):
    with pytest.raises(UsageError, match=r"no \.gnt files in it"):
        open_index(tmp_path)
    (tmp_path / "1.gnt").write_bytes(b"\x89PNG\r\n\x1a\n" * 10)
    with pytest.raises(UsageError, match=r"no records in .*1\.gnt at byte 0: its size"):
        open_index(tmp_path)


def test_file_that_shrinks_after_the_index_gives_errors(tmp_path):
    path = tmp_path / "1.gnt"
    path.write_bytes(2 * encode(b"\xb0\xa1", SQUARE))
    index = open_index(tmp_path)
    path.write_bytes(path.read_bytes()[:-1])
    found = pictures(index)
    assert isinstance(found[1], PictureError)
    assert str(found[1]) == f"{path} at byte 410: the file has become shorter"


def test_damaged_files_give_samples_or_named_errors(tmp_path):
    rng = random.Random(1)
    headers = [encode(tag, SQUARE[:k, : k + 2]) for k in range(2, 7) for tag in TAGS.values()]
    whole = b"".join(headers)  # small pictures, so that most flips hit headers
    path = tmp_path / "1.gnt"
    for _ in range(300):
        data = bytearray(whole)
        for _ in range(rng.choice((1, 4, 16))):
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        path.write_bytes(data[: rng.randrange(len(data))] if rng.random() < 0.3 else data)
        try:
            index = open_index(tmp_path)
        except UsageError as error:
            named, found = [str(error).partition("; ")[2]], []
        else:
            named, found = [name for name, _ in index.damaged], pictures(index)
        assert all(picture.mode == "L" for picture in found)
        assert all(name.startswith(str(path)) for name in named)


def test_create_dataset_reads_a_folder_of_gnt(tmp_path):
    rng = np.random.default_rng(0)
    folder = tmp_path / "HWDB"
    folder.mkdir()
    shapes = dict(zip(TAGS.values(), ("bar", "cross", "ring"), strict=True))
    for writer in range(10):
        data = [
            encode(tag, np.asarray(draw_shape(s, rng))) for tag, s in shapes.items() for _ in "ab"
        ]
        (folder / f"{writer:03}-f.gnt").write_bytes(b"".join(data))
    run = run_script("create_dataset.py", folder, cwd=tmp_path)
    assert "60 pictures of 3 classes" in run.stdout
    dataset = open_dataset(tmp_path / "characters_dataset")
    assert dataset.class_names == sorted(TAGS)
    assert dataset.characters == ["A", "啊", "阿"]
    assert np.median(dataset.X_train) < 30
