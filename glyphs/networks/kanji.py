"""The network of the three model scripts."""

import keras
from keras import layers

from glyphs.networks import blocks


def kanji(image_size, n_classes, *, filters=(30, 60, 120), units=2000, pad_block_2=False):
    """Return the network of the three model scripts: convolution blocks and wide dense layers.

    At 100 classes: 8,344,660 parameters at 32x32 with the defaults (model.py), 8,339,080 at 30x30
    with `pad_block_2` (model30x30.py), 17,490,180 at 32x32 with filters (40, 80, 160) and 3000
    units (model_for_augmented_dataset.py).

    Args:
        image_size: `(height, width)`, at least 8x8.
        n_classes: number of classes.
        filters: convolution filters of the three blocks.
        units: width of the two dense layers.
        pad_block_2: put a pixel of padding around what the second block pools: 15 pixels a side
            then become 17 and 8, not 7.

    Raises:
        UsageError: the pictures are too small.
    """
    inputs = blocks.image_input("kanji", image_size, smallest=8)
    x = blocks.rescaled(inputs)
    for i, (n_filters, rate) in enumerate(zip(filters, (0.1, 0.2, 0.3), strict=True), 1):
        x = layers.Conv2D(
            n_filters,
            5,
            padding="same",
            kernel_initializer="he_normal",
            kernel_constraint=keras.constraints.MaxNorm(4, axis=[0, 1, 2]),
            name=f"conv{i}",
        )(x)
        x = _normalized(x, f"conv{i}")
        if pad_block_2 and i == 2:
            x = layers.ZeroPadding2D(1, name=f"conv{i}_pad")(x)
        x = layers.MaxPooling2D(2, name=f"conv{i}_pool")(x)
        x = layers.Dropout(rate, name=f"conv{i}_dropout")(x)
    x = layers.Flatten(name="flatten")(x)
    for i in (1, 2):
        x = layers.Dense(
            units,
            kernel_initializer="he_normal",
            kernel_constraint=keras.constraints.MaxNorm(4),
            name=f"dense{i}",
        )(x)
        x = _normalized(x, f"dense{i}")
        x = layers.Dropout(0.5, name=f"dense{i}_dropout")(x)
    outputs = blocks.probabilities(x, n_classes, kernel_constraint=keras.constraints.MaxNorm(4))
    return keras.Model(inputs, outputs, name="kanji")


def _normalized(x, name):
    """BatchNorm with the constants of Keras 1 (today's are .99 and 1e-3), then PReLU."""
    x = layers.BatchNormalization(momentum=0.9, epsilon=1e-6, name=f"{name}_norm")(x)
    return layers.PReLU(name=f"{name}_prelu")(x)
