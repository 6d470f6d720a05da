"""A network for ancient Hebrew characters."""

import keras
from keras import layers

from glyphs.networks import blocks


def hebrew(image_size, n_classes):
    """Return the network of two convolutions and a dense layer.

    It is meant for black and white pictures: build the dataset with --clean otsu.
    17,014,107 parameters at 64x64 and 27 classes.

    Args:
        image_size: `(height, width)`, at least 4x4.
        n_classes: number of classes.

    Raises:
        UsageError: the pictures are too small.
    """
    inputs = blocks.image_input("hebrew", image_size, smallest=4)
    x = blocks.rescaled(inputs)
    for i, filters in enumerate((128, 64), 1):
        x = layers.Conv2D(filters, 5, padding="same", activation="relu", name=f"conv{i}")(x)
        x = layers.MaxPooling2D(2, name=f"conv{i}_pool")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(1024, activation="relu", name="dense")(x)
    x = layers.Dropout(0.2, name="dropout")(x)
    return keras.Model(inputs, blocks.probabilities(x, n_classes), name="hebrew")
