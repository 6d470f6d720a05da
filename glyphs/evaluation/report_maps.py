"""Class activation maps of mistakes, for a report."""

import dataclasses
import importlib.util
import os

from PIL import Image

from glyphs.errors import ArtifactError, PictureError, UsageError
from glyphs.evaluation.report_pictures import dark_on_light
from glyphs.images.preprocessing import Seen, at_own_size, image_of
from glyphs.images.view import NoInkError, View, view_of

SIDE = 120  # pixels of a picture's longer side
COLOURS = 255


def maps(prefix, classifier, labelled, numbers, labels):
    """Return pictures that are red where a network sees a class.

    Args:
        prefix: of the model files.
        classifier: the inference.Classifier of the same model.
        labelled: labelled.Labelled, still open.
        numbers: list of int: which of its pictures.
        labels: list of lists of int: the classes to look for in each.

    Returns:
        `(pictures, note)`: for each number a list of PIL images of mode "P", one of each class, or
        None where the picture cannot be read; `note` is None, or text: why there are no maps.
    """
    if not importlib.util.find_spec("tensorflow"):
        return [], "TensorFlow, which draws them, is not installed"
    try:
        explainer, draw = _open(prefix)
    except (ImportError, UsageError):
        return [], "TensorFlow, which draws them, cannot be imported"
    except ArtifactError as error:
        return [], str(error)
    found = []
    for number, wanted in zip(numbers, labels, strict=True):
        seen = _see(labelled, number, classifier)
        if seen is None:
            found.append(None)
            continue
        activations = explainer.maps(seen.image[None].repeat(len(wanted), axis=0), wanted)
        seen = seen._replace(picture=dark_on_light(seen.picture, labelled))
        found.append([_small(draw(seen, activation)) for activation in activations])
    return found, None


def _open(prefix):
    """Return an Explainer and the function that draws its maps."""
    from glyphs.training import backend

    with backend.without_chatter():
        os.environ["KERAS_BACKEND"] = "tensorflow"  # whatever is set: the maps need its gradient
        backend.import_keras()
        from glyphs.inference import explain
    return explain.Explainer(prefix), explain.draw


def _see(labelled, number, classifier):
    """Return a picture as a preprocessing.Seen; None if there is nothing to see."""
    (picture,) = labelled.chunk([number]).pictures()
    if isinstance(picture, PictureError):
        return None
    preprocessing = classifier.preprocessing
    if labelled.preprocessing == preprocessing:  # an image of a dataset is framed already
        view = View(picture, (0, 0, *picture.size), "light-on-dark")
        preprocessing = dataclasses.replace(preprocessing, fit="stretch", border=0, clean="none")
    else:
        try:
            view = view_of(picture, preprocessing)
        except NoInkError:
            return None
    if classifier.takes_any_size:
        preprocessing = at_own_size(view.picture.size, preprocessing)
    return Seen(picture, view, preprocessing, image_of(view, preprocessing))


def _small(picture):
    picture.thumbnail((SIDE, SIDE), Image.Resampling.BOX)
    return picture.quantize(COLOURS)
