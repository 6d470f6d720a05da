"""Figures that say how good answers are. All functions are on plain arrays."""

import dataclasses
import math

import numpy as np

BINS = 15  # of the calibration error
LEAST = 1e-12  # probabilities below it count as this much in logarithms


@dataclasses.dataclass(frozen=True)
class Figures:
    """How good a model's answers are; all but n, right and nll are shares, 0..1.

    Attributes:
        n, right: pictures, and those answered rightly.
        accuracy: right / n.
        interval: `(low, high)` of it, with 95 % confidence.
        top5: share of pictures whose class is among the five best answers.
        balanced_accuracy: mean recall of the classes that have pictures.
        precision, recall, f1: means over the classes where they are defined, see per_class; 0 where
            they are in none.
        nll: negative log-likelihood of the pictures' own classes, in nats.
        calibration_error: see calibration_error.
        without_answer: share of pictures that could not be read or are blank; they count as wrong.
        rate: pictures per second, decoding and all.
    """

    n: int
    right: int
    accuracy: float
    interval: tuple
    top5: float
    balanced_accuracy: float
    precision: float
    recall: float
    f1: float
    nll: float
    calibration_error: float
    without_answer: float
    rate: float


def figures(answers, n_classes):
    """Return the Figures of answers.Answers."""
    right = answers.is_right
    n = len(right)
    table = per_class(answers.labels, answers.top[:, 0], n_classes)
    macro = {key: _mean_of_defined(table[key]) for key in ("precision", "recall", "f1")}
    return Figures(
        n=n,
        right=int(right.sum()),
        accuracy=float(right.mean()),
        interval=wilson(int(right.sum()), n),
        top5=float((answers.top[:, :5] == answers.labels[:, None]).any(axis=1).mean()),
        balanced_accuracy=macro["recall"],
        **macro,
        nll=float(-np.log(np.maximum(answers.own, LEAST, dtype=np.float64)).mean()),
        calibration_error=calibration_error(answers.confidences, right),
        without_answer=len(answers.failures) / n,
        rate=n / max(answers.seconds, 1e-9),
    )


def _mean_of_defined(shares):
    defined = shares[~np.isnan(shares)]
    return float(defined.mean()) if len(defined) else 0.0


def wilson(right, n, confidence=0.95):
    """Return the interval of a share that n trials found, `(low, high)`.

    Source: Wilson 1927, "Probable inference, the law of succession, and statistical inference".

    >>> [round(x, 3) for x in wilson(97, 100)]
    [0.915, 0.99]
    """
    from scipy import stats  # takes half a second

    found = stats.binomtest(right, n).proportion_ci(confidence, method="wilson")
    return float(found.low), float(found.high)


def calibration_error(confidences, is_right, bins=BINS):
    """Return how far confidences are from the share of right answers: 0 is perfect, 1 the worst.

    Expected calibration error over bins of equal width: Guo et al. 2017, "On calibration of modern
    neural networks".

    >>> calibration_error(np.array([0.9, 0.9, 0.9, 0.9]), np.array([True, True, True, False]))
    0.15

    Args:
        confidences: float `(n,)`, 0..1.
        is_right: bool `(n,)`.
        bins: how many.
    """
    which = np.minimum((np.asarray(confidences, np.float64) * bins).astype(int), bins - 1)
    surplus = np.bincount(which, np.asarray(confidences, np.float64) - is_right, minlength=bins)
    return round(float(np.abs(surplus).sum() / max(1, len(which))), 12)


def per_class(labels, answers, n_classes):
    """Return figures of each class.

    Args:
        labels: int `(n,)`.
        answers: int `(n,)`, -1 where there is none.
        n_classes: number of classes.

    Returns:
        dict of arrays `(n_classes,)`: pictures, answers, right (int), recall, precision, f1 (0..1;
        NaN where undefined: recall without pictures, precision without answers, f1 without both).
    """
    pictures = np.bincount(labels, minlength=n_classes)
    given = np.bincount(answers[answers >= 0], minlength=n_classes)
    right = np.bincount(labels[labels == answers], minlength=n_classes)

    def share(part, whole):
        return np.divide(part, whole, out=np.full(n_classes, np.nan), where=whole > 0)

    return {
        "pictures": pictures,
        "answers": given,
        "right": right,
        "recall": share(right, pictures),
        "precision": share(right, given),
        "f1": share(2 * right, pictures + given),
    }


def confusions(labels, answers):
    """Return `(label, answer, count)` of wrong answers, the most frequent first.

    Args:
        labels: int `(n,)`.
        answers: int `(n,)`, -1 where there is none.
    """
    wrong = (labels != answers) & (answers >= 0)
    pairs = np.stack([labels[wrong], answers[wrong]], axis=1)
    found, counts = np.unique(pairs, axis=0, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    return [(*found[i].tolist(), int(counts[i])) for i in order.tolist()]


def coverage_curve(confidences, is_right):
    """Return `(coverage, accuracy)` of answering only the most confident pictures.

    Args:
        confidences: float `(n,)`.
        is_right: bool `(n,)`.

    Returns:
        float64 `(n,)` each: the share of pictures answered, and of right ones among these, for 1,
        2, ... n pictures.
    """
    order = np.argsort(-np.asarray(confidences), kind="stable")
    counts = np.arange(1, len(order) + 1)
    return counts / len(order), np.cumsum(np.asarray(is_right)[order]) / counts


def coverage_at(confidences, is_right, wanted):
    """Return the largest share of pictures that can be answered with a wanted accuracy.

    >>> coverage_at(np.array([0.9, 0.8, 0.8, 0.4]), np.array([True, True, True, False]), 0.99)
    (0.75, 0.8)

    Args:
        confidences: float `(n,)`.
        is_right: bool `(n,)`.
        wanted: the accuracy, 0..1.

    Returns:
        `(coverage, threshold)`: the share, and the least confidence that is answered; `(0.0, None)`
        where even the most confident answers are wrong too often.
    """
    coverage, accuracy = coverage_curve(confidences, is_right)
    ordered = np.sort(np.asarray(confidences))[::-1]
    is_last = np.append(ordered[1:] < ordered[:-1], True)  # no threshold parts equal confidences
    enough = np.flatnonzero(is_last & (accuracy >= wanted))
    if not len(enough):
        return 0.0, None
    return float(coverage[enough[-1]]), float(ordered[enough[-1]])


def mcnemar(first, second):
    """Compare two models' answers to the same pictures.

    The exact test of McNemar 1947, "Note on the sampling error of the difference between
    correlated proportions": are the pictures that only one knows as often the one's as the other's?

    >>> mcnemar(np.array([True] * 9 + [False]), np.array([False] * 9 + [True]))
    (9, 1, 0.021484375)

    Args:
        first, second: bool `(n,)`: whether each model is right.

    Returns:
        `(only_first, only_second, p)`: pictures that only one has right, and the probability of
        such a difference or a larger one between models that are equally good.
    """
    from scipy import stats

    only_first = int((first & ~second).sum())
    only_second = int((second & ~first).sum())
    n = only_first + only_second
    p = float(stats.binomtest(only_first, n).pvalue) if n else 1.0
    return only_first, only_second, p if math.isfinite(p) else 1.0
