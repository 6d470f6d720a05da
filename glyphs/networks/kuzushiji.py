"""Two networks for characters cut from pages of kuzushiji: with dense layers, and without any."""

import keras
from keras import layers

from glyphs.networks import blocks


def kuzushiji(image_size, n_classes):
    """Return the baseline network: four convolutions and wide dense layers.

    37,934,274 parameters at 80x80 and 514 classes.

    Args:
        image_size: `(height, width)`, any.
        n_classes: number of classes.
    """
    inputs = blocks.image_input("kuzushiji", image_size)
    x = blocks.rescaled(inputs)
    for i, filters in enumerate((32, 64, 128, 256), 1):
        x = layers.Conv2D(filters, 3, padding="same", name=f"conv{i}")(x)
        x = layers.MaxPooling2D(2, padding="same", name=f"conv{i}_pool")(x)
        x = blocks.normalized_relu(x, f"conv{i}")
    x = layers.Flatten(name="flatten")(x)
    for i, units in enumerate((5000, 1000), 1):
        x = blocks.dense_block(x, units, 0.4, f"dense{i}")
    return keras.Model(inputs, blocks.probabilities(x, n_classes), name="kuzushiji")


def kuzushiji_fcn(image_size, n_classes):
    """Return the fully convolutional network, which takes pictures of any size.

    Seven convolutions, the last of which has a map for each class: the highest value of a map is
    the class's score. The original does not say where its maps get smaller. Here the first four
    convolutions are followed by max pooling, as in the baseline: at full resolution the last three
    would cost 256 times as much. The maps that classes are read from are a sixteenth of the
    picture's size; pictures of less than 16x16 pixels are one value in them.

    11,072,230 parameters at 514 classes, whatever the size.

    Args:
        image_size: `(height, width)` of the pictures to train on; the network does not depend on
            it, and takes other sizes as well.
        n_classes: number of classes.
    """
    inputs = keras.Input((None, None, 1), name="images")
    x = blocks.rescaled(inputs)
    for i, filters in enumerate((32, 64, 128, 256, 512, 1028, n_classes), 1):
        x = layers.Conv2D(filters, 3, padding="same", name=f"conv{i}")(x)
        x = blocks.normalized_relu(x, f"conv{i}")
        if i <= 4:
            x = layers.MaxPooling2D(2, padding="same", name=f"conv{i}_pool")(x)
    x = layers.GlobalMaxPooling2D(name="pooling")(x)
    outputs = layers.Softmax(dtype="float32", name="probabilities")(x)
    return keras.Model(inputs, outputs, name="kuzushiji_fcn")
