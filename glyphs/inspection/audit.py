"""Look at every picture of a source, and keep what findings and reports need, in flat arrays."""

import collections
import dataclasses
import itertools
import os

import numpy as np

from glyphs import parallel
from glyphs.dataset.select import n_covering
from glyphs.images.decode import MIN_CONTRAST
from glyphs.inspection import audit_worker
from glyphs.sources.index import SPLITS, Index

CHUNK = 128  # pictures that a worker looks at in one go

FACTS = np.dtype(  # audit_worker.RECORD
    [
        ("digest", "<u8", 2), ("width", "<u4"), ("height", "<u4"), ("ink", "<u4"),
        ("contrast", "u1"), ("polarity", "u1"), ("mode", "u1"), ("alpha", "u1"),
    ]
)  # fmt: skip

# A dot by a ballpoint pen, 0.7 mm wide, covers 0.17 % of a cell of 15 mm, and a thin 一 ten times
# as much: anything less is dust. In a picture of 28 pixels, a dot is 2 x 2.
MIN_INK = 0.001
MIN_INK_PIXELS = 4


@dataclasses.dataclass(frozen=True)
class Audit:
    """What all pictures of a source are like. Positions count its samples from 0.

    Attributes:
        index: the index.Index.
        facts: FACTS `(n,)`.
        reasons: dict, position -> why the picture there cannot be read.
        labels: int32 `(n,)`.
        splits: int8 `(n,)`, or None where the source has no splits.
        counts: int64 `(3, n_classes)`: readable pictures of each split and class; without splits
            `(1, n_classes)`.
        characters: for each class the character that it stands for, or None.
        groups: dict, split (see split_names) -> names of the groups in it; None where no groups
            are known.
        coverage: share of the pictures that the most frequent classes are to make up.
    """

    index: Index
    facts: np.ndarray
    reasons: dict
    labels: np.ndarray
    splits: np.ndarray | None
    counts: np.ndarray
    characters: list
    groups: dict | None
    coverage: float

    @property
    def readable(self):
        """Which pictures could be read: bool `(n,)`."""
        return self.facts["width"] > 0

    @property
    def blank(self):
        """Which readable pictures show nothing: bool `(n,)`.

        Some characters are a dot, as the zero of Arabic is: where half of a class has hardly any
        ink, that is how it is written.
        """
        facts, readable = self.facts, self.readable
        pixels = facts["width"].astype(np.float64) * facts["height"]
        is_dot = facts["ink"] < np.maximum(MIN_INK_PIXELS, MIN_INK * pixels)
        is_dot &= readable & (facts["contrast"] >= MIN_CONTRAST)
        n_classes = len(self.index.class_names)
        dots, all_ = (
            np.bincount(self.labels[which], minlength=n_classes) for which in (is_dot, readable)
        )
        is_usual = 2 * dots >= np.maximum(all_, 1)
        return readable & ((facts["contrast"] < MIN_CONTRAST) | (is_dot & ~is_usual[self.labels]))

    @property
    def is_dataset(self):
        """Whether the pictures come from a dataset, where all are resized and converted already."""
        return self.index.reader == "dataset"

    @property
    def pictures_per_class(self):
        """Readable pictures: int64 `(n_classes,)`."""
        return self.counts.sum(axis=0)

    @property
    def split_names(self):
        """The splits that hold samples, as text; [None] where the source has no splits."""
        if self.splits is None:
            return [None]
        return [name for i, name in enumerate(SPLITS) if (self.splits == i).any()]

    def counts_of(self, split):
        """Return the readable pictures of a split of `split_names`: int64 `(n_classes,)`."""
        return self.counts[SPLITS.index(split) if split else 0]

    def name(self, position):
        """Return what to call a sample: a path, or a record of a file."""
        return self.index.samples.name(int(self.index.sample_numbers[position]))

    def class_name(self, position):
        return self.index.class_names[self.labels[position]]

    def split(self, position):
        return None if self.splits is None else SPLITS[self.splits[position]]

    def polarities(self):
        """Return how many readable pictures have each polarity: a Counter."""
        if self.index.polarity:
            return collections.Counter({self.index.polarity: int(self.readable.sum())})
        return self._counter("polarity", [p or "undecided" for p in audit_worker.POLARITIES])

    def modes(self):
        """Return how many readable pictures are stored in each of Pillow's modes: a Counter."""
        return self._counter("mode", audit_worker.MODES)

    def _counter(self, field, names):
        counts = np.bincount(self.facts[field][self.readable], minlength=len(names)).tolist()
        return +collections.Counter(dict(zip(names, counts, strict=True)))

    def quartiles(self):
        """Return the minimum, quartiles and maximum of heights, widths and width / height.

        Returns:
            dict of name -> five numbers; None where no picture could be read, or where the
            pictures come from a dataset.
        """
        if self.is_dataset or not self.readable.any():
            return None
        facts = self.facts[self.readable]
        height, width = (facts[side].astype(np.float64) for side in ("height", "width"))
        values = {"height": height, "width": width, "width / height": width / height}
        return {
            name: [round(q, 3) for q in np.percentile(v, (0, 25, 50, 75, 100)).tolist()]
            for name, v in values.items()
        }

    def n_groups(self):
        """Return how many groups there are."""
        return len(set(itertools.chain.from_iterable(self.groups.values())))

    def covering(self):
        """Return how many classes create_dataset.py --coverage would keep."""
        return n_covering(self.pictures_per_class, self.coverage)


def measure(
    index, characters, groups=None, *, coverage=0.9, workers=None, progress=parallel.unseen
):
    """Look at all pictures of an index.

    Args:
        index: an index.Index.
        characters, groups, coverage: see Audit.
        workers: number of processes; None: one per core. The result does not depend on it.
        progress: called with the number of pictures looked at so far, and that of all.

    Returns:
        An Audit.
    """
    count = len(index.labels)
    facts, reasons = np.zeros(count, FACTS), {}
    done = 0
    tasks = _tasks(index, range(count), CHUNK)
    workers = workers or parallel.workers_for(count, few=index.samples.few)
    results = parallel.run_ordered(audit_worker.inspect_chunk, tasks, workers=workers)
    for records, failures in results:
        block = np.frombuffer(records, FACTS)
        facts[done : done + len(block)] = block
        reasons.update((done + i, reason) for i, reason in failures)
        done += len(block)
        progress(done, len(index.labels))
    y = np.asarray(index.labels, np.int32)
    splits = None if index.splits is None else np.asarray(index.splits, np.int8)
    counts = np.zeros((1 if splits is None else len(SPLITS), len(index.class_names)), np.int64)
    readable = facts["width"] > 0
    np.add.at(counts, (0 if splits is None else splits[readable], y[readable]), 1)
    return Audit(index, facts, reasons, y, splits, counts, characters, groups, coverage)


def thumbnails(audit, positions, side, *, workers=None):
    """Decode some pictures again, and shrink or enlarge them.

    Args:
        audit: an Audit.
        positions: iterable of int.
        side: pixels of the longer side.
        workers: number of processes; None: one per core.

    Returns:
        dict, position -> PIL image of mode "L", in the polarity it is stored in; without the
        unreadable ones.
    """
    from PIL import Image

    positions = sorted({int(position) for position in positions})
    tasks = ((*task, side) for task in _tasks(audit.index, positions, CHUNK))
    workers = workers or parallel.workers_for(len(positions), few=audit.index.samples.few)
    chunks = parallel.run_ordered(audit_worker.shrink_chunk, tasks, workers=workers)
    return {
        position: Image.frombytes("L", small[:2], small[2])
        for position, small in zip(positions, itertools.chain.from_iterable(chunks), strict=True)
        if small is not None
    }


def _tasks(index, positions, size):
    numbers = np.asarray(index.sample_numbers)[np.asarray(positions, np.int64)]
    for run in index.samples.runs(numbers, size):
        yield (index.samples.chunk([int(number) for number in run]),)


def groups_by_split(index):
    """Return the groups of an index, as described in Audit.groups."""
    if index.groups is None:
        return None
    groups = np.asarray(index.groups)
    splits = np.zeros(len(groups)) if index.splits is None else np.asarray(index.splits)
    names = (None,) if index.splits is None else SPLITS
    return {
        name: [index.group_names[group] for group in np.unique(groups[splits == number]).tolist()]
        for number, name in enumerate(names)
    }


def groups_of_dataset(dataset):
    """Return the groups of a open.Dataset, as described in Audit.groups."""
    groups = dataset.manifest["groups"]
    return groups and {split: groups[split] for split in SPLITS}


def index_dataset(dataset):
    """Return the Index of a open.Dataset: what its train, val and test arrays hold."""
    parts = [(f"X_{split}", 0, getattr(dataset, f"X_{split}")) for split in SPLITS]
    y = [getattr(dataset, f"y_{split}") for split in SPLITS]
    index = Index(
        os.path.basename(os.path.abspath(dataset.path)),
        "dataset",
        dataset.class_names,
        audit_worker.DatasetImages(dataset.X_train.shape[1:], parts),
        np.concatenate(y),
        group_kind=(dataset.manifest["groups"] or {}).get("kind"),
        splits=np.repeat(np.arange(len(SPLITS), dtype=np.int8), [len(part) for part in y]),
    )
    if dataset.X_train_elastic is not None:
        index.notes.append(
            f"its {len(dataset.X_train_elastic):,} distorted images are not looked at"
        )
    return index
