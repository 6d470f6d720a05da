"""Convert a network to ONNX, from its description and its weights, without Keras.

Written by hand: the export of Keras goes through tf2onnx, which took 10 s and up to 7 GB for the
networks here, and gave other bytes each time; this takes .03 to 1 s.

Only the kinds of layers in `onnx_layers.LAYERS` are known. ONNX keeps feature maps as
`(n, channels, height, width)`, Keras as `(n, height, width, channels)`: images are transposed once
when they come in, maps where they are flattened, kernels here.
"""

import math

import h5py
import numpy as np
import onnx
from onnx import TensorProto, helper

from glyphs.artifacts import onnx_layers
from glyphs.artifacts.vetting import MAX_VALUES, OPEN_SIDE

OPSET = 17
IR_VERSION = 8


def to_onnx(architecture, weights_path):
    """Return a network as an ONNX model that takes what the network takes.

    Args:
        architecture: dict: what Keras wrote as JSON; verified, as read_architecture returns it.
        weights_path: the HDF5 file of its weights.

    Returns:
        bytes: an ONNX model with one input "images", float32 `(n, height, width, 1)`, and one
        output, float32 `(n, n_classes)`. The same network gives the same bytes.

    Raises:
        ValueError: a layer is not known, or an image would grow too large on its way.
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
        return onnx_layers.LAYERS[layer["class_name"]](self, config, *inputs, **weights)

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
        shapes = _shapes_of_one_image(model)
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


def _shapes_of_one_image(model):
    """Return the shape of one image in every tensor, by the tensors' names."""
    trial = onnx.ModelProto()
    trial.CopyFrom(model)
    for dim in trial.graph.input[0].type.tensor_type.shape.dim[1:]:
        dim.dim_value = dim.dim_value or OPEN_SIDE
    graph = onnx.shape_inference.infer_shapes(trial, strict_mode=True).graph
    return {
        tensor.name: [dim.dim_value for dim in tensor.type.tensor_type.shape.dim[1:]]
        for tensor in [*graph.input, *graph.value_info, *graph.output]
    }
