"""From the path of a source to its index: list its files, and find the reader that knows them."""

import contextlib
import dataclasses
import importlib
import os
import stat

from glyphs import files
from glyphs.errors import PictureError, UsageError
from glyphs.images.decode import reason_of
from glyphs.sources.archives import open_archive
from glyphs.sources.index import READERS
from glyphs.sources.listing import FileListing, FolderListing

# Options that only one reader uses.
USED_BY = {"class_map": "kmnist", "transpose": "kmnist", "margin": "kaggle"}


@contextlib.contextmanager
def open_index(source, options, *, scratch, reader=None):
    """Yield the Index of a source; its samples can be decoded until the block ends.

    Args:
        source: path of a folder, an archive, or a file.
        options: index.Options.
        scratch: path of a file to write if an archive has to be unpacked; it is deleted at the
            end of the block.
        reader: one of READERS, or None: told from the content.

    Raises:
        UsageError: there is no such source, or nothing in it that the reader understands.
        StorageError: no permission, or no space for the scratch file.
    """
    files.remove(scratch)  # left by a run that was killed; it would be appended to
    try:
        listing = open_listing(source, scratch)
        if options.label_regex is not None:
            if listing.only or reader not in (None, "folders"):
                raise UsageError(f"{source}: --label-regex is for folders of pictures")
            reader = "folders"
        try:
            module = _module(READERS[reader]) if reader else _recognise(listing)
            index = module.index(listing, dataclasses.replace(options, reader=reader))
        except PictureError as error:  # about a file that all samples depend on
            raise UsageError(str(error)) from None
        _refuse_unused(options, index)
        index.root = os.path.dirname(listing.source) if listing.only else listing.source
        yield index
    finally:
        files.remove(scratch)


def open_listing(source, scratch):
    """List the files of a source.

    Args:
        source: path of a folder, of a .zip, .tar, .tar.gz, .tar.xz or .tar.bz2 archive, or of any
            other file, which then is the only one.
        scratch: path of a file to write if the archive has to be unpacked; the caller deletes it.

    Returns:
        A listing.Listing.

    Raises:
        UsageError: there is no such source, or the archive cannot be read.
        StorageError: a folder cannot be listed, or there is no space for the scratch file.
    """
    source = os.fspath(source)
    try:
        status = os.stat(source)
    except (OSError, ValueError) as error:
        reason = reason_of(error).replace(" or directory", " or folder")
        raise UsageError(
            f"{source}: {reason}; give the folder that holds the class folders, or an archive of it"
        ) from None
    if stat.S_ISDIR(status.st_mode):
        return FolderListing(source, scratch)
    if not stat.S_ISREG(status.st_mode):
        raise UsageError(f"{source}: neither a folder nor a regular file")
    return open_archive(source, scratch) or FileListing(source, scratch)


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
            f"{listing.source}: is a dataset (or an array) already, not a source of pictures"
        )
    if listing.only:
        raise UsageError(
            f"{listing.source}: neither a folder, nor an archive, nor a data file of a known kind"
        )
    return _module("folders")


def _module(name):
    return importlib.import_module(f"glyphs.sources.{name}")
