"""Which samples of a source are used: by class, by number; and which of them belong together."""

import dataclasses
import re
import unicodedata

import numpy as np

from glyphs.characters import character_of
from glyphs.errors import UsageError
from glyphs.sources.index import match_text

RARE = "rare"


@dataclasses.dataclass(frozen=True)
class Selection:
    """Which samples of a source are wanted.

    Attributes:
        groups: which samples belong together; see regroup.
        classes_from: path of a file that lists classes or characters, one a line; None: all.
        min_count: least samples of a class; None: any number.
        coverage: share of all samples that the most frequent classes cover, 0..1; the others
            become one class. None: all classes stay.
        max_per_class: most samples of a class and split; None: any number.
        corrections_from: path of a table of labels to put right before all else; see corrections.
            None: they stay as they are.
    """

    groups: str = "auto"
    classes_from: str | None = None
    min_count: int | None = None
    coverage: float | None = None
    max_per_class: int | None = None
    corrections_from: str | None = None


def select(index, selection, *, classes=None, shuffle_seed=None):
    """Return the part of an index that is wanted.

    Args:
        index: an Index of a source.
        selection: Selection.
        classes: what read_classes returned for the selection's file; None: all classes.
        shuffle_seed: see at_most.

    Returns:
        `(index, chosen)`: the Index, and what was chosen as a dict for the manifest.

    Raises:
        UsageError: there is nothing of the kind in the source.
    """
    chosen = {}
    index = regroup(index, selection.groups)
    if classes is not None:
        index = only_classes(index, classes, selection.classes_from)
        chosen |= {"classes": index.class_names, "classes_from": selection.classes_from}
    if selection.min_count:
        before = len(index.class_names)
        index = at_least(index, selection.min_count)
        chosen["min_count"] = selection.min_count
        chosen["left_out"] = before - len(index.class_names)
    if selection.coverage:
        before = index.class_names
        index, share = most_frequent(index, selection.coverage)
        rare = sorted(set(before) - set(index.class_names))
        kept = len(before) - len(rare)
        chosen |= {"coverage": selection.coverage, "kept": kept, "share": share, "rare": rare}
    if selection.max_per_class:
        index = at_most(index, selection.max_per_class, shuffle_seed=shuffle_seed)
        chosen["max_per_class"] = selection.max_per_class
    return index, chosen


def read_classes(path):
    """Return the classes that a file lists, one a line.

    Raises:
        UsageError: it cannot be read, is no UTF-8 text, or lists none.
    """
    try:
        with open(path, encoding="utf-8-sig") as file:
            classes = [line.strip() for line in file if line.strip()]
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror.lower()}; it should list classes") from None
    except UnicodeDecodeError:
        raise UsageError(f"{path}: not UTF-8 text; it should list classes, one a line") from None
    if not classes:
        raise UsageError(f"{path}: lists no classes; write one a line")
    return classes


def regroup(index, rule):
    """Return an Index with the groups that a rule gives.

    Args:
        index: an index.Index.
        rule: "auto": those that the reader knows; "none"; or a regular expression: what it finds
            in a sample's relative name (its group `group`, else its first group, else the whole
            match) is the group. Samples in whose names it finds nothing are groups of their own.

    Raises:
        UsageError: the expression finds nothing in any name.
    """
    if rule == "auto":
        return index
    if rule == "none":
        return dataclasses.replace(index, groups=None, group_names=[], group_kind=None)
    regex = re.compile(rule)
    found, groups = {}, np.empty(len(index.labels), np.int32)
    matches = 0
    for i, number in enumerate(index.sample_numbers):
        name = index.name(number)
        match = regex.search(name)
        matches += match is not None
        group = (match and match_text(match, "group")) or name
        groups[i] = found.setdefault(group, len(found))
    misses = len(index.labels) - matches
    if matches and misses:
        note = f"--groups {rule!r} finds nothing in {misses:,} of {len(index.labels):,} names"
        index.notes.append(f"{note}; each of these pictures is a group of its own")
    if not matches:
        raise UsageError(
            f"{index.source}: --groups {rule!r} finds nothing in the names of its "
            f"{len(index.labels):,} pictures, such as {name}"
        )
    return dataclasses.replace(index, groups=groups, group_names=list(found), group_kind="group")


def only_classes(index, wanted, source):
    """Return an Index of some of the classes.

    Args:
        index: an index.Index.
        wanted: class names, or characters, each of which means every class that stands for it.
        source: where they are from, for errors.

    Raises:
        UsageError: one of them is no class.
    """
    labels = {}
    for label, name in enumerate(index.class_names):
        for called in {name, character_of(name, index.label_encoding)}:
            labels.setdefault(called, []).append(label)
    chosen = set()
    for name in wanted:
        name = unicodedata.normalize("NFC", name)
        if name not in labels:
            raise UsageError(f"{source}: {name} is no class of {index.source}")
        chosen.update(labels[name])
    return _keep_classes(index, sorted(chosen))


def at_least(index, min_count):
    """Return an Index of the classes with at least `min_count` samples.

    Raises:
        UsageError: fewer than two classes have so many.
    """
    kept = np.flatnonzero(_counts(index) >= min_count)
    if len(kept) < 2:
        raise UsageError(f"{index.source}: {len(kept)} classes have {min_count} or more pictures")
    return _keep_classes(index, kept)


def most_frequent(index, coverage):
    """Gather the classes that are not needed to cover most samples in one class, `rare`.

    Classes are sorted by frequency and kept while their cumulative share is at most `coverage`.

    Args:
        index: an index.Index.
        coverage: share of all samples, 0..1.

    Returns:
        `(index, share)`: an Index, and the share of the samples that keep their class.

    Raises:
        UsageError: no class fits into the share, or a class has the name `rare` already.
    """
    counts = _counts(index)
    if RARE in index.class_names:
        raise UsageError(f"{index.source}: a class is called {RARE}, as --coverage calls the rest")
    order = np.argsort(-counts, kind="stable")
    kept = order[: n_covering(counts, coverage)]
    if not len(kept):
        raise UsageError(
            f"{index.source}: its most frequent class alone is more than --coverage {coverage:g}"
        )
    is_rare = np.ones(len(counts), bool)
    is_rare[kept] = False
    share = float(counts[kept].sum() / counts.sum())
    if not counts[is_rare].any():
        return index, 1.0
    class_names = sorted([*(index.class_names[label] for label in kept), RARE])
    place = {name: label for label, name in enumerate(class_names)}
    new_label = np.array([place.get(name, place[RARE]) for name in index.class_names], np.int32)
    y = new_label[np.asarray(index.labels, np.int32)]
    return dataclasses.replace(index, class_names=class_names, labels=y), share


def n_covering(counts, coverage):
    """Return how many of the most frequent classes make up at most a share of all samples.

    Args:
        counts: int `(n_classes,)`: samples of each class.
        coverage: the share, 0..1.
    """
    shares = np.cumsum(np.sort(counts)[::-1]) / max(1, counts.sum())
    return int(np.count_nonzero(shares <= coverage + 1e-12))


def at_most(index, max_per_class, *, shuffle_seed=None):
    """Return an Index with at most so many samples of each class and split.

    Args:
        index: an index.Index.
        max_per_class: how many.
        shuffle_seed: None: the first ones; or a seed: chosen at random.
    """
    y = np.asarray(index.labels, np.int64)
    if index.splits is not None:
        y = y * 3 + np.asarray(index.splits)
    order = np.arange(len(y))
    if shuffle_seed is not None:
        order = np.random.default_rng(shuffle_seed).permutation(len(y))
    order = order[np.argsort(y[order], kind="stable")]
    starts = np.searchsorted(y[order], y[order])
    kept = order[np.arange(len(y)) - starts < max_per_class]
    return subset(index, np.sort(kept))


def _counts(index):
    return np.bincount(np.asarray(index.labels, np.int32), minlength=len(index.class_names))


def _keep_classes(index, kept):
    new_label = np.full(len(index.class_names), -1, np.int32)
    new_label[kept] = np.arange(len(kept))
    y = new_label[np.asarray(index.labels, np.int32)]
    index = dataclasses.replace(
        index, class_names=[index.class_names[label] for label in kept], labels=y
    )
    return subset(index, np.flatnonzero(y >= 0))


def subset(index, kept):
    """Return the Index of some of the samples.

    Args:
        index: an index.Index.
        kept: int `(n,)`: their positions in it.
    """

    def of(values):
        return None if values is None else np.asarray(values)[kept]

    return dataclasses.replace(
        index,
        numbers=np.asarray(index.sample_numbers)[kept],
        labels=of(index.labels),
        splits=of(index.splits),
        groups=of(index.groups),
    )
