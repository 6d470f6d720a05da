"""Kuzushiji Recognition of Kaggle: pages of books, and a table of the characters on them.

`train.csv` has a row `image_id,labels` for each page. Its labels are `U+306F X Y W H` for each
character: the top left corner and the size of its box in pixels. The page is `IMAGE_ID.jpg` or
`IMAGE_ID.png`.
"""

import array
import collections
import csv
import functools
import io
import os
import re

import numpy as np

from glyphs.characters import character_of, class_name_of
from glyphs.errors import UsageError
from glyphs.sources.boxes import FIELDS, Boxes
from glyphs.sources.index import Index
from glyphs.sources.listing import FolderListing, join

TABLE = "train.csv"
HEADER = ["image_id", "labels"]
SUFFIXES = (".jpg", ".jpeg", ".png")
MAX_FOLDERS = 100  # in a copy of the competition's files
MAX_LINE = 1 << 22  # characters; pages have 10,000
MAX_SIDE = 1 << 30


def recognise(listing):
    """Return whether there is a table of boxes among the files of a source."""
    if listing.only is not None:
        return listing.only.lower().endswith(".csv") and _is_table(listing, listing.only)
    if len(listing.tree) > MAX_FOLDERS:
        return False
    return any(_is_table(listing, name) for name in _tables(listing))


def _tables(listing):
    return [join(folder, TABLE) for folder, names in listing.tree.items() if TABLE in names]


def _is_table(listing, name):
    head = listing.read(name, 64).decode("utf-8-sig", "replace")
    return next(csv.reader(head.splitlines()[:1]), None) == HEADER


def index(listing, options):
    r"""Find the boxes of all pages.

    Each box is a sample; its class is named `U+XXXX`. The book that a page is from, its group, is
    the page's name up to the first underscore.

    Args:
        listing: a listing.Listing of a folder or archive with a train.csv in it, or of such a
            table alone.
        options: index.Options; `margin` applies.

    Returns:
        An Index. Pages that are missing and labels that make no sense are in its `damaged`, one
        entry a page; the boxes lost with them are counted in `skipped`.

    Raises:
        UsageError: there is no such table, or it has no boxes on pages that are there.
        PictureError: the table cannot be read.

    Example:
        >>> import pathlib, tempfile
        >>> from glyphs.sources.index import Options
        >>> from glyphs.sources.listing import FolderListing
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     pathlib.Path(folder, "200_00001.png").touch()
        ...     table = "image_id,labels\n200_00001,U+306F 8 9 30 40 U+4E00 50 9 30 12\n"
        ...     _ = pathlib.Path(folder, "train.csv").write_text(table)
        ...     found = index(FolderListing(folder, None), Options())
        >>> found.class_names, np.bincount(found.labels)
        (['U+306F', 'U+4E00'], array([1, 1]))
        >>> found.group_names
        ['200']
    """
    names = _tables(listing) if listing.only is None else [listing.only]
    tables = [name for name in names if _is_table(listing, name)]
    if len(tables) != 1:
        raise UsageError(
            f"{listing.source}: expected one {TABLE} of image_id,labels. Received: "
            f"{', '.join(tables) or 'none'}"
        )
    if listing.only is not None:  # its folder is listed, but not the one with the pages
        listing = FolderListing(os.path.dirname(listing.source) or ".", listing.scratch)
    table = _Table(listing, tables[0])
    if not table.labels:
        raise UsageError(
            f"{listing.path(tables[0])}: no boxes on pages that are there; the pictures must be "
            "named IMAGE_ID.jpg or IMAGE_ID.png"
        )
    class_names = sorted(table.classes)
    rank = {name: place for place, name in enumerate(class_names)}
    ranks = np.array([rank[name] for name in table.classes], np.int32)
    pages = np.array(table.boxes[:: len(FIELDS)])
    books = np.array(table.book_of_page, np.int32)
    return Index(
        listing.name,
        "kaggle",
        class_names,
        Boxes(listing.samples(table.pages), table.boxes, options.margin),
        ranks[np.array(table.labels)],
        groups=books[pages],
        group_names=list(table.books),
        group_kind="book",
        skipped=listing.skipped + table.skipped,
        damaged=table.damaged,
    )


class _Table:
    """What the table says.

    Attributes:
        boxes: array of int, FIELDS of box after box.
        labels: array of int, the place of each box's class in `classes`.
        classes: dict, class name -> its place.
        pages: relative names of the pictures of pages with boxes.
        book_of_page: for each of them the place of its book in `books`.
        books: dict, name -> place.
        damaged, skipped: as in Index.
    """

    def __init__(self, listing, name):
        self.path = listing.path(name)
        self.boxes = array.array("i")
        self.labels = array.array("i")
        self.classes = {}
        self.pages = []
        self.book_of_page = []
        self.books = {}
        self.damaged = []
        self.skipped = collections.Counter()
        pictures = _pictures(listing, name.rpartition("/")[0])
        for line, row in self._rows(listing, name):
            if len(row) != len(HEADER):
                self.damaged.append((f"{self.path}, line {line}", "not a row of image_id,labels"))
                continue
            picture = pictures.pop(row[0], None)
            if not row[1].strip():
                self.skipped["pages without labels"] += 1
            else:
                self._add_page(picture, row[0], row[1].split(), line)
        if pictures:
            self.skipped["pictures that the table does not list"] = len(pictures)

    def _rows(self, listing, name):
        """Yield `(line number, row)` below the header; a row longer than MAX_LINE is broken up."""
        csv.field_size_limit(MAX_LINE)
        with io.TextIOWrapper(listing.open(name), "utf-8-sig", "replace", newline="") as text:
            rows = csv.reader(iter(lambda: text.readline(MAX_LINE), ""))
            try:
                next(rows)
                for row in filter(None, rows):
                    yield rows.line_num, row
            except csv.Error as error:
                raise UsageError(f"{self.path}, line {rows.line_num}: {error}") from None

    def _add_page(self, picture, image_id, words, line):
        if picture is None:
            count = -(-len(words) // 5)
            reason = f"no picture of this page, or a second row of it, with {count:,} boxes"
            self.damaged.append((image_id, reason))
            self.skipped["boxes on missing pages"] += count
            return
        before, problems = len(self.labels), []
        for i in range(0, len(words), 5):
            number = i // 5 + 1
            try:
                name, box = _parse(words[i : i + 5])
            except ValueError as error:
                problems.append(f"box {number}: {error}")
                continue
            self.boxes.extend((len(self.pages), number, *box))
            self.labels.append(self.classes.setdefault(name, len(self.classes)))
        if problems:
            more = f" (and {len(problems) - 1:,} more)" if len(problems) > 1 else ""
            self.damaged.append((f"{self.path}, line {line}", problems[0] + more))
            self.skipped["boxes that make no sense"] += len(problems)
        if len(self.labels) > before:
            book = re.split("[_-]", image_id)[0]  # 100241706_00004_2, umgy003-001
            self.pages.append(picture)
            self.book_of_page.append(self.books.setdefault(book, len(self.books)))


def _parse(words):
    """Return `(class name, (x, y, width, height))` of the five words of a box, or ValueError."""
    name = _class_name(words[0])
    try:
        box = tuple(map(int, words[1:]))
    except ValueError:
        box = ()
    if name is None or len(box) != 4:
        raise ValueError(f"expected `U+XXXX X Y W H`. Received: {' '.join(words)!r:.60}")
    if min(box[2:]) < 1 or max(map(abs, box)) > MAX_SIDE:
        raise ValueError(f"impossible size or place. Received: {' '.join(words)!r:.60}")
    return name, box


@functools.lru_cache(1 << 13)
def _class_name(word):
    """Return `U+XXXX` in its usual form, or None if it is not a code point."""
    if not word.upper().startswith("U+"):
        return None
    character = character_of(word.upper())
    return None if character is None else class_name_of(character)


def _pictures(listing, folder):
    """Return dict, name without suffix -> relative name, of all pictures.

    Where several have the same name, one in a folder `train_images` is taken, else the one in
    `folder`, beside the table.
    """

    def rank(other):
        return not f"/{other}".endswith("/train_images"), other != folder

    found = {}
    for other in sorted(listing.tree, key=rank):
        for name in listing.tree[other]:
            stem, suffix = os.path.splitext(name)
            if suffix.lower() in SUFFIXES:
                found.setdefault(stem, join(other, name))
    return found
