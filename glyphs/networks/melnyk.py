"""Melnyk-Net, for thousands of classes of Chinese characters."""

import keras
from keras import layers

from glyphs.networks import blocks

FILTERS = ((64, 64), (96, 64, 96), (128, 96, 128), (256, 192, 256), (448, 256, 448))
DECAY = 1e-3


def melnyk(image_size, n_classes):
    """Return Melnyk-Net: 14 convolutions, weighted pooling, one dense layer.

    6,523,819 parameters at 96x96 and 3,755 classes, 6,518,635 of them trainable.

    Args:
        image_size: `(height, width)`, any.
        n_classes: number of classes.

    Source: Melnyk, You, Li (2018), A high-performance CNN method for offline handwritten Chinese
    character recognition and visualization, arXiv 1812.11489.
    """
    inputs = blocks.image_input("melnyk", image_size)
    x = blocks.rescaled(inputs)
    for i, group in enumerate(FILTERS, 1):
        if i > 1:
            x = layers.AveragePooling2D(3, strides=2, padding="same", name=f"conv{i - 1}_pool")(x)
        for letter, filters in zip("abc", group, strict=False):
            x = _convolution(x, filters, f"conv{i}{letter}")
    # Global weighted average pooling: every map is multiplied by weights of its size, and summed.
    x = layers.DepthwiseConv2D(
        x.shape[1:3], use_bias=False, depthwise_initializer="ones", name="pooling"
    )(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dropout(0.5, name="dropout")(x)
    outputs = blocks.probabilities(
        x,
        n_classes,
        kernel_initializer=keras.initializers.RandomNormal(stddev=0.001),
        kernel_regularizer=keras.regularizers.L2(DECAY),
    )
    return keras.Model(inputs, outputs, name="melnyk")


def _convolution(x, filters, name):
    x = layers.Conv2D(
        filters,
        3,
        padding="same",
        use_bias=False,
        kernel_initializer="he_normal",
        kernel_regularizer=keras.regularizers.L2(DECAY),
        name=name,
    )(x)
    return blocks.normalized_relu(x, name)
