"""Networks that have learned to see from photographs, with a new head for characters."""

import collections
import contextlib
import os
import re
import sys

import keras
from keras import layers

from glyphs.errors import UsageError
from glyphs.networks import blocks

UNFROZEN = 6  # layers at the end of the base that go on learning
NUMBERED = re.compile(r"(conv2d|batch_normalization|max_pooling2d|add)(_\d+)?")
UNITS = (10_000, 5_000, 1_000)  # of the dense layers of the head


def xception(image_size, n_classes, *, weights="imagenet", units=UNITS):
    """Return Xception without its classes, and a head of dense layers.

    96,935,994 parameters at 514 classes, whatever the size.

    Args:
        image_size: `(height, width)`, at least 71x71.
        n_classes: number of classes.
        weights: of the base: "imagenet", which Keras downloads and keeps, None for random ones, or
            the path of the file of Keras's weights without top (see WEIGHTS_FILES). Of a base with
            weights only the last 6 layers go on learning.
        units: widths of the head's dense layers.

    Raises:
        UsageError: the pictures are too small, or the weights cannot be had.
    """
    return _transfer("xception", image_size, n_classes, weights, units, smallest=71)


def resnet152v2(image_size, n_classes, *, weights="imagenet", units=UNITS):
    """Return ResNet152V2 without its classes, and a head of dense layers.

    134,406,162 parameters at 514 classes, whatever the size.

    Args:
        image_size: `(height, width)`, at least 32x32.
        n_classes: number of classes.
        weights: of the base, as for `xception`.
        units: widths of the head's dense layers.

    Raises:
        UsageError: the pictures are too small, or the weights cannot be had.
    """
    return _transfer("resnet152v2", image_size, n_classes, weights, units, smallest=32)


APPLICATIONS = {
    "xception": keras.applications.Xception,
    "resnet152v2": keras.applications.ResNet152V2,
}
WEIGHTS_FILES = {
    name: f"{name}_weights_tf_dim_ordering_tf_kernels_notop.h5" for name in APPLICATIONS
}


def _transfer(network, image_size, n_classes, weights, units, *, smallest):
    inputs = blocks.image_input(network, image_size, smallest)
    x = layers.Rescaling(1 / 127.5, offset=-1, name="rescaling")(inputs)
    x = layers.Concatenate(name="grey_to_rgb")([x, x, x])
    base = _renamed(_base(network, x, weights))
    if weights:  # random ones would never learn anything
        for layer in base.layers[:-UNFROZEN]:
            layer.trainable = False
    x = layers.GlobalAveragePooling2D(name="pooling")(base.outputs[0])
    x = layers.Dropout(0.2, name="pooling_dropout")(x)
    for i, width in enumerate(units, 1):
        x = blocks.dense_block(x, width, 0.3, f"dense{i}")
    return keras.Model(base.inputs[0], blocks.probabilities(x, n_classes), name=network)


def _base(network, x, weights):
    """Return the model from the input of `x` to the last feature maps.

    The layers lie in one graph with those before: a model within the model would be harder to
    explain and to check when it is read.
    """
    is_download = weights == "imagenet"
    with _download_errors(network) if is_download else contextlib.nullcontext():
        base = APPLICATIONS[network](
            include_top=False,
            weights="imagenet" if is_download else None,
            input_tensor=x,
            input_shape=x.shape[1:],
        )
    if weights and not is_download:
        _load(base, network, weights)
    return base


@contextlib.contextmanager
def _download_errors(network):
    """Keep Keras's messages out of the log on stdout, and say what to do where it fails."""
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    except Exception:  # that is what Keras raises
        raise UsageError(
            f"the weights of {network} could not be downloaded; fetch the file "
            f"{WEIGHTS_FILES[network]} in another way and name it with --weights FILE, or start "
            "from random weights with --weights none"
        ) from None


def _load(base, network, path):
    expected = f"pass {WEIGHTS_FILES[network]} as Keras offers it"
    if not os.path.isfile(path):
        raise UsageError(f"{path}: no such file; {expected}")
    try:
        base.load_weights(path)
    except Exception:  # of many kinds: no HDF5, other layers, other shapes
        raise UsageError(f"{path}: not the weights of {network} without top; {expected}") from None


def _renamed(model):
    """Return a copy of a model in which the layers that Keras numbered have names of their own.

    Keras numbers the layers of a whole program: what is `conv2d_5` now may be `conv2d` next time.
    Batch normalization gets the momentum of our other networks.
    """
    counts = collections.Counter()

    def copy(layer):
        config = layer.get_config()
        if numbered := NUMBERED.fullmatch(layer.name):
            counts[numbered[1]] += 1
            config["name"] = f"{numbered[1]}_{counts[numbered[1]]}"
        if "momentum" in config:
            config["momentum"] = blocks.MOMENTUM
        return type(layer).from_config(config)

    renamed = keras.models.clone_model(model, clone_function=copy)
    renamed.set_weights(model.get_weights())
    return renamed
