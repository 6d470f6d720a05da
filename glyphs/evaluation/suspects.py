"""Pictures whose label is probably wrong, told by models that have not learned from them.

    guesses = out_of_sample.by_folds(dataset, log=console)
    write_suspects("suspects.csv", dataset, guesses, rank_suspects(guesses))

Source: Northcutt, Jiang, Chuang: Confident Learning: Estimating Uncertainty in Dataset Labels,
Journal of Artificial Intelligence Research 70 (2021): thresholds and the confident joint, scaled to
all pictures of each class, say how many labels are wrong (section 3.1); which they are is told by
self-confidence (3.2). The paper counts and chooses class by class; with few wrong labels a class,
rounding loses many, so here both are done over all classes at once.
"""

import dataclasses

import numpy as np

from glyphs import files
from glyphs.dataset.select import RARE
from glyphs.errors import ArtifactError

TOP = 5  # classes whose probabilities are kept of each picture
COLUMNS = (
    "path", "label", "suggestion", "probability_of_label", "probability_of_suggestion",
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Guesses:
    """What models say about pictures that they have not learned from.

    Not the probabilities of all classes, which of 100,000 pictures and 4,000 classes would be
    1.6 GB, but those that count: of the label, and of the most probable classes.

    Attributes:
        rows: int64 `(n,)`: which pictures of a dataset these are, counted through train, val and
            test.
        labels: int32 `(n,)`: as they are, wrong ones among them.
        of_label: float32 `(n,)`: the probability of the label, 0..1.
        top: int32 `(n, k)`: the most probable classes, the first one first.
        of_top: float32 `(n, k)`: their probabilities.
    """

    rows: np.ndarray
    labels: np.ndarray
    of_label: np.ndarray
    top: np.ndarray
    of_top: np.ndarray

    def __len__(self):
        return len(self.rows)


def guesses_of(probabilities, labels, rows=None):
    """Return the Guesses that the probabilities of all classes come to; for a block of pictures.

    Args:
        probabilities: float `(n, n_classes)`, 0..1.
        labels: int `(n,)`.
        rows: int `(n,)`, see Guesses; None: 0, 1, 2, ...
    """
    labels = np.asarray(labels, np.int32)
    rows = np.arange(len(labels)) if rows is None else np.asarray(rows, np.int64)
    probabilities = np.asarray(probabilities, np.float32)
    k = min(TOP, probabilities.shape[1])
    top = np.argpartition(-probabilities, k - 1, axis=1)[:, :k]
    order = np.argsort(-np.take_along_axis(probabilities, top, 1), axis=1, kind="stable")
    top = np.take_along_axis(top, order, 1).astype(np.int32)
    of_label = probabilities[np.arange(len(labels)), labels]
    return Guesses(rows, labels, of_label, top, np.take_along_axis(probabilities, top, 1))


def joined(parts):
    """Return the Guesses of all parts, in the order of their rows."""
    fields = [field.name for field in dataclasses.fields(Guesses)]
    values = [np.concatenate([getattr(part, name) for part in parts]) for name in fields]
    order = np.argsort(values[0], kind="stable")
    return Guesses(*(value[order] for value in values))


@dataclasses.dataclass(frozen=True)
class Suspects:
    """Pictures whose label is probably wrong, the most suspicious first.

    Attributes:
        places: int64 `(m,)`: which of the Guesses they are.
        rows: int64 `(m,)`: which pictures of the dataset.
        suggestions: int32 `(m,)`: the class that each probably shows.
        of_label, of_suggestion: float32 `(m,)`: probabilities, 0..1.
    """

    places: np.ndarray
    rows: np.ndarray
    suggestions: np.ndarray
    of_label: np.ndarray
    of_suggestion: np.ndarray

    def __len__(self):
        return len(self.rows)


def rank_suspects(guesses):
    """Return the pictures whose label is probably wrong, and what they probably show.

    The threshold of a class is the mean probability that pictures with its label have of it. A
    picture counts as of the most probable class whose threshold it reaches. Of those that count
    with a class's label, some count as of another class: that share of all pictures of the class is
    taken for wrong. As many as that are in all classes together are the suspects: those whose label
    is the least probable. What looks most like its label is none; nor is the only picture of a
    class, which cannot have been learned from others.

    Only the top classes of each picture are looked at. That makes a difference to no more than the
    pictures that reach none of their thresholds.

    Args:
        guesses: Guesses.

    Returns:
        Suspects, by the probability of their label, the lowest first.

    Example:
        >>> probabilities = [[.9, .1], [.8, .2], [.1, .9], [.2, .8], [.7, .3]]
        >>> suspects = rank_suspects(guesses_of(probabilities, [0, 0, 0, 1, 1]))
        >>> suspects.rows, suspects.suggestions
        (array([2, 4]), array([1, 0], dtype=int32))
    """
    counts = np.bincount(guesses.labels)
    can_be = (guesses.top[:, 0] != guesses.labels) & (counts[guesses.labels] > 1)
    places = np.flatnonzero(can_be)
    places = places[np.argsort(guesses.of_label[places], kind="stable")]
    places = places[: estimated_wrong(guesses)]
    return Suspects(
        places,
        guesses.rows[places],
        guesses.top[places, 0],
        guesses.of_label[places],
        guesses.of_top[places, 0],
    )


def estimated_wrong(guesses):
    """Return how many labels are probably wrong; see rank_suspects."""
    n_classes = 1 + max(guesses.labels.max(initial=-1), guesses.top.max(initial=-1))
    counts = np.bincount(guesses.labels, minlength=n_classes)
    sums = np.bincount(guesses.labels, guesses.of_label, minlength=n_classes)
    thresholds = np.divide(sums, counts, where=counts > 0, out=np.full(n_classes, np.inf))
    reached = guesses.of_top >= thresholds[guesses.top]
    counts_as = np.take_along_axis(guesses.top, reached.argmax(axis=1)[:, None], 1)[:, 0]
    is_counted = reached.any(axis=1)
    is_other = is_counted & (counts_as != guesses.labels)
    counted, others = (
        np.bincount(guesses.labels[which], minlength=n_classes) for which in (is_counted, is_other)
    )
    return round(float(np.sum(counts * others / np.maximum(counted, 1))))


def check_names(dataset):
    """Raise ArtifactError unless a dataset keeps the names of its pictures."""
    if dataset.names is None:
        raise ArtifactError(
            f"{dataset.path}: does not keep what its pictures are called; build it again with "
            "create_dataset.py --keep-names, or name the source of the pictures instead"
        )


def write_suspects(path, dataset, guesses, suspects):
    """Write suspects as CSV, the most suspicious first.

    `path`, `label` and `suggestion` are what create_dataset.py --corrections wants as `path`,
    `label` and `correction`. Pictures of the class `rare` of create_dataset.py --coverage, which
    the source does not have, and those that would be moved to it, are left out.

    Args:
        path: of the file.
        dataset: open.Dataset that keeps names.
        guesses: Guesses about its pictures.
        suspects: Suspects among these.

    Returns:
        How many were written.

    Raises:
        ArtifactError: the dataset does not keep the names of its pictures.
        StorageError: no space or no permission.
    """
    check_names(dataset)
    has_rare = "rare" in dataset.manifest.get("selection", {})
    rows = [
        {column: row[column] for column in COLUMNS}
        | {column: f"{row[column]:.4f}" for column in COLUMNS[-2:]}
        for row in suspects_as_dicts(dataset, guesses, suspects)
        if not (has_rare and RARE in (row["label"], row["suggestion"]))
    ]
    files.write_csv(path, COLUMNS, rows)
    return len(rows)


def suspects_as_dicts(dataset, guesses, suspects):
    """Return dicts of what write_suspects writes, and of the `row` of each in the dataset."""
    classes = dataset.class_names
    labels = guesses.labels[suspects.places]
    both = zip(suspects.of_label.tolist(), suspects.of_suggestion.tolist(), strict=True)
    which = zip(suspects.rows.tolist(), labels, suspects.suggestions, both, strict=True)
    return [
        {
            "row": row,
            "path": dataset.names[row],
            "label": classes[label],
            "suggestion": classes[suggestion],
            "probability_of_label": of_label,
            "probability_of_suggestion": of_suggestion,
        }
        for row, label, suggestion, (of_label, of_suggestion) in which
    ]
