"""ETL files, written here from the description of their formats, with nothing of the reader."""

import random
import struct
import tarfile
import zipfile

import numpy as np
import pytest
from conftest import draw_shape, run_script

from glyphs.dataset.open import open_dataset
from glyphs.errors import PictureError, UsageError
from glyphs.sources import etl, opening
from glyphs.sources.index import Options

# Format -> name of a file, width, height, largest value of a pixel.
KINDS = {
    "etl8b": ("ETL8B2C1", 64, 63, 1),
    "etl8g": ("ETL8G_01", 128, 127, 15),
    "etl9b": ("ETL9B_1", 64, 63, 1),
    "etl9g": ("ETL9G_01", 128, 127, 15),
}
SIZES = {"etl8b": 512, "etl8g": 8199, "etl9b": 576, "etl9g": 8199}
CODES = (0x3021, 0x2422, 0x4F53)  # 亜, あ, 腕


def encode(kind, sheet, code, pixels):
    """Return a record: `pixels` is a list of rows of 0 and 1, or of 0 to 15."""
    if kind.endswith("b"):
        rows = [int("".join(map(str, row)), 2).to_bytes(8, "big") for row in pixels]
        tail = b"" if kind == "etl8b" else b"\0" * 64
        return struct.pack(">HH4s504s", sheet, code, b"AI.M", b"".join(rows)) + tail
    packed = bytes(16 * a + b for row in pixels for a, b in zip(row[::2], row[1::2], strict=True))
    form = ">HH8sI44x8128s11x" if kind == "etl8g" else ">HH8sI48x8128s7x"
    return struct.pack(form, sheet, code, b"AI.MEDER", 1, packed)


def encode_file(kind, records):
    dummy = b"\0" * SIZES[kind] if kind.endswith("b") else b""
    return dummy + b"".join(encode(kind, *record) for record in records)


def random_records(kind, count, seed=0, first_sheet=1):
    """Return `count` tuples of sheet, code and pixels; four records a sheet."""
    rng = np.random.default_rng(seed)
    _, width, height, largest = KINDS[kind]
    return [
        (first_sheet + i // 4, CODES[i % 3], rng.integers(0, largest + 1, (height, width)).tolist())
        for i in range(count)
    ]


def open_index(path, reader=None):
    options = Options(reader=reader)
    return etl.index(opening.open_listing(path, f"{path}.scratch"), options)


def pictures(index):
    return list(index.samples.chunk(range(len(index.samples))).pictures())


@pytest.mark.parametrize("kind", KINDS)
def test_pictures_are_read_to_the_pixel(tmp_path, kind):
    name, *_, largest = KINDS[kind]
    records = random_records(kind, 13)
    (tmp_path / name).write_bytes(encode_file(kind, records))
    index = open_index(tmp_path)
    assert index.reader == kind
    assert index.class_names == ["2422", "3021", "4F53"]
    assert [index.class_names[label] for label in index.labels] == [f"{r[1]:04X}" for r in records]
    assert (index.polarity, index.label_encoding) == ("light-on-dark", "jis")
    assert not index.damaged
    for picture, (_, _, pixels) in zip(pictures(index), records, strict=True):
        assert picture.mode == "L"
        np.testing.assert_array_equal(np.asarray(picture), np.array(pixels) * (255 // largest))


def test_files_are_in_natural_order_and_groups_are_sheets(tmp_path):
    for number, sheets in ((10, 3), (2, 1), (1, 7)):
        records = random_records("etl9b", 4, first_sheet=sheets)
        (tmp_path / f"ETL9B_{number}").write_bytes(encode_file("etl9b", records))
    (tmp_path / "ETL9INFO").write_text("about the database")
    index = open_index(tmp_path)
    assert index.group_kind == "writer"
    assert index.group_names == ["sheet 1", "sheet 3", "sheet 7"]
    assert index.groups.tolist() == [2] * 4 + [0] * 4 + [1] * 4
    assert index.samples.name(4) == f"{tmp_path}/ETL9B_2 at byte 576"


def test_chunks_take_samples_of_several_files_in_any_order(tmp_path):
    for number in (1, 2):
        records = random_records("etl8g", 3, seed=number)
        (tmp_path / f"etl8g_{number:02}.bin").write_bytes(encode_file("etl8g", records))
    index = open_index(tmp_path)
    whole = [picture.tobytes() for picture in pictures(index)]
    some = [picture.tobytes() for picture in index.samples.chunk([5, 0, 4]).pictures()]
    assert some == [whole[5], whole[0], whole[4]]


@pytest.mark.parametrize("pack", ["zip", "tar", "tar.gz", "file"])
def test_archives_and_single_files_are_read_alike(tmp_path, pack):
    folder = tmp_path / "ETL9G"
    folder.mkdir()
    (folder / "ETL9G_01").write_bytes(encode_file("etl9g", random_records("etl9g", 5)))
    expected = [picture.tobytes() for picture in pictures(open_index(folder))]
    source = tmp_path / f"source.{pack}"
    if pack == "zip":
        with zipfile.ZipFile(source, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.write(folder / "ETL9G_01", "ETL9G/ETL9G_01")
    elif pack == "file":
        (folder / "ETL9G_02").write_bytes(b"not asked for")
        source = folder / "ETL9G_01"
    else:
        with tarfile.open(source, "w:gz" if pack == "tar.gz" else "w") as archive:
            archive.add(folder, "ETL9G")
    scratch = tmp_path / "scratch"
    with opening.open_index(source, Options(), scratch=scratch) as index:
        assert index.reader == "etl9g"
        assert [picture.tobytes() for picture in pictures(index)] == expected
    assert not scratch.exists()


def test_damaged_member_of_an_archive_is_named_and_the_others_are_read(tmp_path):
    with zipfile.ZipFile(tmp_path / "ETL9B.zip", "w") as archive:
        for number in (1, 2, 3):
            records = random_records("etl9b", 4, seed=number)
            archive.writestr(f"ETL9B/ETL9B_{number}", encode_file("etl9b", records))
    data = bytearray((tmp_path / "ETL9B.zip").read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / "ETL9B.zip").write_bytes(data)
    index = open_index(tmp_path / "ETL9B.zip")
    assert [name for name, _ in index.damaged] == [f"{tmp_path}/ETL9B.zip/ETL9B/ETL9B_2"]
    assert not index.skipped
    expected = [r[2] for number in (1, 3) for r in random_records("etl9b", 4, seed=number)]
    found = [np.asarray(picture) // 255 for picture in pictures(index)]
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("kind", KINDS)
def test_files_of_other_names_are_told_by_content(tmp_path, kind):
    (tmp_path / "data.bin").write_bytes(encode_file(kind, random_records(kind, 20)))
    assert etl.recognise(opening.open_listing(tmp_path, "scratch"))
    assert open_index(tmp_path).reader == kind


def test_8g_and_9g_that_look_alike_need_the_reader(tmp_path):
    blank = [[0] * 128] * 127
    records = [(1, code, blank) for code in CODES * 3]
    (tmp_path / "data").write_bytes(encode_file("etl9g", records))
    with pytest.raises(UsageError, match=r"ETL8G or ETL9G.*--reader"):
        open_index(tmp_path)
    assert open_index(tmp_path, "etl9g").reader == "etl9g"


def test_folder_of_two_formats_needs_the_reader(tmp_path):
    for kind in ("etl8b", "etl9b"):
        (tmp_path / KINDS[kind][0]).write_bytes(encode_file(kind, random_records(kind, 6)))
    with pytest.raises(UsageError, match="ETL8B or ETL9B"):
        open_index(tmp_path)
    scratch = tmp_path / "scratch"
    with opening.open_index(tmp_path, Options(), scratch=scratch, reader="etl8b") as index:
        assert index.reader == "etl8b"
        assert len(index.samples) == 6


def test_other_sources_are_not_recognised(tmp_path, toy_folder):
    assert not etl.recognise(opening.open_listing(toy_folder, "scratch"))
    (tmp_path / "numbers.dat").write_text("1234567890" * 10_000)
    (tmp_path / "001.gnt").write_bytes(b"\0" * 10_000)
    (tmp_path / "noise").write_bytes(random.Random(0).randbytes(600_000))
    assert not etl.recognise(opening.open_listing(tmp_path, "scratch"))


def test_folders_of_splits_keep_them(tmp_path):
    for split in ("train", "test"):
        (tmp_path / "ETL" / split).mkdir(parents=True)
        records = random_records("etl8b", 2)
        (tmp_path / "ETL" / split / "ETL8B2C1").write_bytes(encode_file("etl8b", records))
    assert open_index(tmp_path).splits.tolist() == [2, 2, 0, 0]


@pytest.mark.parametrize("kind", KINDS)
def test_cut_file_is_read_up_to_the_cut(tmp_path, kind):
    path = tmp_path / KINDS[kind][0]
    data = encode_file(kind, random_records(kind, 5))
    path.write_bytes(data[:-100])
    index = open_index(tmp_path)
    assert len(index.samples) == 4
    number, offset = len(data) // SIZES[kind], len(data) - SIZES[kind]
    here = f"{SIZES[kind] - 100} of {SIZES[kind]} bytes are there"
    assert index.damaged == [(f"{path} at byte {offset}", f"record {number}: {here}")]


def test_impossible_codes_are_named_and_the_rest_is_read(tmp_path):
    records = random_records("etl8b", 9)
    for i, code in ((2, 0x2021), (3, 0xFFFF), (7, 0x2F21)):
        records[i] = (records[i][0], code, records[i][2])
    path = tmp_path / "ETL8B2C3"
    path.write_bytes(encode_file("etl8b", records))
    index = open_index(tmp_path)
    assert len(index.samples) == 6
    assert index.damaged == [
        (f"{path} at byte {3 * 512}", "records 4 to 5: 2021 is no JIS code"),
        (f"{path} at byte {8 * 512}", "record 9: 2F21 is no JIS code"),
    ]
    good = [np.array(r[2]) * 255 for i, r in enumerate(records) if i not in (2, 3, 7)]
    np.testing.assert_array_equal([np.asarray(p) for p in pictures(index)], good)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "0 bytes hold no ETL9B record"),
        (b"\0" * 576, "576 bytes hold no ETL9B record"),
        (b"\0" * 5760, "most of its JIS codes are impossible: not ETL9B"),
    ],
)
def test_file_without_records_is_an_error_that_names_it(tmp_path, data, message):
    (tmp_path / "ETL9B_1").write_bytes(data)
    with pytest.raises(UsageError, match=f"no ETL9B records in it; .*ETL9B_1: {message}"):
        open_index(tmp_path)


def test_file_that_vanishes_or_shrinks_after_the_index_gives_errors(tmp_path):
    path = tmp_path / "ETL9B_1"
    path.write_bytes(encode_file("etl9b", random_records("etl9b", 4)))
    index = open_index(tmp_path)
    path.write_bytes(path.read_bytes()[:-700])
    found = pictures(index)
    assert [isinstance(picture, PictureError) for picture in found] == [False, False, True, True]
    assert found[2].path == f"{path} at byte {3 * 576}"
    path.unlink()
    assert "no such file" in pictures(index)[0].reason


@pytest.mark.parametrize(
    ("kind", "counts"),
    [
        ("etl8b", [51_200, 51_200, 50_560]),  # 152,960 = 956 x 160
        ("etl8g", [4_780] * 32 + [956]),  # 153,916 = 956 x 161
        ("etl9b", [121_440] * 5),  # 607,200 = 3,036 x 200
        ("etl9g", [12_144] * 50),  # 607,200
    ],
)
def test_files_of_published_size_hold_the_published_number_of_samples(
    tmp_path, monkeypatch, kind, counts
):
    name = KINDS[kind][0]
    dummies = 1 if kind.endswith("b") else 0
    stem = name.rstrip("0123456789")
    for number, count in enumerate(counts[:1] + counts[-1:], 1):
        with open(tmp_path / f"{stem}{number:02}", "wb") as file:
            file.truncate((dummies + count) * SIZES[kind])  # sparse
    monkeypatch.setattr(etl, "_is_character", lambda: np.ones(1 << 16, bool))
    index = open_index(tmp_path)
    assert len(index.samples) == counts[0] + counts[-1]
    assert not index.damaged
    classes, times = {"8": (956, 161 if kind.endswith("g") else 160), "9": (3036, 200)}[kind[3]]
    assert sum(counts) == classes * times


@pytest.mark.parametrize("kind", ["etl8b", "etl9g"])
def test_damaged_files_give_samples_or_named_errors(tmp_path, kind):
    whole = encode_file(kind, random_records(kind, 4))
    path = tmp_path / KINDS[kind][0]
    rng = random.Random(1)
    for _ in range(150):
        data = bytearray(whole)
        for _ in range(rng.choice((1, 4, 16))):
            record = rng.randrange(len(data) // SIZES[kind]) * SIZES[kind]
            data[rng.choice((record + rng.randrange(4), rng.randrange(len(data))))] ^= (
                1 << rng.randrange(8)
            )
        path.write_bytes(data[: rng.randrange(len(data))] if rng.random() < 0.3 else data)
        try:
            index = open_index(tmp_path)
        except UsageError as error:
            named, found = [str(error).partition("; ")[2]], []
        else:
            named, found = [name for name, _ in index.damaged], pictures(index)
        assert all(picture.mode == "L" for picture in found)
        assert all(name.startswith(str(path)) for name in named)


def test_create_dataset_reads_a_folder_of_etl9b(tmp_path):
    rng = np.random.default_rng(0)
    folder = tmp_path / "ETL9B"
    folder.mkdir()
    shapes = dict(zip(CODES, ("bar", "cross", "ring"), strict=True))
    for number in (1, 2):
        records = []
        for sheet in range(10):
            for code, shape in shapes.items():
                picture = draw_shape(shape, rng, side=64).crop((0, 0, 64, 63))
                ink = (np.asarray(picture) < 128).astype(int).tolist()
                records.append((10 * number + sheet, code, ink))
        (folder / f"ETL9B_{number}").write_bytes(encode_file("etl9b", records))
    run = run_script("create_dataset.py", folder, cwd=tmp_path)
    assert "60 pictures of 3 classes" in run.stdout
    dataset = open_dataset(tmp_path / "characters_dataset")
    assert dataset.class_names == ["2422", "3021", "4F53"]
    assert np.median(dataset.X_train) == 0
    assert dataset.X_train.max() == 255
