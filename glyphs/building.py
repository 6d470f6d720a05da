"""Build a `characters_dataset`: decode in parallel, split what could be read, write."""

import collections
import dataclasses
import itertools
import time

import numpy as np

from glyphs import datasets, files, parallel, splitting
from glyphs.decoding import decode_chunk
from glyphs.errors import PictureError, UsageError
from glyphs.readers import SPLITS

CHUNK = 128  # pictures a worker decodes at a time; fewer if they are more than CHUNK_BYTES
CHUNK_BYTES = 1 << 24


@dataclasses.dataclass
class Groups:
    """The groups of a dataset, such as its writers.

    Attributes:
        kind: what a group is; None where none are known.
        names: for each split the names of the groups in it.
        n_groups: how many there are.
        n_crossing: how many of them are in a second (or third) split too.
    """

    kind: str | None = None
    names: dict = dataclasses.field(default_factory=dict)
    n_groups: int = 0
    n_crossing: int = 0

    def to_json(self):
        if self.kind is None:
            return None
        return {"kind": self.kind, "kept_apart": not self.n_crossing, **self.names}


@dataclasses.dataclass
class Summary:
    """What building a dataset did, for the user."""

    class_names: list
    counts: dict  # split -> int64 (n_classes,)
    split_rule: str
    groups: Groups
    polarities: collections.Counter
    skipped: collections.Counter
    unreadable: list  # (path, reason)
    left_out: list  # classes without a readable picture
    polarity_told: str | None = None  # the source's own, where its format says which
    seconds: float = 0.0
    pictures_per_second: float = 0.0


def build(
    index,
    path,
    preprocessing,
    *,
    selection=None,
    fractions=(0.8, 0.1, 0.1),
    shuffle_seed=None,
    label_encoding=None,
    strict=False,
    workers=None,
    progress=None,
):
    """Decode the samples of an index, split them and write a `characters_dataset`.

    Args:
        index: a readers.Index.
        path: the file to write; an existing one is replaced at the end.
        preprocessing: how to turn pictures into images; its majority is decided here.
        selection: dict: how the index was chosen from the source, to store in the manifest.
        fractions: shares of train, val and test, where the index has no splits.
        shuffle_seed: None (split by file order) or a seed.
        label_encoding: what four hex digits mean in class names (see labels.character).
        strict: stop at unreadable pictures instead of leaving them out.
        workers: number of processes; None: one per core. The result does not depend on it.
        progress: None, or a function called with the number of pictures decoded so far.

    Returns:
        A Summary.

    Raises:
        PictureError: with `strict`, a picture cannot be read.
        UsageError: fewer than two classes have readable pictures.
        StorageError: no space or no permission.
    """
    started = time.perf_counter()
    height, width = preprocessing.image_size
    numbers = index.sample_numbers
    count = len(numbers)
    workers = workers or parallel.workers_for(count, few=index.samples.few)
    # The scratch file and the final file exist at the same time.
    needed = 2 * count * height * width
    files.check_can_write(path, needed)
    scratch = files.temporary(f"{path}.scratch")
    try:
        with files.storage_errors(path, needed):
            with open(scratch, "wb") as file:
                file.truncate(count * height * width)
            as_told = preprocessing
            if preprocessing.polarity == "auto" and index.polarity:
                as_told = dataclasses.replace(preprocessing, polarity=index.polarity)
            decoded = _decode_all(index.samples, numbers, as_told, scratch, workers, progress)
            polarities = collections.Counter(p for p in decoded.polarities if p)
            if polarities["light-on-dark"] > polarities["dark-on-light"]:
                preprocessing = dataclasses.replace(preprocessing, majority="light-on-dark")
                undecided = decoded.undecided
                _decode_again(index.samples, numbers, undecided, preprocessing, scratch)
        decoded.unreadable = index.damaged + decoded.unreadable
        if strict and decoded.unreadable:
            raise _strict_error(decoded.unreadable, path)
        y, splits, summary = _split(index, decoded, fractions, shuffle_seed)
        summary.polarities = collections.Counter(p or "undecided" for p in decoded.polarities)
        summary.polarity_told = index.polarity
        manifest = {
            "source": index.source,
            "reader": index.reader,
            "selection": selection or {},
            "split": summary.split_rule,
            "groups": summary.groups.to_json(),
            "unreadable": len(decoded.unreadable),
        }
        pool = np.memmap(scratch, np.uint8, "r", shape=(count, height, width)) if count else None
        try:
            datasets.write(
                path,
                {name: (pool, samples, y[samples]) for name, samples in splits.items()},
                summary.class_names,
                preprocessing,
                manifest,
                label_encoding=label_encoding or index.label_encoding,
            )
        finally:
            del pool
    finally:
        files.remove(scratch)
    summary.seconds = time.perf_counter() - started
    summary.pictures_per_second = count / summary.seconds
    return summary


@dataclasses.dataclass
class _Decoded:
    polarities: list  # one per sample; None = undecided or unreadable
    undecided: list  # sample numbers
    unreadable: list  # (path, reason)
    readable: np.ndarray  # bool, one per sample


def _decode_all(samples, numbers, preprocessing, scratch, workers, progress):
    decoded = _Decoded([], [], [], np.ones(len(numbers), bool))
    height, width = preprocessing.image_size
    size = min(CHUNK, max(1, CHUNK_BYTES // (height * width)))
    tasks = _tasks(samples, samples.runs(numbers, size), preprocessing, scratch)
    done = 0
    for polarities, failures in parallel.run_ordered(decode_chunk, tasks, workers=workers):
        for i, error in failures:
            decoded.unreadable.append((error.path, error.reason))
            decoded.readable[done + i] = False
        decoded.undecided += [
            done + i for i, p in enumerate(polarities) if p is None and decoded.readable[done + i]
        ]
        decoded.polarities += [p for i, p in enumerate(polarities) if decoded.readable[done + i]]
        done += len(polarities)
        if progress:
            progress(done)
    return decoded


def _tasks(samples, runs, preprocessing, scratch):
    start = 0
    for run in runs:
        chunk = samples.chunk([int(number) for number in run])
        yield chunk, preprocessing, scratch, range(start, start + len(run))
        start += len(run)


def _decode_again(samples, numbers, undecided, preprocessing, scratch):
    """Decode again the pictures without a polarity of their own, now that the majority is known."""
    slots = iter(undecided)
    for run in samples.runs([int(numbers[slot]) for slot in undecided], CHUNK):
        decode_chunk(
            samples.chunk(run), preprocessing, scratch, list(itertools.islice(slots, len(run)))
        )


def _strict_error(unreadable, path):
    first, reason = unreadable[0]
    more = f" (and {len(unreadable) - 1} more)" if len(unreadable) > 1 else ""
    return PictureError(first, f"{reason}{more}; {path} was not written because of --strict")


def _split(index, decoded, fractions, shuffle_seed):
    """Return `(y, splits, summary)`: labels of all samples, and sample numbers in final order."""
    old_y = np.array(index.labels, np.int32)
    samples = np.flatnonzero(decoded.readable)
    kept = np.unique(old_y[samples])
    class_names = [index.class_names[i] for i in kept]
    left_out = [name for i, name in enumerate(index.class_names) if i not in set(kept.tolist())]
    if len(class_names) < 2:
        first = "; {}: {}".format(*decoded.unreadable[0]) if decoded.unreadable else ""
        raise UsageError(
            f"{index.source}: {len(class_names)} classes with readable pictures; a classifier "
            f"needs at least 2 classes with pictures{first}"
        )
    y = np.searchsorted(kept, old_y).astype(np.int32)
    groups = None if index.groups is None else np.asarray(index.groups)[samples]
    source_splits = None if index.splits is None else np.asarray(index.splits, np.int8)[samples]
    assigned, rule = assign(y[samples], source_splits, groups, fractions, shuffle_seed)
    splits, counts = {}, {}
    for number, name in enumerate(SPLITS):
        members = samples[assigned == number]
        splits[name] = members[splitting.interleave(y[members])]
        counts[name] = np.bincount(y[members], minlength=len(class_names))
    if not len(splits["train"]):
        raise UsageError(f"{index.source}: no pictures for the train split")
    summary = Summary(
        class_names,
        counts,
        rule,
        _groups(index, groups, assigned),
        collections.Counter(),
        index.skipped,
        decoded.unreadable,
        left_out,
    )
    return y, splits, summary


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
            moved = splitting.split_groups(y[train], groups[train], (1 - share, share, 0))
            if moved is not None:
                splits[train] = moved
                return splits, f"{rule}; val is {100 * share:g} % of train, in whole groups"
        return (
            splitting.last_to_val(y, splits, share),
            f"{rule}; val is the last {100 * share:g} % of each class of train",
        )
    shares = "/".join(f"{100 * fraction:g}" for fraction in fractions)
    if groups is not None:
        splits = splitting.split_groups(y, groups, fractions, shuffle_seed=shuffle_seed)
        if splits is not None:
            return splits, f"{shares}, whole groups at a time"
    splits = splitting.split_by_class(y, fractions, shuffle_seed=shuffle_seed)
    return splits, f"{shares} of each class, {order}"


def _groups(index, groups, assigned):
    if groups is None:
        return Groups()
    names = {
        split: [index.group_names[group] for group in np.unique(groups[assigned == number])]
        for number, split in enumerate(SPLITS)
    }
    n_groups = len(np.unique(groups))
    n_crossing = sum(map(len, names.values())) - n_groups
    return Groups(index.group_kind, names, n_groups, n_crossing)
