"""What was measured of a model as an HTML page: figures, mistakes, doubt, labels to put right.

This module chooses what is shown; report.html says how. Import it only where a page is wanted: it
loads Jinja2.
"""

import dataclasses
import functools

import numpy as np

from glyphs.evaluation import metrics, report_figures, report_maps, report_pictures
from glyphs.evaluation.report_figures import percent
from glyphs.evaluation.report_pictures import Chosen, Thumbnails
from glyphs.pages import page
from glyphs.pages.text import Text

PAIRS = 1000  # confusions that are listed
PICTURED = 200  # and of these with pictures
EACH = 3  # pictures of a class, or of a confusion
MISTAKES = 100  # the most confident ones
SUSPECTS = 500
LARGEST_MATRIX = 200  # classes
LINES, IN_LINE, ANSWERS = 1000, 40, 5000  # classes with mistakes; answers in a line, and in all
FAILURES = 50  # pictures without an answer
NAMED = 200  # classes of one side only


@dataclasses.dataclass
class Comparison:
    """Another model, measured on the same pictures.

    Attributes:
        result: its result.Result.
        compared: what result.compare says of both.
    """

    result: object
    compared: dict


def render(
    result,
    labelled,
    classifier,
    *,
    comparison=None,
    suspects=None,
    suspects_in=None,
    seed=1,
    maps=0,
    workers=None,
):
    """Return the HTML page of a result.

    Args:
        result: result.Result.
        labelled: the labelled.Labelled that was measured, still open.
        classifier: the inference.Classifier that was.
        comparison: a Comparison, or None.
        suspects: list of dicts, the most suspect first: pictures whose label is probably wrong.
            Their keys: path (within the source), label, suggestion (text), probability_of_label,
            probability_of_suggestion (0..1), number (of the picture, in suspects_in). None: the
            most confident mistakes are suspected.
        suspects_in: the Labelled of the suspects, still open; None: labelled.
        seed: of the conditions.
        maps: how many mistakes to show class activation maps of.
        workers: number of processes; None: one per core. The page does not depend on it.
    """
    report = _Report(result, labelled, classifier, workers)
    cases, given = report.mistakes(), suspects is not None
    if given:
        for case in cases:
            del case["item"]
        suspects = report.suspects(suspects, suspects_in or labelled)
    return page.render(
        "evaluation/report.html",
        title=f"{result.model} evaluated",
        text=report.text,
        result=result,
        name=report.name,
        short_name=report.short_name,
        percent=percent,
        tiles=report_figures.tiles(result),
        comparison=comparison and report_figures.compared(result, comparison),
        curves=report_figures.curves(result.model),
        confusions=report.confusions(),
        matrix=report.matrix(),
        classes=report.classes(),
        mistakes=cases,
        suspects=suspects if given else cases,
        is_suspected=given,
        lines=report.lines(),
        maps=report.maps(maps),
        doubt=report_figures.doubt(result),
        conditions=report.conditions(seed),
        failures=list(report.failures())[:FAILURES],
        named=NAMED,
        can_be_corrected=(suspects_in or labelled).can_be_corrected,
        data=page.json_text(report.data()),
    )


class _Report:
    """The parts of the report that need its pictures or know how to name a class."""

    def __init__(self, result, labelled, classifier, workers):
        self.result, self.labelled, self.classifier = result, labelled, classifier
        self.answers, self.workers = result.answers, workers
        self.text = Text()
        self.name, self.short_name = map(functools.cache, (self._name, self._short_name))
        self.label_of = {name: label for label, name in enumerate(result.class_names)}
        self.items = []  # what the page's script must know of the pictures that can be marked
        best = self.answers.top[:, 0]
        self.counts = metrics.confusions(self.answers.labels, best)
        self.table = metrics.per_class(self.answers.labels, best, len(result.class_names))
        self.chosen = Chosen(self.answers)
        self.shown = self.chosen.most_confident[:MISTAKES].tolist()
        pictured = self.counts[:PICTURED]
        self.of_class = {
            label: self.chosen.of_class(label, EACH) for pair in pictured for label in pair[:2]
        }
        needed = set(self.shown).union(*self.of_class.values())
        for label, answer, _ in pictured:
            needed.update(self.chosen.of_confusion[label, answer][:EACH])
        self.thumbnails = Thumbnails(labelled, needed, workers=workers)

    def _name(self, label):
        """Return a class's name as HTML, after the character it stands for if that says more."""
        name, character = self.result.class_names[label], self.classifier.characters[label]
        if character in (None, name) or not self.text.can_show(character):
            return self.text(name)
        return self.text(f"{character} {name}")

    def _short_name(self, label):
        character = self.classifier.characters[label]
        can_show = character and self.text.can_show(character)
        return self.text(character if can_show else self.result.class_names[label])

    def confusions(self):
        rows = []
        for i, (label, answer, count) in enumerate(self.counts[:PAIRS]):
            pair = self.chosen.of_confusion[label, answer][:EACH]
            numbers = (self.of_class[label], pair, self.of_class[answer]) if i < PICTURED else ()
            strips = [self.thumbnails.strip(some) for some in numbers] or (None, None, None)
            rows.append({"label": label, "answer": answer, "count": count, "strips": strips})
        return {"rows": rows, "more": len(self.counts) - len(rows)}

    def matrix(self):
        """Return the confusion matrix as a picture; None of a single class, or of very many."""
        n = len(self.result.class_names)
        if not 1 < n <= LARGEST_MATRIX:
            return None
        picture, options = report_pictures.matrix(self._cells(), self.table["pictures"])
        return {"uri": page.png_uri(picture, **options), "side": n * max(2, min(12, 600 // n))}

    def _cells(self):
        right = enumerate(self.table["right"].tolist())
        return [(label, label, count) for label, count in right if count] + self.counts

    def classes(self):
        """Return the rows of all classes with pictures, the worst first."""
        table, worst = self.table, {}
        for label, answer, count in self.counts:
            worst.setdefault(label, (answer, count))
        rows = [
            {
                "label": label,
                **{key: int(table[key][label]) for key in ("pictures", "right")},
                **{key: percent(table[key][label], 1) for key in ("recall", "precision", "f1")},
                "taken_for": worst.get(label),
            }
            for label, pictures in enumerate(table["pictures"].tolist())
            if pictures
        ]
        return sorted(rows, key=lambda row: (table["recall"][row["label"]], -row["pictures"]))

    def mistakes(self):
        names, answers = self.result.class_names, self.answers
        cases = []
        paths = self.labelled.names_in_source(np.array(self.shown, np.int64))
        for number, path in zip(self.shown, paths, strict=True):
            label, best = int(answers.labels[number]), int(answers.top[number, 0])
            case = {
                "path": path,
                "label": names[label],
                "suggestion": names[best],
                "probability_of_label": float(answers.own[number]),
                "probability_of_suggestion": float(answers.confidences[number]),
            }
            cases.append(self._case(case, self.thumbnails[number]))
        return cases

    def suspects(self, suspects, labelled):
        self.items.clear()
        shown = suspects[:SUSPECTS]
        numbers = [case["number"] for case in shown]
        pictures = Thumbnails(labelled, numbers, workers=self.workers)
        return [self._case(case, pictures[case["number"]]) for case in shown]

    def _case(self, case, picture):
        """Return a picture with two names, as the page shows it."""
        self.items.append([case["path"], case["label"], case["suggestion"]])
        return {
            "item": len(self.items) - 1,
            "picture": picture,
            "name": case["path"].replace("\\", "/").rpartition("/")[2],
            "label_name": self._name_of(case["label"]),
            "suggestion_name": self._name_of(case["suggestion"]),
            "of_label": percent(case["probability_of_label"], 1),
            "of_suggestion": percent(case["probability_of_suggestion"], 1),
        }

    def _name_of(self, class_name):
        label = self.label_of.get(class_name)
        return self.text(class_name) if label is None else self.name(label)

    def lines(self):
        """Return `(label, n, answers, more)` of each class with mistakes, as the Kuzushiji project
        listed them: the class, how many of its pictures are taken for others, and for which."""
        found = {}
        for label, answer, count in self.counts:
            found.setdefault(label, []).append((answer, count))
        lines, left = [], ANSWERS
        for label in sorted(found)[:LINES]:
            n = sum(count for _, count in found[label])
            given = [answer for answer, count in found[label] for _ in range(count)]
            given = given[: min(IN_LINE, left)]
            left -= len(given)
            lines.append((label, n, given, n - len(given)))
        return {"rows": lines, "more": len(found) - len(lines)}

    def maps(self, count):
        """Return class activation maps of the most confident mistakes, and why there are none."""
        numbers = self.shown[:count]
        if not numbers:
            return {"rows": [], "note": None}
        labels, best = self.answers.labels, self.answers.top[:, 0]
        pairs = [[int(best[number]), int(labels[number])] for number in numbers]
        found, note = report_maps.maps(
            self.result.model, self.classifier, self.labelled, numbers, pairs
        )
        rows = [
            {"answer": pair[0], "label": pair[1], "pictures": pictures}
            for pair, pictures in zip(pairs, found, strict=False)
            if pictures
        ]
        return {"rows": rows, "note": note}

    def conditions(self, seed):
        """Return each condition with its accuracy and an example; None if not measured."""
        measured = self.result.conditions
        if not measured:
            return None
        usual = measured["as_it_is"][0].mean()
        number = 0 if self.result.trial_numbers is None else int(self.result.trial_numbers[0])
        pictures = report_pictures.examples(self.labelled, number, measured, seed)
        rows = [
            {
                "name": name.replace("_", " "),
                "share": float(right.mean()),
                "difference": f"{100 * (right.mean() - usual):+.2f}",
                "picture": pictures.get(name),
            }
            for name, (right, _) in measured.items()
        ]
        return {"rows": rows, "n": len(measured["as_it_is"][0])}

    def failures(self):
        for number, reason in self.answers.failures.items():
            yield f"{self.result.names[number]}: {reason}"

    def data(self):
        """Return what the page's script must know."""
        names, characters = self.result.class_names, self.classifier.characters
        pairs = zip(names, characters, strict=True)
        return {
            "classes": [[n] if c in (None, n) else [n, c] for n, c in pairs],
            "cells": self._cells() if len(names) <= LARGEST_MATRIX else [],
            "items": self.items,
        }
