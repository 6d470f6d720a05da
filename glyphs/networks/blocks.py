"""What several networks are made of.

All take float values of the uint8 range in `(n, height, width, 1)`, 0 = paper, 255 = ink, scale
them inside, and return probabilities `(n, n_classes)`. Layers have fixed names, so that the same
network is the same file whatever was built before it. None needs a layer that Keras does not have.
"""

import keras
from keras import layers

from glyphs.errors import UsageError

# A user's own Keras settings must not change what a network is.
keras.config.set_floatx("float32")
keras.config.set_image_data_format("channels_last")


def image_input(network, image_size, smallest=1):
    """Return the input layer "images" of a network, float `(n, height, width, 1)`.

    Raises:
        UsageError: a side of the pictures has fewer than `smallest` pixels.
    """
    check_size(network, image_size, smallest)
    return keras.Input((*image_size, 1), name="images")


def check_size(network, image_size, smallest):
    """Raise UsageError where a side of the pictures has fewer than `smallest` pixels."""
    if min(image_size) < smallest:
        height, width = image_size
        raise UsageError(
            f"{network} needs pictures of at least {smallest}x{smallest} pixels; build the dataset "
            f"with a larger --image-size. Received: {height}x{width}"
        )


def rescaled(x):
    """Values 0..255 become 0..1."""
    return layers.Rescaling(1 / 255, name="rescaling")(x)


# Of batch normalization. Keras's .99 would leave the averages near their initial values for
# hundreds of steps, which a small dataset or a large batch never reaches.
MOMENTUM = 0.9


def normalized_relu(x, name, *, epsilon=0.001):
    """BatchNorm, then ReLU."""
    x = layers.BatchNormalization(momentum=MOMENTUM, epsilon=epsilon, name=f"{name}_norm")(x)
    return layers.ReLU(name=f"{name}_relu")(x)


def dense_block(x, units, rate, name):
    """Dense, BatchNorm, ReLU, Dropout."""
    x = normalized_relu(layers.Dense(units, name=name)(x), name)
    return layers.Dropout(rate, name=f"{name}_dropout")(x)


def probabilities(x, n_classes, **options):
    """The last layer of most networks: dense, softmax; in float32 whatever the others are in."""
    return layers.Dense(
        n_classes, activation="softmax", dtype="float32", name="probabilities", **options
    )(x)
