"""Pictures in, labels and probabilities out, by ONNX Runtime.

>>> classifier = Classifier("pretrained/devanagari/model")
>>> classifier.class_names[:2]
['character_10_yna', 'character_11_taamatar']
>>> blank = np.zeros((1, *classifier.preprocessing.image_size), np.uint8)
>>> classifier.probabilities(blank).shape
(1, 46)
>>> for prediction in classifier.classify(["missing.png"], top=3):
...     print(prediction.path, prediction.error or prediction.candidates)
missing.png missing.png: no such file
"""

import numpy as np
import onnxruntime

from glyphs.artifacts import doubt
from glyphs.artifacts.loading import read_architecture
from glyphs.artifacts.onnx_file import read_or_convert
from glyphs.artifacts.paths import Paths
from glyphs.errors import ArtifactError, UsageError
from glyphs.images.preprocessing import Preprocessing
from glyphs.inference.prediction import Answering
from glyphs.inference.temperature import with_temperature
from glyphs.inference.views import views_of
from glyphs.parallel import default_workers, in_threads

# Images in one run of the network, which one thread does: in as many as there are cores, that takes
# a seventh less of their time than one run in all of them, and no core spins while it waits. More
# images at a time are not faster, fewer than FEWEST slower.
MOST, FEWEST = 64, 16


class Classifier(Answering):
    """A trained model, ready for pictures.

    Args:
        model: PREFIX of the model files `PREFIX_architecture.json` and `PREFIX_weights.h5`.
        tta: test-time augmentation: ask about each picture in several views, shifted and turned a
            little, and average the answers.
        calibrated: whether probabilities are at the temperature stored with the model, if one is;
            else they are as the network says them.
        only: None, or the class names or characters that alone may be answered; probabilities
            are then those of a picture that is one of them.
        notify: called with one line of text before work that takes seconds.

    Attributes:
        class_names: list of text; the index is the column of `probabilities`.
        characters: list: the character of each class, or None where its name does not tell.
        preprocessing: Preprocessing, which pictures go through.
        takes_any_size: whether the network takes pictures of any size; they are left as they are.
        facts: dict: all that is stored with the model (training settings, figures, versions).
        doubt: artifacts.doubt.Doubt, or None where none is stored or `calibrated` is False.

    Raises:
        ArtifactError: the model is missing, damaged, or not of this toolkit.
        UsageError: the model has no class of `only`.
    """

    def __init__(
        self,
        model="model",
        *,
        tta=False,
        calibrated=True,
        only=None,
        notify=lambda message: None,
    ):
        architecture = read_architecture(model)
        self.model, self.tta = model, tta
        self.facts = architecture["glyphs"]
        try:
            self.class_names = list(self.facts["class_names"])
            self.characters = list(self.facts["characters"])
            self.preprocessing = Preprocessing.from_json(self.facts["preprocessing"])
            if not all(isinstance(name, str) for name in self.class_names):
                raise TypeError
        except (KeyError, TypeError, ValueError):
            path = Paths(model).architecture
            raise ArtifactError(f"{path}: lacks what classification needs; train again") from None
        self.doubt = self._read_doubt() if calibrated else None
        onnx = read_or_convert(model, architecture, notify=notify)
        try:
            self._session = onnxruntime.InferenceSession(
                onnx, _one_thread(), providers=["CPUExecutionProvider"]
            )
            self._input = self._session.get_inputs()[0].name
            sides = self._session.get_inputs()[0].shape[1:3]
            self.takes_any_size = not all(isinstance(side, int) for side in sides)
            answer = self._run(np.zeros((1, *self.preprocessing.image_size), np.uint8))
            # Weights that are no numbers, of a training that diverged, answer nothing.
            does_fit = answer.shape == (1, len(self.characters)) and np.isfinite(answer).all()
        except Exception:  # ONNX Runtime has kinds of its own
            does_fit = False
        if not does_fit or len(self.characters) != len(self.class_names):
            path = Paths(model).onnx
            raise ArtifactError(f"{path}: does not fit the model's description; train again")
        self._columns = None
        if only is not None:
            self._restrict(frozenset(only))

    def _restrict(self, only):
        """Leave only the classes whose name or character is in a set."""
        named = zip(self.class_names, self.characters, strict=True)
        columns = [i for i, names in enumerate(named) if not only.isdisjoint(names)]
        if not columns:
            raise UsageError(f"{self.model}: has none of the classes that alone may be answered")
        self._columns = columns
        self.class_names = [self.class_names[i] for i in columns]
        self.characters = [self.characters[i] for i in columns]

    def _read_doubt(self):
        if doubt.KEY not in self.facts:
            return None
        try:
            return doubt.Doubt.from_json(self.facts[doubt.KEY])
        except ValueError:
            path = Paths(self.model).architecture
            message = (
                f"{path}: holds a calibration that makes no sense; run evaluate.py --calibrate"
            )
            raise ArtifactError(message) from None

    def probabilities(self, images):
        """Return the probability of every class for images of characters.

        Args:
            images: uint8 `(n, height, width)`, 0 = paper, 255 = ink, as
                `read_image(path, classifier.preprocessing)` returns them.

        Returns:
            float32 `(n, n_classes)`, 0..1, rows add up to 1.
        """
        if len(images) <= FEWEST:
            return self._answer(images)
        length = -(-len(images) // default_workers())
        length = min(max(length, FEWEST), MOST)
        parts = [images[start : start + length] for start in range(0, len(images), length)]
        return np.concatenate(in_threads(self._answer, parts))

    def _answer(self, images):
        """Return the probabilities of a few images, in all views, at the stored temperature."""
        if not len(images):
            return np.empty((0, len(self.class_names)), np.float32)
        if not self.tta:
            return self._answer_view(images)
        return np.mean([self._answer_view(view) for view in views_of(images)], axis=0)

    def _answer_view(self, images):
        answers = self._run(images)
        if self._columns is not None:
            answers = shares_of(answers, self._columns)
        return with_temperature(answers, self.doubt.temperature if self.doubt else 1)

    def _run(self, images):
        return self._session.run(None, {self._input: images[..., None].astype(np.float32)})[0]

    def threshold(self, accuracy):
        """Return the least probability to believe, 0..1, for a share of right answers.

        It holds for pictures like those that the model was calibrated on.

        Raises:
            UsageError: the model was not calibrated, or not for an accuracy as high as this one, or
                is asked otherwise than it was then.
        """
        if self.tta:
            raise UsageError("a model is calibrated without --tta; leave that out to reject")
        if not self.doubt:
            raise UsageError(f"{self.model}: was never calibrated; run evaluate.py --calibrate")
        return self.doubt.threshold(accuracy)

    @property
    def _ways(self):
        return [(self.preprocessing, self.takes_any_size)]

    def ask(self, images):
        images = [image for (image,) in images]
        if not self.takes_any_size:
            return self.probabilities(np.stack(images))
        # They may differ in size.
        return np.concatenate(in_threads(lambda image: self.probabilities(image[None]), images))


def _one_thread():
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return options


def shares_of(probabilities, columns):
    """Return the probabilities of some classes, given that it is one of these.

    >>> shares_of(np.array([[0.6, 0.1, 0.3]], np.float32), [1, 2])
    array([[0.25, 0.75]], dtype=float32)

    Args:
        probabilities: float32 `(n, n_classes)`, 0..1, rows add up to 1.
        columns: list of the classes.

    Returns:
        float32 `(n, len(columns))`, rows add up to 1; equal ones where the network gives 0 to all.
    """
    chosen = probabilities[:, columns].astype(float)
    total = chosen.sum(1, keepdims=True)
    shares = np.divide(chosen, total, out=np.full_like(chosen, 1 / len(columns)), where=total > 0)
    return shares.astype(np.float32)
