"""Which reader understands a source."""

import contextlib
import dataclasses
import importlib

from glyphs import files
from glyphs.errors import PictureError, UsageError
from glyphs.readers.listing import open_listing

# Name of a reader -> its module; the last is asked first whether a source is theirs.
READERS = {
    "folders": "folders",
    "gnt": "gnt",
    "etl8b": "etl",
    "etl8g": "etl",
    "etl9b": "etl",
    "etl9g": "etl",
}
NAMES = tuple(READERS)


@contextlib.contextmanager
def open_index(source, options, *, scratch, reader=None):
    """Yield the Index of a source; its samples can be decoded until the block ends.

    Args:
        source: path of a folder, an archive, or a file.
        options: readers.Options.
        scratch: path of a file that is written if an archive has to be unpacked, and deleted at
            the end of the block.
        reader: one of NAMES, or None: told from the content.

    Raises:
        UsageError: there is no such source, or nothing in it that the reader understands.
        StorageError: no permission, or no space for the scratch file.
    """
    try:
        listing = open_listing(source, scratch)
        try:
            module = _module(READERS[reader]) if reader else _recognise(listing)
            yield module.index(listing, dataclasses.replace(options, reader=reader))
        except PictureError as error:  # here a file that all others depend on
            raise UsageError(str(error)) from None
    finally:
        files.remove(scratch)


def _recognise(listing):
    for name in dict.fromkeys(reversed(READERS.values())):  # each module once
        module = _module(name)
        if name != "folders" and module.recognise(listing):
            return module
    return _module("folders")


def _module(name):
    return importlib.import_module(f"glyphs.readers.{name}")
