"""Which reader understands a source."""

import contextlib
import dataclasses
import importlib
import os

from glyphs import files
from glyphs.errors import PictureError, UsageError
from glyphs.readers import READERS
from glyphs.readers.listing import open_listing

# Options that only one reader uses.
USED_BY = {"class_map": "kmnist", "transpose": "kmnist", "margin": "kaggle"}


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
    files.remove(scratch)  # of a run that was killed; it would be added to
    try:
        listing = open_listing(source, scratch)
        if options.label_regex is not None:
            if listing.only or reader not in (None, "folders"):
                raise UsageError(f"{source}: --label-regex is for folders of pictures")
            reader = "folders"
        try:
            module = _module(READERS[reader]) if reader else _recognise(listing)
            index = module.index(listing, dataclasses.replace(options, reader=reader))
        except PictureError as error:  # of a file that all samples depend on
            raise UsageError(str(error)) from None
        _refuse_unused(options, index)
        index.root = os.path.dirname(listing.source) if listing.only else listing.source
        yield index
    finally:
        files.remove(scratch)


def _refuse_unused(options, index):
    """Raise UsageError if an option was given that the reader of this source does not use."""
    for option, reader in USED_BY.items():
        if getattr(options, option) not in (None, 0.0) and index.reader != reader:
            raise UsageError(
                f"{index.source}: --{option.replace('_', '-')} is for the reader {reader}, but "
                f"this source is read as {index.reader}"
            )


def _recognise(listing):
    """Return the module of the reader that understands a source."""
    for name in dict.fromkeys(reversed(READERS.values())):  # each module once
        module = _module(name)
        if name != "folders" and module.recognise(listing):
            return module
    if listing.only and listing.read(listing.only, 6) == b"\x93NUMPY":
        raise UsageError(
            f"{listing.source}: is a dataset (or array) already, no source of pictures"
        )
    if listing.only:
        raise UsageError(
            f"{listing.source}: neither a folder, nor an archive or a data file that is known here"
        )
    return _module("folders")


def _module(name):
    return importlib.import_module(f"glyphs.readers.{name}")
