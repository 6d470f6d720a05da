"""Which reader understands a source."""

import contextlib
import importlib
import os

from glyphs import files
from glyphs.errors import PictureError, UsageError
from glyphs.readers import READERS
from glyphs.readers.listing import open_listing


@contextlib.contextmanager
def open_index(source, options, *, scratch, reader=None):
    """Yield the Index of a source; its samples can be decoded until the block ends.

    Args:
        source: path of a folder, an archive, or a file.
        options: readers.Options.
        scratch: path of a file that is written if an archive has to be unpacked, and deleted at
            the end of the block.
        reader: one of READERS, or None: told from the content.

    Raises:
        UsageError: there is no such source, or nothing in it that the reader understands.
        StorageError: no permission, or no space for the scratch file.
    """
    try:
        listing = open_listing(source, scratch)
        try:
            if reader is None:
                reader = "folders" if options.label_regex is not None else _recognise(listing)
            index = _module(reader).index(listing, options)
        except PictureError as error:  # of a file that all samples depend on
            raise UsageError(str(error)) from None
        index.root = os.path.dirname(listing.source) if listing.only else listing.source
        yield index
    finally:
        files.remove(scratch)


def _recognise(listing):
    for name in reversed(READERS):
        if name != "folders" and _module(name).recognise(listing):
            return name
    if listing.only:
        raise UsageError(
            f"{listing.source}: neither a folder, nor an archive or a data file that is known here"
        )
    return "folders"


def _module(reader):
    return importlib.import_module(f"glyphs.readers.{READERS[reader]}")
