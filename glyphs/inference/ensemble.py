"""Several models asked together, their probabilities averaged."""

import numpy as np

from glyphs.errors import UsageError
from glyphs.inference.classifier import Classifier
from glyphs.inference.prediction import Answering


class Ensemble(Answering):
    """Several trained models, ready for pictures; each sees them by its own preprocessing.

    Classes are matched by name. A class that a model does not have gets 0 from it, so that of two
    models one alone can give it at most a half.

    Args:
        models: prefixes of the models' files.
        tta, only: as for Classifier.
        notify: called with one line of text before work that takes seconds.

    Attributes:
        classifiers: list of Classifier, one a model.
        class_names: list of text, sorted: the classes of all models.
        characters: list: the character of each class, as the first model says that knows it.
        unshared: list: the class names that are not in every model.

    Raises:
        ArtifactError: a model is missing, damaged, or not of this toolkit.
        UsageError: no class is in all of them, or one has no class of `only`.
    """

    def __init__(self, models, *, tta=False, only=None, notify=lambda message: None):
        self.classifiers = [Classifier(m, tta=tta, only=only, notify=notify) for m in models]
        names = [set(classifier.class_names) for classifier in self.classifiers]
        if not set.intersection(*names):
            raise UsageError("the models have no class in common; their names must be the same")
        self.class_names = sorted(set.union(*names))
        self.unshared = sorted(set.union(*names) - set.intersection(*names))
        column_of = {name: column for column, name in enumerate(self.class_names)}
        self.characters = [None] * len(self.class_names)
        self._columns = []
        for classifier in self.classifiers:
            columns = [column_of[name] for name in classifier.class_names]
            self._columns.append(columns)
            for column, character in zip(columns, classifier.characters, strict=True):
                self.characters[column] = self.characters[column] or character

    def probabilities(self, images):
        """Return the mean probability of every class.

        Args:
            images: list: for each model uint8 `(n, height, width)`, the same pictures as it sees
                them: `read_image(path, ensemble.classifiers[i].preprocessing)`.

        Returns:
            float32 `(n, n_classes)`, 0..1, rows add up to 1.
        """
        return self._mean(
            [c.probabilities(own) for c, own in zip(self.classifiers, images, strict=True)]
        )

    def _mean(self, answers):
        """Return the mean of each model's float32 `(n, its classes)`, matched by name."""
        total = np.zeros((len(answers[0]), len(self.class_names)))
        for answer, columns in zip(answers, self._columns, strict=True):
            total[:, columns] += answer
        return (total / len(answers)).astype(np.float32)

    def threshold(self, accuracy):
        """Raise UsageError: models are calibrated one by one, not together."""
        raise UsageError("models are calibrated one by one; to reject, give one --model")

    @property
    def _ways(self):
        return [way for classifier in self.classifiers for way in classifier._ways]

    def ask(self, images):
        return self._mean(
            [
                classifier.ask([[image] for image in own])
                for classifier, own in zip(self.classifiers, zip(*images, strict=True), strict=True)
            ]
        )
