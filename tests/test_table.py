import os
import shutil

import pytest
from conftest import index_of, make_folder, run_script

from glyphs.dataset.open import open_dataset
from glyphs.errors import UsageError


@pytest.fixture
def scans(tmp_path):
    """Six pictures in one folder."""
    make_folder(tmp_path, {"ring": 6})
    (tmp_path / "ring").rename(tmp_path / "scans")
    return tmp_path / "scans"


def write(path, text, encoding="utf-8"):
    path.write_bytes(text.encode(encoding))
    return path


def found(index):
    names = [os.path.basename(index.samples.name(i)) for i in range(len(index.samples))]
    return {name: index.class_names[label] for name, label in zip(names, index.labels, strict=True)}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("labels.csv", "file,label\n1.png,亜\n10.png,b\n2.png,b\n"),
        ("labels.csv", "\ufeffLabel;note;Filename\r\n亜;x;1.png\r\nb;;2.png\r\n"),
        ("labels.tsv", "1.png\t亜\n2.png\tb\n"),
        ("labels.tsv", 'image\tclass\n"./1.png"\t亜\n\n2.png\t b \n'),
    ],
)
def test_tables_of_all_kinds_are_read(scans, name, text):
    table = write(scans / name, text)
    for source in (scans, table):
        index = index_of(source)
        assert index.reader == "table"
        assert index.class_names == ["b", "亜"]
        pictures = found(index)
        assert (pictures["1.png"], pictures["2.png"]) == ("亜", "b")
        assert all(reason.startswith("no such file (line 3") for _, reason in index.damaged)


def test_a_table_beside_the_folder_of_pictures_and_in_an_archive(scans):
    rows = "".join(f"scans/{i}.png,{'ab'[i % 2]}\n" for i in range(1, 7))
    write(scans.parent / "labels.csv", "file,label\n" + rows)
    assert len(index_of(scans.parent).labels) == 6
    archive = shutil.make_archive(str(scans.parent / "packed"), "zip", scans.parent)
    assert index_of(archive).labels == index_of(scans.parent).labels
    assert index_of(archive).reader == "table"


def test_absolute_paths_are_read(scans):
    write(scans.parent / "labels.csv", f"file,label\n{scans}/1.png,a\n{scans}/2.png,b\n")
    index = index_of(scans.parent / "labels.csv")
    assert index.samples.paths == [f"{scans}/1.png", f"{scans}/2.png"]


def test_splits_and_groups_are_columns(scans):
    write(scans / "l.csv", "file,label,split,writer\n1.png,a,train,w\n2.png,b,Validation,v\n")
    index = index_of(scans)
    assert index.splits == [0, 1]
    assert index.groups == [0, 1]
    assert index.group_names == ["w", "v"]
    write(scans / "l.csv", "file,label,split\n1.png,a,trian\n")
    with pytest.raises(UsageError, match=r"l.csv: line 2: the split .* Received: 'trian'"):
        index_of(scans)


def test_rows_that_cannot_be_used_are_named(scans):
    text = "file,label\n1.png,a\n1.png,b\n2.png,b\n2.png,b\n3.png\n,c\n9.png,a\n"
    table = write(scans / "l.csv", text)
    index = index_of(scans)
    assert found(index) == {"2.png": "b"}
    assert index.skipped == {"listed twice": 1, "pictures that the table does not list": 4}
    assert index.damaged == [
        (f"{scans}/1.png", "has two labels, a and b"),
        (str(table), "line 6: no label"),
        (str(table), "line 7: no file"),
        (f"{scans}/9.png", f"no such file (line 8 of {table})"),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n", "needs a header line with the columns file and label. Received: 'a,b'"),
        ("", "needs a header line"),
        ("file,label\n7.png,a\n", "none of the pictures it lists is there"),
    ],
)
def test_other_tables_are_errors(scans, text, message):
    table = write(scans / "l.csv", text)
    with pytest.raises(UsageError, match=message):
        index_of(table, "table")


def test_a_table_that_is_no_text_is_an_error(scans):
    table = write(scans / "l.csv", "file,label\n1.png,é\n", "latin-1")
    with pytest.raises(UsageError, match="not UTF-8 text \\(byte 17\\); save it as UTF-8"):
        index_of(table, "table")


@pytest.mark.parametrize(("encoding", "byte"), [("utf-16", 0), ("shift-jis", 17)])
def test_a_table_in_another_encoding_is_to_be_saved_as_utf_8(scans, encoding, byte):
    table = write(scans / "l.csv", "file,label\n1.png,亜\n", encoding)
    with pytest.raises(UsageError, match=f"byte {byte}\\); save it as UTF-8"):
        index_of(table, "table")


def test_a_huge_table_is_not_read(scans, monkeypatch):
    table = write(scans / "l.csv", "file,label\n1.png,a\n2.png,b\n")
    monkeypatch.setattr("glyphs.sources.listing.MAX_FILE", 10)
    with pytest.raises(UsageError, match=r"l\.csv: 0 MB are too many"):
        index_of(table, "table")


def test_a_picture_is_the_same_however_its_path_is_written(scans):
    write(scans / "l.csv", "file,label\n./1.png,a\nx/../1.png,a\n2.png,b\n")
    index = index_of(scans)
    assert found(index) == {"1.png": "a", "2.png": "b"}
    assert index.skipped["listed twice"] == 1


def test_a_writer_that_is_not_said_is_a_group_of_its_own(scans):
    write(scans / "l.csv", "file,label,writer\n1.png,a,w\n2.png,b,\n3.png,b,\n")
    assert index_of(scans).groups == [0, 1, 2]


def test_what_is_wrong_with_a_named_table_is_said(scans):
    table = write(scans / "l.csv", "name,label\n1.png,a\n")
    with pytest.raises(UsageError, match="needs a header line with the columns file and label"):
        index_of(table)


def test_two_tables_must_be_chosen_from(scans):
    for name in ("a.csv", "b.csv"):
        write(scans / name, "file,label\n1.png,a\n")
    with pytest.raises(UsageError, match=r"a.csv and b.csv; name the CSV or TSV file itself"):
        index_of(scans)


def test_a_dataset_is_built_from_a_table(tmp_path):
    folder = make_folder(tmp_path / "shapes", {"ring": 20, "bar": 20})
    rows = [f"{shape}/{i}.png,{shape},w{i % 5}" for shape in ("ring", "bar") for i in range(1, 21)]
    write(folder / "all.csv", "\n".join(["file,label,writer", *rows, "ring/99.png,ring,w1"]))
    run = run_script("create_dataset.py", folder / "all.csv", cwd=tmp_path)
    assert "groups: 5 (group), each in one split only" in run.stdout
    assert "ring/99.png: no such file" in run.stderr
    dataset = open_dataset(tmp_path / "characters_dataset")
    assert [len(y) for y in (dataset.y_train, dataset.y_val, dataset.y_test)] == [24, 8, 8]
    assert dataset.manifest["groups"]["kept_apart"] is True
