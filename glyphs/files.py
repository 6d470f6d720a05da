"""Files that are whole or absent: atomic writes, checksums, a look at the free space."""

import contextlib
import csv
import errno
import hashlib
import io
import json
import math
import os
import secrets
import shutil

from glyphs.errors import StorageError

BLOCK = 1 << 20
OWN_SUFFIX = ".own.tmp"


def temporary(path):
    """Return the one temporary name of `path`; the next run replaces what a killed run left."""
    return f"{path}.tmp"


def own_temporary(path):
    """Return a temporary name of `path` that no other process has, on any machine.

    For what several processes may write at the same time. What a killed one left is not replaced by
    the next: it is found by OWN_SUFFIX.
    """
    return f"{path}.{secrets.token_hex(8)}{OWN_SUFFIX}"


@contextlib.contextmanager
def replacing(path, needed=None, *, is_shared=False):
    """Yield a binary file that becomes `path` when the block ends well, and vanishes when not.

    The data are on the disk before the rename, so that `path` is at any moment the whole old
    file or the whole new one, even if the process is killed or the power fails. `needed` is the
    size in bytes to name in the error when the disk is full; `is_shared` says that other processes
    may be writing the same file.
    """
    path = os.fspath(path)
    unfinished = own_temporary(path) if is_shared else temporary(path)
    with storage_errors(path, needed):
        try:
            with open(unfinished, "wb") as file:
                yield file
                flush(file)
            put_in_place(unfinished, path)
        except BaseException:
            remove(unfinished)
            raise


def write_csv(path, columns, rows):
    """Write dicts as CSV, whole or not at all.

    Args:
        path: of the file.
        columns: their names, keys of each row.
        rows: iterable of dicts.

    Raises:
        StorageError: no space or no permission.
    """
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    with replacing(path) as file:
        # Names of files are bytes to the system, and not always UTF-8.
        file.write(text.getvalue().encode("utf-8", "surrogateescape"))


def flush(file):
    """Force what was written to `file` onto the disk."""
    file.flush()
    os.fsync(file.fileno())


def put_in_place(source, path):
    """Rename `source`, already flushed, to `path`, and make the rename itself durable."""
    os.replace(source, path)
    if os.name == "posix":
        folder = os.open(os.path.dirname(os.path.abspath(path)), os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def remove(path):
    """Delete the file `path` if it is there."""
    with contextlib.suppress(FileNotFoundError):
        os.remove(path)


def sha256(data):
    """Return the SHA-256 of bytes or of a C-contiguous array, as 64 hex digits."""
    return hashlib.sha256(data).hexdigest()


def sha256_of_file(path):
    """Return the SHA-256 of the contents of `path`, as 64 hex digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def canonical_json(value):
    """Return the one byte string that stands for `value` when it is hashed."""
    return json.dumps(value, ensure_ascii=True, sort_keys=True, separators=(",", ":")).encode()


def check_can_write(path, size=0):
    """Raise StorageError unless `path` can be created or replaced and `size` bytes would fit.

    Called before long work, so that a read-only folder is not found out at its end.
    """
    path = os.fspath(path)
    folder = os.path.dirname(os.path.abspath(path))
    if os.path.isdir(path):
        raise StorageError(f"{path}: is a folder; give a file name for the output")
    if not os.path.isdir(folder):
        raise StorageError(f"{path}: the folder {folder} does not exist; create it first")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise StorageError(f"{path}: no permission to write in {folder}")
    free = shutil.disk_usage(folder).free
    if size > free:
        raise StorageError(
            f"{path}: needs {readable_size(size)} but only {readable_size(free)} are free on that "
            "disk; free some space or write elsewhere"
        )


def make_folder(folder):
    """Make a folder, unless it is there, and check that files can be written in it.

    Raises:
        StorageError: no permission, or the name is taken.
    """
    try:
        os.makedirs(folder, exist_ok=True)
    except FileExistsError:
        raise StorageError(f"{folder}: is in the way; remove it") from None
    except OSError as error:
        reason = explain(error, folder) or f"{folder}: cannot be made ({error.strerror.lower()})"
        raise StorageError(reason) from None
    if not os.access(folder, os.W_OK | os.X_OK):
        raise StorageError(f"{folder}: no permission to write in it; choose another place")


def refuse_same(output, *inputs):
    """Raise StorageError if an output is one of the files or folders that are read.

    Args:
        output: path of a file to write.
        *inputs: paths that are read; None counts for nothing.
    """
    for path in inputs:
        with contextlib.suppress(OSError, TypeError):
            if os.path.samefile(output, path):
                raise StorageError(f"{output}: would replace what is read; choose another name")


def readable_size(size):
    """Return a number of bytes in the unit that people would use."""
    return f"{size / 1e6:,.0f} MB" if size >= 1e6 else f"{math.ceil(size / 1e3)} kB"


@contextlib.contextmanager
def storage_errors(path, needed=None):
    """Turn 'disk full' and 'no permission' inside the block into a StorageError about `path`."""
    try:
        yield
    except OSError as error:
        message = explain(error, path, needed)
        if message is None:
            raise
        raise StorageError(message) from error


def explain(error, path, needed=None):
    """Return one line for an OSError about space or permission, None for any other."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        wanted = f" ({readable_size(needed)} were needed)" if needed else ""
        return f"{path}: no space left{wanted}; free some space or write elsewhere"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"{path}: no permission to write there; choose another place"
    return None
