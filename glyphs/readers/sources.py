"""Which reader understands a source."""

import contextlib
import importlib

from glyphs import files
from glyphs.errors import PictureError, UsageError
from glyphs.readers.listing import open_listing

# Name of a reader -> its module; asked in this order whether a source is theirs.
READERS = {
    "folders": "folders",
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
            index = _module(reader or _recognise(listing)).index(listing, options)
        except PictureError as error:  # of a file that all samples depend on
            raise UsageError(str(error)) from None
        yield index
    finally:
        files.remove(scratch)


def _recognise(listing):
    for name in reversed(NAMES):
        if name != "folders" and _module(name).recognise(listing):
            return name
    if listing.only:
        raise UsageError(
            f"{listing.source}: neither a folder, nor an archive or a data file that is known here"
        )
    return "folders"


def _module(reader):
    return importlib.import_module(f"glyphs.readers.{READERS[reader]}")
