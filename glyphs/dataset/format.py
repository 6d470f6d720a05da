"""The files `characters_dataset` and `characters_dataset_elastic`: what they hold, in which order.

The arrays stand one after another as np.save writes them; the manifest is the last, a 0-d unicode
array with JSON in it.
"""

import io

import numpy as np

from glyphs import files

ARRAYS = ("X_train", "y_train", "X_val", "y_val", "X_test", "y_test", "label_names")
ELASTIC = "X_train_elastic"  # follows the seven in a `characters_dataset_elastic`
VERSION = 1
NPY = b"\x93NUMPY"  # how every dataset begins


def format_of(arrays):
    """Return the name of the format that has these arrays."""
    return "characters_dataset_elastic" if ELASTIC in arrays else "characters_dataset"


def manifest_bytes(manifest):
    """Return the manifest, with its own SHA-256 added, as np.save stores a 0-d unicode array."""
    manifest = {key: manifest[key] for key in manifest if key != "manifest_sha256"}
    manifest["manifest_sha256"] = files.sha256(files.canonical_json(manifest))
    buffer = io.BytesIO()
    np.save(buffer, np.array(files.canonical_json(manifest).decode()))
    return buffer.getvalue()
