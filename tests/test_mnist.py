import gzip
import pickle
import random
import shutil
import struct
import tarfile
import warnings
import zipfile

import numpy as np
import pytest
from conftest import DATA, UnseenNames, run_script

from glyphs.dataset.open import open_dataset
from glyphs.errors import PictureError, StorageError, UsageError
from glyphs.sources import listing, mnist, opening
from glyphs.sources.index import Options

KMNIST = DATA / "kmnist"
IMAGES = np.random.default_rng(0).integers(0, 256, (30, 7, 5), np.uint8)
LABELS = np.arange(30, dtype=np.uint8) % 3


def write_idx(path, array):
    """Write an idx file from the format's description; packed if the name ends with .gz."""
    magic = struct.pack(">HBB", 0, 8, array.ndim)
    data = magic + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)


def write_npz(path, **arrays):
    np.savez_compressed(path, **arrays)


def write_pair(folder, kind, prefix, images, labels):
    folder.mkdir(parents=True, exist_ok=True)
    if kind == "npz":
        write_npz(folder / f"{prefix}-imgs.npz", arr_0=images)
        write_npz(folder / f"{prefix}-labels.npz", arr_0=labels)
    else:
        write_idx(folder / f"{prefix}-images{kind.replace('idx', 'idx3')}", images)
        write_idx(folder / f"{prefix}-labels{kind.replace('idx', 'idx1')}", labels)
    return folder


KINDS = ("npz", "-idx-ubyte", ".idx-ubyte", "-idx-ubyte.gz")


def read(source, scratch, **options):
    """Return the Index of a source and its images (or PictureErrors), as workers decode them."""
    with opening.open_index(source, Options(**options), scratch=str(scratch)) as index:
        chunk = pickle.loads(pickle.dumps(index.samples.chunk(list(range(len(index.labels))))))
        pictures = [p if isinstance(p, PictureError) else np.array(p) for p in chunk.pictures()]
    assert not scratch.exists()
    return index, pictures


@pytest.mark.parametrize("kind", KINDS)
def test_all_formats_hold_the_same(tmp_path, kind):
    folder = write_pair(tmp_path / "data", kind, "k49-train", IMAGES, LABELS)
    index, pictures = read(folder, tmp_path / "scratch")
    assert (index.source, index.reader, index.polarity) == ("data", "kmnist", "light-on-dark")
    assert index.class_names == ["0", "1", "2"]
    assert index.labels.tolist() == LABELS.tolist()
    assert (index.splits, index.numbers, index.notes, index.damaged) == (None, None, [], [])
    np.testing.assert_array_equal(pictures, IMAGES)


def test_train_and_test_keep_their_splits(tmp_path):
    folder = write_pair(tmp_path / "deep" / "er", "-idx-ubyte.gz", "t10k", IMAGES[:6], LABELS[:6])
    write_pair(folder, "-idx-ubyte.gz", "train", IMAGES[6:], LABELS[6:])
    index, pictures = read(tmp_path / "deep", tmp_path / "scratch")
    assert index.splits.tolist() == [0] * 24 + [2] * 6
    np.testing.assert_array_equal(pictures, np.concatenate([IMAGES[6:], IMAGES[:6]]))
    assert index.samples.name(25) == f"{folder}/t10k-images-idx3-ubyte.gz[1]"


def test_files_of_one_split_alone_have_no_splits(tmp_path):
    folder = write_pair(tmp_path / "data", "npz", "kmnist-test", IMAGES, LABELS)
    assert read(folder, tmp_path / "scratch")[0].splits is None


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("ending", [".zip", ".tar", ".tar.gz"])
def test_arrays_in_archives_are_read(tmp_path, kind, ending):
    folder = write_pair(tmp_path / "data", kind, "k49-train", IMAGES, LABELS)
    archive = tmp_path / f"archive{ending}"
    if ending == ".zip":
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
            for path in folder.iterdir():
                file.write(path, f"data/{path.name}")
    else:
        with tarfile.open(archive, "w:gz" if ending == ".tar.gz" else "w") as file:
            file.add(folder, "data")
    index, pictures = read(archive, tmp_path / "scratch")
    assert index.labels.tolist() == LABELS.tolist()
    np.testing.assert_array_equal(pictures, IMAGES)


def test_npz_of_keras_holds_both_splits(tmp_path):
    path = tmp_path / "mnist.npz"
    train, test = IMAGES[:20], IMAGES[20:]
    write_npz(path, x_train=train, y_train=LABELS[:20], x_test=test, y_test=LABELS[20:])
    for source in (path, tmp_path):
        index, pictures = read(source, tmp_path / "scratch")
        assert index.splits.tolist() == [0] * 20 + [2] * 10
        assert index.labels.tolist() == LABELS.tolist()
        np.testing.assert_array_equal(pictures, IMAGES)


def test_several_sets_in_a_folder_are_an_error_that_lists_them(tmp_path):
    for name in ("emnist-balanced-train", "emnist-balanced-test", "emnist-letters-train"):
        write_pair(tmp_path, "-idx-ubyte.gz", name, IMAGES, LABELS)
    with pytest.raises(UsageError, match=r"emnist-balanced-train-.*, emnist-letters-train-.*one"):
        read(tmp_path, tmp_path / "scratch")
    name = "emnist-balanced-train-images-idx3-ubyte.gz"
    index, pictures = read(tmp_path / name, tmp_path / "scratch")
    assert len(pictures) == 30
    assert index.splits is None
    assert "emnist-balanced-test-images-idx3-ubyte.gz lies beside" in index.notes[0]
    assert len(index.notes) == 2  # that, and that the images are transposed


def test_a_packed_copy_beside_the_plain_file_is_no_second_set(tmp_path):
    write_pair(tmp_path, "-idx-ubyte.gz", "train", IMAGES, LABELS)
    write_pair(tmp_path, "-idx-ubyte", "train", IMAGES, LABELS)
    assert len(read(tmp_path, tmp_path / "scratch")[1]) == 30


@pytest.mark.parametrize(
    ("prefix", "transpose", "expected"),
    [
        ("emnist-digits-test", None, True),
        ("emnist-digits-test", False, False),
        ("t10k", None, False),
        ("t10k", True, True),
    ],
)
def test_transposition_is_told_by_the_name_or_the_user(tmp_path, prefix, transpose, expected):
    folder = write_pair(tmp_path / "data", "-idx-ubyte", prefix, IMAGES, LABELS)
    index, pictures = read(folder, tmp_path / "scratch", transpose=transpose)
    np.testing.assert_array_equal(pictures, IMAGES.swapaxes(1, 2) if expected else IMAGES)
    assert len(index.notes) == (expected and transpose is None)


def test_class_map_names_and_orders_the_classes(tmp_path):
    folder = write_pair(tmp_path / "data", "npz", "k49-train", IMAGES, LABELS)
    (folder / "k49_classmap.csv").write_text(
        "index,codepoint,char\r\n0,U+3044,い\r\n1,U+1B001,𛀁\r\n2,U+3042,あ\r\n", "utf-8"
    )
    (folder / "kmnist_classmap.csv").write_text("index,codepoint,char\n0,U+304A,お\n", "utf-8")
    index, _ = read(folder, tmp_path / "scratch")
    assert index.class_names == ["U+1B001", "U+3042", "U+3044"]
    assert [index.class_names[label] for label in index.labels[:3]] == [
        "U+3044", "U+1B001", "U+3042",
    ]  # fmt: skip
    other = tmp_path / "map.txt"
    other.write_text("0 65 97\n1 66 98\n2 67\n")
    index, _ = read(folder, tmp_path / "scratch", class_map=other)
    assert index.class_names == ["U+0041", "U+0042", "U+0043"]


def test_mapping_of_emnist_is_that_of_its_set(tmp_path):
    folder = write_pair(tmp_path / "data", "-idx-ubyte", "emnist-letters-train", IMAGES, LABELS)
    (folder / "emnist-letters-mapping.txt").write_text("0 97\n1 98\n2 99\n")
    (folder / "emnist-digits-mapping.txt").write_text("0 48\n1 49\n")
    assert read(folder, tmp_path / "scratch")[0].class_names == ["U+0061", "U+0062", "U+0063"]


def test_numbers_are_padded_so_that_their_order_is_numeric(tmp_path):
    labels = np.array([2, 10, 3] * 10, np.int64)
    folder = write_pair(tmp_path / "data", "npz", "k49-train", IMAGES, labels)
    index, _ = read(folder, tmp_path / "scratch")
    assert index.class_names == ["02", "03", "10"]
    assert index.labels[:3].tolist() == [0, 2, 1]


WRONG_MAPS = {
    "index,codepoint,char\n0,U+3042,x\n1,U+3042,x\n": "classmap.csv, line 3: .* twice",
    "index,codepoint,char\n0,U+3042,x\n1,U+ZZ,x\n": "line 3: expected index,U.XXXX,char",
    "index,codepoint,char\n0,U+3042,x\n1,U+3043,x\n": "label 2 of image 2 is not in the class map",
    "index,codepoint,char\n": "no classes",
    "0 48\nzero 49\n": "line 2: expected an index",
}


@pytest.mark.parametrize("text", WRONG_MAPS)
def test_wrong_class_map_is_a_clear_error(tmp_path, text):
    folder = write_pair(tmp_path / "data", "npz", "k49-train", IMAGES, LABELS)
    (folder / "classmap.csv").write_text(text)
    with pytest.raises(UsageError, match=WRONG_MAPS[text]):
        read(folder, tmp_path / "scratch")


WRONG_ARRAYS = {
    "float images": (IMAGES / 255, LABELS, "uint8 array of shape .*Received: float64"),
    "object images": (np.array([None] * 30), LABELS, "Received: object"),
    "flat images": (IMAGES.reshape(30, 35), LABELS, r"shape \(30, 35\)"),
    "no images": (IMAGES[:0], LABELS[:0], "impossible shape"),
    "Fortran order": (np.asfortranarray(IMAGES), LABELS, "Fortran order"),
    "float labels": (IMAGES, LABELS / 2, "labels as integers .*Received: float64"),
    "one-hot labels": (IMAGES, np.eye(30, dtype=np.uint8), r"shape \(30, 30\)"),
    "negative labels": (IMAGES, -LABELS.astype(np.int8), "label -1 of image 1 is negative"),
    "fewer labels": (IMAGES, LABELS[:29], "29 labels, but 30 images in"),
}


@pytest.mark.parametrize("case", WRONG_ARRAYS)
def test_arrays_of_another_kind_are_clear_errors(tmp_path, case):
    images, labels, message = WRONG_ARRAYS[case]
    folder = write_pair(tmp_path / "data", "npz", "k49-train", images, labels)
    with pytest.raises(UsageError, match=message):
        read(folder, tmp_path / "scratch")


@pytest.mark.parametrize("kind", KINDS)
def test_missing_labels_are_a_clear_error(tmp_path, kind):
    folder = write_pair(tmp_path / "data", kind, "k49-train", IMAGES, LABELS)
    next(folder.glob("*labels*")).unlink()
    with pytest.raises(UsageError, match=r"k49-train-im.*: its labels are not beside it"):
        read(folder, tmp_path / "scratch")


def test_sizes_are_checked_against_the_header(tmp_path):
    folder = write_pair(tmp_path / "data", "-idx-ubyte", "train", IMAGES, LABELS)
    path = folder / "train-images-idx3-ubyte"
    whole = path.read_bytes()
    cases = {
        whole[:-1]: r"an array of shape \(30, 7, 5\) has 1,050 bytes, but there are 1,049",
        whole + b"x": "but there are 1,051",
        whole[:4] + b"\xff" * 12 + whole[16:]: "impossible shape",
        whole[:9]: "cut short at byte 9",
        b"": "Received: an empty file",
        b"\0\0\x0d\3" + whole[4:]: "expected 00000803 at byte 0. Received: 00000d03",
    }
    for data, message in cases.items():
        path.write_bytes(data)
        with pytest.raises(UsageError, match=message):
            read(folder, tmp_path / "scratch")


def test_bombs_are_refused_before_they_are_unpacked(tmp_path):
    folder = write_pair(tmp_path / "data", "-idx-ubyte.gz", "train", IMAGES, LABELS)
    header = struct.pack(">HBBIII", 0, 8, 3, 1 << 26, 28, 28)
    (folder / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(header + bytes(10**6)))
    with pytest.raises(UsageError, match="unpacks to more than 200 times its size"):
        read(folder, tmp_path / "scratch")


def test_full_disk_is_a_storage_error(tmp_path):
    folder = write_pair(tmp_path / "data", "npz", "k49-train", IMAGES, LABELS)
    scratch = "/dev/full"
    with pytest.raises(StorageError, match=r"/dev/full: no space left \(2 kB were needed\)"):
        mnist.index(opening.open_listing(folder, scratch), Options())


@pytest.mark.parametrize("kind", KINDS)
def test_mutants_give_pictures_or_one_line(tmp_path, kind):
    folder = write_pair(tmp_path / "data", kind, "k49-train", IMAGES, LABELS)
    wholes = {path: path.read_bytes() for path in folder.iterdir()}
    rng, refusals = random.Random(1), []
    for i in range(80):
        path = list(wholes)[i % 2]
        data = bytearray(wholes[path])
        if i % 4 < 2:
            data = data[: rng.randrange(len(data))]
        else:
            for _ in range(rng.choice((1, 3, 20))):
                data[rng.randrange(len(data))] = rng.randrange(256)
        path.write_bytes(data)
        try:
            with (
                warnings.catch_warnings()
            ):  # of NumPy, about headers of Python 2; scripts have none
                warnings.simplefilter("ignore")
                _, pictures = read(folder, tmp_path / "scratch")
            assert len(pictures) >= 1
        except UsageError as error:
            refusals.append((path, str(error)))
        path.write_bytes(wholes[path])
    assert len(refusals) >= 40  # at least those that are cut short
    assert all(str(path) in text and "\n" not in text for path, text in refusals)


def test_folders_of_pictures_are_refused_unread(tmp_path):
    found = listing.Listing(tmp_path, None)
    names = UnseenNames(f"{j}.png" for j in range(26))
    found.tree = {f"{i:04}": names for i in range(3832)}
    assert not mnist.recognise(found)


@pytest.mark.skipif(not KMNIST.exists(), reason="needs KMNIST")
def test_kmnist_as_published(tmp_path):
    index, pictures = read(KMNIST, tmp_path / "scratch")
    codes = (0x304A, 0x304D, 0x3059, 0x3064, 0x306A, 0x306F, 0x307E, 0x3084, 0x308C, 0x3092)
    assert index.class_names == [f"U+{code:04X}" for code in codes]
    assert index.splits is None
    with np.load(KMNIST / "kmnist-test-imgs.npz") as file:
        np.testing.assert_array_equal(pictures, file["arr_0"])
    with np.load(KMNIST / "kmnist-test-labels.npz") as file:
        np.testing.assert_array_equal(index.labels, file["arr_0"])
    assert np.bincount(index.labels).tolist() == [1000] * 10


def test_create_dataset_end_to_end(tmp_path):
    labels = LABELS
    images = np.zeros((30, 16, 16), np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[2 + 4 * label : 6 + 4 * label, 4:12] = 255
    data = write_pair(tmp_path / "data", "npz", "k49-train", images[:24], labels[:24])
    write_pair(data, "npz", "k49-test", images[24:], labels[24:])
    run = run_script("create_dataset.py", data, "--image-size", 16, cwd=tmp_path)
    assert "polarity: light-on-dark (as the format has it)" in run.stdout
    assert "16x16, stretch" in run.stdout  # these images are framed alike already
    dataset = open_dataset(tmp_path / "characters_dataset")
    assert [len(y) for y in (dataset.y_train, dataset.y_val, dataset.y_test)] == [21, 3, 6]
    np.testing.assert_array_equal(dataset.X_test, images[24:])
    assert dataset.y_test.tolist() == labels[24:].tolist()
    run = run_script("create_dataset.py", data, "--crop", "ink", "--output", "ink", cwd=tmp_path)
    assert "cropped to the ink" in run.stdout
    shutil.move(data / "k49-test-labels.npz", tmp_path)
    run = run_script("create_dataset.py", data, cwd=tmp_path, expect=2)
    assert "k49-test-imgs.npz: its labels are not beside it" in run.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "characters_dataset", "data", "ink", "k49-test-labels.npz",
    ]  # fmt: skip
