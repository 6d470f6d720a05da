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

import dataclasses
import itertools

import numpy as np
import onnxruntime

from glyphs.artifacts.loading import read_architecture
from glyphs.artifacts.onnx_file import read_or_convert
from glyphs.artifacts.paths import Paths
from glyphs.errors import ArtifactError, PictureError
from glyphs.images.preprocessing import Preprocessing, Seen, see

BATCH = 128  # pictures in one run of the network


@dataclasses.dataclass(frozen=True)
class Candidate:
    """One answer: the class name, its character (None if unknown), a probability in 0..1."""

    label: str
    character: str | None
    probability: float


@dataclasses.dataclass(frozen=True)
class Prediction:
    """The answer to one picture.

    Attributes:
        path: the picture, as given.
        candidates: tuple of Candidate, the most probable first; empty if it could not be read.
        error: None, or the PictureError that says why it could not be read.
        seen: the picture as a preprocessing.Seen, where it was to be kept.
    """

    path: str
    candidates: tuple = ()
    error: PictureError | None = None
    seen: Seen | None = None

    @property
    def label(self):
        """The most probable class name."""
        return self._best.label

    @property
    def character(self):
        """The character of the most probable class, or None if its name does not tell."""
        return self._best.character

    @property
    def probability(self):
        """The probability of the most probable class, 0..1."""
        return self._best.probability

    @property
    def _best(self):
        if self.error:
            raise self.error
        return self.candidates[0]


class Classifier:
    """A trained model, ready for pictures.

    Args:
        model: PREFIX of the model files `PREFIX_architecture.json` and `PREFIX_weights.h5`.
        notify: called with one line of text before work that takes seconds.

    Attributes:
        class_names: list of text; the index is the column of `probabilities`.
        characters: list: the character of each class, or None where its name does not tell.
        preprocessing: Preprocessing, which pictures go through.
        takes_any_size: whether the network takes pictures of any size; they are left as they are.
        facts: dict: all that is stored with the model (training settings, figures, versions).

    Raises:
        ArtifactError: the model is missing, damaged, or not of this toolkit.
    """

    def __init__(self, model="model", *, notify=lambda message: None):
        architecture = read_architecture(model)
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
        onnx = read_or_convert(model, architecture, notify=notify)
        try:
            self._session = onnxruntime.InferenceSession(onnx, providers=["CPUExecutionProvider"])
            self._input = self._session.get_inputs()[0].name
            sides = self._session.get_inputs()[0].shape[1:3]
            self.takes_any_size = not all(isinstance(side, int) for side in sides)
            blank = np.zeros((1, *self.preprocessing.image_size), np.uint8)
            answer = self.probabilities(blank)
            # Weights that are no numbers, of a training that diverged, answer nothing.
            does_fit = answer.shape == (1, len(self.characters)) and np.isfinite(answer).all()
        except Exception:  # ONNX Runtime has kinds of its own
            does_fit = False
        if not does_fit or len(self.characters) != len(self.class_names):
            path = Paths(model).onnx
            raise ArtifactError(f"{path}: does not fit the model's description; train again")

    def probabilities(self, images):
        """Return the probability of every class for images of characters.

        Args:
            images: uint8 `(n, height, width)`, 0 = paper, 255 = ink, as
                `read_image(path, classifier.preprocessing)` returns them.

        Returns:
            float32 `(n, n_classes)`, 0..1, rows add up to 1.
        """
        results = [np.empty((0, len(self.class_names)), np.float32)]
        for start in range(0, len(images), BATCH):
            batch = images[start : start + BATCH, ..., None].astype(np.float32)
            results.append(self._session.run(None, {self._input: batch})[0])
        return np.concatenate(results)

    def classify(self, paths, *, top=1, keep=False):
        """Classify picture files, each of one character.

        Args:
            paths: iterable of paths; taken in batches, so it may be endless.
            top: how many candidates to return for each.
            keep: keep each picture as it was seen; they are then taken one by one, as they may be
                large.

        Yields:
            A Prediction per path, in order. One that cannot be read has an `error`.
        """
        paths = iter(paths)
        while batch := list(itertools.islice(paths, 1 if keep else BATCH)):
            yield from self._classify_batch(batch, top, keep)

    def _classify_batch(self, paths, top, keep):
        images, errors, kept = {}, {}, {}
        for i, path in enumerate(paths):
            try:
                seen = see(path, self.preprocessing, own_size=self.takes_any_size)
            except PictureError as error:
                errors[i] = error
                continue
            images[i] = seen.image
            if keep:
                kept[i] = seen
        probabilities = self._probabilities_of_all(list(images.values()))
        probabilities = dict(zip(images, probabilities, strict=True))
        for i, path in enumerate(paths):
            if i in errors:
                yield Prediction(path, error=errors[i])
            else:
                candidates = self._candidates(probabilities[i], top)
                yield Prediction(path, candidates, seen=kept.get(i))

    def _probabilities_of_all(self, images):
        """Return the probabilities for a list of images, which may differ in size if any does."""
        if not self.takes_any_size:
            return self.probabilities(np.stack(images)) if images else []
        return [self.probabilities(image[None])[0] for image in images]

    def _candidates(self, probabilities, top):
        best = np.argsort(-probabilities, kind="stable")[:top]
        return tuple(
            Candidate(self.class_names[label], self.characters[label], float(probabilities[label]))
            for label in best.tolist()
        )
