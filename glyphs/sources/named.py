"""The pictures that names on a command line stand for: files, folders, or a list of both."""

import os
import re

from glyphs.errors import PictureError
from glyphs.sources import folders

# Endings of what holds pictures but is not read as one, unless it is named itself.
PICTURE_LIKE = {
    "ai", "apng", "arw", "avif", "cr2", "cr3", "cur", "dcm", "djv", "djvu", "dng", "eps",
    "heic", "heics", "heif", "hif", "ico", "j2k", "jfif", "jp2", "jpe", "jpf", "jpx", "jxl",
    "mpo", "nef", "orf", "pbm", "pcx", "pdf", "pgm", "pic", "pnm", "ppm", "psd", "raf", "raw",
    "rw2", "svg", "svgz", "tga", "xcf",
}  # fmt: skip
_ENDING = re.compile(r".+\.(?=[0-9]*[a-z])([a-z0-9]{1,5})", re.DOTALL)  # `1.2` has none
_BEGINNINGS = re.compile(
    rb"\x89PNG|\xff\xd8\xff|GIF8|BM.{4}\0{4}|II\*\0|MM\0\*|RIFF.{4}WEBP|%PDF-|.{4}ftyp(hei|avi|mif)",
    re.DOTALL,
)
LOOKS = 100  # files without an ending that are opened; what most of them are, the others are


def expand(names, *, stdin, on_error, warn):
    """Yield the pictures that names stand for: files, folders, or - for a list.

    Args:
        names: list of text.
        stdin: binary stream to read a list from.
        on_error: called with a PictureError for each folder that cannot be listed, or that holds
            no pictures.
        warn: called with a line for each folder in which files were passed over by their names
            that may be pictures.
    """
    for name in names:
        if name == "-":
            yield from expand(_listed(stdin.read()), stdin=stdin, on_error=on_error, warn=warn)
        elif os.path.isdir(name):
            yield from _search(name, on_error, warn)
        else:
            yield name


def _listed(data):
    """Return the names in a list: one a line, or NUL-separated."""
    # Lists from Windows end their lines with \r\n, and may begin with a byte order mark.
    data = data.removeprefix(b"\xef\xbb\xbf")
    lines = data.split(b"\0") if b"\0" in data else data.splitlines()
    names = [os.fsdecode(line) for line in lines if line]
    # A file called - in the list is a file, not the list again.
    return [f"./{name}" if name == "-" else name for name in names]


def _search(folder, on_error, warn):
    """Yield the pictures in a folder; say what was passed over, or that there are none."""
    n_found, n_errors = 0, 0

    def report(error):
        nonlocal n_errors
        n_errors += 1
        on_error(error)

    passed_over = PassedOver()
    for path in folders.walk(folder, on_error=report, on_other=passed_over.see):
        n_found += 1
        yield path
    if n_found and passed_over.count:
        warn(f"{folder}: {passed_over}")
    elif not n_found and not n_errors:
        others = f": {passed_over}" if passed_over.count else ""
        on_error(PictureError(folder, f"no pictures in this folder{others}"))


class PassedOver:
    """Counts the files of a folder that may be pictures, but are not called so.

    Attributes:
        count: how many there are.
        example: the path of the first of them.
    """

    def __init__(self):
        self.count, self.example = 0, None
        self._looks, self._pictures = 0, 0

    def __str__(self):
        return (
            f"files passed over by their names: {self.count:,}, such as {self.example}; save them "
            "as PNG or JPEG, or name one by itself to have it read"
        )

    def see(self, folder, name):
        """Count a file that is not called as a picture, if it may be one."""
        match = _ENDING.fullmatch(name.lower())
        if match[1] in PICTURE_LIKE if match else self._is_picture(os.path.join(folder, name)):
            self.count += 1
            self.example = self.example or os.path.join(folder, name)

    def _is_picture(self, path):
        """Return whether a file without an ending begins as pictures do."""
        if self._looks == LOOKS:
            return 2 * self._pictures > LOOKS
        self._looks += 1
        try:
            if not os.path.isfile(path):  # to open a FIFO would block
                return False
            with open(path, "rb", buffering=0) as file:
                is_picture = bool(_BEGINNINGS.match(file.read(16)))
        except OSError:
            return False
        self._pictures += is_picture
        return is_picture
