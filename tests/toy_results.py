"""What a model might have answered to pictures of noise, and the page of it."""

import types

import numpy as np

from glyphs.evaluation import metrics, report
from glyphs.evaluation.answers import Answers
from glyphs.evaluation.labelled import Labelled
from glyphs.evaluation.result import Result
from glyphs.inspection import audit_worker
from glyphs.sources.index import Index, Samples


class Noise(Samples):
    """Samples in memory: noise, the same for the same number."""

    def __init__(self, paths):
        self.paths = paths

    def __len__(self):
        return len(self.paths)

    def name(self, number):
        return self.paths[number]

    def chunk(self, numbers):
        noise = [np.random.default_rng(number).bytes(256) for number in numbers]
        return audit_worker.DatasetImages((16, 16), [("noise", 0, noise)])


def labelled_of(class_names, labels, paths):
    """Return Labelled pictures of noise, dark on light."""
    labels = np.array(labels, np.int32)
    index = Index(
        "noise", "records", class_names, Noise(paths), labels, polarity="dark-on-light"
    )  # fmt: skip
    positions = np.arange(len(labels))
    return Labelled("noise", index, positions, labels, class_names, {}, [], None, None)


def classifier_of(class_names, characters=None):
    """Return what a report asks a Classifier for."""
    characters = characters or [None] * len(class_names)
    return types.SimpleNamespace(class_names=class_names, characters=characters)


def result_of(labelled, best, confidences, *, model="nowhere/model", **others):
    """Return the Result of a model that answered `best`, -1 where it could not."""
    n, n_classes = len(labelled), len(labelled.class_names)
    best, confidences = np.array(best, np.int32), np.array(confidences, np.float32)
    top = np.stack([best, np.where(best < 0, -1, (best + 1) % n_classes)], axis=1)
    own = np.where(best == labelled.labels, confidences, (1 - confidences) / 2)
    probabilities = np.stack([confidences, 1 - confidences], axis=1)
    failures = dict.fromkeys(np.flatnonzero(best < 0).tolist(), "blank")
    answers = Answers(labelled.labels, top, probabilities, own.astype(np.float32), failures, 1.0)
    return Result(
        model, "noise", None, labelled.class_names, {}, [], labelled.names(np.arange(n)), answers,
        metrics.figures(answers, n_classes), **others,
    )  # fmt: skip


def page_of(class_names, labels, best, confidences, *, paths=None, characters=None, **others):
    """Return the page of such a result."""
    paths = paths or [f"noise/{i}.png" for i in range(len(labels))]
    labelled = labelled_of(class_names, labels, paths)
    result = result_of(labelled, best, confidences, **others.pop("result", {}))
    classifier = classifier_of(class_names, characters)
    return report.render(result, labelled, classifier, workers=1, **others)


def hostile_page(names, **others):
    """Return the page of a result where everything that is text comes from `names`.

    Of each class one picture is read as the class, and one as the next class.
    """
    n = len(names)
    labels = np.repeat(np.arange(n), 2)
    best = np.array([(label + i % 2) % n for i, label in enumerate(labels.tolist())])
    confidences = np.linspace(0.9, 0.5, 2 * n)
    conditions = {"as_it_is": (best == labels, confidences), "photo": (best != labels, confidences)}
    rest = {
        "model": names[0],
        "conditions": conditions,
        "trial_numbers": np.arange(2 * n),
    }
    paths = [f"{names[label]}/{names[-1 - label]}" for label in labels.tolist()]
    return page_of(
        names, labels, best, confidences, paths=paths, characters=names[::-1], result=rest, **others
    )
