"""Build a `characters_dataset`: decode in parallel, split what could be read, write."""

import collections
import dataclasses
import functools
import os
import time

import numpy as np

from glyphs import files, parallel
from glyphs.dataset.corrections import correct, read_corrections
from glyphs.dataset.decoding import decode_again, decode_all, in_processes, on_cluster
from glyphs.dataset.names import rows_of
from glyphs.dataset.select import Selection, read_classes, select
from glyphs.dataset.split import assign, interleave
from glyphs.dataset.summary import Groups, Summary
from glyphs.dataset.write import write_dataset
from glyphs.errors import PictureError, UsageError
from glyphs.images.preprocessing import Preprocessing
from glyphs.sources.index import FRACTIONS, SPLITS, Options
from glyphs.sources.opening import open_index


@dataclasses.dataclass(frozen=True)
class Settings:
    """How a dataset is built.

    Attributes:
        preprocessing: Preprocessing; its majority is decided when the pictures are read.
        framed: what takes its place where the source's images are all framed alike already (see
            index.Index.is_framed); None: nothing does.
        selection: Selection.
        reader: name of the reader; None: told from the content of the source.
        reading: what the readers need to know, index.Options.
        fractions: shares of train, val and test, where the source has no splits of its own.
        shuffle_seed: None (split by file order) or a seed.
        label_encoding: what four hex digits mean in class names; see characters.character_of.
        is_strict: stop at unreadable pictures instead of leaving them out.
        keep_names: store in the manifest what each picture is called within the source (see
            index.Index.name), and which of them belong together.
    """

    preprocessing: Preprocessing
    framed: Preprocessing | None = None
    selection: Selection = dataclasses.field(default_factory=Selection)
    reader: str | None = None
    reading: Options = dataclasses.field(default_factory=Options)
    fractions: tuple = FRACTIONS
    shuffle_seed: int | None = None
    label_encoding: str | None = None
    is_strict: bool = False
    keep_names: bool = False


def from_source(
    source, path, settings, *, workers=None, cluster=None, warn, progress=parallel.unseen
):
    """Build a `characters_dataset` from a folder, an archive or a data file.

    Args:
        source: its path.
        path: the file to write; an existing one is replaced at the end.
        settings: Settings.
        workers: number of processes; None: one per core. The result does not depend on it.
        cluster: None, or the cluster.Cluster whose workers decode; nor does it depend on that.
        warn: called with one line for each thing that the user may not expect.
        progress: called with the number of pictures decoded so far, and that of all.

    Returns:
        A summary.Summary.

    Raises:
        PictureError: a picture cannot be read, and the settings are strict.
        UsageError: the source is missing or none that is known here, or fewer than two classes
            have readable pictures.
        StorageError: no space or no permission.
        LostError: the cluster is gone, or its workers do not see the pictures.
    """
    if cluster:
        source = os.path.abspath(source)  # workers have working folders of their own
    classes_from = settings.selection.classes_from
    corrections_from = settings.selection.corrections_from
    files.refuse_same(path, source, classes_from, settings.reading.class_map, corrections_from)
    files.check_can_write(path)
    is_replaced = os.path.exists(path)
    classes = read_classes(classes_from) if classes_from else None
    corrections = read_corrections(corrections_from) if corrections_from else None
    scratch = files.temporary(f"{os.path.abspath(path) if cluster else path}.unpacked")
    with open_index(source, settings.reading, scratch=scratch, reader=settings.reader) as index:
        for note in index.notes:
            warn(note)
        if settings.framed and index.is_framed:
            settings = dataclasses.replace(settings, preprocessing=settings.framed)
        if _overrules_splits(index, settings):
            warn("the source has splits of its own, which are kept")
        encoding = settings.label_encoding or index.label_encoding
        index, corrected = correct(index, corrections, encoding) if corrections else (index, {})
        index, chosen = select(
            index, settings.selection, classes=classes, shuffle_seed=settings.shuffle_seed
        )
        chosen |= corrected
        summary = from_index(
            index,
            path,
            settings,
            selection=chosen,
            workers=workers,
            cluster=cluster,
            seen=[name for name in (source, scratch) if os.path.exists(name)],
            progress=progress,
        )
    summary.is_replaced = is_replaced
    return summary


def _overrules_splits(index, settings):
    """Return whether options about splits were given that a source with splits has no use for."""
    if index.splits is None:
        return False
    if settings.shuffle_seed is not None:
        return True
    return settings.fractions != FRACTIONS and SPLITS.index("val") in index.splits


def from_index(
    index,
    path,
    settings,
    *,
    selection=None,
    workers=None,
    cluster=None,
    seen=(),
    progress=parallel.unseen,
):
    """Decode the samples of an index, split them and write a `characters_dataset`.

    Args:
        index: an index.Index.
        path: the file to write; an existing one is replaced at the end.
        settings: Settings; those about the source and the selection are not looked at.
        selection: dict: how the index was chosen from the source, to store in the manifest.
        workers: number of processes; None: one per core. The result does not depend on it.
        cluster: None, or the cluster.Cluster whose workers decode; nor does it depend on that.
        seen: the files and folders that its workers must see.
        progress: called with the number of pictures decoded so far, and that of all.

    Returns:
        A summary.Summary.

    Raises:
        PictureError: a picture cannot be read, and the settings are strict.
        UsageError: fewer than two classes have readable pictures.
        StorageError: no space or no permission.
    """
    started = time.perf_counter()
    preprocessing = settings.preprocessing
    height, width = preprocessing.image_size
    numbers = index.sample_numbers
    count = len(numbers)
    workers = workers or parallel.workers_for(count, few=index.samples.few)
    run = functools.partial(in_processes, workers=workers)
    if cluster:
        run = functools.partial(on_cluster, cluster=cluster, seen=seen)
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
            decoded = decode_all(index.samples, numbers, as_told, scratch, run, progress)
            polarities = collections.Counter(p for p in decoded.polarities if p)
            if polarities["light-on-dark"] > polarities["dark-on-light"]:
                preprocessing = dataclasses.replace(preprocessing, majority="light-on-dark")
                undecided = decoded.undecided
                decode_again(index.samples, numbers, undecided, preprocessing, scratch)
        decoded.unreadable = index.damaged + decoded.unreadable
        if settings.is_strict and decoded.unreadable:
            raise _strict_error(decoded.unreadable, path)
        y, splits, summary = _split(index, decoded, settings)
        summary.selection = selection or {}
        summary.preprocessing = settings.preprocessing
        summary.polarities = collections.Counter(p or "undecided" for p in decoded.polarities)
        summary.polarity_told = index.polarity
        manifest = {
            "source": index.source,
            "reader": index.reader,
            "selection": summary.selection,
            "split": summary.split_rule,
            "groups": summary.groups.to_json(),
            "unreadable": len(decoded.unreadable),
        }
        if settings.keep_names:
            manifest |= rows_of(index, splits)
        pool = np.memmap(scratch, np.uint8, "r", shape=(count, height, width)) if count else None
        try:
            write_dataset(
                path,
                {name: (pool, samples, y[samples]) for name, samples in splits.items()},
                summary.class_names,
                preprocessing,
                manifest,
                label_encoding=settings.label_encoding or index.label_encoding,
            )
        finally:
            del pool
    finally:
        files.remove(scratch)
    summary.seconds = time.perf_counter() - started
    summary.pictures_per_second = count / summary.seconds
    return summary


def _strict_error(unreadable, path):
    first, reason = unreadable[0]
    more = f" (and {len(unreadable) - 1} more)" if len(unreadable) > 1 else ""
    return PictureError(first, f"{reason}{more}; {path} was not written because of --strict")


def _split(index, decoded, settings):
    """Return `(y, splits, summary)`: labels of all samples, and sample numbers in final order."""
    old_y = np.array(index.labels, np.int32)
    samples = np.flatnonzero(decoded.readable)
    kept = np.unique(old_y[samples])
    class_names = [index.class_names[i] for i in kept]
    is_kept = set(kept.tolist())
    left_out = [name for i, name in enumerate(index.class_names) if i not in is_kept]
    if len(class_names) < 2:
        first = "; {}: {}".format(*decoded.unreadable[0]) if decoded.unreadable else ""
        raise UsageError(
            f"{index.source}: {len(class_names)} classes with readable pictures; a classifier "
            f"needs at least 2 classes with pictures{first}"
        )
    y = np.searchsorted(kept, old_y).astype(np.int32)
    groups = None if index.groups is None else np.asarray(index.groups)[samples]
    source_splits = None if index.splits is None else np.asarray(index.splits, np.int8)[samples]
    assigned, rule = assign(
        y[samples], source_splits, groups, settings.fractions, settings.shuffle_seed
    )
    splits, counts = {}, {}
    for number, name in enumerate(SPLITS):
        members = samples[assigned == number]
        splits[name] = members[interleave(y[members])]
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
