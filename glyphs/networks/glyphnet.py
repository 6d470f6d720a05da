"""Our own network: small, for pictures of about 32x32 pixels."""

import keras
from keras import layers

from glyphs.networks import blocks

FILTERS = (32, 64, 128, 256)  # of the convolutions of each block


def glyphnet(image_size, n_classes, *, convolutions=(2, 2, 2, 2), embedding=None, dropout=0.4):
    """Return the network of four blocks: 3x3 convolutions and max pooling each.

    1,277,060 parameters at 32x32 and 100 classes.

    Args:
        image_size: `(height, width)`, at least 16x16.
        n_classes: number of classes.
        convolutions: how many each block has.
        embedding: None, or the values of a narrow layer before the last, which then does not grow
            to many megabytes with thousands of classes.
        dropout: rate before the last layer.

    Raises:
        UsageError: the pictures are too small.
    """
    inputs = blocks.image_input("glyphnet", image_size, smallest=16)
    x = blocks.rescaled(inputs)
    for i, (filters, count) in enumerate(zip(FILTERS, convolutions, strict=True), 1):
        for letter in "ab"[:count]:
            name = f"conv{i}{letter}"
            x = layers.Conv2D(
                filters,
                3,
                padding="same",
                use_bias=False,
                kernel_initializer="he_normal",
                name=name,
            )(x)
            x = blocks.normalized_relu(x, name)
        x = layers.MaxPooling2D(2, name=f"conv{i}_pool")(x)
    x = layers.Flatten(name="flatten")(x)
    if embedding:
        x = layers.Dense(embedding, use_bias=False, name="embedding")(x)
        x = layers.BatchNormalization(momentum=blocks.MOMENTUM, name="embedding_norm")(x)
    x = layers.Dropout(dropout, name="dropout")(x)
    return keras.Model(inputs, blocks.probabilities(x, n_classes), name="glyphnet")
