"""A small network for Kuzushiji-MNIST."""

import keras
from keras import layers

from glyphs.networks import blocks

EPSILON = 1e-5  # the original's BatchNorm was PyTorch's


def kmnist(image_size, n_classes):
    """Return the network of two convolutions.

    The original's softmax came twice; here it comes once.

    11,626 trainable parameters at 28x28 and 10 classes; with the averages of BatchNorm, which
    PyTorch does not count, 11,722.

    Args:
        image_size: `(height, width)`, at least 12x12.
        n_classes: number of classes.

    Raises:
        UsageError: the pictures are too small.
    """
    inputs = blocks.image_input("kmnist", image_size, smallest=12)
    x = blocks.rescaled(inputs)
    x = layers.Conv2D(16, 5, name="conv1")(x)
    x = blocks.normalized_relu(x, "conv1", epsilon=EPSILON)
    x = layers.MaxPooling2D(2, name="conv1_pool")(x)
    x = layers.ZeroPadding2D(1, name="conv2_pad")(x)
    x = layers.Conv2D(32, 4, strides=2, name="conv2")(x)
    x = blocks.normalized_relu(x, "conv2", epsilon=EPSILON)
    x = layers.MaxPooling2D(2, name="conv2_pool")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dropout(0.2, name="dropout")(x)
    return keras.Model(inputs, blocks.probabilities(x, n_classes), name="kmnist")
