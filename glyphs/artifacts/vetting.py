"""Refuse networks that are not ours before anything is built from their description.

Checksums tell damage, not intent: a file from elsewhere may be signed as ours are.
"""

import math

from glyphs.errors import ArtifactError

# What our networks consist of. A file that names any other class is refused before it is built.
LAYERS = frozenset(
    {
        "InputLayer", "Rescaling", "Conv2D", "DepthwiseConv2D", "SeparableConv2D",
        "BatchNormalization", "PReLU", "ReLU", "Activation", "MaxPooling2D", "AveragePooling2D",
        "GlobalAveragePooling2D", "GlobalMaxPooling2D", "ZeroPadding2D", "Add", "Concatenate",
        "Dropout", "Flatten", "Dense", "Softmax",
    }
)  # fmt: skip
PARTS = {
    "keras.initializers": {
        "Zeros", "Ones", "Constant", "HeNormal", "HeUniform", "GlorotNormal", "GlorotUniform",
        "RandomNormal",
    },
    "keras.constraints": {"MaxNorm"},
    "keras.regularizers": {"L1", "L2", "L1L2"},
    "keras": {"DTypePolicy"},
    None: {"__keras_tensor__"},
}  # fmt: skip
MAX_VALUES = 1 << 27  # numbers that a picture may become between two layers
OPEN_SIDE = 64  # what a side counts that a network leaves open, for pictures of any size


def check_network(content, path, weights_size):
    """Refuse a network that is not made of our parts, or too large for its weights file.

    Args:
        content: dict: what Keras wrote as JSON.
        path: the file it was read from, to name in messages.
        weights_size: bytes of the weights file.

    Raises:
        ArtifactError: it is refused.
    """
    try:
        layers = content["config"]["layers"]
        names = [layer["class_name"] for layer in layers]
        foreign = [name for name in names if name not in LAYERS]
        if content["class_name"] != "Functional":
            foreign.append(content["class_name"])
        foreign += _foreign_parts(layers)
        is_too_large = sum(map(_weights_of, layers)) * 2 > weights_size  # at half precision
    except (KeyError, TypeError, ValueError, IndexError, AttributeError):
        foreign, is_too_large = ["missing or impossible layers"], False
    if foreign:
        raise ArtifactError(f"{path}: not a network of this toolkit ({foreign[0]!r:.60})")
    if is_too_large:
        raise ArtifactError(f"{path}: describes a network larger than its weights; train again")


def _foreign_parts(layers):
    """Return what is named inside the layers that is not ours: initializers and the like."""
    foreign = []
    waiting = [(layer, True) for layer in layers]
    while waiting:
        part, is_layer = waiting.pop()
        if isinstance(part, dict):
            module, name = part.get("module"), part.get("class_name")
            if is_layer:
                is_ours = module == "keras.layers"
            else:
                is_ours = name is None or name in PARTS.get(module, ())
            if not is_ours or part.get("registered_name") is not None:
                foreign.append(name or module)
            part = list(part.values())
        if isinstance(part, list):
            waiting += [(value, False) for value in part]
    return foreign


def _weights_of(layer):
    """Return how many weights a layer has at least, or raise ValueError for an absurd layer."""
    kind, config = layer["class_name"], layer["config"]
    shape = layer.get("build_config", {}).get("input_shape") or config.get("batch_shape") or [None]
    shapes = shape if isinstance(shape[0], list) else [shape]  # Add and Concatenate have several
    counts = ("units", "filters", "depth_multiplier")
    numbers = [*config.get("kernel_size", []), *(config[key] for key in counts if key in config)]
    if (
        max(map(_values_of, shapes)) > MAX_VALUES
        or max(map(_count, numbers), default=0) > MAX_VALUES
    ):
        raise ValueError
    area = math.prod(config.get("kernel_size", []))
    match kind:
        case "Dense":
            return _count(shape[-1]) * config["units"]
        case "Conv2D":
            return area * _count(shape[-1]) * config["filters"]
        case "DepthwiseConv2D":
            return area * _count(shape[-1]) * config["depth_multiplier"]
        case "SeparableConv2D":
            return (area + config["filters"]) * _count(shape[-1]) * config["depth_multiplier"]
        case "BatchNormalization":
            return 2 * _count(shape[config["axis"]])
        case "PReLU":
            return _values_of(shape)
    return 0


def _values_of(shape):
    """Return how many numbers a picture has in a tensor `(None, ..., channels)`.

    Raises:
        ValueError: the shape is none.
    """
    return math.prod(_count(OPEN_SIDE if side is None else side) for side in shape[1:])


def _count(number):
    """Return a number of a file that must be a whole one, 0 or above."""
    if type(number) is not int or number < 0:
        raise ValueError
    return number
