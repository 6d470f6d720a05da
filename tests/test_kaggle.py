import pickle
import random
import tarfile
import zipfile

import numpy as np
import pytest
from conftest import UnseenNames, run_script
from PIL import Image

from glyphs.dataset.open import open_dataset
from glyphs.errors import PictureError, UsageError
from glyphs.images import decode
from glyphs.sources import kaggle, listing, opening
from glyphs.sources.index import Options

HEADER = "image_id,labels\n"
PAGES = {  # image_id -> boxes; each character lies on two pages
    "100_00001_1": [("U+306F", 10, 20, 12, 9), ("U+2000B", 40, 5, 8, 30)],
    "100_00002_1": [("U+306F", 0, 0, 6, 7)],
    "200_00001_2": [("U+2000B", 50, 60, 10, 20), ("U+4E00", 30, 30, 5, 5), ("U+4E00", 1, 2, 3, 4)],
    "umgy003-001": [("U+4E00", 20, 70, 30, 10)],
}


def page(image_id):
    """Return a page of noise, uint8 (90, 70)."""
    seed = list(PAGES).index(image_id) if image_id in PAGES else 99
    return np.random.default_rng(seed).integers(0, 256, (90, 70), np.uint8)


def write(folder, pages=PAGES, *, pictures="train_images", rows=()):
    """Write pages as PNG and the table of their boxes, and further rows of text."""
    (folder / pictures).mkdir(parents=True, exist_ok=True)
    text = HEADER
    for image_id, boxes in pages.items():
        text += f"{image_id},{' '.join(str(word) for box in boxes for word in box)}\n"
        Image.fromarray(page(image_id)).save(folder / pictures / f"{image_id}.png")
    (folder / "train.csv").write_text(text + "".join(f"{row}\n" for row in rows))
    return folder


def read(source, scratch, size=128, reader=None, **options):
    """Return the Index of a source and its images (or PictureErrors), as workers decode them."""
    options = Options(**options)
    with opening.open_index(source, options, scratch=str(scratch), reader=reader) as index:
        pictures = []
        for run in index.samples.runs(range(len(index.samples)), size):
            chunk = pickle.loads(pickle.dumps(index.samples.chunk(list(run))))
            pictures += [
                p if isinstance(p, PictureError) else np.array(p) for p in chunk.pictures()
            ]
    assert not scratch.exists()
    return index, pictures


def crops(pages=PAGES):
    return [page(name)[y : y + h, x : x + w] for name in pages for _, x, y, w, h in pages[name]]


def assert_same(pictures, expected):
    assert len(pictures) == len(expected)
    for picture, crop in zip(pictures, expected, strict=True):
        np.testing.assert_array_equal(picture, crop)


@pytest.mark.parametrize("pictures", ["train_images", ".", "deep/pages"])
def test_boxes_are_cut_out_exactly(tmp_path, pictures):
    folder = write(tmp_path / "data", pictures=pictures)
    index, found = read(folder, tmp_path / "scratch")
    assert (index.source, index.reader, index.polarity) == ("data", "kaggle", None)
    assert index.class_names == ["U+2000B", "U+306F", "U+4E00"]
    assert index.labels.tolist() == [1, 0, 1, 0, 2, 2, 2]
    assert (index.splits, index.damaged, index.notes) == (None, [], [])
    assert_same(found, crops())
    assert index.samples.name(5).endswith("200_00001_2.png, box 3")


def test_group_is_the_book(tmp_path):
    index, _ = read(write(tmp_path / "data"), tmp_path / "scratch")
    assert index.group_kind == "book"
    assert index.group_names == ["100", "200", "umgy003"]
    assert index.groups.tolist() == [0, 0, 0, 1, 1, 1, 2]


@pytest.mark.parametrize("ending", [".zip", ".tar", ".tar.xz"])
def test_archives_are_read(tmp_path, ending):
    folder = write(tmp_path / "data")
    archive = tmp_path / f"kuzushiji{ending}"
    if ending == ".zip":
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
            for path in folder.rglob("*.*"):
                file.write(path, path.relative_to(folder))
    else:
        with tarfile.open(archive, "w:xz" if ending == ".tar.xz" else "w") as file:
            file.add(folder, "competition/data")
    assert_same(read(archive, tmp_path / "scratch")[1], crops())


def test_the_table_alone_may_be_named(tmp_path):
    folder = write(tmp_path / "data")
    (folder / "train.csv").rename(folder / "half.csv")
    index, found = read(folder / "half.csv", tmp_path / "scratch")
    assert index.source == "data"
    assert_same(found, crops())


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_each_page_is_decoded_once(tmp_path, monkeypatch, size):
    decoded = []
    monkeypatch.setattr(
        listing, "read_picture", lambda p: decoded.append(p) or decode.read_picture(p)
    )
    _, found = read(write(tmp_path / "data"), tmp_path / "scratch", size=size)
    assert len(decoded) == len(set(decoded)) == len(PAGES)
    assert_same(found, crops())


def test_runs_of_a_subset_break_at_pages_only(tmp_path):
    index, _ = read(write(tmp_path / "data"), tmp_path / "scratch")
    samples = index.samples  # pages: 0 0, 1, 2 2 2, 3
    assert list(samples.runs(range(7), 1)) == [range(2), range(2, 3), range(3, 6), range(6, 7)]
    assert list(samples.runs(range(7), 3)) == [range(3), range(3, 6), range(6, 7)]
    assert list(samples.runs([1, 3, 5, 6], 2)) == [[1, 3, 5], [6]]
    assert [run.tolist() for run in samples.runs(np.array([0, 4, 5]), 1)] == [[0], [4, 5]]
    assert list(samples.runs([], 2)) == []


def test_margin_widens_boxes_as_far_as_the_page_goes(tmp_path):
    pages = {"a_1": [("U+306F", 20, 30, 10, 20), ("U+306F", 2, 80, 20, 10)]}
    _, found = read(write(tmp_path / "data", pages), tmp_path / "scratch", margin=0.25)
    assert_same(found, [page("a_1")[25:55, 18:32], page("a_1")[78:90, 0:27]])
    _, found = read(tmp_path / "data", tmp_path / "scratch", margin=1e308)
    assert_same(found, [page("a_1")] * 2)


def test_boxes_are_clipped_to_the_page_and_those_outside_named(tmp_path):
    boxes = [("U+306F", -5, 80, 10, 20), ("U+306F", 70, 0, 5, 5), ("U+306F", 69, 89, 1, 1)]
    _, found = read(write(tmp_path / "data", {"a_1": boxes}), tmp_path / "scratch", margin=1)
    assert found[0].shape == (30, 15)
    assert str(found[1]).endswith("a_1.png, box 2: lies outside its page of 70 x 90 pixels")
    assert found[2].shape == (2, 2)


def test_pages_without_labels_are_counted(tmp_path):
    folder = write(tmp_path / "data", {**PAGES, "blank_1": [], "blank_2": []})
    Image.fromarray(page("x")).save(folder / "train_images" / "test_1.png")
    index, found = read(folder, tmp_path / "scratch")
    assert index.skipped == {
        "pages without labels": 2,
        "pictures that the table does not list": 1,
    }
    assert len(found) == 7


def test_missing_pages_are_named_once_with_their_boxes_counted(tmp_path):
    folder = write(tmp_path / "data")
    (folder / "train_images" / "200_00001_2.png").unlink()
    index, found = read(folder, tmp_path / "scratch")
    reason = "no picture of this page, or a second row of it, with 3 boxes"
    assert index.damaged == [("200_00001_2", reason)]
    assert index.skipped == {"boxes on missing pages": 3}
    assert index.group_names == ["100", "umgy003"]
    assert_same(found, crops()[:3] + crops()[6:])


def test_unreadable_page_is_an_error_for_each_of_its_boxes(tmp_path):
    folder = write(tmp_path / "data")
    path = folder / "train_images" / "200_00001_2.png"
    path.write_bytes(path.read_bytes()[:100])
    _, found = read(folder, tmp_path / "scratch")
    assert [(error.path, error.reason[:17]) for error in found[3:6]] == 3 * [
        (str(path), "cannot be decoded")
    ]
    assert_same(found[:3] + found[6:], crops()[:3] + crops()[6:])


WRONG_LABELS = {
    "U+306F 1 2 0 4": ("box 1: impossible size or place", 1),
    "U+306F 1 2 3 -4": ("box 1: impossible size or place", 1),
    "U+306F 1 2 3 4 U+306F 9999999999 2 3 4": ("box 2: impossible size or place", 1),
    "U+306F 1 2 3": ("box 1: expected `U+XXXX X Y W H`. Received: 'U+306F 1 2 3'", 1),
    "U+306F 1 2 3 4 U+306F 1 2 3.5 4": ("box 2: expected", 1),
    "U+306F 1 2 3 U+4E00 1 2 3 4": ("box 1: expected", 2),
    "U+110000 1 2 3 4": ("box 1: expected", 1),
    "U+D800 1 2 3 4": ("box 1: expected", 1),
    "は 1 2 3 4": ("box 1: expected", 1),
}


@pytest.mark.parametrize("labels", WRONG_LABELS)
def test_labels_that_make_no_sense_are_named_with_their_line(tmp_path, labels):
    folder = write(tmp_path / "data", rows=[f"bad_1,{labels}"])
    Image.fromarray(page("bad_1")).save(folder / "train_images" / "bad_1.png")
    index, found = read(folder, tmp_path / "scratch")
    ((name, reason),) = index.damaged
    message, lost = WRONG_LABELS[labels]
    assert name == f"{folder}/train.csv, line 6"
    assert reason.startswith(message)
    assert index.skipped == {"boxes that make no sense": lost}
    good = labels.startswith("U+306F 1 2 3 4")
    assert_same(found, crops() + [page("bad_1")[2:6, 1:4]] * good)


def test_code_points_are_written_in_one_way(tmp_path):
    boxes = [("U+306f", 1, 2, 3, 4), ("u+2000b", 1, 2, 3, 4), ("U+0306F", 1, 2, 3, 4)]
    index, _ = read(write(tmp_path / "data", {"a_1": boxes}), tmp_path / "scratch")
    assert index.class_names == ["U+2000B", "U+306F"]
    assert index.labels.tolist() == [1, 0, 1]


def test_a_page_in_train_images_counts_before_its_namesakes(tmp_path):
    folder = write(tmp_path / "data")
    (folder / "a").mkdir()
    Image.new("L", (3, 4)).save(folder / "a" / "100_00001_1.jpg")
    assert_same(read(folder, tmp_path / "scratch")[1], crops())


def test_long_rows_and_windows_files_are_read(tmp_path):
    pages = {"a_1": [("U+306F", 1, 2, 3, 4)] * 20000}
    folder = write(tmp_path / "data", pages)
    text = (folder / "train.csv").read_text()
    (folder / "train.csv").write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    assert len(read(folder, tmp_path / "scratch")[1]) == 20000


def test_without_boxes_or_table_there_is_a_clear_error(tmp_path):
    folder = write(tmp_path / "data", {"blank_1": []})
    with pytest.raises(UsageError, match="no boxes on pages that are there"):
        read(folder, tmp_path / "scratch")
    (folder / "train.csv").write_text("file,label\n")
    found = opening.open_listing(folder, None)
    assert not kaggle.recognise(found)
    with pytest.raises(UsageError, match=r"expected one train\.csv of image_id,labels"):
        kaggle.index(found, Options())


def test_folders_of_pictures_are_refused_unread(tmp_path):
    found = listing.Listing(tmp_path, None)
    for classes, count, kind in ((10, 10000, list), (3832, 26, UnseenNames)):
        names = kind(f"{j}.png" for j in range(count))
        found.tree = {f"{i:04}": names for i in range(classes)}
        assert not kaggle.recognise(found)  # a Listing that cannot read


def test_mutants_give_samples_or_one_line(tmp_path):
    folder = write(tmp_path / "data")
    paths = [folder / "train.csv", *sorted((folder / "train_images").iterdir())[:1]]
    wholes = {path: path.read_bytes() for path in paths}
    rng, refusals = random.Random(2), []
    for i in range(300):
        path = paths[i % 3 == 2]
        data = bytearray(wholes[path])
        if i % 5 == 0:
            data = data[: rng.randrange(len(data))]
        else:
            for _ in range(rng.choice((1, 3, 20))):
                data[rng.randrange(len(data))] = rng.randrange(256)
        path.write_bytes(data)
        try:
            index, found = read(folder, tmp_path / "scratch", reader="kaggle")
            assert len(found) == len(index.labels) == len(index.groups) > 0
        except UsageError as error:
            refusals.append(str(error))
        path.write_bytes(wholes[path])
    assert 10 < len(refusals) < 150
    assert all("train.csv" in text and "\n" not in text for text in refusals)


def test_create_dataset_end_to_end(tmp_path):
    pages, sides = {}, {"U+306F": (20, 4), "U+2000B": (4, 20)}
    (tmp_path / "data" / "train_images").mkdir(parents=True)
    text = HEADER
    for number in range(12):
        sheet = np.full((60, 120), 230, np.uint8)
        for i, (width, height) in enumerate(sides.values()):
            sheet[30 - height // 2 : 30 + height // 2, 30 + 60 * i - width // 2 :][:, :width] = 10
        pages[f"{number}_1"] = Image.fromarray(sheet)
        pages[f"{number}_1"].save(tmp_path / "data" / "train_images" / f"{number}_1.jpg")
        text += (
            f"{number}_1,{' '.join(f'{n} {16 + 60 * i} 16 28 28' for i, n in enumerate(sides))}\n"
        )
    (tmp_path / "data" / "train.csv").write_text(text)
    results = []
    for workers in (1, 2):
        run = run_script(
            "create_dataset.py", tmp_path / "data", "--image-size", 28, "--workers", workers,
            "--crop", "none",
            cwd=tmp_path,
        )  # fmt: skip
        assert "24 pictures of 2 classes" in run.stdout
        assert "polarity: 24 dark-on-light" in run.stdout
        results.append((tmp_path / "characters_dataset").read_bytes())
    assert results[0] == results[1]
    dataset = open_dataset(tmp_path / "characters_dataset")
    assert dataset.characters == ["\U0002000b", "は"]
    expected = 255 - np.array(Image.open(tmp_path / "data" / "train_images" / "0_1.jpg"))
    np.testing.assert_array_equal(dataset.X_train[1], expected[16:44, 16:44])
