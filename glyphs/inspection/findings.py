"""What is wrong with the pictures of a source, and what to do about it."""

import collections
import dataclasses
import functools
import itertools
from collections.abc import Callable

import numpy as np

from glyphs.inspection import audit_worker, confusable

SEVERITIES = ("serious", "warning", "note")

FEW_SAMPLES = 10
UNEVEN = 3  # times as many pictures in the largest class as in the smallest; as create_dataset.py

_NO_SAMPLES = np.empty(0, np.int64)


@dataclasses.dataclass(frozen=True)
class Finding:
    """One thing that is wrong.

    Attributes:
        id: its name for programs, which never changes.
        severity: one of SEVERITIES.
        title: what is counted: "blank pictures".
        advice: one line: why it matters, what to do.
        samples: int64 `(n,)`, positions of the pictures concerned; empty where there are none.
        partners: for each of them the position of the picture it is compared with; or None.
        detail: None, or a function: position -> what is special about that picture.
        records: `(name, reason)` of records that could not even be indexed.
        classes: `(labels, detail)`: the classes concerned, one or several that belong together.
        groups: names of the groups concerned.
    """

    id: str
    severity: str
    title: str
    advice: str
    samples: np.ndarray = dataclasses.field(default_factory=_NO_SAMPLES.copy)
    partners: np.ndarray | None = None
    detail: Callable | None = None
    records: list = dataclasses.field(default_factory=list)
    classes: list = dataclasses.field(default_factory=list)
    groups: list = dataclasses.field(default_factory=list)

    @property
    def count(self):
        """How many pictures, records, classes or groups are concerned."""
        classes = sum(len(labels) for labels, _ in self.classes)
        return len(self.samples) + len(self.records) + classes + len(self.groups)


def find(audit):
    """Return the Findings of an audit.Audit, the serious ones first."""
    found = [
        *_unreadable(audit),
        *_blank(audit),
        *_duplicates(audit),
        *_polarity(audit),
        *_stored(audit),
        *_collisions(audit),
        *_sparse_classes(audit),
        *_missing_classes(audit),
        *_uneven(audit),
        *_groups(audit),
    ]
    found = [finding for finding in found if finding.count]
    return sorted(found, key=lambda finding: SEVERITIES.index(finding.severity))


def _unreadable(audit):
    yield Finding(
        "unreadable", "serious", "unreadable pictures",
        "repair or delete them: create_dataset.py leaves them out",
        np.flatnonzero(~audit.readable), detail=audit.reasons.get,
    )  # fmt: skip
    yield Finding(
        "damaged-records", "serious", "damaged records",
        "download the file again: what is missing changes how many pictures each class has",
        records=list(audit.index.damaged),
    )  # fmt: skip


def _blank(audit):
    def detail(position):
        facts = audit.facts[position]
        if facts["contrast"]:
            pixels = int(facts["width"]) * int(facts["height"])
            return f"contrast {facts['contrast']}, ink in {facts['ink']} of {pixels:,} pixels"
        return "a single grey value"

    yield Finding(
        "blank", "serious", "blank pictures",
        "delete them: a network learns that nothing at all is this character",
        np.flatnonzero(audit.blank), detail=detail,
    )  # fmt: skip


def _duplicates(audit):
    """Compare pictures pixel by pixel, but not blank ones, which are all alike."""
    members = np.flatnonzero(audit.readable & ~audit.blank)
    digest = audit.facts["digest"][members]
    label = audit.labels[members]
    split = np.zeros(len(members), np.int8) if audit.splits is None else audit.splits[members]
    order = np.lexsort((split, label, digest[:, 1], digest[:, 0]))  # stable: then by position
    members, digest, label, split = (a[order] for a in (members, digest, label, split))
    of_picture = _run_starts(digest[:, 0], digest[:, 1])
    of_class = _run_starts(digest[:, 0], digest[:, 1], label)
    is_first = of_class == np.arange(len(members))

    def finding(name, severity, title, advice, chosen, first):
        chosen = np.flatnonzero(chosen)
        chosen = chosen[np.argsort(members[chosen])]
        return Finding(
            name, severity, title, advice, members[chosen], partners=members[first[chosen]]
        )

    yield finding(
        "two-labels", "serious", "pictures that also appear under another label",
        "find out which label is right and delete the other: no network can learn both",
        label != label[of_picture], of_picture,
    )  # fmt: skip
    yield finding(
        "duplicates-across-splits", "serious", "pictures that also appear in another split",
        "delete one of each pair: a network knows them by heart, so results on them are too good",
        ~is_first & (split != split[of_class]), of_class,
    )  # fmt: skip
    advice = "delete all but one: copies add no variety and count more than other pictures"
    if audit.splits is None:
        advice += "; worse, a split may put one into train and its twin into test"
    yield finding(
        "duplicates", "warning", "exact copies of other pictures in the class", advice,
        ~is_first & (split == split[of_class]), of_class,
    )  # fmt: skip


def _run_starts(*keys):
    """Return for each element the start of the run of equal keys that it belongs to."""
    starts = np.ones(len(keys[0]), bool)
    starts[1:] = functools.reduce(np.logical_or, [key[1:] != key[:-1] for key in keys])
    return np.maximum.accumulate(np.where(starts, np.arange(len(starts)), 0))


def _polarity(audit):
    if audit.index.polarity:  # known from the format
        return
    clear = audit.readable & ~audit.blank
    polarity = audit.facts["polarity"]
    counts = np.bincount(polarity[clear], minlength=3)
    minority = 1 if counts[1] < counts[2] else 2
    other = audit_worker.POLARITIES[3 - minority]
    yield Finding(
        "mixed-polarity", "warning", f"pictures that are {audit_worker.POLARITIES[minority]}",
        f"the other {counts[3 - minority]:,} are {other}; --polarity auto decides each by its"
        " border: check that it gets these right",
        np.flatnonzero(clear & (polarity == minority)) if counts[3 - minority] else _NO_SAMPLES,
    )  # fmt: skip
    yield Finding(
        "undecided-polarity", "note", "pictures that do not show what is ink and what is paper",
        "their border is neither paper nor ink: noise, a frame, or too tight a crop; they are"
        " treated like the majority",
        np.flatnonzero(clear & (polarity == 0)),
    )  # fmt: skip


def _stored(audit):
    """Compare how the pictures are stored: a network may learn that instead of the characters."""
    if audit.is_dataset:
        return
    modes = audit.facts["mode"]
    yield _mixture(
        audit, "mixed-depth", "warning", ("with 8 bits", "with 1 bit", "with more than 8 bits"),
        np.select((np.isin(modes, _modes("1")), np.isin(modes, _modes("I", "F"))), (1, 2)),
        "a network may learn that instead of the character if some classes have more of it",
    )  # fmt: skip
    yield _mixture(
        audit, "mixed-alpha", "warning", ("without transparency", "with transparency"),
        audit.facts["alpha"],
        "transparent pixels become paper: check that the ink is still visible",
    )  # fmt: skip
    yield _mixture(
        audit, "mixed-colour", "note", ("in grey", "in colour or with a palette"),
        ~np.isin(modes, _modes("raw", "1", "L", "I", "F")),
        "harmless: all become grey",
    )  # fmt: skip


def _modes(*beginnings):
    """Return the indices of the modes that begin with any of these."""
    return [i for i, mode in enumerate(audit_worker.MODES) if mode.startswith(beginnings)]


def _mixture(audit, name, severity, kinds, kind, advice):
    """Return a Finding about all pictures that are not of the most frequent kind.

    Args:
        kinds: what the kinds are called.
        kind: int or bool `(n,)`: the kind of each picture.
    """
    counts = np.bincount(kind[audit.readable], minlength=len(kinds))
    usual = int(counts.argmax())
    others = [text for i, text in enumerate(kinds) if counts[i] and i != usual]
    return Finding(
        name, severity, f"pictures stored {' or '.join(others)}",
        f"the other {counts[usual]:,} are stored {kinds[usual]}; {advice}",
        np.flatnonzero(audit.readable & (kind != usual)),
    )  # fmt: skip


def _collisions(audit):
    yield Finding(
        "label-collisions", "warning", "classes with names that are easily confused",
        "if they are the same character, put them in one folder; some disks and tools cannot "
        "tell such names apart",
        classes=confusable.classes(audit.index.class_names, audit.characters),
    )  # fmt: skip


def _sparse_classes(audit):
    counts = audit.pictures_per_class

    def classes(chosen):
        return [((label,), f"{counts[label]}") for label in np.flatnonzero(chosen).tolist()]

    yield Finding(
        "too-few-samples", "serious", "classes with a single picture or none",
        "add pictures or delete the class: one picture is not enough to learn from and to test on",
        classes=classes(counts < 2),
    )  # fmt: skip
    yield Finding(
        "few-samples", "warning", f"classes with fewer than {FEW_SAMPLES} pictures",
        "they will be recognised poorly: add pictures; create_augmented_dataset.py helps a little",
        classes=classes((counts >= 2) & (counts < FEW_SAMPLES)),
    )  # fmt: skip


def _missing_classes(audit):
    if audit.splits is None:
        return
    present = audit.pictures_per_class > 0
    advices = {
        "train": "a network cannot know them: add pictures to train, or delete the class",
        "val": "training cannot watch how well they do: move some pictures there",
        "test": "results say nothing about them: move some pictures there",
    }
    for split, advice in advices.items():
        if split in audit.split_names or split == "train":
            missing = present & (audit.counts_of(split) == 0)
            yield Finding(
                f"missing-from-{split}", "serious" if split == "train" else "warning",
                f"classes without a picture in {split}", advice,
                classes=[((label,), None) for label in np.flatnonzero(missing).tolist()],
            )  # fmt: skip


def _uneven(audit):
    counts = audit.pictures_per_class
    if not counts.any():
        return
    fewest, most = counts[counts > 0].min(), counts.max()
    if most > UNEVEN * fewest:
        yield Finding(
            "uneven-classes", "warning",
            f"classes with less than a third of the {most:,} pictures of the largest",
            "they will be recognised less well: add pictures, or take fewer of the others",
            classes=[
                ((label,), f"{counts[label]}")
                for label in np.argsort(counts, kind="stable").tolist()
                if 0 < counts[label] * UNEVEN < most
            ],
        )  # fmt: skip


def _groups(audit):
    kind = audit.index.group_kind
    splits_of = collections.Counter(itertools.chain.from_iterable((audit.groups or {}).values()))
    yield Finding(
        "groups-across-splits", "serious", f"{kind}s in more than one split",
        f"keep each {kind} in one split: results on a known {kind} are better than on new ones",
        groups=[group for group, n_splits in splits_of.items() if n_splits > 1],
    )  # fmt: skip
