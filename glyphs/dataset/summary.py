"""What building a dataset did, in words for the user."""

import collections
import dataclasses

from glyphs.errors import one_line


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
    """What building a dataset did.

    Attributes:
        class_names: text, of the dataset.
        counts: for "train", "val" and "test" the pictures of each class, int64 `(n_classes,)`.
        split_rule: how the pictures were split, in words.
        groups: Groups.
        polarities: how many pictures have each polarity, or "undecided".
        skipped: how many files were passed over, by reason.
        unreadable: `(path, reason)` of each picture that was left out.
        left_out: names of classes without a readable picture.
        polarity_told: the polarity of all pictures where the source's format says it, else None.
        preprocessing: Preprocessing that made the images, as it was asked for.
        selection: what was chosen from the source, as select.select returns it.
        is_replaced: whether there was a dataset of this name before.
        seconds: how long it took.
        pictures_per_second: how many pictures were decoded in a second.
    """

    class_names: list
    counts: dict
    split_rule: str
    groups: Groups
    polarities: collections.Counter
    skipped: collections.Counter
    unreadable: list
    left_out: list
    polarity_told: str | None = None
    preprocessing: object = None
    selection: dict = dataclasses.field(default_factory=dict)
    is_replaced: bool = False
    seconds: float = 0.0
    pictures_per_second: float = 0.0


def report(summary, path, settings, *, say, warn):
    """Say what is in a dataset that was built, and what in it deserves a look.

    Args:
        summary: Summary.
        path: the dataset.
        settings: build.Settings with which it was built.
        say: called with each line about the dataset.
        warn: called with each line about what is missing or odd.
    """
    for line in _unreadable(summary):
        warn(line)
    for line in _describe(summary, path, settings):
        say(line)
    for line in _warnings(summary):
        warn(line)


def _describe(summary, path, settings):
    totals = sum(summary.counts.values())
    replaced = " (the file that was there is replaced)" if summary.is_replaced else ""
    how = ", ".join(_preparation(summary.preprocessing))
    yield f"{path}: written{replaced}"
    yield f"  {totals.sum():,} pictures of {len(totals)} classes, {how}"
    for name, split in summary.counts.items():
        yield f"  {name:<6}{split.sum():>9,} pictures, {(split > 0).sum():,} classes"
    yield f"  split: {summary.split_rule}"
    yield f"  groups: {_groups(summary.groups, settings.selection.groups)}"
    for line in _selection(summary.selection):
        yield f"  {line}"
    yield f"  pictures a class: {_pictures_per_class(totals, summary.class_names)}"
    yield f"  polarity: {_polarity(summary, summary.preprocessing)}"
    skipped = [f"{n:,} {reason}" for reason, n in sorted(summary.skipped.items())]
    n_blank = sum(reason.startswith("blank") for _, reason in summary.unreadable)
    if n_blank:
        skipped.append(f"{n_blank:,} blank")
    if len(summary.unreadable) > n_blank:
        skipped.append(f"{len(summary.unreadable) - n_blank:,} unreadable")
    yield f"  skipped: {', '.join(skipped) or 'none'}"
    yield f"  {summary.seconds:.1f} s, {summary.pictures_per_second:,.0f} pictures/s"


def _warnings(summary):
    totals = sum(summary.counts.values())
    if summary.groups.n_crossing:
        yield "the test split holds groups that training sees too; its accuracy will flatter"
    if summary.left_out:
        yield _classes(summary.left_out, "without a readable picture, left out")
    for name, counts in summary.counts.items():
        missing = [c for c, n in zip(summary.class_names, counts, strict=True) if not n]
        if not counts.any():
            yield f"no pictures in {name}"
        elif missing:
            yield _classes(missing, f"without a picture in {name}")
    if totals.max() > 3 * totals.min():
        yield "uneven classes; the rare ones will be recognised worse"


def _unreadable(summary):
    for (path, reason), count in collections.Counter(summary.unreadable).items():
        times = f" ({count:,} times)" if count > 1 else ""
        yield f"{path}: {reason}; left out{times}"


def _preparation(preprocessing):
    height, width = preprocessing.image_size
    yield f"{height}x{width}"
    if preprocessing.crop != "none":
        yield f"cropped to the {preprocessing.crop}"
    yield preprocessing.fit
    if preprocessing.clean != "none":
        yield preprocessing.clean
    if preprocessing.border:
        yield f"border {preprocessing.border}"


def _groups(groups, rule):
    if rule == "none":
        return "not asked for"
    if groups.kind is None:
        return "none known; what one writer wrote may be in several splits (see --groups)"
    if not groups.n_crossing:
        return f"{groups.n_groups:,} ({groups.kind}), each in one split only"
    return f"{groups.n_groups:,} ({groups.kind}), NOT kept apart: some are in several splits"


def _selection(selection):
    if "corrections" in selection:
        facts = selection["corrections"]
        confirmed = f", {facts['confirmed']:,} confirmed" if facts["confirmed"] else ""
        yield (
            f"corrections: {facts['changed']:,} labels changed, {facts['left_out']:,} pictures "
            f"left out as no character{confirmed}"
        )
    if "classes" in selection:
        yield f"classes: the {len(selection['classes']):,} of {selection['classes_from']}"
    if "min_count" in selection:
        yield (
            f"min count: {selection['left_out']:,} classes with fewer than "
            f"{selection['min_count']:,} pictures left out"
        )
    if "coverage" in selection:
        n_rare = len(selection["rare"])
        yield (
            f"coverage: {selection['kept']:,} classes make up {100 * selection['share']:.1f} %, "
            f"{n_rare:,} others are one class, rare"
        )
    if "max_per_class" in selection:
        yield f"at most {selection['max_per_class']:,} pictures of a class"


def _pictures_per_class(totals, class_names):
    fewest, most = totals.argmin(), totals.argmax()
    if totals[fewest] == totals[most]:
        return f"{totals[0]:,}"
    rarest, commonest = (one_line(class_names[i]) for i in (fewest, most))
    return f"{totals[fewest]:,} ({rarest}) to {totals[most]:,} ({commonest})"


def _polarity(summary, preprocessing):
    if preprocessing.polarity != "auto":
        return f"{preprocessing.polarity} (given)"
    if summary.polarity_told:
        return f"{summary.polarity_told} (as the format has it)"
    return ", ".join(f"{n:,} {polarity}" for polarity, n in summary.polarities.most_common())


def _classes(names, problem):
    shown = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
    return f"{len(names)} classes {problem}: {shown}"
