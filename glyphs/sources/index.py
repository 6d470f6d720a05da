"""What a source of pictures holds, found without decoding a picture.

A reader (one module per kind of source) takes a `listing.Listing`, finds the samples and returns an
`Index`. The pictures are decoded later, by worker processes, which are sent `Index.samples` in
chunks. Neither this module nor a chunk imports NumPy, so that the workers start fast.
"""

import collections
import dataclasses
import os

from glyphs.parallel import FEW

SPLITS = ("train", "val", "test")
FRACTIONS = (0.8, 0.1, 0.1)  # of these, unless told otherwise

# What people call splits, in lower case.
_SPLIT_NAMES = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev"), "val"),
    **dict.fromkeys(("test", "testing"), "test"),
}

# Name of a reader -> its module. They are asked whether a source is theirs, from last to first.
READERS = {
    "folders": "folders",
    "table": "table",
    "gnt": "gnt",
    "etl8b": "etl",
    "etl8g": "etl",
    "etl9b": "etl",
    "etl9g": "etl",
    "kmnist": "mnist",
    "kaggle": "kaggle",
}


def split_named(name):
    """Return the split that a folder or a cell of a table names, or None.

    >>> split_named("Training"), split_named("dev"), split_named("other")
    ('train', 'val', None)
    """
    return _SPLIT_NAMES.get(name.lower())


class Samples:
    """Where the pictures of a source lie. Each way of storing them has a subclass.

    Attributes:
        few: starting a worker process takes about as long as decoding this many samples.
    """

    few = FEW

    def __len__(self):
        raise NotImplementedError

    def name(self, number):
        """Return what to call sample `number` in messages: a path, or a record of a file."""
        raise NotImplementedError

    def pictures(self):
        """Yield each sample in order: a PIL image of mode "L", or the PictureError that names it.

        Of picture files, its `info` tells how they are stored: see `decode.read_picture`.
        """
        raise NotImplementedError

    def chunk(self, numbers):
        """Return some of the samples, for a worker process to decode.

        Args:
            numbers: sequence of int.

        Returns:
            Samples of the same class, those of these numbers in this order. They hold nothing that
            the others need, and no NumPy arrays, so they are small when pickled.
        """
        raise NotImplementedError

    def runs(self, numbers, size):
        """Cut `numbers` into runs that make good chunks.

        Args:
            numbers: sequence of int that can be sliced.
            size: about how many samples a chunk should hold.
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
    """What a user may tell the readers; each uses what applies to it.

    Attributes:
        label_regex: text or None: the class is what this finds in a picture's relative path (its
            group `label`, else its first group, else the whole match).
        class_map: path of a table of class numbers and characters, or None.
        transpose: whether to swap the rows and columns of arrays: True, False, or None: as the
            files' names suggest.
        margin: fraction of a box's sides by which crops of pages are widened on each side.
        reader: the name of the reader that the user asked for, or None: told from the content.
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
        label_encoding: where the format says it; see characters.character_of.
        is_framed: whether all images were cut out and framed alike by those who made the data.
        skipped: how many files were passed over, by reason.
        damaged: `(name, reason)` of samples already known to be unreadable.
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
    is_framed: bool = False
    skipped: collections.Counter = dataclasses.field(default_factory=collections.Counter)
    damaged: list = dataclasses.field(default_factory=list)
    notes: list = dataclasses.field(default_factory=list)
    root: str = ""

    @property
    def sample_numbers(self):
        """`numbers` as a sequence of int, even where it is None."""
        return range(len(self.samples)) if self.numbers is None else self.numbers

    def name(self, number):
        """Return what sample `number` of `samples` is called within the source.

        Of a picture file its path in the folder or archive; of a record `FILE at byte N`; of an
        image in an array `FILE[N]` or, where the file holds several, `FILE:ARRAY[N]`; of a box
        `PAGE, box N`. Of a single file's samples the paths begin in the folder that it lies in.
        """
        name = self.samples.name(number)
        above = os.path.join(self.root, "")  # "" where the source is a file of this folder
        return name[len(above) :].lstrip(os.sep) if above and name.startswith(above) else name
