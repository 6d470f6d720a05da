"""The files of a source under relative names, be it a folder or a single file.

An archive, which has a module of its own, is a Listing too; so the readers need not know which of
them a source is.
"""

import collections
import io
import os

from glyphs import files
from glyphs.errors import PictureError, StorageError, UsageError
from glyphs.images.decode import read_picture, reason_of
from glyphs.sources.index import Samples
from glyphs.sources.natural import natural_key, natural_sorted

MAX_FILE = 500_000_000  # that is read whole
# Pictures are compressed already, and text shrinks tenfold: what unpacks to this many times its
# size is a bomb. Small archives may hold blank bitmaps.
MAX_RATIO = 200
SMALL = 1 << 30
MAC_FORKS = "__MACOSX"  # macOS adds this to archives: files named like pictures that are none


class Listing:
    """The files of a source.

    Attributes:
        source: the path that the user gave.
        name: its last component, for the manifest.
        tree: dict, folder -> names of the files in it, both in natural order; folders are relative
            and "/"-separated, "" is the source itself. Folders without files are there too.
        only: where the source is a single file, its name in the folder it lies in; else None.
        skipped: Counter of what is left out of `tree`, by reason.
        scratch: path of a file for what has to be unpacked; whoever opened the listing deletes it.
    """

    def __init__(self, source, scratch):
        self.source = os.fspath(source)
        self.scratch = scratch
        self.name = os.path.basename(os.path.abspath(self.source))
        self.tree = {}
        self.only = None
        self.skipped = collections.Counter()

    def names(self):
        """Yield the relative names of all files, folder by folder."""
        for folder, names in self.tree.items():
            for name in names:
                yield join(folder, name)

    def has(self, name):
        """Return whether there is a file of this relative name."""
        raise NotImplementedError

    def path(self, name):
        """Return what to call a file in messages."""
        return os.path.join(self.source, name)

    def samples(self, names):
        """Return Samples of the picture files of these relative names."""
        raise NotImplementedError

    def locate(self, name):
        """Return `(path, offset, size)`: where the bytes of a file lie, uncompressed.

        For this, a member of a zip archive is unpacked into the scratch file.

        Raises:
            PictureError: the file cannot be read.
        """
        raise NotImplementedError

    def read(self, name, size=None):
        """Return the first `size` bytes of a file, or all of it.

        Raises:
            PictureError: the file cannot be read, or is too large to be read whole.
        """
        path, offset, length = self.locate(name)
        if size is None and length > MAX_FILE:
            raise PictureError(self.path(name), f"{length / 1e6:,.0f} MB are too many")
        try:
            with open(path, "rb") as file:
                file.seek(offset)
                return file.read(length if size is None else min(size, length))
        except OSError as error:
            raise PictureError(self.path(name), reason_of(error)) from None

    def open(self, name):
        """Return a file's uncompressed bytes as a seekable binary stream.

        Raises:
            PictureError: the file cannot be read.
        """
        try:
            return io.BufferedReader(_Stretch(*self.locate(name)))
        except OSError as error:
            raise PictureError(self.path(name), reason_of(error)) from None

    def unpack(self, name, stream, size, stored):
        """Append the unpacked bytes of a file to the scratch file.

        Args:
            name: of the file, for messages.
            stream: where to read the unpacked bytes from.
            size: how many there must be.
            stored: how many there are before unpacking.

        Returns:
            `(path, offset, size)`, as locate does.

        Raises:
            PictureError: the stream ends too early.
            UsageError: the sizes are those of a decompression bomb.
            StorageError: there is no space for the scratch file.
        """
        refuse_bomb(self.path(name), size, stored)
        missing = size
        with files.storage_errors(self.scratch, size), open(self.scratch, "ab") as file:
            start = file.tell()
            while missing and (block := stream.read(min(missing, files.BLOCK))):
                missing -= file.write(block)
        if missing:
            raise PictureError(
                self.path(name), f"cut short: only {size - missing:,} of {size:,} bytes are there"
            )
        return self.scratch, start, size


def join(folder, name):
    """Return the relative name of a file in a relative folder."""
    return f"{folder}/{name}" if folder else name


def refuse_bomb(path, size, stored):
    """Raise UsageError if so many stored bytes should not unpack to `size` bytes."""
    if size > SMALL and size > MAX_RATIO * stored:
        raise UsageError(f"{path}: unpacks to more than {MAX_RATIO} times its size; not read")


class _Stretch(io.RawIOBase):
    """A stretch of a file, as a file of its own."""

    def __init__(self, path, offset, size):
        self.file = io.FileIO(path)
        self.offset = offset
        self.size = size
        self.position = 0

    def readable(self):
        return True

    def seekable(self):
        return True

    def readinto(self, buffer):
        self.file.seek(self.offset + self.position)
        count = self.file.readinto(memoryview(buffer)[: max(0, self.size - self.position)])
        self.position += count
        return count

    def seek(self, offset, whence=io.SEEK_SET):
        self.position = max(0, (0, self.position, self.size)[whence] + offset)
        return self.position

    def close(self):
        self.file.close()
        super().close()


class FolderListing(Listing):
    """A folder and all folders below it."""

    def __init__(self, source, scratch):
        super().__init__(source, scratch)

        def refuse(path, error):
            raise StorageError(f"{path}: cannot be listed ({error.strerror})") from error

        for folder, names, hidden in scan(source, on_error=refuse):
            self.tree[folder] = list(names)
            self.skipped["hidden"] += hidden
        self.skipped += collections.Counter()  # drops zeros

    def samples(self, names):
        return Files([self.path(name) for name in names])

    def has(self, name):
        return os.path.isfile(self.path(name))  # tables may name files outside the folder

    def locate(self, name):
        path = self.path(name)
        try:
            return path, 0, os.stat(path).st_size
        except OSError as error:
            raise PictureError(path, reason_of(error)) from None


class FileListing(FolderListing):
    """A single file; `tree` holds those beside it, too."""

    def __init__(self, source, scratch):
        Listing.__init__(self, source, scratch)
        folder, self.only = os.path.split(self.source)
        with os.scandir(folder or ".") as entries:
            names = [e.name for e in entries if not e.name.startswith(".") and e.is_file()]
        self.tree = {"": sorted(names, key=natural_key)}

    def path(self, name):
        return os.path.join(os.path.dirname(self.source), name)


class Files(Samples):
    """Picture files.

    Args:
        paths: list of their paths.
    """

    def __init__(self, paths):
        self.paths = paths

    def __len__(self):
        return len(self.paths)

    def name(self, number):
        return self.paths[number]

    def chunk(self, numbers):
        return Files([self.paths[number] for number in numbers])

    def pictures(self):
        for path in self.paths:
            try:
                yield read_picture(path)
            except PictureError as error:
                yield error


def scan(folder, *, on_error):
    """Yield `(relative folder, names of its files, hidden entries)` of a folder and all below it.

    Names are an iterator, in natural order; each folder before its sub-folders, these in natural
    order. Links to folders are followed, except back to a folder above.

    Args:
        folder: path.
        on_error: called with the path of a folder that cannot be listed, and the OSError.
    """
    waiting = [("", folder, ())]  # not recursion: folders may be nested deeper than Python calls
    while waiting:
        relative, path, above = waiting.pop()
        try:
            status = os.stat(path)
            identity = (status.st_dev, status.st_ino)
            if identity in above:
                continue  # a link back to a folder that we are in
            names, subfolders, hidden = [], [], 0
            with os.scandir(path) as entries:
                for entry in entries:
                    if entry.name.startswith(".") or entry.name == MAC_FORKS:
                        hidden += 1
                    elif _is_folder(entry):
                        subfolders.append(entry.name)
                    else:
                        names.append(entry.name)
        except OSError as error:
            on_error(path, error)
            continue
        yield relative, natural_sorted(names), hidden
        for name in sorted(subfolders, key=natural_key, reverse=True):
            waiting.append((join(relative, name), os.path.join(path, name), (*above, identity)))


def _is_folder(entry):
    try:
        return entry.is_dir()
    except OSError:  # such as a link to itself; whoever reads it will say what is wrong
        return False
