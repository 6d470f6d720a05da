"""Which samples of a source are used: by class, by number; and which of them belong together."""

import dataclasses
import os
import re
import unicodedata

import numpy as np

from glyphs import labels
from glyphs.errors import UsageError
from glyphs.readers import match_text

RARE = "rare"


def regroup(index, rule):
    """Return an Index with the groups that a rule gives.

    Args:
        index: a readers.Index.
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
        name = index.samples.name(number).removeprefix(index.root).lstrip(os.sep)
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
        index: a readers.Index.
        wanted: class names, or characters that class names stand for.
        source: where they are from, for errors.

    Raises:
        UsageError: one of them is no class.
    """
    number = {}
    for label, name in enumerate(index.class_names):
        number[labels.character(name, index.label_encoding)] = label
    number.update((name, label) for label, name in enumerate(index.class_names))
    chosen = set()
    for name in wanted:
        name = unicodedata.normalize("NFC", name)
        if name not in number:
            raise UsageError(f"{source}: {name} is no class of {index.source}")
        chosen.add(number[name])
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
        index: a readers.Index.
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
        index: a readers.Index.
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
    return _subset(index, np.sort(kept))


def _counts(index):
    return np.bincount(np.asarray(index.labels, np.int32), minlength=len(index.class_names))


def _keep_classes(index, kept):
    new_label = np.full(len(index.class_names), -1, np.int32)
    new_label[kept] = np.arange(len(kept))
    y = new_label[np.asarray(index.labels, np.int32)]
    index = dataclasses.replace(
        index, class_names=[index.class_names[label] for label in kept], labels=y
    )
    return _subset(index, np.flatnonzero(y >= 0))


def _subset(index, kept):
    """Return the Index of some of the samples."""

    def of(values):
        return None if values is None else np.asarray(values)[kept]

    return dataclasses.replace(
        index,
        numbers=np.asarray(index.sample_numbers)[kept],
        labels=of(index.labels),
        splits=of(index.splits),
        groups=of(index.groups),
    )
