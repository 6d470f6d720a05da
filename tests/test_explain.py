import keras
import numpy as np
import pytest
from conftest import run_script
from PIL import Image

from glyphs.artifacts.saving import write_model
from glyphs.errors import ArtifactError
from glyphs.images.preprocessing import Preprocessing, read_image, see
from glyphs.inference import Classifier, explain
from glyphs.networks import catalogue
from glyphs.networks.kanji import kanji
from glyphs.networks.kuzushiji import kuzushiji_fcn

SIZE = (32, 32)


def explainer_of(model, folder, preprocessing):
    facts = {"class_names": ["a", "b", "c"], "preprocessing": preprocessing.to_json()}
    write_model(str(folder / "m"), model, facts)
    return explain.Explainer(str(folder / "m"))


def random_images():
    return np.random.default_rng(0).integers(0, 256, (4, *SIZE), np.uint8)


@pytest.mark.parametrize("network", ["glyphnet", "melnyk"])
def test_maps_of_networks_with_one_dense_layer_add_up_to_the_score(network, tmp_path):
    model = catalogue.build(network, SIZE, 3)
    explainer = explainer_of(model, tmp_path, Preprocessing((SIZE,)))
    assert explainer.is_exact
    images = random_images()
    probabilities = np.asarray(model(images[..., None].astype(np.float32)))
    scores = np.stack(
        [explainer.maps(images, np.full(4, label)).sum(axis=(1, 2)) for label in range(3)], 1
    )
    bias = np.asarray(explainer.dense.bias)
    expected = np.asarray(keras.ops.softmax(scores + bias))
    np.testing.assert_allclose(probabilities, expected, atol=1e-4)


def test_map_of_a_network_that_ends_in_a_global_maximum_is_the_map_of_the_class(tmp_path):
    model = kuzushiji_fcn(SIZE, 3)
    explainer = explainer_of(model, tmp_path, Preprocessing((SIZE,)))
    assert explainer.is_exact
    images = random_images()
    probabilities = np.asarray(model(images[..., None].astype(np.float32)))
    scores = np.stack(
        [explainer.maps(images, np.full(4, label)).max(axis=(1, 2)) for label in range(3)], 1
    )
    np.testing.assert_allclose(probabilities, np.asarray(keras.ops.softmax(scores)), atol=1e-4)


def test_other_networks_are_explained_by_grad_cam(tmp_path):
    model = kanji(SIZE, 3, filters=(4, 4, 8), units=16)
    explainer = explainer_of(model, tmp_path, Preprocessing((SIZE,)))
    assert not explainer.is_exact
    first, second = (explainer.maps(random_images(), np.full(4, label)) for label in (0, 1))
    assert first.shape == (4, 8, 8)
    assert first.std(axis=(1, 2)).min() > 0
    assert not np.allclose(first, second)  # each class has a map of its own


def test_the_map_lies_where_the_picture_was_padded_to(tmp_path):
    preprocessing = Preprocessing(((40, 40),), "pad", border=4)
    Image.new("L", (64, 200), 255).save(tmp_path / "a.png")  # fills the middle third of the width
    seen = see(str(tmp_path / "a.png"), preprocessing)
    activation = np.zeros((10, 10), np.float32)
    activation[:, :3] = 1  # to the left of the picture
    left = np.asarray(explain.draw(seen, activation))
    assert left.min() > 200
    activation[4:6, 5] = 1
    middle = np.asarray(explain.draw(seen, activation))
    rows, columns = np.nonzero(middle[..., 1] < 150)
    assert abs(rows.mean() / len(middle) - 0.5) < 0.05
    assert columns.mean() / middle.shape[1] > 0.5


def test_classify_writes_a_picture_for_each_that_it_can_read(toy_model, unseen, tmp_path):
    (tmp_path / "broken.png").write_bytes(b"no picture")
    run = run_script(
        "classify.py", "--model", toy_model, "--explain", "maps", unseen / "ring 1.png",
        "broken.png", unseen / "bar 1.png", cwd=tmp_path, expect=1,
        environment={"KERAS_BACKEND": "jax"},  # the maps are TensorFlow's, which keeps quiet
    )  # fmt: skip
    assert len(run.stdout.splitlines()) == 2
    assert run.stderr.startswith("error: broken.png: ")
    assert run.stderr.count("\n") == 1
    names = sorted(path.name for path in (tmp_path / "maps").iterdir())
    assert names == ["00001_ring 1.png", "00003_bar 1.png"]
    drawn = np.asarray(Image.open(tmp_path / "maps" / names[0])).astype(int)
    assert (drawn[..., 0] - drawn[..., 1]).max() > 50  # there is red


def test_a_network_for_any_size_gets_pictures_at_their_own_size(toy_folder, tmp_path):
    model = kuzushiji_fcn((80, 80), 3)
    preprocessing = Preprocessing(((80, 80),), "pad")
    facts = {
        "class_names": ["bar", "cross", "ring"],
        "characters": [None] * 3,
        "preprocessing": preprocessing.to_json(),
    }
    write_model(str(tmp_path / "m"), model, facts)
    path = str(toy_folder / "ring" / "1.png")  # 40x40
    classifier = Classifier(str(tmp_path / "m"))
    (prediction,) = classifier.classify([path], top=3)
    own = Preprocessing(((40, 40),))
    character = read_image(path, own)
    expected = np.asarray(model(character[None, ..., None].astype(np.float32)))[0]
    found = {candidate.label: candidate.probability for candidate in prediction.candidates}
    np.testing.assert_allclose(
        [found[name] for name in classifier.class_names], expected, atol=1e-4
    )


def test_explaining_copes_with_long_names_and_odd_folders(toy_model, toy_folder, tmp_path):
    long = tmp_path / f"{'x' * 245}.png"
    long.write_bytes((toy_folder / "ring" / "1.png").read_bytes())
    arguments = ("classify.py", "--model", toy_model, "--explain")
    run_script(*arguments, tmp_path / "maps", long)
    assert len(list((tmp_path / "maps").iterdir())) == 1
    run = run_script(*arguments, tmp_path / "in" / "maps", tmp_path, expect=2)
    assert "which is searched for pictures" in run.stderr
    (tmp_path / "file").touch()
    run = run_script(*arguments, tmp_path / "file" / "maps", long, expect=4)
    assert "cannot be made" in run.stderr


def test_a_network_without_feature_maps_is_refused(tmp_path):
    layers = keras.layers
    inputs = keras.Input((*SIZE, 1), name="images")
    x = layers.Flatten(name="flatten")(layers.Rescaling(1 / 255, name="rescaling")(inputs))
    model = keras.Model(inputs, layers.Dense(3, activation="softmax", name="probabilities")(x))
    with pytest.raises(ArtifactError, match="has no feature maps"):
        explainer_of(model, tmp_path, Preprocessing((SIZE,)))
