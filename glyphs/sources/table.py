"""Pictures listed in a CSV or TSV table: `file,label`, perhaps with a split and a group."""

import collections
import csv
import io
import itertools
import os
import posixpath
import unicodedata

from glyphs.errors import UsageError
from glyphs.sources.folders import SUFFIXES
from glyphs.sources.index import SPLITS, Index, split_named
from glyphs.sources.listing import join

# What people call the columns, in capitals or not. Without a header: the file, then the label.
COLUMNS = {
    "file": ("file", "filename", "file_name", "filepath", "path", "image", "image_path", "picture"),
    "label": ("label", "class", "class_name", "character", "char", "category"),
    "split": ("split", "set", "subset"),
    "group": ("group", "writer", "writer_id", "author", "book", "page", "document"),
}
TABLE_SUFFIXES = (".csv", ".tsv")
FIRST_ROWS = 20  # at least one of their pictures must be there
HEAD = 1 << 16  # bytes in which the header and the first picture's line must lie


def recognise(listing):
    """Return whether the source is a table, or a folder with one, whose first picture is there."""
    if listing.only and _candidates(listing):
        return True  # the user named it; reading it will tell what is wrong with it
    return any(_is_table(listing, name) for name in _candidates(listing))


def _candidates(listing):
    if listing.only:
        return [listing.only] if listing.only.lower().endswith(TABLE_SUFFIXES) else []
    top = ""
    while not listing.tree[top]:  # an archive may hold everything in one folder
        inside = [f for f in listing.tree if f.rpartition("/")[0] == top and f != top]
        if len(inside) != 1:
            break
        top = inside[0]
    return [join(top, n) for n in listing.tree[top] if n.lower().endswith(TABLE_SUFFIXES)]


def _is_table(listing, name):
    try:
        text = listing.read(name, HEAD).decode("utf-8-sig", "replace")
        columns, rows = _parse(io.StringIO(text, newline=""), listing.path(name))
        first = (row[columns["file"]] for _, row in itertools.islice(rows, FIRST_ROWS))
        return any(listing.has(_relative(name, file)) for file in first)
    except (UsageError, StopIteration, IndexError):
        return False


def _relative(table, name):
    """Return the path of a picture, named in a table, relative to the source."""
    if os.path.isabs(name):
        return name
    return posixpath.normpath(join(table.rpartition("/")[0], name.replace("\\", "/")))


def index(listing, options):
    r"""Find the pictures that a table lists. Paths in it are relative to the folder it lies in.

    Args:
        listing: a listing.Listing.
        options: index.Options; none applies to tables.

    Returns:
        An Index; with splits or groups if the table has such columns.

    Raises:
        UsageError: there is no such table, or something is wrong with it.
        PictureError: it is too large to be read.

    Example:
        >>> import pathlib, tempfile
        >>> from glyphs.sources.index import Options
        >>> from glyphs.sources.listing import FolderListing
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     for name in ("1.png", "2.png", "3.png"):
        ...         pathlib.Path(folder, name).touch()
        ...     rows = "file,label,writer\n1.png,右,w2\n2.png,亜,w1\n3.png,右,w1\n"
        ...     _ = pathlib.Path(folder, "labels.csv").write_text(rows, encoding="utf-8")
        ...     found = index(FolderListing(folder, None), Options())
        >>> found.class_names, found.labels
        (['亜', '右'], [1, 0, 1])
        >>> found.group_names, found.groups
        (['w2', 'w1'], [0, 1, 1])
    """
    tables = [name for name in _candidates(listing) if listing.only or _is_table(listing, name)]
    if len(tables) != 1:
        found = " and ".join(tables) if tables else "no table whose first picture is there"
        raise UsageError(f"{listing.source}: {found}; name the CSV or TSV file itself")
    (table,) = tables
    try:
        text = io.StringIO(listing.read(table).decode("utf-8-sig"), newline="")
    except UnicodeDecodeError as error:
        raise UsageError(
            f"{listing.path(table)}: not UTF-8 text (byte {error.start}); save it as UTF-8"
        ) from None
    return _index_of_rows(listing, table, *_parse(text, listing.path(table)))


def _parse(text, path):
    """Return `(columns, rows)`: the number of each column by name; `(line, cells)` of each row."""
    first = text.readline()
    text.seek(0)
    delimiter = max("\t,;", key=first.count)
    reader = csv.reader(text, delimiter=delimiter)

    def rows():
        try:
            for row in reader:
                if any(cell.strip() for cell in row):
                    yield reader.line_num, [cell.strip() for cell in row]
        except csv.Error as error:
            raise UsageError(f"{path}: line {reader.line_num}: {error}") from None

    rows = rows()
    line, header = next(rows, (1, []))
    names = [cell.lower() for cell in header]
    columns = {}
    for column, synonyms in COLUMNS.items():
        found = [i for i, name in enumerate(names) if name in synonyms]
        if found:
            columns[column] = found[0]
    if "file" in columns and "label" in columns:
        return columns, rows
    if len(header) >= 2 and header[0].lower().endswith(SUFFIXES):
        return {"file": 0, "label": 1}, itertools.chain([(line, header)], rows)
    raise UsageError(
        f"{path}: needs a header line with the columns file and label. Received: "
        f"{first[:60].strip()!r}"
    )


def _index_of_rows(listing, table, columns, rows):
    path = listing.path(table)
    seen, names, class_of, split_of, group_of, damaged = {}, [], [], [], [], []
    repeated, contested = 0, set()
    for line, row in rows:

        def cell(column, row=row):
            place = columns.get(column)
            return row[place] if place is not None and place < len(row) else ""

        name, label = _relative(table, cell("file")), unicodedata.normalize("NFC", cell("label"))
        if not cell("file") or not label:
            damaged.append((path, f"line {line}: no {'label' if cell('file') else 'file'}"))
        elif name in seen and seen[name] == label:
            repeated += 1
        elif name in seen:
            damaged.append((listing.path(name), f"has two labels, {seen[name]} and {label}"))
            contested.add(name)
        elif not listing.has(name):
            damaged.append((listing.path(name), f"no such file (line {line} of {path})"))
        else:
            seen[name] = label
            names.append(name)
            class_of.append(label)
            split_of.append(_split(cell("split"), path, line) if "split" in columns else None)
            group_of.append(cell("group") or name)  # a group of its own if the cell is empty
    kept = [i for i, name in enumerate(names) if name not in contested]
    names, class_of, split_of, group_of = (
        [values[i] for i in kept] for values in (names, class_of, split_of, group_of)
    )
    if not names:
        raise UsageError(f"{path}: none of the pictures it lists is there")
    listed = set(seen)
    unlisted = sum(
        name.lower().endswith(SUFFIXES) and name not in listed for name in listing.names()
    )
    class_names = sorted(set(class_of))
    number = {name: label for label, name in enumerate(class_names)}
    group_names = list(dict.fromkeys(group_of)) if "group" in columns else []
    group_number = {name: i for i, name in enumerate(group_names)}
    return Index(
        listing.name,
        "table",
        class_names,
        listing.samples(names),
        [number[name] for name in class_of],
        splits=split_of if "split" in columns else None,
        groups=[group_number[name] for name in group_of] if group_names else None,
        group_names=group_names,
        group_kind="group" if group_names else None,
        skipped=+collections.Counter(
            {"listed twice": repeated, "pictures that the table does not list": unlisted}
        ),
        damaged=damaged,
    )


def _split(name, path, line):
    split = split_named(name)
    if split is None:
        raise UsageError(
            f"{path}: line {line}: the split must be train, val or test. Received: {name!r}"
        )
    return SPLITS.index(split)
