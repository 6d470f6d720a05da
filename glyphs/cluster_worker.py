"""What a worker of a Dask cluster does for cluster.Cluster. It needs Dask; see there."""

import hashlib
import os
import socket
import sys
import time

import distributed

PATIENCE = 5  # seconds until a file that was just written must be seen: file servers are not prompt


class Toolkit(distributed.WorkerPlugin):
    """Lets a worker find this toolkit, in the same state as whoever sends the work.

    It reaches workers by value, before they can import anything of ours, so it uses nothing of it.

    Args:
        root: the folder of the toolkit.
        expected: what fingerprint returned there.
    """

    def __init__(self, root, expected):
        self.root, self.expected = root, expected

    def setup(self, worker):
        host = socket.gethostname()
        if not os.path.isdir(os.path.join(self.root, "glyphs")):
            raise RuntimeError(
                f"{host} does not see {self.root}; all machines must see the same files under the "
                "same names"
            )
        # What is imported stays as it was then; only `sys` itself lives as long.
        if "glyphs" not in sys.modules:
            sys.path.insert(0, self.root)
            sys.glyphs_fingerprint = fingerprint(self.root)
        if getattr(sys, "glyphs_fingerprint", None) != self.expected:
            raise RuntimeError(
                f"{host} has loaded another version of this toolkit; restart its workers"
            )


def fingerprint(root):
    """Return a checksum of the modules in a folder of this toolkit, text."""
    found = hashlib.sha256()
    for folder, _, names in sorted(os.walk(os.path.join(root, "glyphs"))):
        for name in sorted(names):
            if name.endswith(".py"):
                with open(os.path.join(folder, name), "rb") as file:
                    found.update(name.encode() + file.read())
    return found.hexdigest()


def call(function, arguments, marks):
    """Do a task.

    Args:
        function, arguments: what to call with what.
        marks: list of `(path, size)`: what must be seen here; the size of a folder is None.

    Returns:
        `(result, None)`, or `(None, (text, exit code))` of a GlyphsError, which names this machine.
    """
    from glyphs.errors import GlyphsError

    host = socket.gethostname()
    for path, size in marks:
        if not _is_seen(path, size):
            text = (
                f"{host} does not see {path} as it is here; all machines must see the same files "
                "under the same names"
            )
            return None, (text, 6)
    try:
        return function(*arguments), None
    except GlyphsError as error:
        return None, (f"on {host}: {error}", error.exit_code)


def _is_seen(path, size):
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            if os.path.isdir(path) if size is None else os.path.getsize(path) == size:
                return True
        except OSError:
            pass
        if time.monotonic() > deadline:
            return False
        time.sleep(0.2)
