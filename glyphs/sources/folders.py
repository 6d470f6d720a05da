"""Pictures in class folders, on disk or in an archive, at any depth; or labelled by file name."""

import collections
import os
import re
import unicodedata

from glyphs.errors import PictureError, UsageError
from glyphs.images.decode import reason_of
from glyphs.sources.index import SPLITS, Index, match_text, split_named
from glyphs.sources.listing import join, scan

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp")


def index(listing, options):
    """Find the pictures of a tree of class folders.

    The class of a picture is the folder it lies in, named by its path in Unicode normal form C:
    `U+4E00`, or `Greek/character01` where alphabets are folders of their own. A folder around all
    others does not count. If all topmost folders are named train, val or test, or what else splits
    are called (index.split_named), each holds the class folders of that split. Hidden files, files
    without a picture's suffix and folders inside class folders are skipped and counted.

    Args:
        listing: a listing.Listing.
        options: index.Options; with a `label_regex` the class is what this finds in the path.

    Returns:
        An Index.

    Raises:
        UsageError: there are no class folders, or a class name cannot be written as text.

    Example:
        >>> import pathlib, tempfile
        >>> from glyphs.sources.index import Options
        >>> from glyphs.sources.listing import FolderListing
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     for name in ("亜/1.png", "亜/2.png", "右/1.png", "右/notes.txt"):
        ...         path = pathlib.Path(folder, name)
        ...         path.parent.mkdir(exist_ok=True)
        ...         path.touch()
        ...     found = index(FolderListing(folder, None), Options())
        >>> found.class_names, found.labels
        (['亜', '右'], [0, 0, 1])
        >>> found.skipped
        Counter({'not a picture by its name': 1})
    """
    tree = _Tree(listing)
    top = tree.top()
    topmost = [folder.rpartition("/")[2] for folder in tree.children[top]]
    splits = [split_named(name) for name in topmost]
    are_named = bool(splits) and None not in splits
    is_split = are_named and not tree.pictures[top]
    roots = [(top, None)]
    if is_split:
        roots = zip(tree.children[top], splits, strict=True)
        roots = sorted(roots, key=lambda pair: SPLITS.index(pair[1]))
    found = []  # (class name, split or None, relative names of pictures)
    for root, split in roots:
        if options.label_regex is None:
            classes = tree.classes(root)
        else:
            classes = tree.classes_by_regex(root, options.label_regex)
        found += [(name, split, names) for name, names in classes]
    if not found:
        raise UsageError(_nothing_found(listing, tree, options))

    notes = tree.notes
    if are_named and not is_split and len(splits) > 1:
        notes.append(
            f"the topmost folders look like splits ({', '.join(topmost)}) but are read as parts of "
            "class names, as pictures lie beside them; take those away"
        )
    spellings, by_class = collections.defaultdict(set), collections.defaultdict(list)
    for name, split, names in found:
        by_class[_class_name(name, listing)].append((split, names))
        spellings[_class_name(name, listing)].add(name)
    for name in sorted(spellings):
        if len(spellings[name]) > 1:
            notes.append(
                f"{name}: {len(spellings[name])} folders have this name in Unicode NFC; their "
                "pictures are one class"
            )
    class_names = sorted(by_class)
    pictures, labels, split_numbers = [], [], []
    for label, name in enumerate(class_names):
        for split, names in by_class[name]:
            pictures += names
            labels += [label] * len(names)
            split_numbers += [SPLITS.index(split)] * len(names) if is_split else []
    return Index(
        listing.name,
        "folders",
        class_names,
        listing.samples(pictures),
        labels,
        splits=split_numbers if is_split else None,
        skipped=+tree.skipped,
        notes=notes,
    )


class _Tree:
    """The pictures of a listing, folder by folder; counts what is skipped."""

    def __init__(self, listing):
        self.skipped = listing.skipped.copy()
        self.notes = []
        self.pictures = {}  # folder -> names of its pictures
        self.children = collections.defaultdict(list)  # folder -> its sub-folders
        self.below = collections.Counter()  # folder -> number of pictures in all its sub-folders
        for folder, names in listing.tree.items():
            self.pictures[folder] = [n for n in names if n.lower().endswith(SUFFIXES)]
            self.skipped["not a picture by its name"] += len(names) - len(self.pictures[folder])
            if folder:
                self.children[folder.rpartition("/")[0]].append(folder)
            above = folder
            while above:
                above = above.rpartition("/")[0]
                self.below[above] += len(self.pictures[folder])

    def top(self):
        """Return the folder that holds all class folders: "", or the only one in it."""
        top = ""
        while not self.pictures[top] and len(self.children[top]) == 1:
            (only,) = self.children[top]
            if self.pictures[only] or not self.children[only] or only in SPLITS:
                break
            top = only
        return top

    def classes(self, root):
        """Return `(class name, relative names of its pictures)` for each class folder."""
        self.skipped["outside the class folders"] += len(self.pictures[root])
        found = []
        waiting = self.children[root][::-1]
        while waiting:
            folder = waiting.pop()
            names, below = self.pictures[folder], self.below[folder]
            if below > len(names):  # it holds folders of pictures, so it is not a class
                waiting += self.children[folder][::-1]
                self._pass_over(folder, len(names), "outside the class folders")
            elif names or not self.children[folder]:
                name = folder[len(root) + 1 :] if root else folder
                found.append((name, [join(folder, name) for name in names]))
                self._pass_over(folder, below, "in a folder inside a class folder")
        return found

    def _pass_over(self, folder, count, reason):
        if count:
            self.skipped[reason] += count
            self.notes.append(f"{folder}: {count:,} pictures {reason} are passed over")

    def classes_by_regex(self, root, pattern):
        """Return the same, the class being what `pattern` finds in the path below `root`."""
        regex = re.compile(pattern)
        found = collections.defaultdict(list)
        above = f"{root}/" if root else ""
        for folder, names in self.pictures.items():
            if not f"{folder}/".startswith(above):
                continue
            for name in names:
                path = join(folder, name)
                match = regex.search(path[len(above) :])
                label = match and match_text(match, "label")
                if label:
                    found[label].append(path)
                else:
                    self.skipped["no label in the name"] += 1
        return sorted(found.items())


def _nothing_found(listing, tree, options):
    if options.label_regex is not None:
        count = tree.skipped["no label in the name"]
        return (
            f"{listing.source}: --label-regex {options.label_regex!r} finds nothing in the names "
            f"of its {count:,} pictures"
        )
    hint = "; it holds pictures itself" if any(tree.pictures.values()) else ""
    return (
        f"{listing.source}: no class folders in it{hint}. Put the pictures of each character into "
        "a folder of its own, named for the character"
    )


def walk(folder, *, on_error, on_other=None):
    """Yield the paths of the pictures in `folder` and, after them, in its sub-folders.

    In natural order. Hidden files and folders and files without a picture's suffix are skipped.

    Args:
        folder: path.
        on_error: called with a PictureError for each folder that cannot be listed.
        on_other: None, or called with the path of a folder and the name of a file in it that has no
            picture's suffix.
    """

    def report(path, error):
        on_error(PictureError(path, f"cannot be listed ({reason_of(error)})"))

    for relative, names, _ in scan(folder, on_error=report):
        path = os.path.join(folder, *filter(None, relative.split("/")))
        for name in names:
            if name.lower().endswith(SUFFIXES):
                yield os.path.join(path, name)
            elif on_other:
                on_other(path, name)


def _class_name(name, listing):
    try:
        name.encode()
    except UnicodeEncodeError:
        raise UsageError(
            f"{listing.path(name)}: the name is not valid UTF-8 and cannot be a class name; "
            "rename it"
        ) from None
    return unicodedata.normalize("NFC", name)
