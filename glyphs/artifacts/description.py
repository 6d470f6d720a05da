"""The description of a model: what Keras writes as JSON, plus the key "glyphs", signed.

The key says everything else that a model needs to be used: class names, preprocessing, checksums,
where it comes from, how good it was. Nothing here imports Keras.
"""

import json

from glyphs import files
from glyphs.errors import ArtifactError

FORMAT = "glyphs model"
VERSION = 1
MAX_JSON_BYTES = 8_000_000  # 5,000 classes need half a million; parsed, it may take 100 times that


def to_bytes(content):
    """Return the model JSON, its key "glyphs" freshly signed with the SHA-256 of itself."""
    glyphs = {key: value for key, value in content["glyphs"].items() if key != "glyphs_sha256"}
    glyphs["glyphs_sha256"] = files.sha256(files.canonical_json(glyphs))
    return json.dumps({**content, "glyphs": glyphs}, ensure_ascii=False, indent=1).encode() + b"\n"


def parse(stored, path):
    """Return the description that a file holds.

    Args:
        stored: bytes of the file; of a longer file than MAX_JSON_BYTES, at least one more.
        path: its name.

    Returns:
        dict: the whole JSON; what is ours is under "glyphs".

    Raises:
        ArtifactError: it is damaged, or not of this toolkit.
    """
    if len(stored) > MAX_JSON_BYTES:
        raise ArtifactError(f"{path}: too large for a model's description")
    try:
        content = json.loads(stored)
    except (ValueError, RecursionError):
        raise ArtifactError(f"{path}: damaged, or not JSON; restore it, or train again") from None
    glyphs = content.get("glyphs") if isinstance(content, dict) else None
    if not isinstance(glyphs, dict) or glyphs.get("format") != FORMAT:
        raise ArtifactError(
            f"{path}: not a model of this toolkit (it has no class names); train with model.py"
        )
    if glyphs.get("version") != VERSION:
        raise ArtifactError(
            f"{path}: format version {glyphs.get('version')!r:.20}; this program reads {VERSION}"
        )
    # One comparison covers every byte: the checksum of the key, and all around it.
    network = {key: value for key, value in content.items() if key != "glyphs"}
    sums = glyphs.get("sha256")
    try:
        is_whole = (
            isinstance(sums, dict)
            and sums.get("network") == files.sha256(files.canonical_json(network))
            and to_bytes(content) == stored
        )
    except (ValueError, RecursionError):  # what JSON can say and we never write
        is_whole = False
    if not is_whole:
        raise ArtifactError(
            f"{path}: changed or damaged since it was written; restore it, or train again"
        )
    return content
