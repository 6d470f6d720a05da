"""Kuzushiji Recognition of Kaggle: pages of books, and a table of the characters on them.

`train.csv` has a row `image_id,labels` for each page, its labels being `U+306F X Y W H` again and
again: the top left corner and the size of a box in pixels. The page is `IMAGE_ID.jpg` or `.png`.
NumPy is imported late: the workers do without.
"""

import array
import collections
import csv
import functools
import io
import os
import re

from glyphs import labels as characters
from glyphs.errors import PictureError, UsageError
from glyphs.readers import Index, Samples
from glyphs.readers.listing import join, open_listing

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
    """Find the boxes of all pages.

    Each box is a sample; its class is named `U+XXXX`. The book that a page is from, its group, is
    the page's name up to the first underscore.

    Args:
        listing: a listing.Listing of a folder or archive with a train.csv in it, or of such a
            table alone.
        options: readers.Options; `margin` counts.

    Returns:
        An Index. Pages that are missing and labels that make no sense are in its `damaged`, one
        entry a page; the boxes lost thereby are counted in `skipped`.

    Raises:
        UsageError: there is no such table, or it has no boxes on pages that are there.
        PictureError: the table cannot be read.
    """
    import numpy as np

    names = _tables(listing) if listing.only is None else [listing.only]
    tables = [name for name in names if _is_table(listing, name)]
    if len(tables) != 1:
        raise UsageError(
            f"{listing.source}: expected one {TABLE} of image_id,labels. Received: "
            f"{', '.join(tables) or 'none'}"
        )
    if listing.only is not None:  # its folder is listed, but not the one with the pages
        listing = open_listing(os.path.dirname(listing.source) or ".", listing.scratch)
    table = _Table(listing, tables[0])
    if not table.labels:
        raise UsageError(
            f"{listing.path(tables[0])}: no boxes on pages that are there; the pictures must be "
            "named IMAGE_ID.jpg or IMAGE_ID.png"
        )
    class_names = sorted(table.classes)
    rank = {name: place for place, name in enumerate(class_names)}
    ranks = np.array([rank[name] for name in table.classes], np.int32)
    boxes = np.array(table.boxes, np.int32).reshape(-1, len(FIELDS))
    books = np.array(table.book_of_page, np.int32)
    return Index(
        listing.name,
        "kaggle",
        class_names,
        Boxes(listing.samples(table.pages), boxes, options.margin),
        ranks[np.array(table.labels)],
        groups=books[boxes[:, 0]],
        group_names=list(table.books),
        group_kind="book",
        skipped=listing.skipped + table.skipped,
        damaged=table.damaged,
    )


FIELDS = ("page", "number", "x", "y", "width", "height")  # of a box; it counts from 1 on its page


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
        """Yield `(line number, row)` below the header; rows of more than MAX_LINE fall apart."""
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
    """Return `U+XXXX` in its usual form, or None if it is no code point."""
    if not word.upper().startswith("U+"):
        return None
    character = characters.character(word.upper())
    return None if character is None else characters.class_name(character)


def _pictures(listing, folder):
    """Return dict, name without suffix -> relative name, of all pictures.

    Of several pictures of a name, one in a folder `train_images` counts, else the one beside the
    table, which is in `folder`.
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


class Boxes(Samples):
    """Boxes on pages.

    Args:
        pages: Samples, the pictures of the pages.
        boxes: int32 `(n, 6)`: FIELDS; in pixels.
        margin: by which fraction of its sides a box is widened on each side.
    """

    def __init__(self, pages, boxes, margin):
        self.pages = pages
        self.boxes = boxes
        self.margin = margin

    def __len__(self):
        return len(self.boxes)

    def name(self, number):
        page, number = self.boxes[number, :2].tolist()
        return f"{self.pages.name(page)}, box {number}"

    def runs(self, numbers, size):
        """Yield stretches that end with a page, so that each page is decoded once."""
        import numpy as np

        last = np.diff(self.boxes[np.asarray(numbers, int), 0], append=-1) != 0
        start = 0
        for end in (np.flatnonzero(last) + 1).tolist():
            if end - start >= size or end == len(numbers):
                yield numbers[start:end]
                start = end

    def chunk(self, numbers):
        by_page = []  # (page, its boxes)
        for page, *box in self.boxes[numbers].tolist():
            if not by_page or by_page[-1][0] != page:
                by_page.append((page, []))
            by_page[-1][1].append(box)
        return _BoxChunk(
            self.pages.chunk([page for page, _ in by_page]),
            [self.pages.name(page) for page, _ in by_page],
            [boxes for _, boxes in by_page],
            self.margin,
        )


class _BoxChunk:
    def __init__(self, pages, names, boxes, margin):
        self.pages = pages
        self.names = names
        self.boxes = boxes
        self.margin = margin

    def pictures(self):
        pages = zip(self.pages.pictures(), self.names, self.boxes, strict=True)
        for page, name, boxes in pages:
            for number, *box in boxes:
                if isinstance(page, PictureError):
                    yield page
                else:
                    yield _crop(page, box, self.margin, f"{name}, box {number}")


def _crop(page, box, margin, name):
    """Return a box of a page, widened and clipped to it; or the PictureError instead."""
    x, y, width, height = box
    if x >= page.width or y >= page.height or x + width <= 0 or y + height <= 0:
        return PictureError(name, f"lies outside its page of {page.width} x {page.height} pixels")
    dx = round(min(margin * width, page.width))
    dy = round(min(margin * height, page.height))
    return page.crop(
        (
            max(0, x - dx),
            max(0, y - dy),
            min(page.width, x + width + dx),
            min(page.height, y + height + dy),
        )
    )
