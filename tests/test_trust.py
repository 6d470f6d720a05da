"""Damaged, hostile and odd files: each is read, repaired or refused in one line that names it."""

import contextlib
import json
import os
import resource
import shutil
import struct
import subprocess
import sys
import zlib

import keras
import numpy as np
import pytest
from conftest import DATA, ROOT, draw_shape, make_folder, run_script
from mutants import join, mutants
from PIL import Image, ImageFile, ImageOps

from glyphs import files
from glyphs.artifacts import onnx_file
from glyphs.artifacts.description import MAX_JSON_BYTES, to_bytes
from glyphs.artifacts.loading import read_architecture
from glyphs.artifacts.onnx_file import convert, read_or_convert
from glyphs.artifacts.paths import Paths
from glyphs.artifacts.saving import write_model
from glyphs.dataset.open import open_dataset
from glyphs.errors import ArtifactError, PictureError, StorageError
from glyphs.images import conditions
from glyphs.images.decode import read_picture
from glyphs.images.preprocessing import Preprocessing, read_image
from glyphs.inference import Classifier
from glyphs.networks.kanji import kanji
from glyphs.sources import folders

PNGSUITE = DATA / "pngsuite"
needs_pngsuite = pytest.mark.skipif(not PNGSUITE.exists(), reason="the real data are not here")
PLAIN = Preprocessing(((8, 8),))
FACTS = {
    "class_names": ["a", "b", "c"],
    "characters": ["a", "b", "c"],
    "preprocessing": PLAIN.to_json(),
}


# --- One flipped bit, one cut ---


def damaged_copies(whole, flips, cuts):
    """Yield copies of bytes: first with one flipped bit each, then cut short."""
    rng = np.random.default_rng(0)
    for bit in rng.choice(8 * len(whole), flips, replace=False).tolist():
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << (bit % 8)
        yield bytes(damaged)
    for size in rng.integers(0, len(whole), cuts).tolist():
        yield whole[:size]


few_and_many = pytest.mark.parametrize(
    ("flips", "cuts"), [(150, 20), pytest.param(1500, 200, marks=pytest.mark.slow)]
)


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """The prefix of a small model with a made-up ONNX file."""
    prefix = tmp_path_factory.mktemp("original") / "model"
    model = kanji((8, 8), 3, filters=(2, 2, 2), units=4)
    write_model(str(prefix), model, FACTS)
    return prefix


@pytest.fixture
def prefix(original, tmp_path):
    """A copy of the model's files to damage."""
    for name in os.listdir(original.parent):
        shutil.copy(original.parent / name, tmp_path)
    return str(tmp_path / "model")


@few_and_many
@pytest.mark.parametrize("suffix", ["_architecture.json", "_weights.h5"])
def test_no_damage_to_a_model_is_silent(prefix, suffix, flips, cuts):
    path = prefix + suffix
    for damaged in damaged_copies(read(path), flips, cuts):
        write(path, damaged)
        with pytest.raises(ArtifactError, match=os.path.basename(path)):
            read_architecture(prefix)


@few_and_many
def test_every_damage_to_an_onnx_file_makes_it_anew(prefix, monkeypatch, flips, cuts):
    whole = np.random.default_rng(1).bytes(20_000)
    architecture = read_architecture(prefix)
    architecture["glyphs"]["sha256"]["onnx"] = files.sha256(whole)
    made, said = [], []
    monkeypatch.setattr(onnx_file, "convert", lambda *_, **__: made.append(1) or whole)
    path = Paths(prefix).onnx
    write(path, whole)
    assert read_or_convert(prefix, architecture, notify=said.append) == whole
    assert not made
    for damaged in damaged_copies(whole, flips, cuts):
        write(path, damaged)
        assert read_or_convert(prefix, architecture, notify=said.append) == whole
    assert len(made) == len(said) == flips + cuts
    assert set(said) == {f"{path} is damaged or stale; making it from the model files"}


@pytest.mark.slow
def test_no_damage_to_an_elastic_dataset_is_silent(toy_dataset, tmp_path):
    path = tmp_path / "characters_dataset_elastic"
    run_script("create_augmented_dataset.py", "--dataset", toy_dataset, "--copies", 1, cwd=tmp_path)
    for damaged in damaged_copies(path.read_bytes(), 1500, 200):
        path.write_bytes(damaged)
        with pytest.raises(ArtifactError, match="characters_dataset_elastic: "):
            open_dataset(path)


def read(path):
    with open(path, "rb") as file:
        return file.read()


def write(path, data):
    with open(path, "wb") as file:
        file.write(data)


# --- Model files made to harm ---


def sign(content):
    """Return the bytes of a model's JSON with all checksums right, as anyone can make them."""
    network = {key: value for key, value in content.items() if key != "glyphs"}
    content["glyphs"]["sha256"]["network"] = files.sha256(files.canonical_json(network))
    return to_bytes(content)


def layer(content, class_name):
    return next(each for each in content["config"]["layers"] if each["class_name"] == class_name)


def lambda_layer(content):
    code = {"class_name": "__lambda__", "config": {"code": "4wE=", "defaults": None}}
    layer(content, "Dropout").update(class_name="Lambda", config={"function": code})


def lambda_activation(content):
    layer(content, "Dense")["config"]["activation"] = {
        "class_name": "__lambda__", "config": {"code": "4wE="},
    }  # fmt: skip


def function_of_python(content):
    layer(content, "Dense")["config"]["activation"] = {
        "module": "builtins", "class_name": "function", "config": "eval",
        "registered_name": "function",
    }  # fmt: skip


def layer_of_another_module(content):
    layer(content, "Flatten")["module"] = "os"


def registered_layer(content):
    layer(content, "Flatten")["registered_name"] = "mine>Flatten"


def model_in_the_model(content):
    layer(content, "Flatten")["class_name"] = "Functional"


def other_model_class(content):
    content["class_name"] = "Sequential"


def a_billion_units(content):
    layer(content, "Dense")["config"]["units"] = 10**9


def more_weights_than_the_file_holds(content):
    layer(content, "Dense")["config"]["units"] = 10**6


def layer_built_for_nothing(content):
    del layer(content, "Dense")["build_config"]


def huge_pictures(content):
    layer(content, "InputLayer")["config"]["batch_shape"] = [None, 10**6, 10**6, 1]


def negative_units(content):
    layer(content, "Dense")["config"]["units"] = -1


def a_billion_weights_a_channel(content):
    depthwise = layer(content, "Conv2D")
    depthwise["class_name"] = "DepthwiseConv2D"
    depthwise["config"] |= {"depth_multiplier": 10**9}


def convolution_of_a_billion_pixels(content):
    layer(content, "Conv2D")["config"]["kernel_size"] = [10**5, 10**4]


def slopes_for_every_pixel(content):
    layer(content, "PReLU")["build_config"]["input_shape"] = [None, 4000, 4000, 4]


def averages_of_every_pixel(content):
    layer(content, "BatchNormalization")["build_config"]["input_shape"] = [None, 1, 1, 10**7]


def unknown_channels(content):
    layer(content, "Dense")["build_config"]["input_shape"] = [None, None]


def no_layers(content):
    content["config"] = {"layers": 5}


def no_sum_of_the_weights(content):
    del content["glyphs"]["sha256"]["weights"]


@pytest.mark.parametrize(
    "harm",
    [lambda_layer, lambda_activation, function_of_python, layer_of_another_module,
     registered_layer, model_in_the_model, other_model_class, a_billion_units,
     more_weights_than_the_file_holds, layer_built_for_nothing, huge_pictures, negative_units,
     a_billion_weights_a_channel, convolution_of_a_billion_pixels, slopes_for_every_pixel,
     averages_of_every_pixel, unknown_channels, no_layers, no_sum_of_the_weights],
)  # fmt: skip
def test_signed_model_that_is_not_ours_is_refused_before_it_is_built(prefix, harm):
    content = read_architecture(prefix)
    harm(content)
    write(f"{prefix}_architecture.json", sign(content))
    with pytest.raises(ArtifactError) as error:
        read_architecture(prefix)
    assert str(error.value).startswith(prefix)
    assert "\n" not in str(error.value)


def test_signed_model_that_makes_pictures_huge_on_the_way_is_refused(prefix):
    inputs = keras.Input((8, 8, 1))
    x = keras.layers.Concatenate()([keras.layers.ZeroPadding2D(5000)(inputs)] * 2)
    outputs = keras.layers.GlobalMaxPooling2D()(x)
    write_model(prefix, keras.Model(inputs, outputs), FACTS)
    with pytest.raises(
        ArtifactError, match=r"model.onnx: could not be made \(a picture would need"
    ):
        convert(prefix, read_architecture(prefix))


# What Keras 1 and Keras 2 wrote.
KERAS_1 = {
    "class_name": "Sequential", "keras_version": "1.0.1",
    "config": [{"class_name": "Dense", "config": {"output_dim": 3, "input_dim": 1024}}],
}  # fmt: skip
KERAS_2 = {
    "class_name": "Model", "keras_version": "2.2.4", "backend": "tensorflow",
    "config": {"name": "model", "layers": [{"class_name": "Dense", "config": {"units": 3}}]},
}  # fmt: skip


@pytest.mark.parametrize(
    "stored",
    [b"{}", b"[]", b"null", b"NaN", b"", b"\xff", b"1" * 5000, b"[" * 10**6, b'{"a":' * 10**6,
     b"[]" + b" " * MAX_JSON_BYTES, b'{"glyphs": "\\ud800"}',
     json.dumps(KERAS_1).encode(), json.dumps(KERAS_2).encode()],
    ids=range(13),
)  # fmt: skip
def test_json_from_elsewhere_is_refused_in_one_line(prefix, stored):
    write(f"{prefix}_architecture.json", stored)
    with pytest.raises(ArtifactError, match=r"\A[^\n]*model_architecture.json: [^\n]*\Z"):
        read_architecture(prefix)


@pytest.mark.parametrize("depth", [100, 400, 900, 5000])
def test_signed_nesting_bomb_is_refused(prefix, depth):
    content = read_architecture(prefix)
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(10**5)
    try:
        for _ in range(depth):
            content["config"]["trainable"] = [content["config"]["trainable"]]
        layer(content, "Flatten")["class_name"] = "Lambda"
        stored = sign(content)
    except RecursionError:
        pytest.skip("this Python cannot write it either")
    finally:
        sys.setrecursionlimit(limit)
    write(f"{prefix}_architecture.json", stored)
    with pytest.raises(ArtifactError, match=r"model_architecture.json"):
        read_architecture(prefix)


def test_signed_text_that_is_no_text_is_refused(prefix):
    content = read_architecture(prefix)
    content["name"] = "SURROGATE"
    write(f"{prefix}_architecture.json", sign(content).replace(b"SURROGATE", b"\\ud800"))
    with pytest.raises(ArtifactError, match="changed or damaged"):
        read_architecture(prefix)


@pytest.mark.parametrize(
    "facts",
    [{"class_names": None}, {"class_names": [1, 2, 3]}, {"characters": ["a"]}, {"preprocessing": 1},
     {"class_names": ["a", "b"], "characters": ["a", "b"]},
     {"preprocessing": PLAIN.to_json() | {"image_sizes": [[float("inf"), 8]]}},
     {"preprocessing": PLAIN.to_json() | {"image_sizes": [[9, 9]]}}],
    ids=range(7),
)  # fmt: skip
def test_signed_facts_that_do_not_fit_the_network_are_refused(toy_model, tmp_path, facts):
    for suffix in ("_architecture.json", "_weights.h5", ".onnx"):
        os.link(f"{toy_model}{suffix}", tmp_path / f"model{suffix}")
    prefix = str(tmp_path / "model")
    content = read_architecture(prefix)
    content["glyphs"] |= facts
    os.remove(f"{prefix}_architecture.json")
    write(f"{prefix}_architecture.json", sign(content))
    with pytest.raises(ArtifactError, match="again"):
        Classifier(prefix)


def test_signed_onnx_file_that_is_none_is_refused(prefix):
    content = read_architecture(prefix)
    content["glyphs"]["sha256"]["onnx"] = files.sha256(b"no model")
    write(f"{prefix}_architecture.json", sign(content))
    write(f"{prefix}.onnx", b"no model")
    with pytest.raises(ArtifactError, match="does not fit"):
        Classifier(prefix)


# --- Pictures ---


@contextlib.contextmanager
def memory_of(size):
    """Let this process use so many bytes more than it does."""
    with open("/proc/self/statm") as file:
        used = int(file.read().split()[0]) * resource.getpagesize()
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (used + size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


@needs_pngsuite
@pytest.mark.filterwarnings("ignore")  # as console.run does
@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="memory is measured on Linux")
@pytest.mark.parametrize("count", [800, pytest.param(20_000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("crop", ["ink", "none"])
def test_mutants_are_read_or_refused_in_little_memory(tmp_path, count, crop):
    preprocessing = Preprocessing.usual((8, 8), crop=crop)
    path = str(tmp_path / "picture.png")
    wholes = [each.read_bytes() for each in sorted(PNGSUITE.glob("*.png"))]
    labelled = refused = 0
    with memory_of(1 << 30):
        for data in mutants(wholes, count):
            write(path, data)
            refusal = None
            try:
                image = read_image(path, preprocessing)
            except PictureError as error:
                refusal = error
            if refusal:
                refused += 1
                assert refusal.path == path
                assert "\n" not in refusal.reason
                assert "memory" not in refusal.reason
            else:
                labelled += 1
                assert (image.shape, image.dtype) == ((8, 8), np.uint8)
    assert min(labelled, refused) > count / 10


def check_both_scripts(folder, toy_model, cwd):
    """Give a folder of class folders to both scripts: each picture is labelled or named, once."""
    paths = sorted(str(path) for path in folder.glob("*/*.png"))
    run = run_script("create_dataset.py", folder, "--workers", 1, cwd=cwd)
    left_out = [line for line in run.stderr.splitlines() if line.endswith("; left out")]
    refused = [line.removeprefix("warning: ").rpartition(".png: ")[0] + ".png" for line in left_out]
    run = run_script("classify.py", "--model", toy_model, folder, cwd=cwd, expect=1)
    labelled = [line.rpartition(" ")[0] for line in run.stdout.splitlines()]
    errors = [line for line in run.stderr.splitlines() if line.startswith("error: ")]
    named = [line.removeprefix("error: ").rpartition(".png: ")[0] + ".png" for line in errors]
    assert sorted(labelled + named) == paths
    assert sorted(refused) == sorted(named)
    return len(labelled), len(named)


@needs_pngsuite
def test_pngsuite_through_both_scripts(toy_model, tmp_path):
    for i, path in enumerate(sorted(PNGSUITE.glob("*.png"))):
        (tmp_path / "suite" / f"class{i % 4}").mkdir(parents=True, exist_ok=True)
        shutil.copy(path, tmp_path / "suite" / f"class{i % 4}")
    # Of the 162 that can be read, 25 show no ink: plain colours and faint ramps.
    # Of the 162 that can be read, 25 show no ink: plain colours and faint ramps.
    assert check_both_scripts(tmp_path / "suite", toy_model, tmp_path) == (137, 38)


@needs_pngsuite
@pytest.mark.slow
def test_mutants_through_both_scripts(toy_model, tmp_path):
    wholes = [each.read_bytes() for each in sorted(PNGSUITE.glob("*.png"))]
    for i, data in enumerate(mutants(wholes, 4000, seed=1)):
        (tmp_path / "mutants" / f"class{i % 4}").mkdir(parents=True, exist_ok=True)
        (tmp_path / "mutants" / f"class{i % 4}" / f"{i}.png").write_bytes(data)
    check_both_scripts(tmp_path / "mutants", toy_model, tmp_path)


def hard_pictures(ring):
    """Return by name what Pillow saves: a ring stored in every way, and pictures without ink."""
    ink, nothing = ImageOps.invert(ring), Image.new("L", ring.size)
    palette = ring.quantize(4)
    turned = Image.Exif()
    turned[0x0112] = 6
    photo = conditions.photo(np.asarray(ink.resize((900, 900))), np.random.default_rng(0))
    wide = [Image.new("L", size, 255) for size in ((1, 5000), (5000, 1), (5000, 2))]
    for picture in wide:
        picture.paste(0, (0, 0, picture.width // 2 + 1, picture.height // 2 + 1))
    read = {
        "1-bit": (ring.convert("1"), "PNG", {}),
        "16-bit": (Image.fromarray(np.asarray(ring).astype(np.uint16) * 257), "PNG", {}),
        "LA": (Image.merge("LA", (nothing, ink)), "PNG", {}),
        "palette": (palette, "PNG", {"transparency": palette.getpixel((0, 0))}),
        "CMYK": (ring.convert("RGB").convert("CMYK"), "JPEG", {}),
        "turned": (ring.convert("RGB"), "JPEG", {"exif": turned}),
        "animated": (palette, "GIF", {"save_all": True, "append_images": [nothing]}),
        "tight": (ring.crop(ink.point([0] * 128 + [255] * 128).getbbox()), "PNG", {}),
        "photo": (photo.resize((4000, 3000)), "JPEG", {}),
    }
    blank = [Image.new("L", (40, 40), grey) for grey in (0, 130, 255)] + [Image.new("L", (1, 1))]
    return read, {f"blank{i}": (each, "PNG", {}) for i, each in enumerate(blank + wide)}


def test_hard_pictures_through_both_scripts(toy_model, tmp_path):
    read, blank = hard_pictures(draw_shape("ring", np.random.default_rng(0)))
    for i, (name, (picture, kind, options)) in enumerate((read | blank).items()):
        (tmp_path / "hard" / f"class{i % 2}").mkdir(parents=True, exist_ok=True)
        picture.save(tmp_path / "hard" / f"class{i % 2}" / f"{name}.png", kind, **options)
    assert check_both_scripts(tmp_path / "hard", toy_model, tmp_path) == (len(read), len(blank))
    run = run_script("classify.py", "--model", toy_model, tmp_path / "hard", expect=1)
    assert {line.rpartition(" ")[2] for line in run.stdout.splitlines()} == {"ring"}
    assert run.stderr.count(": blank: no ink found; ") == len(blank)


def test_picture_of_60000_x_60000_pixels_is_refused_undecoded(tmp_path, monkeypatch):
    def refuse(picture):
        raise AssertionError("it is decoded")

    path = tmp_path / "huge.png"
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)
    lines = zlib.compress(bytes(60_001) * 600)
    path.write_bytes(join([(b"IHDR", header), *[(b"IDAT", lines)] * 100, (b"IEND", b"")]))
    monkeypatch.setattr(ImageFile.ImageFile, "load", refuse)
    with pytest.raises(PictureError, match="too many pixels"):
        read_picture(str(path))


def test_odd_files_are_labelled_or_named(toy_model, tmp_path):
    folder = make_folder(tmp_path / "odd", {"ring": 3, "bar": 3})
    good = (folder / "ring" / "1.png").read_bytes()
    names = [b"new\nline.png", b"\xff\xfe.png", "nel\x85, line\u2028.png".encode(), b" .png"]
    for name in names:
        write(os.fsencode(folder / "ring") + b"/" + name, good)
    bad = folder / "bar"
    os.mkfifo(bad / "pipe.png")
    (bad / "dangling.png").symlink_to("nowhere")
    (bad / "loop.png").symlink_to("loop.png")
    (bad / "device.png").symlink_to("/dev/zero")
    (bad / "zero.png").touch()
    (bad / "folder.png").mkdir()
    (folder / "loop").symlink_to("loop")
    n_bad = 5
    if os.geteuid():  # nothing is unreadable to root
        write(bad / "secret.png", good)
        (bad / "secret.png").chmod(0)
        n_bad += 1

    run = run_script("create_dataset.py", folder, cwd=tmp_path)
    assert "10 pictures of 2 classes" in run.stdout
    assert run.stderr.count("; left out\n") == n_bad
    run = run_script("classify.py", "--model", toy_model, folder, cwd=tmp_path, expect=1)
    assert len(run.stdout.splitlines()) == 10
    assert "/new\\nline.png " in run.stdout
    assert "/\udcff\udcfe.png " in run.stdout
    errors = run.stderr.splitlines()
    assert len(errors) == n_bad
    assert all(line.startswith(f"error: {bad}/") for line in errors)


def test_class_name_of_two_lines_stays_on_one(tmp_path):
    folder = make_folder(tmp_path / "odd", {"ring": 3, "bar": 2})
    os.rename(folder / "ring", folder / "two\nlines")
    run = run_script("create_dataset.py", folder, cwd=tmp_path)
    assert "2 (bar) to 3 (two\\nlines)\n" in run.stdout


def test_unreadable_folder_is_named_and_the_rest_go_on(tmp_path, monkeypatch):
    make_folder(tmp_path / "a", {"ring": 1, "bar": 1})
    scan = os.scandir

    def refuse(folder):
        if str(folder).endswith("bar"):
            raise PermissionError(13, "Permission denied", folder)
        return scan(folder)

    monkeypatch.setattr(os, "scandir", refuse)
    errors = []
    found = list(folders.walk(str(tmp_path / "a"), on_error=errors.append))
    assert found == [str(tmp_path / "a" / "ring" / "1.png")]
    assert [str(error) for error in errors] == [
        f"{tmp_path}/a/bar: cannot be listed (permission denied)"
    ]


def test_folders_deeper_than_python_calls_are_searched(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for _ in range(1200):
        os.mkdir("d")
        os.chdir("d")
    draw_shape("ring", np.random.default_rng(0)).save("1.png")
    os.chdir(tmp_path)
    found = list(folders.walk("d", on_error=pytest.fail))
    # Not left to pytest, which deletes by recursion.
    subprocess.run(["rm", "-r", "d"], check=True)
    assert found == ["d/" * 1200 + "1.png"]


# --- Full disks and closed pipes ---


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_full_disk_keeps_the_old_elastic_dataset(toy_dataset, tmp_path):
    command = ("create_augmented_dataset.py", "--dataset", toy_dataset, "--copies", 2)
    run_script(*command, cwd=tmp_path)
    before = contents(tmp_path)
    run = run_script(*command, "--seed", 2, cwd=tmp_path, largest_file=60_000, expect=4)
    assert run.stdout == ""
    assert run.stderr == (
        "error: characters_dataset_elastic: no space left (120 kB were needed); free some space "
        "or write elsewhere\n"
    )
    assert contents(tmp_path) == before


@pytest.mark.slow
def test_full_disk_keeps_the_old_model_and_checkpoint(toy_dataset, tmp_path):
    command = ("model.py", "--dataset", toy_dataset, "--epochs", 1, "--batch-size", 100)
    run_script(*command, cwd=tmp_path)
    write(tmp_path / "model_checkpoint.npz", b"old")
    before = contents(tmp_path)
    run = run_script(*command, cwd=tmp_path, largest_file=10**7, expect=4)
    errors = [line for line in run.stderr.splitlines() if line.startswith("error: ")]
    assert errors == [
        "error: model_checkpoint.npz: no space left (84 MB were needed); free some space or write "
        "elsewhere"
    ]
    assert contents(tmp_path) == before


@pytest.mark.parametrize("share", [0.01, 0.5, 0.9, 0.99])
def test_full_disk_keeps_the_old_weights_and_their_description(tmp_path, share):
    prefix = str(tmp_path / "model")
    model = kanji((8, 8), 3, filters=(2, 2, 2), units=60)
    write_model(prefix, model, FACTS)
    before = contents(tmp_path)
    model.set_weights([weights + 1 for weights in model.get_weights()])
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    size = int(share * os.path.getsize(f"{prefix}_weights.h5"))
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limit[1]))
    try:
        with pytest.raises(StorageError, match=r"no space left \(\d+ kB were needed\)"):
            write_model(prefix, model, FACTS)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert contents(tmp_path) == before


def test_full_standard_output_is_one_line(toy_folder, tmp_path):
    if not os.path.exists("/dev/full"):
        pytest.skip("no /dev/full here")
    with open("/dev/full", "wb") as full:
        run = subprocess.run(
            [sys.executable, ROOT / "create_dataset.py", toy_folder],
            cwd=tmp_path, stdout=full, stderr=subprocess.PIPE,
        )  # fmt: skip
    assert run.returncode == 4
    assert run.stderr.count(b"\n") == 1


def test_closed_standard_output_is_one_line(toy_model, unseen):
    for options in ("", "--format json"):
        run = subprocess.run(
            f'"{sys.executable}" "{ROOT}/classify.py" --model "{toy_model}" {options} "{unseen}" '
            ">&-",
            shell=True, capture_output=True,
        )  # fmt: skip
        assert run.returncode == 4
        assert run.stderr == b"error: output: cannot be written, as standard output is closed\n"


@pytest.mark.parametrize("redirection", ["| head -1", "2>&-", "<&-"])
def test_closed_streams_end_no_script_loudly(toy_folder, tmp_path, redirection):
    run = subprocess.run(
        f'"{sys.executable}" "{ROOT}/create_dataset.py" "{toy_folder}" {redirection}',
        shell=True, cwd=tmp_path, capture_output=True,
    )  # fmt: skip
    assert run.returncode == 0
    assert run.stderr == b""
    assert len(open_dataset(tmp_path / "characters_dataset").y_train) == 144


def test_names_from_a_closed_standard_input_are_none(toy_model):
    run = subprocess.run(
        f'"{sys.executable}" "{ROOT}/classify.py" --model "{toy_model}" - <&-',
        shell=True, capture_output=True,
    )  # fmt: skip
    assert (run.returncode, run.stdout, run.stderr) == (0, b"", b"")
