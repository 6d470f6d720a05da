"""What a source of pictures holds, found without decoding a picture.

A reader (one module per kind of source) takes a `listing.Listing`, finds the samples and returns an
`Index`. The pictures are decoded later, in worker processes, from the chunks that `Index.samples`
cuts. Nothing here imports NumPy, so that the workers start fast.
"""

import collections
import dataclasses

SPLITS = ("train", "val", "test")

# What people call splits, in lower case.
SPLIT_NAMES = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev"), "val"),
    **dict.fromkeys(("test", "testing"), "test"),
}

# Name of a reader -> its module. Whether a source is theirs is asked from the last to the first.
READERS = {
    "folders": "folders",
    "table": "table",
    "gnt": "gnt",
    "etl8b": "etl",
    "etl8g": "etl",
    "etl9b": "etl",
    "etl9g": "etl",
    "kmnist": "kmnist",
    "kaggle": "kaggle",
}


class Samples:
    """Where the pictures of a source lie. Each reader has a subclass, or uses `listing`'s.

    Attributes:
        few: starting a worker process costs about as much time as decoding this many samples.
    """

    few = 2000

    def __len__(self):
        raise NotImplementedError

    def name(self, number):
        """Return what to call sample `number` in messages: a path, or a record of a file."""
        raise NotImplementedError

    def chunk(self, numbers):
        """Return the samples of these numbers as a task for a worker process.

        Args:
            numbers: list of int.

        Returns:
            A small picklable object; its method `pictures()` yields, for each number in order, a
            PIL image of mode "L", or the PictureError that says why there is none.
        """
        raise NotImplementedError

    def runs(self, numbers, size):
        """Yield `numbers` in stretches of about `size` that a worker had best decode at a time.

        Args:
            numbers: sequence of int that can be sliced.
            size: how many samples are a good task.
        """
        for start in range(0, len(numbers), size):
            yield numbers[start : start + size]


def match_text(match, name):
    """Return a match's group of this name, else its first group, else all of it."""
    if name in match.re.groupindex:
        return match[name]
    return match[1] if match.re.groups else match[0]


@dataclasses.dataclass(frozen=True)
class Options:
    """What a user may tell the readers; each uses what concerns it.

    Attributes:
        label_regex: text or None: the class is what this finds in a picture's relative path (its
            group `label`, else its first group, else the whole match).
        class_map: path of a table of class numbers and characters, or None.
        transpose: True or False: whether rows and columns are swapped in arrays; None: as the
            files' names tell.
        margin: fraction of a box's sides by which crops of pages are widened on each side.
        reader: the name of the reader that the user asks for, or None: told from the content.
    """

    label_regex: str | None = None
    class_map: str | None = None
    transpose: bool | None = None
    margin: float = 0.0
    reader: str | None = None


@dataclasses.dataclass
class Index:
    """The samples of a source, not yet decoded.

    Attributes:
        source: the name of the source, for the manifest.
        reader: the name of the reader.
        class_names: text, sorted by code point.
        samples: a Samples.
        labels: for each sample the index of its class; list or int array `(n,)`.
        numbers: the samples' numbers in `samples`; None: 0, 1, 2, ...
        splits: for each sample its index in SPLITS, or None where the source has no splits.
        groups: for each sample the index of its group in `group_names`, or None if unknown.
        group_names: text, in the order in which groups go to splits.
        group_kind: what a group is: "writer", "book", ...
        polarity: "dark-on-light" or "light-on-dark" where the format says which it is.
        label_encoding: see labels.character; where the format says it.
        skipped: how many files were passed over, by reason.
        damaged: `(name, reason)` of samples that are known to be unreadable already.
        notes: one line each about what the user may not expect.
        root: path of the folder or archive, with which the samples' names begin.
    """

    source: str
    reader: str
    class_names: list
    samples: Samples
    labels: list
    numbers: list | None = None
    splits: list | None = None
    groups: list | None = None
    group_names: list = dataclasses.field(default_factory=list)
    group_kind: str | None = None
    polarity: str | None = None
    label_encoding: str | None = None
    skipped: collections.Counter = dataclasses.field(default_factory=collections.Counter)
    damaged: list = dataclasses.field(default_factory=list)
    notes: list = dataclasses.field(default_factory=list)
    root: str = ""

    @property
    def sample_numbers(self):
        """The numbers in `samples`, spelled out: a sequence of int."""
        return range(len(self.samples)) if self.numbers is None else self.numbers
