import os

import numpy as np
import pytest
from conftest import DATA, ROOT, run_script

from glyphs.inference import Classifier
from glyphs.sources import opening
from glyphs.sources.index import SPLITS, Options

MODEL = ROOT / "pretrained" / "devanagari" / "model"


def test_the_pretrained_model_is_whole_and_small():
    classifier = Classifier(str(MODEL))
    assert len(classifier.class_names) == 46
    assert classifier.characters[classifier.class_names.index("character_1_ka")] == "क"
    blank = np.zeros((1, *classifier.preprocessing.image_size), np.uint8)
    assert classifier.probabilities(blank).sum() == pytest.approx(1, abs=1e-3)
    sizes = [os.path.getsize(f"{MODEL}_{part}") for part in ("architecture.json", "weights.h5")]
    assert sum(sizes) < 6_000_000


@pytest.mark.slow
@pytest.mark.skipif(not DATA.exists(), reason="the real data are not here")
def test_the_pretrained_model_reads_devanagari_as_its_readme_says(tmp_path):
    scratch = tmp_path / "unpacked"
    with opening.open_index(DATA / "dhcd46.tar.xz", Options(), scratch=scratch) as index:
        test = np.flatnonzero(np.asarray(index.splits) == SPLITS.index("test"))
        names = [index.class_names[index.labels[i]] for i in test[::30]]
        pictures = index.samples.chunk(test[::30].tolist()).pictures()
        for i, (picture, name) in enumerate(zip(pictures, names, strict=True)):
            picture.save(tmp_path / f"{i:04} {name}.png")
    run = run_script("classify.py", "--model", MODEL, *sorted(tmp_path.glob("*.png")))
    right = [
        line.split()[-2].endswith(f"{line.split()[-1]}.png") for line in run.stdout.splitlines()
    ]
    assert len(right) == len(names)
    assert np.mean(right) > 0.98
