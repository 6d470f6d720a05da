"""What all kinds of samples promise: a chunk is a smaller one of its kind, made for a worker."""

import base64
import pickle
import shutil
import subprocess
import sys

import numpy as np
import pytest
import test_etl
import test_gnt
import test_kaggle
import test_mnist
from conftest import ROOT, make_folder

from glyphs.dataset.corrections import Corrections, Line, correct
from glyphs.dataset.open import open_dataset
from glyphs.errors import PictureError
from glyphs.inspection import audit, audit_worker
from glyphs.sources import opening
from glyphs.sources.index import Options

KINDS = ("files", "zip", "tar", "gnt", "etl", "arrays", "boxes", "dataset")
NUMBERS = [3, 4, 6, 1]


@pytest.fixture(scope="module")
def sources(tmp_path_factory, toy_dataset):
    """A source of each kind."""
    folder = tmp_path_factory.mktemp("samples")
    shapes = make_folder(folder / "shapes", {"ring": 4, "bar": 4})
    (shapes / "ring" / "3.png").write_bytes(b"no picture")  # sample 6
    for kind in ("zip", "tar"):
        shutil.make_archive(str(folder / "packed"), kind, shapes)
    for number in (1, 2, 3):
        path = folder / "gnt" / f"{number}.gnt"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(test_gnt.encode_file(3, number))
    (folder / "etl").mkdir()
    records = test_etl.random_records("etl9g", 9)
    (folder / "etl" / "ETL9G_01").write_bytes(test_etl.encode_file("etl9g", records))
    images, labels = test_mnist.IMAGES, test_mnist.LABELS
    test_mnist.write_pair(folder / "arrays", "-idx-ubyte", "train", images[:4], labels[:4])
    test_mnist.write_pair(folder / "arrays", "-idx-ubyte", "t10k", images[4:], labels[4:])
    return {
        "files": shapes,
        "zip": folder / "packed.zip",
        "tar": folder / "packed.tar",
        "gnt": folder / "gnt",
        "etl": folder / "etl",
        "arrays": folder / "arrays",
        "boxes": test_kaggle.write(folder / "pages"),
        "dataset": toy_dataset,
    }


@pytest.fixture(params=KINDS)
def samples(request, sources, tmp_path):
    source = sources[request.param]
    if request.param == "dataset":
        yield audit.index_dataset(open_dataset(source)).samples
        return
    with opening.open_index(source, Options(), scratch=tmp_path / "scratch") as index:
        yield index.samples


def shown(samples):
    """Return what comes of each sample: its pixels, or why there are none."""
    return [
        str(picture) if isinstance(picture, PictureError) else (picture.size, picture.tobytes())
        for picture in samples.pictures()
    ]


def test_a_chunk_is_a_smaller_one_of_its_kind(samples):
    chunk = samples.chunk(NUMBERS)
    assert type(chunk) is type(samples)
    assert len(chunk) == len(NUMBERS) < len(samples)
    assert [chunk.name(i) for i in range(4)] == [samples.name(number) for number in NUMBERS]
    everything = shown(samples)
    assert len(everything) == len(samples)
    assert shown(chunk) == [everything[number] for number in NUMBERS]
    assert shown(chunk.chunk([2, 0])) == [everything[6], everything[3]]


def test_a_chunk_takes_little_to_send(samples):
    one, all_ = (pickle.dumps(samples.chunk(numbers)) for numbers in ([1], range(len(samples))))
    assert len(one) < len(all_)  # it leaves behind what the others need
    pixels = 16 * 16 if isinstance(samples, audit_worker.DatasetImages) else 0
    assert len(one) < 600 + pixels


def test_a_worker_decodes_a_chunk_without_numpy(samples):
    chunk = base64.b64encode(pickle.dumps(samples.chunk([1, 2])))
    code = (
        "import base64, pickle, sys\n"
        "from glyphs.dataset import build_worker\n"
        "from glyphs.inspection import audit_worker\n"
        f"chunk = pickle.loads(base64.b64decode({chunk!r}))\n"
        "print(sum(picture.width > 0 for picture in chunk.pictures()), 'numpy' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert run.stdout == "2 False\n", run.stderr


@pytest.mark.parametrize("kind", KINDS[:-1])
def test_corrections_find_each_picture_by_a_name_of_its_own(sources, tmp_path, kind):
    with opening.open_index(sources[kind], Options(), scratch=tmp_path / "scratch") as index:
        names = [index.name(int(number)) for number in index.sample_numbers]
        assert len(set(names)) == len(names)
        assert not any(str(sources[kind].parent) in name for name in names)
        label = int(index.labels[1])
        class_name, other = (index.class_names[i] for i in (label, label - 1))
        fourth = index.class_names[index.labels[3]]
        lines = {names[1]: Line(2, class_name, other), names[3]: Line(3, fourth, "")}
        corrected, _ = correct(index, Corrections("table", "", lines))
        assert [corrected.name(int(n)) for n in corrected.sample_numbers] == names[:3] + names[4:]
        expected = [index.class_names[i] for i in index.labels]
        expected[1:4] = other, expected[2]
        assert [corrected.class_names[i] for i in corrected.labels] == expected


def test_data_files_alone_are_framed_alike(sources, tmp_path):
    framed = set()
    for kind in KINDS[:-1]:
        with opening.open_index(sources[kind], Options(), scratch=tmp_path / "scratch") as index:
            framed |= {kind} if index.is_framed else set()
    assert framed == {"gnt", "etl", "arrays"}


def test_sides_of_16_bits_do_not_overflow(tmp_path):
    pixels = np.arange(300 * 400, dtype=np.uint8).reshape(300, 400)
    (tmp_path / "1.gnt").write_bytes(test_gnt.encode(b"\xb0\xa1", pixels))
    with opening.open_index(tmp_path, Options(), scratch=tmp_path / "scratch") as index:
        assert shown(index.samples) == [((400, 300), pixels.tobytes())]
