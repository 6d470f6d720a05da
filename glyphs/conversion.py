"""Say a network in ONNX, from its description and its weights, without Keras.

Only the kinds of layers in `LAYERS` are known. ONNX keeps feature maps as `(n, channels, height,
width)`, Keras as `(n, height, width, channels)`: pictures are transposed once when they come in,
maps where they are flattened, kernels here.
"""

import functools
import math

import h5py
import numpy as np
import onnx
from onnx import TensorProto, helper

from glyphs.vetting import MAX_VALUES, OPEN_SIDE

OPSET = 17
IR_VERSION = 8
CHANNELS_FIRST = (0, 3, 1, 2)
CHANNELS_LAST = (0, 2, 3, 1)


def to_onnx(architecture, weights_path):
    """Return a network as an ONNX model that takes what the network takes.

    Args:
        architecture: dict: what Keras wrote as JSON; verified, as read_architecture returns it.
        weights_path: the HDF5 file of its weights.

    Returns:
        bytes: an ONNX model with one input "images", float32 `(n, height, width, 1)`, and one
        output, float32 `(n, n_classes)`. The same network gives the same bytes.

    Raises:
        ValueError: a layer is not known, or a picture would grow too large on its way.
        KeyError, TypeError, OSError: the files do not belong together.
    """
    config = architecture["config"]
    graph = Graph()
    tensors = {}
    with h5py.File(weights_path) as file:
        for layer in config["layers"]:
            inputs = [tensors[name] for name in _inputs_of(layer)]
            weights = _weights_of(file["model_weights"], layer["name"])
            tensors[layer["name"]] = graph.add_layer(layer, inputs, weights)
    batch_shape = config["layers"][0]["config"]["batch_shape"]
    output = tensors[np.ravel(config["output_layers"])[0]]
    return graph.model(batch_shape, output).SerializeToString(deterministic=True)


def _inputs_of(layer):
    """Return the names of the layers whose outputs a layer takes."""
    if not layer["inbound_nodes"]:
        return []
    (node,) = layer["inbound_nodes"]
    (argument,) = node["args"]
    tensors = argument if isinstance(argument, list) else [argument]
    return [tensor["config"]["keras_history"][0] for tensor in tensors]


def _weights_of(group, layer_name):
    """Return the weights of a layer by their names: "kernel", "bias" and the like, float32."""
    if layer_name not in group:
        return {}
    names = group[layer_name].attrs["weight_names"].astype(str)
    return {
        name.rpartition("/")[2]: group[layer_name][name][()].astype(np.float32) for name in names
    }


class Graph:
    """An ONNX graph that grows layer by layer. Its tensors are known by their names."""

    def __init__(self):
        self.nodes = []
        self.constants = {}
        self.layer = None

    def add_layer(self, layer, inputs, weights):
        """Add a layer as Keras describes it, with the tensors it takes; return what it makes."""
        config = layer["config"]
        if config.get("data_format", "channels_last") != "channels_last":
            raise ValueError(f"layer {layer['name']} wants its channels first")
        self.layer = layer["name"]
        return LAYERS[layer["class_name"]](self, config, *inputs, **weights)

    def node(self, operator, *inputs, **attributes):
        """Add an operator to tensors or arrays; return the tensor it makes."""
        names = [self._constant(each) if isinstance(each, np.ndarray) else each for each in inputs]
        name = f"{self.layer}/{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, names, [name], **attributes))
        return name

    def _constant(self, array):
        name = f"{self.layer}/constant{len(self.constants)}"
        self.constants[name] = array
        return name

    def model(self, input_shape, output):
        """Return the onnx.ModelProto from the input layer to the tensor `output`."""
        _, height, width, channels = input_shape
        dims = ["n", height or "height", width or "width", channels]
        graph = helper.make_graph(
            self.nodes,
            "network",
            [helper.make_tensor_value_info("images", TensorProto.FLOAT, dims)],
            [helper.make_tensor_value_info(output, TensorProto.FLOAT, None)],
            [_declare(name, array) for name, array in self.constants.items()],
        )
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION
        )
        shapes = _shapes_of_pictures(model)
        if max(map(math.prod, shapes.values())) > MAX_VALUES:
            raise ValueError("a picture would need too much memory on its way")
        output_shape = helper.make_tensor_value_info(
            output, TensorProto.FLOAT, ["n", *shapes[output]]
        )
        model.graph.output[0].CopyFrom(output_shape)
        for tensor in model.graph.initializer:
            tensor.raw_data = np.ascontiguousarray(self.constants[tensor.name]).tobytes()
        return model


def _declare(name, array):
    """Return a constant without its values, except those that say how large something is."""
    kind = helper.np_dtype_to_tensor_dtype(array.dtype)
    tensor = TensorProto(name=name, data_type=kind, dims=array.shape)
    if array.dtype == np.int64:
        tensor.raw_data = array.tobytes()
    return tensor


def _shapes_of_pictures(model):
    """Return the shape of a picture in every tensor, by the tensors' names."""
    trial = onnx.ModelProto()
    trial.CopyFrom(model)
    for dim in trial.graph.input[0].type.tensor_type.shape.dim[1:]:
        dim.dim_value = dim.dim_value or OPEN_SIDE
    graph = onnx.shape_inference.infer_shapes(trial, strict_mode=True).graph
    return {
        tensor.name: [dim.dim_value for dim in tensor.type.tensor_type.shape.dim[1:]]
        for tensor in [*graph.input, *graph.value_info, *graph.output]
    }


# --- The layers: functions (graph, config, *tensors, **weights) -> tensor ---


def _input(graph, config):
    return graph.node("Transpose", "images", perm=CHANNELS_FIRST)


def _rescaling(graph, config, x):
    x = graph.node("Mul", x, np.float32([config["scale"]]))
    return graph.node("Add", x, np.float32([config["offset"]])) if config["offset"] else x


def _activation(graph, config, x):
    match config.get("activation", "linear"):
        case "linear":
            return x
        case "relu":
            return graph.node("Relu", x)
        case "softmax":
            return graph.node("Softmax", x, axis=1)
        case other:
            raise ValueError(f"unknown activation {other!r:.40}")


def _relu(graph, config, x):
    if config["max_value"] is not None or config["negative_slope"] or config["threshold"]:
        raise ValueError("a ReLU that is more than that")
    return graph.node("Relu", x)


def _softmax(graph, config, x):
    if config["axis"] != -1:
        raise ValueError("a softmax not over the classes")
    return graph.node("Softmax", x, axis=1)


def _prelu(graph, config, x, alpha):
    # Faster than the operator PRelu where there is a slope for every pixel.
    slope = alpha.transpose(2, 0, 1) if alpha.ndim == 3 else alpha
    below = graph.node("Mul", graph.node("Min", x, np.float32([0])), slope)
    return graph.node("Add", graph.node("Relu", x), below)


def _batch_normalization(graph, config, x, moving_mean, moving_variance, gamma=None, beta=None):
    if config["axis"] not in (-1, 3):
        raise ValueError("a BatchNorm not over the channels")
    scale = np.ones_like(moving_mean) if gamma is None else gamma
    shift = np.zeros_like(moving_mean) if beta is None else beta
    return graph.node(
        "BatchNormalization", x, scale, shift, moving_mean, moving_variance,
        epsilon=config["epsilon"],
    )  # fmt: skip


def _dense(graph, config, x, kernel, bias=None):
    return _activation(graph, config, graph.node("Gemm", x, kernel, *_given(bias)))


def _conv(graph, config, x, kernel, bias=None):
    x = graph.node(
        "Conv", x, kernel.transpose(3, 2, 0, 1), *_given(bias), group=config["groups"],
        **_steps(config),
    )  # fmt: skip
    return _activation(graph, config, x)


def _depthwise_conv(graph, config, x, kernel, bias=None):
    x = graph.node(
        "Conv", x, _depthwise(kernel), *_given(bias), group=kernel.shape[2], **_steps(config)
    )
    return _activation(graph, config, x)


def _separable_conv(graph, config, x, depthwise_kernel, pointwise_kernel, bias=None):
    x = graph.node(
        "Conv", x, _depthwise(depthwise_kernel), group=depthwise_kernel.shape[2], **_steps(config)
    )
    x = graph.node("Conv", x, pointwise_kernel.transpose(3, 2, 0, 1), *_given(bias))
    return _activation(graph, config, x)


def _depthwise(kernel):
    """Return a kernel of one filter a channel as ONNX wants it: as many filters of one channel."""
    height, width, channels, multiplier = kernel.shape
    return kernel.transpose(2, 3, 0, 1).reshape(channels * multiplier, 1, height, width)


def _given(bias):
    return [] if bias is None else [bias]


def _steps(config):
    """Return the attributes that say how a window moves over a map."""
    if set(config.get("dilation_rate", [1])) != {1}:
        raise ValueError("a dilated convolution")
    return {"strides": config["strides"], "auto_pad": PADDINGS[config["padding"]]}


PADDINGS = {"same": "SAME_UPPER", "valid": "VALID"}


def _pooling(operator, graph, config, x):
    return graph.node(operator, x, kernel_shape=config["pool_size"], **_steps(config))


def _global_pooling(operator, graph, config, x):
    x = graph.node(operator, x)
    return x if config["keepdims"] else graph.node("Flatten", x)


def _zero_padding(graph, config, x):
    (top, bottom), (left, right) = config["padding"]
    return graph.node("Pad", x, np.array([0, 0, top, left, 0, 0, bottom, right]))


def _add(graph, config, *tensors):
    return functools.reduce(lambda one, other: graph.node("Add", one, other), tensors)


def _concatenate(graph, config, *tensors):
    if config["axis"] not in (-1, 3):
        raise ValueError("maps put together other than by channels")
    return graph.node("Concat", *tensors, axis=1)


def _flatten(graph, config, x):
    return graph.node("Flatten", graph.node("Transpose", x, perm=CHANNELS_LAST))


def _identity(graph, config, x):
    return x


LAYERS = {
    "InputLayer": _input,
    "Rescaling": _rescaling,
    "Conv2D": _conv,
    "DepthwiseConv2D": _depthwise_conv,
    "SeparableConv2D": _separable_conv,
    "BatchNormalization": _batch_normalization,
    "PReLU": _prelu,
    "ReLU": _relu,
    "Activation": _activation,
    "Softmax": _softmax,
    "MaxPooling2D": functools.partial(_pooling, "MaxPool"),
    "AveragePooling2D": functools.partial(_pooling, "AveragePool"),
    "GlobalMaxPooling2D": functools.partial(_global_pooling, "GlobalMaxPool"),
    "GlobalAveragePooling2D": functools.partial(_global_pooling, "GlobalAveragePool"),
    "ZeroPadding2D": _zero_padding,
    "Add": _add,
    "Concatenate": _concatenate,
    "Dropout": _identity,
    "Flatten": _flatten,
    "Dense": _dense,
}
