"""KMNIST, Kuzushiji-49, MNIST and EMNIST: which files belong together, and what their classes are.

Images and labels are paired by their names, as in `k49-train-imgs.npz` and `k49-train-labels.npz`
or `train-images-idx3-ubyte.gz` and `train-labels-idx1-ubyte.gz`. The `mnist.npz` of Keras holds
all its arrays.
"""

import bisect
import csv
import dataclasses
import itertools
import re

import numpy as np

from glyphs.characters import class_name_of
from glyphs.errors import UsageError
from glyphs.images.decode import reason_of
from glyphs.sources.arrays import FIRST, Arrays, locate_images, read_labels
from glyphs.sources.index import SPLITS, Index
from glyphs.sources.listing import join

_NAME = re.compile(
    r"(?P<stem>.+)-(?:(?P<images>imgs|images)|labels)(?:\.npz|[-.]idx[13]-ubyte(?:\.gz)?)", re.I
)
_SPLIT_OF = {"train": "train", "val": "val", "test": "test", "t10k": "test"}
_KERAS = (("train", "x_train", "y_train"), ("test", "x_test", "y_test"))
MANY = 1000  # files; folders of arrays hold only a few
MAX_CLASS_MAP = 1 << 22  # bytes


def recognise(listing):
    """Return whether the names of a source are those of array files."""
    if listing.only is not None:
        return bool(_NAME.fullmatch(listing.only)) or listing.only.lower().endswith(".npz")
    if sum(map(len, listing.tree.values())) > MANY:
        return False
    names = itertools.chain.from_iterable(listing.tree.values())
    return any(_NAME.fullmatch(name) or name.lower() == "mnist.npz" for name in names)


def index(listing, options):
    """Find the arrays of a source.

    Files of train, val and test keep their splits; those of one alone have none. Classes are
    named by a class map where there is one, else by their numbers. Compressed arrays are unpacked
    into the listing's scratch file.

    Args:
        listing: a listing.Listing.
        options: index.Options; `class_map` and `transpose` apply. By default the images are
            transposed if their file's name begins with `emnist`.

    Returns:
        An Index.

    Raises:
        UsageError: the files do not belong together, are damaged, or hold something else.
        PictureError: a file cannot be read.
        StorageError: there is no space for the scratch file.

    Example:
        >>> import tempfile
        >>> from glyphs.sources.index import Options
        >>> from glyphs.sources.listing import FolderListing
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     np.savez(f"{folder}/kmnist-test-imgs.npz", np.zeros((3, 28, 28), np.uint8))
        ...     np.savez(f"{folder}/kmnist-test-labels.npz", np.uint8([7, 2, 7]))
        ...     found = index(FolderListing(folder, f"{folder}/scratch"), Options())
        >>> found.class_names, np.bincount(found.labels)
        (['2', '7'], array([1, 2]))
    """
    pairs, notes = _choose(listing)
    names = _class_map(listing, options.class_map, pairs[0], notes)
    parts, numbers = [], []
    for pair in pairs:
        is_emnist = pair.images.rpartition("/")[2].lower().startswith("emnist")
        transposed = is_emnist if options.transpose is None else options.transpose
        if is_emnist and options.transpose is None:
            notes.append(
                f"{pair.images}: transposed, since EMNIST stores columns as rows "
                "(--no-transpose leaves them as they are)"
            )
        parts.append(locate_images(listing, pair.images, pair.images_array, transposed))
        numbers.append(_labels_of(listing, pair, parts[-1], names))
    values, numbers = np.unique(np.concatenate(numbers), return_inverse=True)
    if names is None:
        digits = len(str(values[-1]))
        names = {value: f"{value:0{digits}}" for value in values.tolist()}
    class_names = sorted(names.values())
    places = [bisect.bisect_left(class_names, names[value]) for value in values.tolist()]

    splits = None
    if len(pairs) > 1 and pairs[0].split == "train":
        splits = np.repeat(
            np.array([SPLITS.index(pair.split) for pair in pairs], np.int8),
            [part.count for part in parts],
        )
    return Index(
        listing.name,
        "kmnist",
        class_names,
        Arrays(parts),
        np.array(places, np.int32)[numbers],
        splits=splits,
        polarity="light-on-dark",
        is_framed=True,
        skipped=listing.skipped.copy(),
        notes=notes,
    )


@dataclasses.dataclass(frozen=True)
class _Pair:
    """Images and their labels: relative names of the files, and of the arrays in .npz files."""

    images: str
    labels: str | None
    data_set: str  # what the names of its splits have in common: "emnist-balanced", or ""
    split: str | None
    images_array: str = FIRST
    labels_array: str = FIRST


def _choose(listing):
    """Return `(pairs, notes)`: what to read, in the order of SPLITS."""
    pairs, notes = _pairs(listing), []
    if listing.only is not None:
        chosen = [pair for pair in pairs if listing.only in (pair.images, pair.labels)]
        for pair in pairs:
            is_sibling = chosen and pair.data_set == chosen[0].data_set
            if is_sibling and pair.split not in [c.split for c in chosen]:
                notes.append(
                    f"{pair.images} lies beside it and is not read; a folder with only the files "
                    "of these two sets gives both, with their splits"
                )
        pairs = chosen
    if not pairs:
        raise UsageError(
            f"{listing.source}: no images in it; expected names such as kmnist-train-imgs.npz or "
            "train-images-idx3-ubyte.gz"
        )
    splits = [pair.split for pair in pairs]
    if len(set(splits)) < len(splits) or (None in splits and len(splits) > 1):
        names = [pair.images for pair in pairs]
        shown = ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")
        raise UsageError(
            f"{listing.source}: more than one set of arrays ({shown}); give one of these files "
            "instead (unpack an archive first), or a folder with the files of one set"
        )
    return sorted(pairs, key=lambda pair: SPLITS.index(pair.split or "train")), notes


def _pairs(listing):
    """Return a _Pair for each set of images."""
    found = {}  # (folder, stem, is .npz) -> {"images": name, "labels": name}
    pairs = []
    # The file that the user named takes precedence, then a plain file over its .gz beside it.
    for name in [listing.only or "", *listing.names()]:
        folder, _, base = name.rpartition("/")
        is_npz = base.lower().endswith(".npz")
        if match := _NAME.fullmatch(base):
            role = "images" if match["images"] else "labels"
            found.setdefault((folder, match["stem"], is_npz), {}).setdefault(role, name)
        elif is_npz and (name == listing.only if listing.only else base.lower() == "mnist.npz"):
            pairs += [_Pair(name, name, "mnist", *arrays) for arrays in _KERAS]
    for (_, stem, _), names in found.items():
        words = re.split(r"[-_.]", stem.lower())
        split = next((_SPLIT_OF[word] for word in words if word in _SPLIT_OF), None)
        data_set = "-".join(word for word in words if word not in _SPLIT_OF)
        if "images" in names:
            pairs.append(_Pair(names["images"], names.get("labels"), data_set, split))
    return list(dict.fromkeys(pairs))


def _labels_of(listing, pair, images, names):
    """Return the labels of a pair as int64 `(n,)`, checked against the class map.

    Args:
        listing, pair: where they are.
        images: the arrays.Part that they belong to.
        names: dict, class number -> class name; None if there is no class map.
    """
    if pair.labels is None:
        raise UsageError(
            f"{listing.path(pair.images)}: its labels are not beside it; expected a file of the "
            "same name with `labels` in it"
        )
    labels = read_labels(listing, pair.labels, pair.labels_array, images)
    known = labels >= 0 if names is None else np.isin(labels, list(names))
    if not known.all():
        first = int(np.argmin(known))
        reason = "is negative" if names is None else "is not in the class map"
        path = listing.path(pair.labels)
        raise UsageError(f"{path}: label {labels[first]} of image {first} {reason}")
    return labels


def _class_map(listing, path, pair, notes):
    """Return dict, class number -> class name; None if there is no class map."""
    if path is not None:
        try:
            with open(path, "rb") as file:
                return _parse_class_map(file.read(MAX_CLASS_MAP + 1), path)
        except OSError as error:
            raise UsageError(f"{path}: {reason_of(error)}; it should be the class map") from None
    folder = pair.images.rpartition("/")[0]
    beside = [(name.lower(), name) for name in listing.tree[folder]]
    maps = [name for lower, name in beside if lower == f"{pair.data_set}-mapping.txt"]
    if not maps:
        maps = [name for lower, name in beside if "classmap" in lower and lower.endswith(".csv")]
        named = [name for name in maps if name.lower().startswith(pair.data_set)]
        if len(maps) == 1 and not named:
            notes.append(f"{maps[0]}: taken for the class map of {pair.images}")
        maps = named or maps
    if len(maps) > 1:
        raise UsageError(
            f"{listing.source}: more than one class map ({', '.join(maps)}); choose one with "
            "--class-map"
        )
    if not maps:
        return None
    name = join(folder, maps[0])
    return _parse_class_map(listing.read(name, MAX_CLASS_MAP + 1), listing.path(name))


def _parse_class_map(data, path):
    """Read rows of `index,codepoint,char` below a header, or lines of an index and ASCII codes.

    EMNIST's letters have two codes, upper and lower case; the first one names the class.
    """
    if len(data) > MAX_CLASS_MAP:
        raise UsageError(f"{path}: too large for a class map")
    lines = data.decode("utf-8-sig", "replace").splitlines()
    is_csv = bool(lines) and lines[0].lower().startswith("index,")
    names, taken = {}, set()
    for number, line in enumerate(lines[is_csv:], 1 + is_csv):
        if not line.strip():
            continue
        try:
            value, code = (next(csv.reader([line])) if is_csv else line.split())[:2]
            value = int(value)
            if not 0 <= value < 1 << 31:
                raise ValueError
            code = int(code.upper().removeprefix("U+"), 16) if is_csv else int(code)
            name = class_name_of(chr(code))
        except (ValueError, OverflowError, csv.Error):
            wanted = "index,U+XXXX,char" if is_csv else "an index and a character's decimal code"
            raise UsageError(
                f"{path}, line {number}: expected {wanted}. Received: {line!r:.60}"
            ) from None
        if value in names or name in taken:
            raise UsageError(f"{path}, line {number}: {value} or {name} is there twice")
        names[value] = name
        taken.add(name)
    if not names:
        raise UsageError(f"{path}: no classes in this class map")
    return names
