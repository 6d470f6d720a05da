"""The networks, each a function `(image_size, n_classes)` that returns an uncompiled keras.Model.

All take float values of the uint8 range in `(n, height, width, 1)`, 0 = paper, 255 = ink, scale
them inside, and return probabilities `(n, n_classes)`. Layers have fixed names, so that the same
network is the same file whatever was built before it. None needs a layer that Keras does not have.
`glyphs.catalogue` knows their names, sizes and sources without loading Keras.
"""

import keras

# A user's own Keras settings must not change what a network is.
keras.config.set_floatx("float32")
keras.config.set_image_data_format("channels_last")

from glyphs.networks.glyphnet import glyphnet  # noqa: E402
from glyphs.networks.hebrew import hebrew  # noqa: E402
from glyphs.networks.kanji import kanji  # noqa: E402
from glyphs.networks.kmnist import kmnist  # noqa: E402
from glyphs.networks.kuzushiji import kuzushiji, kuzushiji_fcn  # noqa: E402
from glyphs.networks.melnyk import melnyk  # noqa: E402
from glyphs.networks.transfer import resnet152v2, xception  # noqa: E402

__all__ = [
    "glyphnet",
    "hebrew",
    "kanji",
    "kmnist",
    "kuzushiji",
    "kuzushiji_fcn",
    "melnyk",
    "resnet152v2",
    "xception",
]
