"""Corrected pictures, collected as class folders that create_dataset.py reads.

    hand/
        B0A1/  3f0c9a1e5b7d2468.png  ...
        亜/    ...

Nothing of a request reaches the disk as it came: the picture is decoded and written anew, its name
is made from its pixels, and a label becomes a folder only if it is harmless.
"""

import os
import unicodedata

from glyphs import files
from glyphs.images.decode import decode_picture
from glyphs.sources.index import split_named
from glyphs.sources.listing import MAC_FORKS
from glyphs.web.limits import RefusedError

LONGEST = 100  # bytes of a folder's name
DIGITS = 16  # hex digits of a picture's name


def folder_name(label):
    """Return the name of a label's folder.

    >>> folder_name("亜")
    '亜'

    Raises:
        RefusedError: the label cannot be a class folder's name (400).
    """
    name = unicodedata.normalize("NFC", label)
    if not name or name != name.strip():
        raise RefusedError(400, "a label must not be empty, nor begin or end with a space")
    # Separators of paths and drives, and what shells or other systems read as something else.
    kinds = {unicodedata.category(c)[0] for c in name.replace(" ", "")}
    if kinds & {"C", "Z"} or set(name) & set('/\\:*?"<>|'):
        raise RefusedError(400, 'a label must not hold / \\ : * ? " < > | or control characters')
    if name.startswith((".", "-", "~")) or name.endswith(".") or name == MAC_FORKS:
        raise RefusedError(400, "a label must not begin with . - or ~, nor end with .")
    if split_named(name):
        raise RefusedError(400, f"{name} is the name of a split; give the class another name")
    if len(name.encode()) > LONGEST:
        raise RefusedError(400, f"a label must be shorter than {LONGEST} bytes")
    return name


def folders_of(label, is_known):
    """Return the folder of a label as a list of names; a class of the model may be nested."""
    parts = label.split("/") if is_known else [label]
    return [folder_name(part) for part in parts]


class Collection:
    """A folder that grows.

    Args:
        folder: where; it is made if it is missing.

    Raises:
        StorageError: it cannot be made or written in.
    """

    def __init__(self, folder):
        files.make_folder(folder)
        self.folder = folder

    def keep(self, upload, label, *, is_known):
        """Write a picture into its class folder; call from one thread at a time.

        The same picture, given another label later, moves.

        Args:
            upload: bodies.Upload.
            label: text.
            is_known: whether it is a class of the model.

        Returns:
            The new file's path below the folder, with / on every system.

        Raises:
            RefusedError: the label cannot be a folder's name.
            PictureError: the picture cannot be read.
            StorageError: no space or no permission.
        """
        parts = folders_of(label, is_known)
        picture = decode_picture(upload.data, upload.name)
        size = b"%d x %d " % picture.size
        name = files.sha256(size + picture.tobytes())[:DIGITS] + ".png"
        folder = os.path.join(self.folder, *parts)
        root = os.path.realpath(self.folder)
        if os.path.realpath(folder) != os.path.join(root, *parts):
            raise RefusedError(400, f"{'/'.join(parts)} leads out of the folder through a link")
        files.make_folder(folder)
        path = os.path.join(folder, name)
        with files.replacing(path) as file:
            picture.save(file, "PNG")
        for other in self._others(name, path):
            files.remove(other)
        return "/".join([*parts, name])

    def _others(self, name, path):
        """Return where else this picture was put before."""
        found = []
        for folder, folders, names in os.walk(self.folder):
            folders[:] = [f for f in folders if not f.startswith(".")]
            other = os.path.join(folder, name)
            if name in names and not os.path.samefile(other, path):
                found.append(other)
        return found
