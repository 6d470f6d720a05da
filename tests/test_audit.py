"""What an audit knows of pictures, before anything is made of it."""

import subprocess
import sys

import numpy as np
from conftest import ROOT, draw_shape
from toy_audits import make_clean, measure

from glyphs.images.decode import read_picture
from glyphs.sources import opening
from glyphs.sources.index import Options


def test_pictures_know_how_they_were_stored(tmp_path):
    for mode, alpha in (("1", False), ("L", False), ("LA", True), ("RGB", False), ("RGBA", True)):
        draw_shape("ring", np.random.default_rng(1), mode=mode).save(tmp_path / "a.png")
        grey = read_picture(tmp_path / "a.png")
        assert grey.info == {"mode": mode, "alpha": alpha, "has_more": False}


def test_coverage_counts_the_most_frequent_classes(tmp_path):
    for name, count in {"a": 60, "b": 30, "c": 10}.items():
        make_clean(tmp_path / "uneven", [name], count)
    with opening.open_index(tmp_path / "uneven", Options(), scratch="scratch") as index:
        for coverage, classes in ((0.5, 0), (0.6, 1), (0.61, 1), (0.9, 2), (1, 3)):
            assert measure(index, coverage=coverage).covering() == classes


def test_workers_do_not_load_numpy():
    code = "import glyphs.inspection.audit_worker, sys; print('numpy' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code], cwd=ROOT) == b"False\n"
