"""Pictures in, labels and probabilities out, by ONNX Runtime.

from glyphs.inference import Classifier

classifier = Classifier("model")
for prediction in classifier.classify(["a.png", "b.png"], top=3):
    print(prediction.path, prediction.label, prediction.probability)
"""

import dataclasses
import itertools

import numpy as np
import onnxruntime

from glyphs import artifacts, images
from glyphs.errors import ArtifactError, PictureError

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
    """

    path: str
    candidates: tuple = ()
    error: PictureError | None = None

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
        preprocessing: images.Preprocessing, which pictures go through.
        takes_any_size: whether the network takes pictures of any size; they are left as they are.
        facts: dict: all that is stored with the model (training settings, figures, versions).

    Raises:
        ArtifactError: the model is missing, damaged, or not of this toolkit.
    """

    def __init__(self, model="model", *, notify=lambda message: None):
        architecture = artifacts.read_architecture(model)
        self.facts = architecture["glyphs"]
        try:
            self.class_names = list(self.facts["class_names"])
            self.characters = list(self.facts["characters"])
            self.preprocessing = images.Preprocessing.from_json(self.facts["preprocessing"])
            if not all(isinstance(name, str) for name in self.class_names):
                raise TypeError
        except (KeyError, TypeError, ValueError):
            path = artifacts.Paths(model).architecture
            raise ArtifactError(f"{path}: lacks what classification needs; train again") from None
        onnx = artifacts.onnx_model(model, architecture, notify=notify)
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
            path = artifacts.Paths(model).onnx
            raise ArtifactError(f"{path}: does not fit the model's description; train again")

    def probabilities(self, characters):
        """Return the probability of every class for character images.

        Args:
            characters: uint8 `(n, height, width)`, 0 = paper, 255 = ink, as
                `images.read_character(path, classifier.preprocessing)` returns them.

        Returns:
            float32 `(n, n_classes)`, 0..1, rows add up to 1.
        """
        results = [np.empty((0, len(self.class_names)), np.float32)]
        for start in range(0, len(characters), BATCH):
            batch = characters[start : start + BATCH, ..., None].astype(np.float32)
            results.append(self._session.run(None, {self._input: batch})[0])
        return np.concatenate(results)

    def classify(self, paths, *, top=1):
        """Classify picture files, each of one character.

        Args:
            paths: iterable of paths; taken in batches, so it may be endless.
            top: how many candidates to return for each.

        Yields:
            A Prediction per path, in order. One that cannot be read has an `error`.
        """
        paths = iter(paths)
        while batch := list(itertools.islice(paths, BATCH)):
            yield from self._classify_batch(batch, top)

    def _classify_batch(self, paths, top):
        probabilities = np.zeros((len(paths), len(self.class_names)), np.float32)
        characters, read, errors = [], [], {}
        for i, path in enumerate(paths):
            try:
                character = images.read_character(
                    path, self.preprocessing, own_size=self.takes_any_size
                )
            except PictureError as error:
                errors[i] = error
                continue
            characters.append(character)
            read.append(i)
        if self.takes_any_size:
            for i, character in zip(read, characters, strict=True):
                probabilities[i] = self.probabilities(character[None])
        elif read:
            probabilities[read] = self.probabilities(np.stack(characters))
        order = np.argsort(-probabilities, axis=1, kind="stable")[:, :top]
        for i, path in enumerate(paths):
            if i in errors:
                yield Prediction(path, error=errors[i])
                continue
            candidates = tuple(
                Candidate(self.class_names[j], self.characters[j], float(probabilities[i, j]))
                for j in order[i].tolist()
            )
            yield Prediction(path, candidates)
