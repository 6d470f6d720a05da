"""Labelled pictures that a model is asked about: of any source, or of a finished dataset."""

import contextlib
import dataclasses
import os
import tempfile

import numpy as np

from glyphs.characters import character_of, completed, is_code, matched, numbers_of
from glyphs.dataset.open import is_dataset, open_dataset
from glyphs.errors import UsageError
from glyphs.images.preprocessing import Preprocessing
from glyphs.inspection.audit import index_dataset
from glyphs.sources.index import SPLITS, Index, Options
from glyphs.sources.opening import open_index


class NoSplitError(UsageError):
    """The source has no pictures in the split that is wanted."""


@dataclasses.dataclass
class Labelled:
    """Pictures whose class a model knows.

    Classes are matched by name, else by character, never by number. Where several classes of the
    source mean one of the model, as 漢 and U+6F22 do, their pictures all count as of that one.

    Attributes:
        source: the name of the source.
        index: the sources.index.Index that they are in.
        positions: int `(n,)`: which of the index's samples they are, in its order.
        labels: int32 `(n,)`: the class of each, as the model numbers them.
        class_names: the model's classes.
        unknown: `{class name: pictures}` of the classes that the model lacks.
        absent: the model's classes that the data lack.
        split: "train", "val" or "test", or None: all that there is.
        preprocessing: that of a dataset's images; None: the pictures are as they were brought.
        kept: what a dataset keeps of its pictures' names, in the order of the index, or None.
    """

    source: str
    index: Index
    positions: np.ndarray
    labels: np.ndarray
    class_names: list
    unknown: dict
    absent: list
    split: str | None
    preprocessing: Preprocessing | None
    kept: list | None = None

    def __len__(self):
        return len(self.positions)

    def _numbers(self, which):
        numbers = self.index.sample_numbers
        return [int(numbers[position]) for position in self.positions[which].tolist()]

    def names(self, which):
        """Return what some of the pictures are called.

        Args:
            which: int array, numbers among these pictures.
        """
        return [self.index.samples.name(number) for number in self._numbers(which)]

    @property
    def can_be_corrected(self):
        """Whether it is known what the pictures are called within the source they are from."""
        return self.preprocessing is None or self.kept is not None

    def names_in_source(self, which):
        """Return what some of the pictures are called within the source, for corrections.

        Args:
            which: int array, numbers among these pictures.
        """
        if self.kept is not None:
            return [self.kept[position] for position in self.positions[which].tolist()]
        return [self.index.name(number) for number in self._numbers(which)]

    def sizes_done(self, preprocessing):
        """Return how many of a model's image sizes the images of this dataset went through already.

        A network may resize a dataset that was made at another size. 0: pictures as they were
        brought, or images that were made otherwise than the model wants them.
        """
        if self.preprocessing is None:
            return 0
        done = len(self.preprocessing.image_sizes)
        begun = dataclasses.replace(preprocessing, image_sizes=preprocessing.image_sizes[:done])
        return done if begun == self.preprocessing else 0

    def chunk(self, which):
        """Return some of the pictures as index.Samples, for a worker process to decode."""
        return self.index.samples.chunk(self._numbers(which))


@contextlib.contextmanager
def open_labelled(
    source,
    class_names,
    characters,
    *,
    split=None,
    options=None,
    reader=None,
    label_encoding=None,
):
    """Open the pictures of a source whose classes a model knows.

    Args:
        source: path of a dataset, or of whatever create_dataset.py reads.
        class_names: the model's.
        characters: the character of each, or None.
        split: "train", "val", "test", "all", or None: of a dataset test; of other sources all.
        options: sources.index.Options.
        reader: name of the reader; None: told from the content.
        label_encoding: None, or what class names of four hex digits mean where neither the source
            nor the model tells; see characters.character_of.

    Yields:
        Labelled.

    Raises:
        NoSplitError: there are no pictures in that split.
        UsageError: no picture is left.
        GlyphsError: the source cannot be read.
    """
    theirs = class_names, completed(class_names, characters, label_encoding)
    if is_dataset(source):
        dataset = open_dataset(source)
        own = completed(dataset.class_names, dataset.characters, label_encoding)
        labelled = _matched(
            index_dataset(dataset), own, *theirs, split or "test", source, dataset.preprocessing
        )
        labelled.kept = dataset.names
        yield labelled
        return
    with tempfile.TemporaryDirectory(prefix="evaluate.") as folder:
        scratch = os.path.join(folder, "unpacked")
        with open_index(source, options or Options(), scratch=scratch, reader=reader) as index:
            encoding = index.label_encoding or label_encoding
            own = [character_of(name, encoding) for name in index.class_names]
            yield _matched(index, own, *theirs, split or "all", source, None)


def _matched(index, own, class_names, characters, split, source, preprocessing):
    """Return the Labelled of an index: what is in the split, and known to the model.

    `own` are the characters of the index's classes, or None.
    """
    labels = np.asarray(index.labels, np.int64)
    in_split = np.ones(len(labels), bool)
    if split != "all":
        if index.splits is not None:
            in_split = np.asarray(index.splits) == SPLITS.index(split)
        if index.splits is None or not in_split.any():
            raise NoSplitError(f"{source}: has no split {split}; --split all takes all pictures")
    found = matched(index.class_names, own, numbers_of(class_names, characters))
    known = np.array([-1 if number is None else number for number in found], np.int32)
    counts = np.bincount(labels[in_split], minlength=len(index.class_names))
    pairs = zip(index.class_names, counts.tolist(), known.tolist(), strict=True)
    unknown = {name: count for name, count, number in pairs if count and number < 0}
    positions = np.flatnonzero(in_split & (known[labels] >= 0)) if len(known) else np.empty(0, int)
    if not len(positions):
        where = "" if split == "all" else f" in its split {split}"
        raise UsageError(
            f"{source}: has no picture of a class that the model knows{where}: "
            f"{_examples(list(unknown), class_names)}"
        )
    found = known[labels[positions]]
    present = set(np.unique(found).tolist())
    absent = [name for number, name in enumerate(class_names) if number not in present]
    return Labelled(
        index.source,
        index,
        positions,
        found,
        class_names,
        unknown,
        absent,
        None if split == "all" else split,
        preprocessing,
    )


def _examples(names, class_names):
    """Return, of classes that do not match, an example of each side, and what to do."""
    if not names:
        return "it has no pictures"
    text = f"it has classes such as {names[0]}, the model such as {class_names[0]}"
    if is_code(names[0]) or is_code(class_names[0]):
        return f"{text}; --label-encoding says what four hex digits mean"
    return f"{text}; name them alike, or by their characters"
