"""Where in a picture a network sees a class: class activation maps, by Keras on TensorFlow.

The map is taken at the last layer whose output still has rows and columns. Where only pooling,
flattening and one dense layer follow, the class's score is a sum over that output, and the map is
exactly what each place adds to it (class activation mapping). For other networks the feature maps
are weighted by their mean gradient (Grad-CAM).

Source: Zhou et al. (2016), Learning deep features for discriminative localization; Selvaraju et al.
(2017), Grad-CAM: visual explanations from deep networks via gradient-based localization.
"""

import os

os.environ["KERAS_BACKEND"] = "tensorflow"  # whatever is set: the gradient below is TensorFlow's

import keras
import numpy as np
import tensorflow as tf
from PIL import Image

from glyphs import files
from glyphs.artifacts.loading import load_model
from glyphs.errors import ArtifactError
from glyphs.images.preprocessing import frame

# Layers behind the feature maps under which a class's score is a sum over places.
LINEAR = (
    "AveragePooling2D", "MaxPooling2D", "DepthwiseConv2D", "GlobalAveragePooling2D", "Flatten",
    "Dropout",
)  # fmt: skip
STRENGTH = 0.75  # how far the strongest place is coloured, 0..1
COLOUR = (215, 25, 28)
LONGEST_STEM = 200  # bytes of a file's name; with what is added it must stay below 255
LONGEST, SHORTEST = 1024, 160  # pixels of an explained picture's longer side


class Explainer:
    """A trained model, opened so that its feature maps can be seen.

    Args:
        prefix: of the model files.

    Attributes:
        is_exact: whether the maps are class activation maps; else Grad-CAM.

    Raises:
        ArtifactError: the model is missing or damaged, or has no feature maps.
    """

    def __init__(self, prefix):
        model, _ = load_model(prefix)
        *layers, last = model.layers
        places = [layer for layer in layers if len(layer.output.shape) == 4]
        while places and type(places[-1]).__name__ in LINEAR:
            places.pop()
        if type(places[-1]).__name__ in ("InputLayer", "Rescaling"):
            raise ArtifactError(f"{prefix}: has no feature maps that could be shown")
        features = places[-1]
        between = layers[layers.index(features) + 1 :]
        names = [type(layer).__name__ for layer in between]
        self.is_global_maximum = "GlobalMaxPooling2D" in names
        self.is_exact = self.is_global_maximum or set(names) <= set(LINEAR)
        self.dense = last if isinstance(last, keras.layers.Dense) else None
        self.network = keras.Model(model.inputs, [features.output, last.input])

    def maps(self, images, labels):
        """Return the class activation map of each image for a class.

        Args:
            images: uint8 `(n, height, width)`, as `read_image` returns them.
            labels: int `(n,)`: the class to explain.

        Returns:
            float32 `(n, h, w)` of the feature maps' size: what each place adds to the score of the
            class; where is_exact, sums over places differ from the scores by a constant.
        """
        batch = tf.constant(images[..., None], tf.float32)
        labels = tf.constant(labels, tf.int32)
        with tf.GradientTape() as tape:
            tape.watch(batch)
            features, last = self.network(batch, training=False)
            scores = last if self.dense is None else last @ self.dense.kernel
            score = tf.reduce_sum(tf.gather(scores, labels, axis=1, batch_dims=1))
        if self.is_global_maximum:  # the class has a feature map of its own
            return tf.gather(features, labels, axis=3, batch_dims=1).numpy()
        gradient = tape.gradient(score, features)
        if not self.is_exact:
            gradient = tf.reduce_mean(gradient, axis=(1, 2), keepdims=True)
        return tf.reduce_sum(features * gradient, axis=3).numpy()


def write_maps(predictions, explainer, class_names, folder):
    """Write a PNG for each prediction as it passes by: the picture, and where its label shows.

    Args:
        predictions: iterable of classifier.Prediction, their pictures kept.
        explainer: Explainer of the same model.
        class_names: of the model.
        folder: where to write `00001_NAME.png`, ...; it must exist.

    Yields:
        The predictions.

    Raises:
        StorageError: no space or no permission.
    """
    label_of = {name: label for label, name in enumerate(class_names)}
    for number, prediction in enumerate(predictions, 1):
        if not prediction.error:
            seen = prediction.seen
            (activation,) = explainer.maps(seen.image[None], [label_of[prediction.label]])
            stem = os.path.splitext(os.path.basename(prediction.path))[0]
            stem = os.fsdecode(os.fsencode(stem)[:LONGEST_STEM])
            with files.replacing(os.path.join(folder, f"{number:05}_{stem}.png")) as file:
                draw(seen, activation).save(file, "PNG")
        yield prediction


def draw(seen, activation):
    """Lay a class activation map over a picture.

    Args:
        seen: preprocessing.Seen.
        activation: float `(h, w)`, of the whole image that the network saw.

    Returns:
        PIL image of mode "RGB": the picture, red where the map is high. Places that speak against
        the class are left as they are.
    """
    picture, view, preprocessing, _ = seen
    height, width = preprocessing.image_sizes[0]
    left, top, inner_width, inner_height = frame(view.picture.size, preprocessing)
    scale = min(LONGEST / max(picture.size), max(1, SHORTEST / max(picture.size)))
    size = tuple(max(1, round(side * scale)) for side in picture.size)
    strength = np.maximum(activation, 0)
    strength = strength / max(strength.max(), 1e-12)
    strength = Image.fromarray(np.float32(strength)).resize(
        (width, height), Image.Resampling.BILINEAR
    )
    strength = strength.crop((left, top, left + inner_width, top + inner_height))
    # The image shows a part of the picture only: nothing speaks for the class around it.
    left, top, right, bottom = (round(edge * scale) for edge in view.box)
    shown = max(1, right - left), max(1, bottom - top)
    strength = strength.resize(shown, Image.Resampling.BILINEAR)
    strength = np.asarray(strength) * (255 * STRENGTH)
    mask = Image.new("L", size)
    mask.paste(Image.fromarray(strength.clip(0, 255).astype(np.uint8)), (left, top))
    grey = picture.resize(size, Image.Resampling.BILINEAR).convert("RGB")
    return Image.composite(Image.new("RGB", size, COLOUR), grey, mask)
