"""How far to believe a model's probabilities, measured on pictures that it did not learn from.

Source: Guo et al. (2017), On calibration of modern neural networks; Geifman and El-Yaniv (2017),
Selective classification for deep neural networks, for the bound.
"""

import math

import numpy as np
from scipy import optimize, stats

from glyphs import parallel
from glyphs.errors import UsageError
from glyphs.evaluation.answers import probabilities_of
from glyphs.inference.temperature import with_temperature

ACCURACIES = (0.9, 0.95, 0.98, 0.99, 0.995, 0.999)
TEMPERATURES = (0.05, 20)  # lowest and highest
MOST_NUMBERS = 100_000_000  # probabilities that are held at once: 400 MB
CERTAINTY = 0.95  # that a threshold gives the accuracy which it was chosen for


def fit_temperature(log_probabilities, labels):
    """Return the temperature at which the labels are most probable (least mean log-loss).

    >>> log_probabilities = np.log([[0.9, 0.1]] * 4)  # sure, and wrong once of four times
    >>> round(fit_temperature(log_probabilities, np.array([0, 0, 0, 1])), 3)
    2.0

    Args:
        log_probabilities: float `(n, n_classes)`: logarithms of a network's probabilities, or its
            scores before softmax; -inf is taken as the logarithm of float32's least number.
        labels: int `(n,)`, which the network has not learned from.

    Returns:
        float, above 0. Where all answers are right (or there are none) the lowest temperature
        would be the best, however low; it is then 1.
    """
    least = np.log(np.finfo(np.float32).tiny)
    logs = np.maximum(np.asarray(log_probabilities, np.float64), least)
    labels = np.asarray(labels)
    if (logs.argmax(axis=1) == labels).all():
        return 1.0
    logs -= logs.max(axis=1, keepdims=True)
    of_label = logs[np.arange(len(labels)), labels].mean()

    def log_loss(log_temperature):
        temperature = np.exp(log_temperature)
        return np.log(np.exp(logs / temperature).sum(axis=1)).mean() - of_label / temperature

    found = optimize.minimize_scalar(log_loss, bounds=np.log(TEMPERATURES), method="bounded")
    return float(np.exp(found.x))


def thresholds(confidences, is_right, accuracies=ACCURACIES):
    """Return the lowest thresholds above which answers are right often enough.

    Right often enough is not what was counted but its lower confidence bound (Clopper-Pearson,
    one-sided, CERTAINTY): 20 right answers of 20 do not show 99 %, and 299 of 299 just do. The
    lowest of many thresholds is taken, and luck has no more part in it than in one: of 1,000
    simulated val splits of 300, 1,200 and 7,820 pictures at most 48 gave a threshold that fell
    short of its accuracy. A threshold is always a confidence that was seen: nothing is known about
    lower ones. All this holds for pictures like those it was measured on.

    >>> confidences = np.linspace(0.5, 1, 1001)
    >>> thresholds(confidences, confidences > 0.6, [0.9, 0.99, 0.9999])
    {0.9: 0.5645, 0.99: 0.599, 0.9999: None}

    Args:
        confidences: float `(n,)`: the probability of each picture's best class, at the temperature
            at which the thresholds are to be used.
        is_right: bool `(n,)`: whether that class is the label.
        accuracies: wanted ones, each 0..1.

    Returns:
        dict: each accuracy to its threshold, a float, or to None where no threshold gives it.
    """
    confidences = np.asarray(confidences, np.float64)
    order = np.argsort(-confidences, kind="stable")
    falling = confidences[order]
    right = np.cumsum(np.asarray(is_right, bool)[order])
    answered = np.arange(1, len(order) + 1)
    # Equal confidences are answered together: only the last of them can be a threshold.
    is_last = np.append(falling[1:] < falling[:-1], True)[: len(order)]
    falling, right, answered = falling[is_last], right[is_last], answered[is_last]
    bound = np.where(
        right > 0, stats.beta.ppf(1 - CERTAINTY, np.maximum(right, 1), answered - right + 1), 0
    )
    found = {}
    for accuracy in accuracies:
        enough = np.flatnonzero(bound >= accuracy)
        found[accuracy] = float(falling[enough[-1]]) if len(enough) else None
    return found


def measure_doubt(probabilities, labels, *, val, accuracies=ACCURACIES):
    """Return what artifacts.doubt.store_doubt stores with a model.

    Args:
        probabilities: float `(n, n_classes)`, as the network says them (`calibrated=False`).
        labels: int `(n,)`, which the network has not learned from.
        val: in words, what these pictures are.
        accuracies: wanted ones, each 0..1.

    Returns:
        dict: temperature, thresholds (their accuracies as text, six decimals), pictures, val.
    """
    with np.errstate(divide="ignore"):
        temperature = fit_temperature(np.log(probabilities), labels)
    calibrated = with_temperature(probabilities, temperature)
    is_right = calibrated.argmax(axis=1) == labels
    found = thresholds(calibrated.max(axis=1), is_right, accuracies)
    return {
        "temperature": temperature,
        "thresholds": {
            f"{accuracy:g}": None if threshold is None else math.floor(threshold * 1e6) / 1e6
            for accuracy, threshold in found.items()
        },
        "pictures": len(labels),
        "val": val,
    }


def calibrate(classifier, labelled, *, seed=1, workers=None, progress=parallel.unseen):
    """Return what artifacts.doubt.store_doubt stores with a model.

    Args:
        classifier: inference.Classifier, with `calibrated=False`.
        labelled: labelled.Labelled: pictures that the model has not learned from.
        seed: of the choice of pictures where there are too many for the memory.
        workers: processes that decode; None: as many as the pictures are worth.
        progress: called with `(done, total)`.

    Raises:
        UsageError: not one picture has an answer.
    """
    n_classes = len(classifier.class_names)
    most = max(1, MOST_NUMBERS // n_classes)
    which = np.sort(np.random.default_rng(seed).permutation(len(labelled))[:most])
    rows, labels, done = [], [], 0
    for numbers, found in probabilities_of(classifier, labelled, which=which, workers=workers):
        for number, row in zip(numbers.tolist(), found, strict=True):
            if not isinstance(row, str):
                rows.append(row)
                labels.append(int(labelled.labels[number]))
        done += len(numbers)
        progress(done, len(which))
    if not rows:
        raise UsageError(f"{labelled.source}: no picture has an answer; nothing to calibrate on")
    place = f"{labelled.source}, {labelled.split}" if labelled.split else labelled.source
    return measure_doubt(np.stack(rows), np.array(labels), val=place)
