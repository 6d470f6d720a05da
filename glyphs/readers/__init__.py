"""One module per kind of source: each finds the samples first and leaves decoding for later."""

import collections
import dataclasses

SPLITS = ("train", "val", "test")


@dataclasses.dataclass
class Index:
    """The samples of a source, not yet decoded.

    Attributes:
        source: the name of the source, for the manifest.
        class_names: text, sorted by code point.
        paths: one picture file per sample, classes one after another, in natural order within.
        labels: for each sample the index of its class.
        splits: for each sample "train", "val" or "test", or None where the source has no splits.
        skipped: how many files were passed over, by reason.
        notes: one line each about what the user may not expect.
    """

    source: str
    class_names: list = dataclasses.field(default_factory=list)
    paths: list = dataclasses.field(default_factory=list)
    labels: list = dataclasses.field(default_factory=list)
    splits: list | None = None
    skipped: collections.Counter = dataclasses.field(default_factory=collections.Counter)
    notes: list = dataclasses.field(default_factory=list)
