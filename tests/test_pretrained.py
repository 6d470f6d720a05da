import os
import re

import numpy as np
import pytest
from conftest import DATA, ROOT, SHAPES, make_folder, run_script

from glyphs.artifacts.loading import load_model, read_architecture
from glyphs.artifacts.saving import write_model
from glyphs.charsets import characters_of_set
from glyphs.drawing.character import draw
from glyphs.drawing.typeface import Typeface
from glyphs.fonts import bundled_font
from glyphs.images.preprocessing import image_of
from glyphs.images.view import view_of
from glyphs.inference import Classifier
from glyphs.networks.kanji import kanji
from glyphs.sources import opening
from glyphs.sources.index import SPLITS, Options

PRETRAINED = ROOT / "pretrained"
MODEL = PRETRAINED / "devanagari" / "model"
MADE = {  # of which sets the drawn ones are, and the file of their licence
    "japanese": (("hiragana", "katakana", "latin", "digits", "jis1"), "LICENSE"),
    "chinese": (("gb1",), "ARPHICPL.TXT"),
}


@pytest.mark.parametrize(
    ("name", "class_name", "character"),
    [
        ("devanagari", "character_1_ka", "क"),
        ("japanese", "U+6F22", "漢"),
        ("chinese", "U+6C49", "汉"),
    ],
)
def test_a_pretrained_model_is_whole_small_and_calibrated(name, class_name, character):
    prefix = PRETRAINED / name / "model"
    classifier = Classifier(str(prefix))
    assert classifier.characters[classifier.class_names.index(class_name)] == character
    blank = np.zeros((1, *classifier.preprocessing.image_size), np.uint8)
    assert classifier.probabilities(blank).sum() == pytest.approx(1, abs=1e-3)
    assert 0 < classifier.threshold(0.99) < 1
    sizes = [os.path.getsize(f"{prefix}_{part}") for part in ("architecture.json", "weights.h5")]
    assert sum(sizes) < 6_000_000


@pytest.mark.parametrize("name", MADE)
def test_a_drawn_model_knows_its_sets_and_comes_with_its_licence(name):
    sets, licence = MADE[name]
    known = Classifier(str(PRETRAINED / name / "model")).characters
    assert set(known) == {c for chosen in sets for c in characters_of_set(chosen)}
    assert len((PRETRAINED / name / licence).read_text()) > 5000
    commands = (PRETRAINED / "make.sh").read_text()
    assert f'{name}) classes="{" ".join(sets)}"' in commands


def test_commands_that_make_the_models_have_the_options_that_they_use():
    text = (PRETRAINED / "make.sh").read_text().replace("\\\n", " ")
    commands = re.findall(r"^ *python ([\w/]+\.py)(.*)$", text, re.M)
    assert len(commands) == 6
    for script, words in commands:
        help_text = run_script(script, "--help").stdout
        for option in re.findall(r"--[a-z-]+", words):
            assert re.search(rf"^  {option}\b", help_text, re.M), f"{script} has no {option}"


def test_the_mean_of_models_is_the_mean_of_their_weights(tmp_path):
    make_folder(tmp_path / "shapes", dict.fromkeys(SHAPES, 20))
    run_script("create_dataset.py", "shapes", "--image-size", 28, cwd=tmp_path)
    train = ["train.py", "--network", "kmnist", "--epochs", 1, "--batch-size", 8]
    run_script(*train, "--output", "a", cwd=tmp_path)
    run_script(*train, "--init", "a", "--output", "b", cwd=tmp_path)
    facts = read_architecture(str(tmp_path / "a"))["glyphs"]
    other = kanji((28, 28), len(SHAPES), filters=(2, 2, 2), units=4)
    write_model(str(tmp_path / "other"), other, facts)
    average = ["pretrained/average.py", "characters_dataset", "mean"]
    run = run_script(*average, "a", "b", cwd=tmp_path)
    weights = [load_model(str(tmp_path / name))[0].get_weights() for name in ("a", "b", "mean")]
    for a, b, mean in zip(*weights, strict=True):
        np.testing.assert_allclose(mean, (a + b) / 2, rtol=1e-3, atol=1e-3)
    test = read_architecture(str(tmp_path / "mean"))["glyphs"]["figures"]["test"]
    assert f"accuracy {test['accuracy']:.4f} on {test['pictures']}" in run.stdout
    evaluated = run_script("evaluate.py", "--model", "mean", cwd=tmp_path).stdout
    assert f"accuracy {100 * test['accuracy']:.2f} %" in evaluated
    refused = run_script(*average, "a", "other", cwd=tmp_path, expect=3)
    assert "other: is of another network than a" in refused.stderr
    run_script("create_dataset.py", "shapes", "--output", "larger", cwd=tmp_path)
    refused = run_script("pretrained/average.py", "larger", "c", "a", "b", cwd=tmp_path, expect=3)
    assert refused.stderr == "error: larger: not made for a: other classes or preprocessing\n"


def test_what_a_hand_has_drawn_is_read_among_few_classes():
    """Characters by hands and a font that the model has not learned from."""
    font = Typeface(bundled_font())
    classifier = Classifier(str(PRETRAINED / "japanese" / "model"), only=characters_of_set("joyo"))
    kanji = "日本語学校東京水火山川"
    pictures = [
        picture for c in kanji for picture in draw(c, [], [font.glyph(c)], count=4, seed=77)
    ]
    images = [
        image_of(view_of(p, classifier.preprocessing), classifier.preprocessing) for p in pictures
    ]
    best = classifier.probabilities(np.stack(images)).argmax(1)
    right = [classifier.characters[i] == kanji[n // 4] for n, i in enumerate(best.tolist())]
    assert np.mean(right) > 0.85


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
