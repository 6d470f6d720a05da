"""Folders of pictures, one folder per class, with or without train/, val/ and test/ above them."""

import collections
import os
import re
import unicodedata

from glyphs.errors import PictureError, StorageError, UsageError
from glyphs.readers import SPLITS, Index

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp")


def index(folder):
    """List the pictures of a folder of class folders.

    If all sub-folders are named train, val or test, each of these holds the class folders of that
    split. Class names are folder names in Unicode normal form C. Hidden files, files without a
    picture's suffix and folders inside class folders are passed over and counted.

    Args:
        folder: path.

    Returns:
        An Index.

    Raises:
        UsageError: there is no such folder, it has no class folders, or a class name cannot be
            written as text.
    """
    folder = os.fspath(folder)
    if not os.path.isdir(folder):
        problem = "not a folder" if os.path.exists(folder) else "no such folder"
        raise UsageError(f"{folder}: {problem}; give the folder that holds the class folders")
    result = Index(os.path.basename(os.path.abspath(folder)))
    subfolders = _class_folders(folder, result)
    is_split = bool(subfolders) and {name for name, _ in subfolders} <= set(SPLITS)
    roots = sorted(subfolders, key=_split_order) if is_split else [(None, folder)]

    found = []  # (class name, split, path of the class folder)
    for split, root in roots:
        folders = _class_folders(root, result) if is_split else subfolders
        found += [(_class_name(name, path), split, path) for name, path in folders]
    if not found:
        hint = "; it holds pictures itself" if result.skipped["outside the class folders"] else ""
        raise UsageError(
            f"{folder}: no class folders in it{hint}. Put the pictures of each character into a "
            "folder of its own, named for the character"
        )

    spellings = collections.defaultdict(set)
    for name, _, path in found:
        spellings[name].add(os.path.basename(path))
    for name in sorted(spellings):
        if len(spellings[name]) > 1:
            result.notes.append(
                f"{name}: {len(spellings[name])} folders have this name in Unicode "
                "NFC; their pictures are one class"
            )
    result.class_names = sorted({name for name, _, _ in found})
    number = {name: i for i, name in enumerate(result.class_names)}
    result.splits = [] if is_split else None
    for name, split, path in sorted(found, key=lambda entry: entry[0]):
        pictures = _pictures(path, result)
        result.paths += pictures
        result.labels += [number[name]] * len(pictures)
        if is_split:
            result.splits += [split] * len(pictures)
    return result


def walk(folder, *, on_error):
    """Yield the paths of the pictures in `folder` and, after them, in its sub-folders.

    Natural order; hidden files and folders, and files without a picture's suffix, are passed over.

    Args:
        folder: path.
        on_error: called with a PictureError for each folder that cannot be listed.
    """
    unused = Index(folder)
    waiting = [(folder, ())]  # not recursion: folders may be nested deeper than Python calls
    while waiting:
        folder, above = waiting.pop()
        try:
            status = os.stat(folder)
            identity = (status.st_dev, status.st_ino)
            if identity in above:
                continue  # a link back to a folder that we are in
            pictures = _pictures(folder, unused)
            subfolders = sorted(_class_folders(folder, unused), key=_by_natural_name)
        except (OSError, StorageError) as error:
            on_error(PictureError(folder, f"cannot be listed ({_cause(error)})"))
            continue
        yield from pictures
        waiting += [(path, (*above, identity)) for _, path in reversed(subfolders)]


def natural_key(name):
    """Return a sort key under which `2.png` comes before `10.png`."""
    parts = re.split(r"([0-9]+)", name)
    parts[1::2] = map(int, parts[1::2])
    return parts, name


def _by_natural_name(entry):
    return natural_key(entry[0])


def _split_order(entry):
    return SPLITS.index(entry[0])


def _class_name(name, path):
    try:
        name.encode()
    except UnicodeEncodeError:
        raise UsageError(
            f"{path}: the folder's name is not valid UTF-8 and cannot be a class name; rename it"
        ) from None
    return unicodedata.normalize("NFC", name)


def _entries(folder):
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError as error:
        raise StorageError(f"{folder}: cannot be listed ({error.strerror})") from error


def _cause(error):
    return (error.__cause__ or error).strerror.lower()


def _is_folder(entry):
    try:
        return entry.is_dir()
    except OSError:  # a link to itself, say; whoever reads it will say what is wrong
        return False


def _class_folders(folder, result):
    """Return `(name, path)` of the visible folders in `folder`; count the files beside them."""
    folders = []
    for entry in _entries(folder):
        if entry.name.startswith("."):
            result.skipped["hidden"] += 1
        elif _is_folder(entry):
            folders.append((entry.name, entry.path))
        else:
            result.skipped["outside the class folders"] += 1
    return folders


def _pictures(folder, result):
    """Return the paths of the pictures in `folder` in natural order; count all else."""
    pictures = []
    for entry in _entries(folder):
        if entry.name.startswith("."):
            result.skipped["hidden"] += 1
        elif _is_folder(entry):
            result.skipped["folder inside a class folder"] += 1
        elif not entry.name.lower().endswith(SUFFIXES):
            result.skipped["not a picture by its name"] += 1
        else:
            pictures.append(entry.name)
    return [os.path.join(folder, name) for name in sorted(pictures, key=natural_key)]
