"""What the scripts say on the terminal: messages, exit codes, progress.

Only scripts import this.
"""

import contextlib
import errno
import os
import shutil
import signal
import sys
import time
import warnings

from glyphs import files
from glyphs.errors import GlyphsError, StorageError, one_line


def run(main):
    """Run a script's `main()` and return its exit code; users see one line, never a traceback."""
    _open_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        # Paths are bytes to the system: they go out as they came in, whatever the locale.
        with contextlib.suppress(AttributeError, OSError):
            stream.reconfigure(encoding="utf-8", errors="surrogateescape")
    # Libraries warn of oddities of files that they can read; what a user must know is an error.
    warnings.simplefilter("ignore")
    try:
        code = main() or 0
        sys.stdout.flush()
        return code
    except GlyphsError as mistake:
        error(mistake)
        return mistake.exit_code
    except KeyboardInterrupt as interrupt:
        error(str(interrupt) or "interrupted")
        return 130
    except BrokenPipeError:
        # The reader of our output (`| head -1`) has gone: end quietly, as other tools do.
        _forget_output()
        return 128 + getattr(signal, "SIGPIPE", 13)
    except OSError as failure:
        message = files.explain(failure, failure.filename or "output")
        if failure.errno == errno.EBADF and failure.filename is None:
            message = "output: cannot be written, as standard output is closed"
            _forget_output()
        if message is None:
            raise
        error(message)
        return StorageError.exit_code


def _forget_output():
    """Let what was not written yet to stdout vanish, which Python writes when it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _open_closed_streams():
    """Open the null device for standard streams that were closed by the caller (`>&-`).

    A file opened later would get the free descriptor, and what libraries print would go into it.
    Results that nobody gets are an error: the device is opened for reading, so writing fails.
    """
    for name, mode, way in (
        ("stdin", "r", os.O_RDONLY),
        ("stdout", "w", os.O_RDONLY),
        ("stderr", "w", os.O_WRONLY),
    ):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.open(os.devnull, way), mode))  # noqa: SIM115


def say(line):
    """Print a line of results on stdout at once."""
    print(one_line(line), flush=True)


def error(message):
    print(f"error: {one_line(message)}", file=sys.stderr, flush=True)


def warn(message):
    print(f"warning: {one_line(message)}", file=sys.stderr, flush=True)


def duration(seconds):
    """Return a time in words, as exactly as one wants to know it."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    if seconds < 6000:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


class Progress:
    """A line on the terminal that rewrites itself; nothing where stderr is not a terminal.

    Written by hand: tqdm takes .035 s to import, a tenth of the time that one picture takes.

        with Progress("pictures") as progress:
            for done, picture in enumerate(pictures, 1):
                progress.update(done, len(pictures))

    Args:
        unit: what is counted.
    """

    def __init__(self, unit):
        self.unit = unit
        self.shown = sys.stderr.isatty()
        self.started = self.updated = time.monotonic()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.clear()

    def update(self, done, total, *, more=0, left="{} left", note=""):
        """Show how many are done, at most ten times a second.

        Args:
            done: how many.
            total: how many there are to do.
            more: how many come afterwards, on other lines; they count in the time left.
            left: how to say the time left.
            note: what else to show.
        """
        now = time.monotonic()
        if not self.shown or (now - self.updated < 0.1 and done < total):
            return
        self.updated = now
        rate = done / max(now - self.started, 1e-9)
        left = left.format(duration((total - done + more) / rate if rate else 0))
        text = f"{done:,}/{total:,} {self.unit}  {rate:,.0f}/s  {left}  {note}"
        sys.stderr.write(f"\r\x1b[K{text[: shutil.get_terminal_size().columns - 1]}")
        sys.stderr.flush()

    def clear(self):
        """Take the line away again, before other output or at the end."""
        if self.shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
