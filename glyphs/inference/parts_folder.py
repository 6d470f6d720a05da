"""Begin a folder of parts, or find what one holds: the manifest that all its jobs compare with."""

import dataclasses
import json
import os

from glyphs import files
from glyphs.errors import ArtifactError, UsageError
from glyphs.inference.output import SUFFIXES
from glyphs.inference.parts import MANIFEST, Parts

FORMAT = "glyphs parts"
VERSION = 1

# Of parts that nobody numbers. One takes a core a second or more, against some 0.01 s for sending
# it out and writing its files; smaller ones are not worth the trip, of larger ones more is lost
# with a machine. No folder gets more files than MOST_PARTS.
PICTURES_A_PART = 1024
MOST_PARTS = 10_000

# What tells folders of parts apart, in the order in which differences are named.
NAMES = {
    "models": "parts by another model (or one trained, calibrated or named otherwise since)",
    "list": "parts of another list of pictures",
    "parts": "another number of parts",
    "options": "parts made with other options",
}


def parts_for(n_pictures):
    """Return into how many parts to split a list for a cluster.

    >>> parts_for(1), parts_for(1025), parts_for(100_000_000)
    (1, 2, 10000)
    """
    return min(-(-n_pictures // PICTURES_A_PART), MOST_PARTS)


def begin(folder, request, identities, paths, n_parts=None):
    """Return the Parts of a folder, which is made if it is not there.

    Args:
        folder: path.
        request: Request.
        identities: what request.identities_of returned.
        paths: list of the pictures, as they are called in the output.
        n_parts: how many parts; None: as many as the folder has, or parts_for says.

    Raises:
        ArtifactError: the folder holds parts of something else.
        UsageError: there are no pictures.
        StorageError: no space or no permission.
    """
    if not paths:
        raise UsageError("no pictures to split into parts")
    files.make_folder(folder)
    there = _read(folder)
    if n_parts is None:
        n_parts = there.n_parts if there else parts_for(len(paths))
    ours = Parts(os.fspath(folder), _manifest(request, identities, paths, n_parts))
    if there is None:
        _refuse_orphans(folder)
        _write_first(ours.manifest_path, ours.manifest)
        there = _read(folder)  # another job may have been faster
    for key, name in NAMES.items():
        if there.manifest[key] != ours.manifest[key]:
            raise ArtifactError(
                f"{folder}: holds {name}{_details(key, there.manifest, ours.manifest)}; "
                "give another folder, or remove this one"
            )
    return ours


def find(folder):
    """Return the Parts that a folder holds.

    Raises:
        ArtifactError: it holds none.
    """
    there = _read(folder)
    if there is None:
        raise ArtifactError(f"{os.path.join(folder, MANIFEST)}: no such file; no parts are there")
    return there


def _refuse_orphans(folder):
    """Raise ArtifactError if there are parts of which nothing says what they are of."""
    with files.storage_errors(folder):
        names = os.listdir(folder)
    for name in names:
        if name.startswith("part-") and name.endswith(tuple(SUFFIXES.values())):
            raise ArtifactError(
                f"{folder}: holds {name} but no {MANIFEST}; give another folder, or remove this one"
            )


def _manifest(request, identities, paths, n_parts):
    listed = b"\0".join(map(os.fsencode, paths))
    options = dataclasses.asdict(request) | dataclasses.asdict(request.output)
    del options["models"], options["output"], options["reject"]  # accuracy says so, too
    if options["only"] is not None:
        options["only"] = files.sha256("\0".join(request.only).encode())
    return {
        "format": FORMAT,
        "version": VERSION,
        "parts": n_parts,
        "pictures": len(paths),
        "list": files.sha256(listed),
        "models": list(identities),
        "options": options,
    }


def _details(key, there, here):
    if key == "parts":
        return f" ({there[key]:,}, not {here[key]:,})"
    if key == "list":
        return f" ({there['pictures']:,} pictures; {here['pictures']:,} now)"
    if key == "options":
        differing = sorted(k for k in here[key] if there[key].get(k) != here[key][k])
        names = ["reject" if name == "accuracy" else name for name in differing]
        return f" ({', '.join('--' + name.replace('_', '-') for name in names)})"
    return ""


def _read(folder):
    path = os.path.join(folder, MANIFEST)
    try:
        with open(path, "rb") as file:
            manifest = json.load(file)
        if manifest["format"] != FORMAT or manifest["options"]["format"] not in SUFFIXES:
            raise ValueError
        if manifest["version"] != VERSION:
            raise ArtifactError(
                f"{path}: format version {manifest['version']!r:.20}; this program reads {VERSION}"
            )
        counts = manifest["parts"], manifest["pictures"]
        if not manifest.keys() >= NAMES.keys() or not all(type(n) is int and n > 0 for n in counts):
            raise ValueError
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise ArtifactError(f"{path}: cannot be read ({error.strerror})") from None
    except (ValueError, TypeError, KeyError):
        raise ArtifactError(f"{path}: damaged, or not of this program") from None
    return Parts(os.fspath(folder), manifest)


def _write_first(path, manifest):
    """Write the manifest, unless another job does so at this moment."""
    own = files.own_temporary(path)
    with files.storage_errors(path):
        try:
            with open(own, "wb") as file:
                file.write(json.dumps(manifest, indent=1).encode() + b"\n")
                files.flush(file)
            try:
                os.link(own, path)  # of several at a time one succeeds, whatever the machine
            except FileExistsError:
                pass
            except OSError:
                os.replace(own, path)  # a file system without links
        finally:
            files.remove(own)
