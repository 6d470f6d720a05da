import numpy as np
import pytest
import test_mnist
from conftest import index_of, make_folder, run_script

from glyphs import files
from glyphs.dataset.corrections import Line, correct, read_corrections
from glyphs.dataset.open import open_dataset
from glyphs.errors import UsageError
from glyphs.sources.index import SPLITS


@pytest.fixture
def shapes(tmp_path):
    return make_folder(tmp_path / "shapes", {"ring": 10, "bar": 10, "cross": 10})


def write(folder, *lines, header="path,label,correction", encoding="utf-8"):
    path = folder / "corrections.csv"
    path.write_bytes("\n".join([header, *lines, ""]).encode(encoding))
    return path


def build(source, *arguments, expect=0):
    return run_script("create_dataset.py", source, *arguments, cwd=source.parent, expect=expect)


def labels_by_name(path):
    dataset = open_dataset(path)
    y = np.concatenate([dataset.y_train, dataset.y_val, dataset.y_test])
    return dict(zip(dataset.names, [dataset.class_names[i] for i in y], strict=True))


def test_labels_are_changed_and_pictures_left_out(shapes, tmp_path):
    build(shapes, "--keep-names", "--output", "before")
    path = write(tmp_path, "ring/3.png,ring,bar", "bar/10.png,bar,", "cross/1.png,cross,-")
    run = build(shapes, "--keep-names", "--corrections", path)
    assert "corrections: 1 labels changed, 2 pictures left out as no character\n" in run.stdout
    before, after = (labels_by_name(tmp_path / f) for f in ("before", "characters_dataset"))
    assert before.pop("ring/3.png") == "ring"
    assert after.pop("ring/3.png") == "bar"
    assert before.keys() - after.keys() == {"bar/10.png", "cross/1.png"}
    assert after == {name: before[name] for name in after}
    facts = open_dataset(tmp_path / "characters_dataset").manifest["selection"]["corrections"]
    sums = files.sha256_of_file(path)
    assert facts == {"sha256": sums, "changed": 1, "left_out": 2, "confirmed": 0}


def test_an_empty_table_leaves_images_and_labels_as_they_are(shapes, tmp_path):
    build(shapes, "--output", "before")
    build(shapes, "--corrections", write(tmp_path))
    before, after = (open_dataset(tmp_path / f) for f in ("before", "characters_dataset"))
    assert after.manifest["sha256"] == before.manifest["sha256"]
    assert "names" not in before.manifest
    assert "corrections" not in before.manifest["selection"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("ring/11.png,ring,bar", "line 2: ring/11.png is no picture of shapes; its pictures have"),
        ("ring/3.png,bar,ring", "line 2: ring/3.png has the label ring in shapes, not bar"),
        ("ring/3.png,ring,square", "line 2: square is no class of shapes"),
        ("ring/3.png,ring", "line 2: expected path, label, correction"),
        ("ring/3.png,,bar", "line 2: expected path, label, correction"),
        (
            "ring/3.png,ring,bar\n\nring/3.png,ring,cross",
            "line 4: contradicts line 2, which says something else about ring/3.png",
        ),
        ('ring/3.png,ring,bar\n"', "line 3: unexpected end of data"),
    ],
)
def test_a_line_that_is_wrong_is_named_and_nothing_is_written(shapes, tmp_path, line, message):
    write(tmp_path, line)
    run = build(shapes, "--corrections", "corrections.csv", expect=2)
    assert f"error: corrections.csv: {message}" in run.stderr
    assert run.stderr.count("\n") == 1
    assert run.stdout == ""
    assert {path.name for path in tmp_path.iterdir()} == {"shapes", "corrections.csv"}


def test_a_table_that_is_none_is_refused(tmp_path):
    with pytest.raises(UsageError, match="no such file or directory; it should list corrections"):
        read_corrections(tmp_path / "missing")
    with pytest.raises(UsageError, match="needs a header line with the columns path, label, corr"):
        read_corrections(write(tmp_path, header="file,label"))
    with pytest.raises(UsageError, match="holds suggestions, not corrections: look at the pict"):
        read_corrections(write(tmp_path, header="path,label,suggestion"))
    with pytest.raises(UsageError, match="needs a header line"):
        read_corrections(write(tmp_path, encoding="utf-16"))


def test_an_output_never_replaces_the_corrections(shapes, tmp_path):
    path = write(tmp_path)
    run = build(shapes, "--corrections", path, "--output", path, expect=4)
    assert "would replace what is read" in run.stderr


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_tables_of_all_spreadsheets_are_read(tmp_path, encoding, end, separator):
    rows = [
        ("note", "path", "label", "correction"),
        ("", '"亜, ""1""\n.png"', "亜", "右"),
        ("", "b.png", "右", ""),
        ("", "b.png", "右", ""),  # twice the same
    ]
    path = tmp_path / "corrections.csv"
    path.write_bytes("".join(separator.join(row) + end for row in rows).encode(encoding))
    lines = read_corrections(path).lines
    assert {name: line[1:] for name, line in lines.items()} == {
        '亜, "1"\n.png': ("亜", "右"),
        "b.png": ("右", ""),
    }


def test_names_that_are_not_utf8_are_found(tmp_path):
    path = tmp_path / "corrections.csv"
    path.write_bytes(b"path,label,correction\nring/\xe4.png,ring,bar\n")
    index = index_of(make_folder(tmp_path / "shapes", {"ring": 2, "bar": 2}))
    with pytest.raises(UsageError, match=r"is no picture of shapes; is the table UTF-8 text\?"):
        correct(index, read_corrections(path))
    index.samples.paths[2] = str(tmp_path / "shapes" / "ring" / "\udce4.png")
    index, _ = correct(index, read_corrections(path))
    assert index.labels.tolist() == [0, 0, 0, 1]


def test_a_class_may_be_called_as_nothing_is(tmp_path):
    index = index_of(make_folder(tmp_path / "shapes", {"-": 2, "bar": 2}))
    table = read_corrections(write(tmp_path, "bar/1.png,bar,-", "bar/2.png,bar,", "-/1.png,-,-"))
    index, chosen = correct(index, table)
    assert [index.class_names[i] for i in index.labels] == ["-", "-", "-"]
    assert chosen["corrections"] | {"sha256": ""} == {
        "sha256": "", "changed": 1, "left_out": 1, "confirmed": 1,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("label", "correction"), [("U+6F22", "字"), ("漢", "字"), ("U+6F22", "B0A1"), ("漢", "U+4E9C")]
)
def test_a_class_is_told_by_its_name_or_its_character(tmp_path, label, correction):
    index = index_of(make_folder(tmp_path / "shapes", {"U+6F22": 1, "字": 1, "B0A1": 1}))
    table = read_corrections(write(tmp_path, f"U+6F22/1.png,{label},{correction}"))
    index, _ = correct(index, table, "euc-jp")
    changed = "字" if correction == "字" else "B0A1"
    assert [index.class_names[i] for i in index.labels] == ["B0A1", changed, "字"]


def test_a_character_that_two_classes_have_names_none(tmp_path):
    index = index_of(make_folder(tmp_path / "shapes", {"U+6F22": 1, "0x6F22": 1, "字": 1}))
    with pytest.raises(UsageError, match="漢 is no class of shapes"):
        correct(index, read_corrections(write(tmp_path, "字/1.png,字,漢")))


def test_splits_of_the_source_and_other_selections_are_kept(tmp_path):
    for split in SPLITS:
        make_folder(tmp_path / "data" / split, {"ring": 3, "bar": 3, "cross": 3})
    path = write(tmp_path, "test/ring/1.png,ring,bar", "val/bar/2.png,bar,")
    (tmp_path / "classes").write_text("bar\ncross\n")
    build(tmp_path / "data", "--corrections", path, "--classes", "classes", "--keep-names")
    dataset = open_dataset(tmp_path / "characters_dataset")
    assert dataset.manifest["counts"] == {"train": 6, "val": 5, "test": 7}
    assert dataset.manifest["names"]["test"][-1] == "test/ring/1.png"


def test_images_of_several_arrays_in_a_file_have_names_of_their_own(tmp_path):
    images, labels = test_mnist.IMAGES, test_mnist.LABELS
    path = tmp_path / "mnist.npz"
    np.savez(path, x_train=images, y_train=labels, x_test=images, y_test=labels)
    index = index_of(path)
    names = [index.name(number) for number in index.sample_numbers]
    assert names[0] == "mnist.npz:x_train[0]"
    assert len(set(names)) == len(names) == 2 * len(images)


def test_two_pictures_of_a_name_are_refused(tmp_path):
    index = index_of(make_folder(tmp_path / "shapes", {"ring": 2, "bar": 2}))
    index.samples.paths[1] = index.samples.paths[0]
    with pytest.raises(UsageError, match=r"shapes has two pictures of the name bar/1\.png"):
        correct(index, read_corrections(write(tmp_path, "bar/1.png,bar,ring")))


def test_lines_are_compared_in_normal_form(tmp_path):
    table = read_corrections(write(tmp_path, "a,e\u0301,u\u0308"))
    assert table.lines["a"] == Line(2, "\u00e9", "\u00fc")
