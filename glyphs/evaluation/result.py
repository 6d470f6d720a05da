"""What was measured of a model, and how it goes into files."""

import dataclasses
import math

import numpy as np

from glyphs.evaluation import metrics
from glyphs.evaluation.answers import Answers


@dataclasses.dataclass
class Result:
    """What was measured of one model.

    Attributes:
        model: PREFIX of its files.
        source: the name of the source of the pictures.
        split: "train", "val" or "test", or None: all that there is.
        class_names: the model's.
        unknown: `{class name: pictures}` of classes that the model lacks; they are left out.
        absent: the model's classes without pictures.
        names: what each picture is called.
        answers: answers.Answers.
        figures: metrics.Figures.
        conditions: `{condition: (is_right, confidences)}` as trials.accuracies returns it, or None.
        wanted: the share of right answers that is wanted of what the model does not reject, 0..1.
        threshold: the least probability to believe for that; None where it was not calibrated, or
            cannot promise so much.
        trial_numbers: int `(m,)`: the pictures that the conditions were measured on, or None.
    """

    model: str
    source: str
    split: str | None
    class_names: list
    unknown: dict
    absent: list
    names: list
    answers: Answers
    figures: metrics.Figures
    conditions: dict | None = None
    wanted: float = 0.99
    threshold: float | None = None
    trial_numbers: np.ndarray | None = None

    def to_json(self):
        """Return all but the single answers as JSON holds it."""
        value = {
            "model": self.model,
            "source": self.source,
            "split": self.split,
            "figures": dataclasses.asdict(self.figures),
            "unknown_classes": self.unknown,
            "absent_classes": self.absent,
            "classes": self.class_rows(),
        }
        if self.threshold is not None:
            kept, right = self.believed(self.answers.is_right, self.answers.confidences)
            value["doubt"] = {
                "wanted_accuracy": self.wanted,
                "threshold": self.threshold,
                "believed": kept,
                "right": right,
            }
        if self.conditions:
            value["conditions"] = {}
            for name, (is_right, confidences) in self.conditions.items():
                trial = {"pictures": len(is_right), "right": int(is_right.sum())}
                if self.threshold is not None:
                    kept, right = self.believed(is_right, confidences)
                    trial |= {"believed": kept, "believed_right": right}
                value["conditions"][name] = trial
        return value

    def believed(self, is_right, confidences):
        """Return how many answers the threshold does not reject, and how many of them are right.

        Args:
            is_right: bool `(n,)`.
            confidences: float `(n,)`.
        """
        kept = confidences >= self.threshold
        return int(kept.sum()), int((kept & is_right).sum())

    def class_rows(self):
        """Return a dict for each class: its figures, and what it is most often taken for.

        A share that is undefined, as the recall of a class without pictures, is None.
        """
        answers = self.answers
        table = metrics.per_class(answers.labels, answers.top[:, 0], len(self.class_names))
        taken_for = {}
        for label, other, count in metrics.confusions(answers.labels, answers.top[:, 0]):
            taken_for.setdefault(label, (self.class_names[other], count))
        rows = []
        for label, name in enumerate(self.class_names):
            other, times = taken_for.get(label, ("", 0))
            counts = {key: int(table[key][label]) for key in ("pictures", "answers", "right")}
            shares = {key: float(table[key][label]) for key in ("recall", "precision", "f1")}
            shares = {k: None if math.isnan(v) else round(v, 6) for k, v in shares.items()}
            rows.append({"class": name, **counts, **shares, "taken_for": other, "times": times})
        return rows

    def answer_rows(self):
        """Return a dict for each picture: its class, the answer, why there is none."""
        answers = self.answers
        rows = []
        for i, name in enumerate(self.names):
            best = int(answers.top[i, 0])
            rows.append(
                {
                    "path": name,
                    "label": self.class_names[answers.labels[i]],
                    "answer": self.class_names[best] if best >= 0 else "",
                    "probability": f"{answers.confidences[i]:.6f}" if best >= 0 else "",
                    "right": int(best == answers.labels[i]),
                    "error": answers.failures.get(i, ""),
                }
            )
        return rows


def compare(first, second):
    """Return how two models' answers to the same pictures differ.

    Pictures of classes that only one of the models knows are left out.
    """
    place = {name: i for i, name in enumerate(second.names)}
    both = [(i, place[name]) for i, name in enumerate(first.names) if name in place]
    ours, theirs = ([pair[side] for pair in both] for side in (0, 1))
    right = first.answers.is_right[ours], second.answers.is_right[theirs]
    only_first, only_second, p = metrics.mcnemar(*right)
    return {
        "pictures": len(both),
        "right": [int(side.sum()) for side in right],
        "only_first": only_first,
        "only_second": only_second,
        "p": p,
    }
