"""Each kind of Keras layer in ONNX: functions `(graph, config, *tensors, **weights)` -> tensor.

`graph` is a to_onnx.Graph, `config` the layer's as Keras describes it. Feature maps are
`(n, channels, height, width)`.
"""

import functools

import numpy as np

CHANNELS_FIRST = (0, 3, 1, 2)
CHANNELS_LAST = (0, 2, 3, 1)


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
