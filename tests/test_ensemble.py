import keras
import numpy as np
import pytest
from conftest import run_script
from PIL import Image
from scipy import ndimage

from glyphs.artifacts.doubt import store_doubt
from glyphs.artifacts.saving import write_model
from glyphs.errors import UsageError
from glyphs.images import looking
from glyphs.images import preprocessing as preprocessing_module
from glyphs.images.preprocessing import Preprocessing, read_image
from glyphs.inference import Classifier, Ensemble
from glyphs.inference.temperature import with_temperature
from glyphs.inference.views import VIEWS, views_of
from glyphs.networks.kanji import kanji
from glyphs.networks.kuzushiji import kuzushiji_fcn


def small_kanji(image_size, n_classes):
    return kanji(image_size, n_classes, filters=(2, 2, 2), units=16)


def write_small(prefix, names, preprocessing, characters=None, network=small_kanji):
    facts = {
        "class_names": names,
        "characters": characters or [None] * len(names),
        "preprocessing": preprocessing.to_json(),
    }
    keras.utils.set_random_seed(1)
    model = network(preprocessing.image_size, len(names))
    *others, kernel, bias = model.get_weights()
    model.set_weights([*others, 100 * kernel, bias])  # answers that differ clearly
    write_model(str(prefix), model, facts)
    return str(prefix)


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Two models with random weights, that see pictures otherwise and share two of four classes."""
    folder = tmp_path_factory.mktemp("models")
    first = write_small(folder / "a", ["a", "b", "c"], Preprocessing(((8, 8),)))
    second = write_small(
        folder / "b", ["b", "c", "d"], Preprocessing.usual((16, 12)), ["あ", None, "う"]
    )
    return first, second


@pytest.fixture(scope="module")
def paths(unseen):
    return sorted(str(path) for path in unseen.iterdir())[::6]


def predict(classifier, paths):
    """Return what classify says of each path: class name to probability."""
    predictions = classifier.classify(paths, top=len(classifier.class_names))
    return [{c.label: c.probability for c in prediction.candidates} for prediction in predictions]


# --- Several models ---


def test_the_mean_is_that_of_two_answers_matched_by_name(models, paths):
    alone = [predict(Classifier(model), paths) for model in models]
    together = predict(Ensemble(models), paths)
    for one, other, mean in zip(*alone, together, strict=True):
        expected = {name: (one.get(name, 0) + other.get(name, 0)) / 2 for name in "abcd"}
        assert mean == pytest.approx(expected, abs=1e-6)
        assert sum(mean.values()) == pytest.approx(1, abs=1e-5)


def test_the_order_of_the_models_makes_no_difference(models, paths):
    assert predict(Ensemble(models), paths) == predict(Ensemble(models[::-1]), paths)


def test_a_model_with_itself_is_itself(models, paths):
    assert predict(Ensemble([models[0]] * 2), paths) == predict(Classifier(models[0]), paths)


def test_classes_are_the_union_with_the_characters_that_any_model_knows(models):
    together = Ensemble(models)
    assert together.class_names == ["a", "b", "c", "d"]
    assert together.characters == [None, "あ", None, "う"]
    assert together.unshared == ["a", "d"]
    assert Ensemble([models[0]] * 2).unshared == []


def test_probabilities_take_the_images_of_each_model(models, paths):
    together = Ensemble(models)
    images = [
        np.stack([read_image(path, classifier.preprocessing) for path in paths])
        for classifier in together.classifiers
    ]
    assert images[0].shape != images[1].shape
    probabilities = together.probabilities(images)
    assert probabilities.dtype == np.float32
    found = predict(together, paths)
    expected = [[row[name] for name in together.class_names] for row in found]
    np.testing.assert_allclose(probabilities, expected, atol=1e-6)


def test_each_model_answers_at_its_own_temperature(models, paths, tmp_path):
    names = ["a", "b", "c"]
    other = write_small(tmp_path / "m", names, Preprocessing(((8, 8),)))
    before = predict(Classifier(other), paths)
    doubt = {"temperature": 0.2, "thresholds": {"0.9": 0.5}, "pictures": 9, "val": "none"}
    store_doubt(other, doubt)
    alone = predict(Classifier(models[0]), paths)
    together = predict(Ensemble([models[0], other]), paths)
    for one, two, mean in zip(alone, before, together, strict=True):
        sharper = with_temperature(np.float32([[two[name] for name in names]]), 0.2)[0]
        expected = [(one[name] + sharper[i]) / 2 for i, name in enumerate(names)]
        assert [mean[name] for name in names] == pytest.approx(expected, abs=1e-6)


def test_models_without_a_common_class_are_refused(models, tmp_path):
    other = write_small(tmp_path / "m", ["x", "y"], Preprocessing(((8, 8),)))
    with pytest.raises(UsageError, match="no class in common"):
        Ensemble([models[0], other])


def test_a_picture_is_looked_at_once_for_models_that_see_alike(models, paths, monkeypatch):
    looks = []

    def see(path, *arguments, **options):
        looks.append(path)
        return preprocessing_module.see(path, *arguments, **options)

    monkeypatch.setattr(looking, "see", see)
    list(Ensemble([models[0], models[0]]).classify(paths))
    assert looks == paths
    list(Ensemble(models).classify(paths))
    assert len(looks) == 3 * len(paths)


def test_a_picture_that_one_model_cannot_read_has_an_error(models, paths, tmp_path):
    blank = str(tmp_path / "blank.png")
    Image.new("L", (40, 40), 240).save(blank)
    together = Ensemble(models)
    first, second, third = together.classify([paths[0], blank, "missing.png"], keep=True)
    assert first.seen.image.shape == (8, 8)
    assert second.error.reason.startswith("blank: ")  # to the second model, which looks for ink
    assert third.error.reason == "no such file"


def test_several_models_cannot_reject(models, paths):
    with pytest.raises(UsageError, match="one by one"):
        Ensemble(models).classify(paths, accuracy=0.9)


def test_classify_asks_all_models_that_are_named(models, paths):
    both = ("--model", models[0], "--model", models[1])
    run = run_script("classify.py", *both, "--top", 4, "--tta", *paths)
    assert run.stderr.splitlines()[-1] == (
        "warning: 2 of 4 classes are not in every model, and count as 0 where they are "
        "missing: a, d"
    )
    expected = predict(Ensemble(models, tta=True), paths)
    for line, row in zip(run.stdout.splitlines(), expected, strict=True):
        words = line.rsplit(" ", 8)[1:]
        assert words[::2] == list(row)
        assert words[1::2] == [f"{100 * probability:.2f}%" for probability in row.values()]
    for options, says in (
        (("--explain", "maps"), "error: --explain shows what one network saw"),
        (("--reject",), "error: models are calibrated one by one"),
    ):
        run = run_script("classify.py", *both, *options, *paths, expect=2)
        assert run.stderr.splitlines()[-1].startswith(says)
        assert run.stdout == ""


# --- Several views ---


def random_images(size=(32, 32), n=3):
    """Blurred noise: what interpolation shall agree on must be smooth."""
    noise = np.random.default_rng(0).uniform(0, 255, (n, *size))
    return ndimage.gaussian_filter(noise, (0, 2, 2)).astype(np.uint8)


def test_the_first_view_is_the_image_and_all_are_different():
    images = random_images()
    views = list(views_of(images))
    assert len(views) == len(VIEWS)
    np.testing.assert_array_equal(views[0], images)
    assert len({view.tobytes() for view in views}) == len(views)


def test_views_are_the_same_each_time_and_in_any_batch():
    images = random_images((20, 28), 300)
    alone = np.concatenate([np.stack(list(views_of(image[None]))) for image in images], axis=1)
    np.testing.assert_array_equal(np.stack(list(views_of(images))), alone)


def test_shifts_go_where_they_say():
    image = np.zeros((1, 32, 32), np.uint8)
    image[0, 10:14, 12:20] = 200
    for (down, right, angle), view in zip(VIEWS, views_of(image), strict=True):
        if not angle:
            np.testing.assert_array_equal(view, np.roll(image, (down, right), (1, 2)))


@pytest.mark.parametrize("size", [(32, 32), (24, 40), (41, 30)])
def test_views_are_those_of_a_slow_affine_map(size):
    images = random_images(size)
    images[:, :3] = images[:, -3:] = 0
    images[:, :, :3] = images[:, :, -3:] = 0
    centre = (np.array(size) - 1) / 2
    for (down, right, angle), view in zip(VIEWS, views_of(images), strict=True):
        turn = np.deg2rad(angle)
        matrix = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        shift = np.array([down, right]) * (size[0] * size[1]) ** 0.5 / 32
        for image, found in zip(images, view, strict=True):
            offset = centre - matrix @ centre - shift
            expected = ndimage.affine_transform(image.astype(float), matrix, offset, order=1)
            np.testing.assert_allclose(found, expected, atol=1.5)


def test_tta_is_the_mean_of_the_answers_to_the_views(models):
    plain, augmented = Classifier(models[0]), Classifier(models[0], tta=True)
    images = random_images((8, 8), 150)  # more than a batch
    expected = sum(plain.probabilities(view) for view in views_of(images)) / len(VIEWS)
    found = augmented.probabilities(images)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-6)
    np.testing.assert_array_equal(found, augmented.probabilities(images))
    assert not np.allclose(found, plain.probabilities(images), atol=1e-4)
    assert augmented.probabilities(images[:0]).shape == (0, 3)


def test_tta_works_where_a_network_takes_any_size(paths, tmp_path):
    preprocessing = Preprocessing.usual((80, 80))
    facts = {
        "class_names": ["a", "b", "c"],
        "characters": [None] * 3,
        "preprocessing": preprocessing.to_json(),
    }
    write_model(str(tmp_path / "m"), kuzushiji_fcn((80, 80), 3), facts)
    plain = Classifier(str(tmp_path / "m"))
    image = read_image(paths[0], preprocessing, own_size=True)
    expected = np.mean([plain.probabilities(view)[0] for view in views_of(image[None])], axis=0)
    (found,) = predict(Classifier(str(tmp_path / "m"), tta=True), paths[:1])
    assert [found[name] for name in "abc"] == pytest.approx(expected.tolist(), abs=1e-6)


def test_tta_does_not_reject(models):
    with pytest.raises(UsageError, match="without --tta"):
        Classifier(models[0], tta=True).threshold(0.9)
