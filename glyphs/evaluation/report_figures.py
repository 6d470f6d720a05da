"""The figures and plots of a report that need neither its pictures nor names of classes."""

import csv
import math

from glyphs.artifacts.paths import Paths
from glyphs.evaluation import metrics
from glyphs.pages import svg
from glyphs.training.history import read_history

ACCURACIES = (0.95, 0.98, 0.99, 0.995)  # that one may want


def percent(share, digits=2):
    """Return a share in percent, as text; "" where it is undefined: NaN."""
    return "" if math.isnan(share) else f"{100 * share:.{digits}f} %"


def tiles(result):
    """Return `(number, name)` of the figures at the top."""
    f = result.figures
    low, high = (100 * bound for bound in f.interval)
    return [
        (percent(f.accuracy), f"accuracy (95 %: {low:.2f} to {high:.2f})"),
        (f"{f.right:,} of {f.n:,}", "right"),
        (percent(f.top5), "among the best five"),
        (percent(f.balanced_accuracy), "balanced accuracy"),
        (percent(f.precision), "macro precision"),
        (percent(f.recall), "macro recall"),
        (percent(f.f1), "macro F1"),
        (f"{f.nll:.4f}", "negative log-likelihood"),
        (percent(f.calibration_error), "expected calibration error"),
        (f"{f.rate:,.0f}", "pictures a second"),
    ]


def compared(result, comparison):
    """Return both models' figures side by side, and what differs."""
    other = comparison.result
    pairs = zip(tiles(result), tiles(other), strict=True)
    rows = [(name.partition(" (")[0], ours, theirs) for (ours, name), (theirs, _) in pairs]
    return {"models": (result.model, other.model), "rows": rows, **comparison.compared}


def curves(model):
    """Return figures of accuracy and loss over the epochs, where the training's history is."""
    try:
        history = read_history(Paths(model).history)
    except (OSError, ValueError, TypeError, csv.Error):
        return []
    part = [(epoch["phase"], epoch["cycle"]) for epoch in history]
    marks = [i + 0.5 for i in range(1, len(part)) if part[i] != part[i - 1]]
    figures = []
    for key in ("accuracy", "loss"):
        series = []
        for name, column in (("training", key), ("validation", f"val_{key}")):
            points = [(i, epoch.get(column, math.nan)) for i, epoch in enumerate(history, 1)]
            points = [(i, value) for i, value in points if math.isfinite(value)]
            if points:
                series.append((name, *zip(*points, strict=True)))
        if series:
            label = f"{key.capitalize()} by epoch"
            figures.append(svg.line_plot(label, series, y_percent=key == "accuracy", marks=marks))
    return figures


def doubt(result):
    """Return accuracy against coverage: a figure, and what certain accuracies would cost."""
    confidences, right = result.answers.confidences, result.answers.is_right
    coverage, accuracy = metrics.coverage_curve(confidences, right)
    # The first few answers are too few to speak of their accuracy.
    start = min(len(coverage) - 1, len(coverage) // 20)
    series = [("model", coverage[start:], accuracy[start:])]
    label = "Accuracy of what is answered, by the share of pictures answered"
    found = ((wanted, *metrics.coverage_at(confidences, right, wanted)) for wanted in ACCURACIES)
    promised = None
    if result.threshold is not None and (believed := confidences >= result.threshold).any():
        promised = {
            "wanted": f"{100 * result.wanted:g} %",
            "threshold": percent(result.threshold, 1),
            "share": percent(believed.mean(), 1),
            "accuracy": percent(right[believed].mean()),
        }
    return {
        "promised": promised,
        "figure": svg.line_plot(label, series, x_percent=True, y_percent=True),
        "rows": [
            (f"{100 * wanted:g} %", share, percent(share, 1), threshold and percent(threshold, 1))
            for wanted, share, threshold in found
        ],
    }
