"""The files of a .zip or .tar archive.

Archives are not unpacked into folders: the positions of their members are noted, and the worker
processes read them there. What is compressed as a whole (.tar.gz, .tar.xz, .tar.bz2) is first
unpacked into one scratch file.
"""

import bz2
import contextlib
import gzip
import lzma
import os
import re
import stat
import tarfile
import zipfile
import zlib

from glyphs import files
from glyphs.errors import PictureError, StorageError, UsageError
from glyphs.images.decode import reason_of
from glyphs.sources.listing import MAC_FORKS, MAX_FILE, Listing, refuse_bomb
from glyphs.sources.members import ENCRYPTED, OTHER_METHOD, TarMembers, ZipMembers
from glyphs.sources.natural import natural_key

# What the standard library raises at damaged archives, besides OSError.
DAMAGE = (
    zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, ValueError,
    NotImplementedError,
)  # fmt: skip
_DECOMPRESSORS = ((b"\x1f\x8b", gzip), (b"\xfd7zXZ\x00", lzma), (b"BZh", bz2))
_TAR_BLOCK = 512  # bytes


def open_archive(source, scratch):
    """List the files of an archive.

    Args:
        source: path of a regular file.
        scratch: path of a file to write if the archive has to be unpacked; the caller deletes it.

    Returns:
        A Listing, or None if the file is no archive.

    Raises:
        UsageError: the archive is damaged.
        StorageError: no permission, or no space for the scratch file.
    """
    try:
        with open(source, "rb") as file:
            head = file.read(_TAR_BLOCK)
    except OSError as error:
        raise StorageError(f"{source}: cannot be read ({reason_of(error)})") from None
    is_zip = head.startswith(b"PK") and not source.lower().endswith(".npz")  # which holds arrays
    try:
        if is_zip and zipfile.is_zipfile(source):
            return ZipListing(source, scratch)
        for magic, module in _DECOMPRESSORS:
            if head.startswith(magic):
                with module.open(source) as stream:
                    is_tar = _is_tar(stream.read(_TAR_BLOCK))
                if is_tar:
                    return TarListing(source, scratch, _unpack(source, module, scratch))
        if is_zip and head.startswith(b"PK\x03\x04"):
            raise UsageError(f"{source}: damaged archive (its list of files at the end is missing)")
        if _is_tar(head):
            return TarListing(source, scratch, source)
    except (*DAMAGE, OSError) as error:
        if isinstance(error, OSError) and error.errno:
            raise  # an error of the disk; for damage, bz2 and gzip raise one without a number
        raise UsageError(f"{source}: damaged archive ({reason_of(error)})") from None
    return None


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
            refuse_bomb(source, file.tell() + len(block), stored)
            file.write(block)
    return scratch


class _ArchiveListing(Listing):
    """An archive; `members` holds what must be known of each file, by its relative name."""

    def __init__(self, source, scratch):
        super().__init__(source, scratch)
        self.members = {}

    def _add(self, name, member, *, is_link, is_file):
        name = _clean_name(name)
        if name is None:
            self.skipped["unsafe name in the archive"] += 1
        elif is_link:
            self.skipped["link in the archive"] += 1
        elif is_file and _is_hidden(name):
            self.skipped["hidden"] += 1
        elif is_file:
            self.members[name] = member

    def has(self, name):
        return name in self.members

    def _member(self, name):
        if name not in self.members:
            raise PictureError(self.path(name), "no such file in the archive")
        return self.members[name]


class TarListing(_ArchiveListing):
    """A tar file; `path_of_tar` is where it lies uncompressed. `members` are `(offset, size)`."""

    def __init__(self, source, scratch, path_of_tar):
        super().__init__(source, scratch)
        self.path_of_tar = path_of_tar
        with tarfile.open(path_of_tar, "r:") as archive:
            for member in archive:
                archive.members = []  # they pile up, at 1 kB each
                self._add(
                    member.name,
                    (member.offset_data, member.size),
                    is_link=member.issym() or member.islnk(),
                    is_file=member.isreg() and not member.issparse(),
                )
        self.tree = _tree_of(self.members)

    def samples(self, names):
        places = [self.members[name] for name in names]
        return TarMembers(self.source, self.path_of_tar, names, places)

    def locate(self, name):
        return self.path_of_tar, *self._member(name)


class ZipListing(_ArchiveListing):
    """A zip file; `members` are zipfile.ZipInfo."""

    def __init__(self, source, scratch):
        super().__init__(source, scratch)
        self.archive = zipfile.ZipFile(source)
        self.unpacked = {}  # relative name -> (path, offset, size)
        for member in self.archive.infolist():
            is_link = stat.S_ISLNK(member.external_attr >> 16)
            name = _decoded_name(member)
            is_file = bool(name) and not member.is_dir()  # which fails for no name
            self._add(name, member, is_link=is_link, is_file=is_file)
        self.tree = _tree_of(self.members)

    def samples(self, names):
        places = []
        for name in names:
            member = self.members[name]
            method = ENCRYPTED if member.flag_bits & 1 else member.compress_type
            sizes = (member.compress_size, member.file_size)
            places.append((member.header_offset, *sizes, method, member.CRC))
        return ZipMembers(self.source, self.source, names, places)

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

    @contextlib.contextmanager
    def _reading(self, name):
        try:
            with self.archive.open(self.members[name]) as stream:
                yield stream
        except (NotImplementedError, RuntimeError):
            raise PictureError(self.path(name), OTHER_METHOD) from None
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError) as error:
            raise PictureError(self.path(name), reason_of(error)) from None


def _clean_name(name):
    """Return a member's name as a relative path, or None where it leads out of the archive."""
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


def _is_hidden(name):
    return not name or name.startswith((".", f"{MAC_FORKS}/")) or "/." in name


def _tree_of(names):
    """Return relative names of files as a `Listing.tree`."""
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
