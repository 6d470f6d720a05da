"""Which samples go to train, val and test, and in which order."""

import numpy as np

from glyphs.sources.index import SPLITS


def split_sizes(count, fractions):
    """Return how many of `count` samples go to train, val and test.

    Shares are rounded by largest remainder. From 3 samples on, each split with a share above
    zero gets at least one.

    Args:
        count: number of samples of one class.
        fractions: three numbers that add up to 1.
    """
    shares = [count * fraction for fraction in fractions]
    sizes = [int(share + 1e-9) for share in shares]
    by_remainder = sorted(range(3), key=lambda i: (sizes[i] - shares[i], i))
    for i in by_remainder[: count - sum(sizes)]:
        sizes[i] += 1
    if count >= 3:
        for i in range(3):
            if fractions[i] > 0 and not sizes[i]:
                sizes[sizes.index(max(sizes))] -= 1
                sizes[i] += 1
    return sizes


def rank_in_class(y):
    """Return for each sample how many samples of its class come before it.

    Args:
        y: int `(n,)`.

    Returns:
        int64 `(n,)`.
    """
    order = np.argsort(y, kind="stable")
    _, counts = np.unique(y, return_counts=True)
    starts = np.repeat(np.cumsum(counts) - counts, counts)
    ranks = np.empty(len(y), np.int64)
    ranks[order] = np.arange(len(y)) - starts
    return ranks


def split_by_class(y, fractions, *, shuffle_seed=None):
    """Assign each sample to a split, class by class, in the order of the samples.

    Writers stay apart where the samples of a class are in order of their writers.

    Args:
        y: int `(n,)`.
        fractions: shares of train, val and test; they add up to 1.
        shuffle_seed: None, or a seed: the samples of each class are shuffled first.

    Returns:
        int8 `(n,)`: 0 = train, 1 = val, 2 = test.
    """
    ranks = rank_in_class(y)
    if shuffle_seed is not None:
        for label in np.unique(y):
            members = np.flatnonzero(y == label)
            rng = np.random.default_rng([shuffle_seed, int(label)])
            ranks[members] = rng.permutation(len(members))
    sizes = np.array([split_sizes(count, fractions) for count in np.bincount(y)])
    ends = np.cumsum(sizes, axis=1)[y]
    return ((ranks >= ends[:, 0]).astype(np.int8) + (ranks >= ends[:, 1])).astype(np.int8)


def split_groups(y, groups, fractions, *, shuffle_seed=None):
    """Assign each sample to a split so that no group is in two of them.

    The groups take turns, the largest first: each goes to the split that lacks most of what it
    brings, counted in shares of each class, so that rare classes weigh as much as common ones.

    Args:
        y: int `(n,)`.
        groups: int `(n,)`: the group of each sample. Of two groups of a size, the lower number
            comes first.
        fractions: shares of train, val and test; they add up to 1.
        shuffle_seed: None, or a seed: groups of a size come in random order.

    Returns:
        int8 `(n,)`: 0 = train, 1 = val, 2 = test; or None where there are fewer groups than splits
        with a share.
    """
    names, members = np.unique(groups, return_inverse=True)
    sizes = np.bincount(members)
    wanted = np.flatnonzero(fractions)
    if len(names) < len(wanted):
        return None
    turns = np.arange(len(names))
    if shuffle_seed is not None:
        turns = np.random.default_rng(shuffle_seed).permutation(len(names))
    turns = turns[np.argsort(-sizes[turns], kind="stable")]
    n_classes = y.max() + 1
    total = np.bincount(y, minlength=n_classes)
    lacking = np.outer(np.array(fractions)[wanted], np.ones(n_classes))  # in shares of a class
    y_by_group = np.split(y[np.argsort(members, kind="stable")], np.cumsum(sizes)[:-1])
    chosen = np.empty(len(names), np.int8)
    for group in turns.tolist():
        counts = np.bincount(y_by_group[group], minlength=n_classes)
        # Rounded, so that ties are ties whatever the order in which a machine adds.
        best = np.argmax(np.round(lacking @ counts, 6))
        lacking[best] -= counts / np.maximum(total, 1)
        chosen[group] = wanted[best]
    for split in wanted:
        if split not in chosen:  # groups of very different sizes: give it the smallest there is
            donor = np.bincount(chosen, minlength=3).argmax()
            candidates = np.flatnonzero(chosen == donor)
            chosen[candidates[sizes[candidates].argmin()]] = split
    return chosen[members]


def last_of_each_class(y, share):
    """Return which samples are the last ones of their class.

    Args:
        y: int `(n,)`.
        share: of each class, 0..1; a class with 2 or more samples gives at least one.

    Returns:
        bool `(n,)`.
    """
    counts = np.bincount(y)
    moved = np.where(counts >= 2, np.maximum(1, (counts * share + 1e-9).astype(np.int64)), 0)
    return rank_in_class(y) >= (counts - moved)[y]


def last_to_val(y, splits, share):
    """Move the last share of each class of train to val, where a source has no val."""
    splits = splits.copy()
    members = np.flatnonzero(splits == 0)
    splits[members[last_of_each_class(y[members], share)]] = 1
    return splits


def interleave(y):
    """Return an order in which the first samples of all classes come first, then the second ones.

    Any stretch of the data holds all classes, as in the original's datasets.
    """
    return np.lexsort((y, rank_in_class(y)))


def assign(y, source_splits, groups, fractions, shuffle_seed):
    """Decide which split each sample goes to.

    Args:
        y: int32 `(n,)`, labels.
        source_splits: int8 `(n,)`, indexes in SPLITS, where the source has splits; or None.
        groups: int `(n,)`, or None where none are known or they need not be kept apart.
        fractions: shares of train, val and test, where the source has no splits; where it has,
            but no val, the second is what val takes of train.
        shuffle_seed: None or a seed.

    Returns:
        `(splits, rule)`: int8 `(n,)`, indexes in SPLITS; and the rule in words.
    """
    order = "in file order" if shuffle_seed is None else f"shuffled with seed {shuffle_seed}"
    if source_splits is not None:
        rule = "as the source has it"
        share = fractions[1]
        if SPLITS.index("val") in source_splits or not share:
            return source_splits, rule
        splits, train = source_splits.copy(), np.flatnonzero(source_splits == 0)
        if groups is not None and len(train):
            moved = split_groups(y[train], groups[train], (1 - share, share, 0))
            if moved is not None:
                splits[train] = moved
                return splits, f"{rule}; val is {100 * share:g} % of train, in whole groups"
        return (
            last_to_val(y, splits, share),
            f"{rule}; val is the last {100 * share:g} % of each class of train",
        )
    shares = "/".join(f"{100 * fraction:g}" for fraction in fractions)
    if groups is not None:
        splits = split_groups(y, groups, fractions, shuffle_seed=shuffle_seed)
        if splits is not None:
            return splits, f"{shares}, whole groups at a time"
    splits = split_by_class(y, fractions, shuffle_seed=shuffle_seed)
    return splits, f"{shares} of each class, {order}"
