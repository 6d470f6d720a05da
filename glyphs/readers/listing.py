"""The files of a source, be it a folder, an archive or a single file, under relative names.

Archives are not unpacked to folders: of tar files and zip members only the position is noted. What
is compressed as a whole (.tar.gz, .tar.xz) is unpacked once into one scratch file.
"""

import bz2
import collections
import contextlib
import gzip
import io
import lzma
import os
import re
import stat
import struct
import tarfile
import zipfile
import zlib

from glyphs import files, images
from glyphs.errors import PictureError, StorageError, UsageError
from glyphs.readers import Samples

MAX_FILE = images.MAX_BYTES  # of a picture in an archive, unpacked
# Pictures are compressed already, and text shrinks tenfold: what unpacks to this many times its
# size is a bomb. Small archives may hold blank bitmaps.
MAX_RATIO = 200
SMALL = 1 << 30
MAC_FORKS = "__MACOSX"  # what macOS adds to archives: no pictures, though named as if they were

_DAMAGE = (
    zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, ValueError,
    NotImplementedError,
)  # fmt: skip
_DECOMPRESSORS = ((b"\x1f\x8b", gzip), (b"\xfd7zXZ\x00", lzma), (b"BZh", bz2))


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

        A member of a zip archive is unpacked into the scratch file for that.

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
            raise PictureError(self.path(name), images.reason_of(error)) from None

    def open(self, name):
        """Return a file's uncompressed bytes as a seekable binary stream.

        Raises:
            PictureError: the file cannot be read.
        """
        try:
            return io.BufferedReader(_Stretch(*self.locate(name)))
        except OSError as error:
            raise PictureError(self.path(name), images.reason_of(error)) from None

    def unpack(self, name, stream, size, stored):
        """Append what a file unpacks to to the scratch file.

        Args:
            name: of the file, for messages.
            stream: what to read the unpacked bytes from.
            size: how many they must be.
            stored: how many they are before unpacking.

        Returns:
            `(path, offset, size)`, as locate does.

        Raises:
            PictureError: the stream ends too early.
            UsageError: the sizes are those of a decompression bomb.
            StorageError: there is no space for the scratch file.
        """
        _refuse_bomb(self.path(name), size, stored)
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


def natural_key(name):
    """Return a sort key under which `2.png` comes before `10.png`."""
    parts = re.split(r"([0-9]+)", name)
    parts[1::2] = map(int, parts[1::2])
    return parts, name


def open_listing(source, scratch):
    """List the files of a source.

    Args:
        source: path of a folder, of a .zip, .tar, .tar.gz, .tar.xz or .tar.bz2 archive, or of any
            other file, which then is the only one.
        scratch: path of a file to write if the archive has to be unpacked; the caller deletes it.

    Returns:
        A Listing.

    Raises:
        UsageError: there is no such source, or the archive cannot be read.
        StorageError: a folder cannot be listed, or there is no space for the scratch file.
    """
    source = os.fspath(source)
    try:
        status = os.stat(source)
    except (OSError, ValueError) as error:
        reason = images.reason_of(error).replace(" or directory", " or folder")
        raise UsageError(
            f"{source}: {reason}; give the folder that holds the class folders, or an archive of it"
        ) from None
    if stat.S_ISDIR(status.st_mode):
        return _FolderListing(source, scratch)
    if not stat.S_ISREG(status.st_mode):
        raise UsageError(f"{source}: neither a folder nor a regular file")
    try:
        with open(source, "rb") as file:
            head = file.read(8)
    except OSError as error:
        raise StorageError(f"{source}: cannot be read ({images.reason_of(error)})") from None
    try:
        is_arrays = source.lower().endswith(".npz")  # a zip file only on the outside
        if zipfile.is_zipfile(source) and head[:2] == b"PK" and not is_arrays:
            return _ZipListing(source, scratch)
        for magic, module in _DECOMPRESSORS:
            if head.startswith(magic):
                with module.open(source) as stream:
                    is_tar = _is_tar(stream.read(512))
                if is_tar:
                    return _TarListing(source, scratch, _unpack(source, module, scratch))
        if head.startswith(b"PK\x03\x04") and not is_arrays:
            raise UsageError(f"{source}: damaged archive (its list of files at the end is missing)")
        with open(source, "rb") as file:
            if _is_tar(file.read(512)):
                return _TarListing(source, scratch, source)
    except (*_DAMAGE, OSError) as error:
        if isinstance(error, OSError) and error.errno:
            raise  # of the disk; bz2 and gzip raise it without a number for damage
        raise UsageError(f"{source}: damaged archive ({images.reason_of(error)})") from None
    return _FileListing(source, scratch)


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


class _FolderListing(Listing):
    def __init__(self, source, scratch):
        super().__init__(source, scratch)

        def refuse(path, error):
            raise StorageError(f"{path}: cannot be listed ({error.strerror})") from error

        for folder, names, hidden in scan(source, on_error=refuse):
            self.tree[folder] = names
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
            raise PictureError(path, images.reason_of(error)) from None


class _FileListing(_FolderListing):
    """A single file: the folder around it, with only that file chosen."""

    def __init__(self, source, scratch):
        Listing.__init__(self, source, scratch)
        folder, self.only = os.path.split(self.source)
        self.folder = folder or "."
        with os.scandir(self.folder) as entries:
            names = [e.name for e in entries if not e.name.startswith(".") and e.is_file()]
        self.tree = {"": sorted(names, key=natural_key)}

    def path(self, name):
        return os.path.join(os.path.dirname(self.source), name)


class _TarListing(Listing):
    """A tar file; `path_of_tar` is where it lies uncompressed."""

    def __init__(self, source, scratch, path_of_tar):
        super().__init__(source, scratch)
        self.path_of_tar = path_of_tar
        self.places = {}  # relative name -> (offset, size)
        with tarfile.open(path_of_tar, "r:") as archive:
            for member in archive:
                archive.members = []  # they pile up, at 1 kB each
                name = _clean_name(member.name)
                if name is None:
                    self.skipped["unsafe name in the archive"] += 1
                elif member.issym() or member.islnk():
                    self.skipped["link in the archive"] += 1
                elif member.isreg() and not member.issparse() and not _is_hidden(name, self):
                    self.places[name] = (member.offset_data, member.size)
        self.tree = _tree_of(self.places)

    def samples(self, names):
        return Ranges(self.source, self.path_of_tar, names, [self.places[name] for name in names])

    def has(self, name):
        return name in self.places

    def locate(self, name):
        if name not in self.places:
            raise PictureError(self.path(name), "no such file in the archive")
        return self.path_of_tar, *self.places[name]


class _ZipListing(Listing):
    def __init__(self, source, scratch):
        super().__init__(source, scratch)
        self.archive = zipfile.ZipFile(source)
        self.members = {}
        self.unpacked = {}  # relative name -> (path, offset, size)
        for member in self.archive.infolist():
            name = _clean_name(_decoded_name(member))
            if name is None:
                self.skipped["unsafe name in the archive"] += 1
            elif stat.S_ISLNK(member.external_attr >> 16):
                self.skipped["link in the archive"] += 1
            elif not member.is_dir() and not _is_hidden(name, self):
                self.members[name] = member
        self.tree = _tree_of(self.members)

    def samples(self, names):
        places = []
        for name in names:
            member = self.members[name]
            method = ENCRYPTED if member.flag_bits & 1 else member.compress_type
            sizes = (member.compress_size, member.file_size)
            places.append((member.header_offset, *sizes, method, member.CRC))
        return ZipMembers(self.source, self.source, names, places)

    def has(self, name):
        return name in self.members

    def locate(self, name):
        if name not in self.unpacked:
            member = self._member(name)
            with self._reading(name) as stream:
                sizes = (member.file_size, member.compress_size)
                self.unpacked[name] = self.unpack(name, stream, *sizes)
        return self.unpacked[name]

    def read(self, name, size=None):
        member = self._member(name)
        if size is None and member.file_size > MAX_FILE:
            raise PictureError(self.path(name), f"{member.file_size / 1e6:,.0f} MB are too many")
        with self._reading(name) as stream:
            return stream.read(member.file_size if size is None else size)

    def _member(self, name):
        if name not in self.members:
            raise PictureError(self.path(name), "no such file in the archive")
        return self.members[name]

    @contextlib.contextmanager
    def _reading(self, name):
        try:
            with self.archive.open(self.members[name]) as stream:
                yield stream
        except (NotImplementedError, RuntimeError):
            raise PictureError(self.path(name), _METHOD) from None
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError) as error:
            raise PictureError(self.path(name), images.reason_of(error)) from None


def _is_tar(block):
    try:
        tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return False
    return True


def _unpack(source, module, scratch):
    """Decompress a whole archive into the scratch file; return its path."""
    stored = os.path.getsize(source)
    with files.storage_errors(scratch), module.open(source) as stream, open(scratch, "wb") as file:
        while block := stream.read(files.BLOCK):
            _refuse_bomb(source, file.tell() + len(block), stored)
            file.write(block)
    return scratch


def _refuse_bomb(path, size, stored):
    if size > SMALL and size > MAX_RATIO * stored:
        raise UsageError(f"{path}: unpacks to more than {MAX_RATIO} times its size; not read")


def _clean_name(name):
    """Return a member's name as a relative path, or None where it leads elsewhere."""
    parts = [part for part in name.replace("\\", "/").split("/") if part not in ("", ".")]
    if ".." in parts or name.startswith(("/", "\\")) or re.match(r"[A-Za-z]:", name):
        return None
    return "/".join(parts)


def _decoded_name(member):
    """Return the name of a zip member. Some programs write UTF-8 without saying so."""
    if member.flag_bits & 0x800:
        return member.filename
    try:
        return member.filename.encode("cp437").decode("utf-8")
    except UnicodeError:
        return member.filename


def _is_hidden(name, listing):
    hidden = name.startswith((".", f"{MAC_FORKS}/")) or "/." in name or not name
    listing.skipped["hidden"] += hidden
    return hidden


def _tree_of(names):
    tree = {"": []}
    for name in names:
        folder, _, base = name.rpartition("/")
        above = folder
        while above not in tree:
            tree[above] = []
            above = above.rpartition("/")[0]
        tree[folder].append(base)
    return {
        folder: sorted(tree[folder], key=natural_key) for folder in sorted(tree, key=natural_key)
    }


def scan(folder, *, on_error):
    """Yield `(relative folder, names of its files, hidden entries)` of a folder and all below it.

    Files in natural order, each folder before its sub-folders, these in natural order. Links to
    folders are followed, except back to a folder above.

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
        yield relative, sorted(names, key=natural_key), hidden
        for name in sorted(subfolders, key=natural_key, reverse=True):
            waiting.append((join(relative, name), os.path.join(path, name), (*above, identity)))


def _is_folder(entry):
    try:
        return entry.is_dir()
    except OSError:  # a link to itself, say; whoever reads it will say what is wrong
        return False


class Files(Samples):
    """Picture files."""

    def __init__(self, paths):
        self.paths = paths

    def __len__(self):
        return len(self.paths)

    def name(self, number):
        return self.paths[number]

    def chunk(self, numbers):
        return _FileChunk([self.paths[number] for number in numbers])


class _FileChunk:
    def __init__(self, paths):
        self.paths = paths

    def pictures(self):
        for path in self.paths:
            try:
                yield images.read_picture(path)
            except PictureError as error:
                yield error


class Ranges(Samples):
    """Pictures that are stretches of one larger file.

    Args:
        source: path to name in messages.
        path: of the file.
        names: relative names of the pictures.
        places: for each `(offset, size)` in bytes.
    """

    def __init__(self, source, path, names, places):
        self.source = source
        self.path = path
        self.names = names
        self.places = places

    def __len__(self):
        return len(self.names)

    def name(self, number):
        return os.path.join(self.source, self.names[number])

    def chunk(self, numbers):
        return _RangeChunk(
            self.path,
            [self.name(number) for number in numbers],
            [self.places[number] for number in numbers],
        )


class _RangeChunk:
    def __init__(self, path, names, places):
        self.path = path
        self.names = names
        self.places = places

    def pictures(self):
        with open(self.path, "rb") as file:
            for name, place in zip(self.names, self.places, strict=True):
                try:
                    yield images.decode_picture(self.read(file, name, place), name)
                except PictureError as error:
                    yield error

    def read(self, file, name, place):
        """Return the bytes of one picture, or raise PictureError."""
        offset, size = place
        if size > MAX_FILE:
            raise PictureError(name, f"{size / 1e6:,.0f} MB are too many for one picture")
        file.seek(offset)
        data = file.read(size)
        if len(data) < size:
            raise PictureError(name, "the archive is cut short")
        return data


class ZipMembers(Ranges):
    """Members of a zip file; places are `(header offset, stored size, size, method, CRC)`."""

    def chunk(self, numbers):
        chunk = super().chunk(numbers)
        return _ZipChunk(chunk.path, chunk.names, chunk.places)


ENCRYPTED = -1  # in place of a method of compression
_LOCAL_HEADER = struct.Struct("<4s22x2H")
_METHOD = "encrypted, or compressed by a method other than deflate; pack the archive again"


class _ZipChunk(_RangeChunk):
    def read(self, file, name, place):
        offset, stored, size, method, crc = place
        if size > MAX_FILE or stored > MAX_FILE:
            raise PictureError(name, f"{size / 1e6:,.0f} MB are too many for one picture")
        if method not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise PictureError(name, _METHOD)
        file.seek(offset)
        header = file.read(_LOCAL_HEADER.size)
        if len(header) < _LOCAL_HEADER.size or header[:4] != b"PK\x03\x04":
            raise PictureError(name, "the archive is damaged here")
        _, name_size, extra_size = _LOCAL_HEADER.unpack(header)
        file.seek(name_size + extra_size, io.SEEK_CUR)
        data = file.read(stored)
        if method == zipfile.ZIP_DEFLATED:
            try:
                data = zlib.decompressobj(-15).decompress(data, size + 1)
            except zlib.error:
                raise PictureError(name, "the archive is damaged here") from None
        if len(data) != size or zlib.crc32(data) != crc:
            raise PictureError(name, "the archive is damaged here (its checksum differs)")
        return data
