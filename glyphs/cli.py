"""What every command line shares: options, progress, messages, exit codes."""

import argparse
import contextlib
import os
import re
import shutil
import signal
import sys
import tempfile
import time
import warnings

from glyphs import files
from glyphs.errors import GlyphsError, StorageError


class _HelpFormatter(argparse.RawDescriptionHelpFormatter):
    """Print a script's docstring as it stands, and the default of every option that has one."""

    def _get_help_string(self, action):
        shown = action.default not in (None, False, argparse.SUPPRESS, [])
        if action.option_strings and shown and "(default" not in action.help:
            default = action.default
            text = " ".join(map(str, default)) if isinstance(default, (list, tuple)) else None
            return f"{action.help} (default: {text or '%(default)s'})"
        return action.help


def parser(docstring):
    """Return an argument parser whose description is the script's docstring."""
    return argparse.ArgumentParser(
        description=docstring, formatter_class=_HelpFormatter, allow_abbrev=False
    )


def integer(lowest, highest=None):
    """Return an argparse type: a whole number of at least `lowest` and at most `highest`."""

    def parse(text):
        try:
            value = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"not a whole number: {text!r}") from None
        if value < lowest or (highest is not None and value > highest):
            limits = f"at least {lowest}" + ("" if highest is None else f", at most {highest}")
            raise argparse.ArgumentTypeError(f"must be {limits}. Received: {value}")
        return value

    return parse


def positive_number(text):
    """Argparse type: a finite number above 0."""
    value = not_negative_number(text)
    if not value:
        raise argparse.ArgumentTypeError(f"must be a positive number. Received: {text}")
    return value


def not_negative_number(text):
    """Argparse type: a finite number, 0 or above."""
    try:
        value = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"not a number: {text!r}") from None
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"must be 0 or a positive number. Received: {text}")
    return value


def share(text):
    """Argparse type: a number of at least 0 and below 1."""
    value = not_negative_number(text)
    if value >= 1:
        raise argparse.ArgumentTypeError(f"must be a share below 1. Received: {text}")
    return value


def coverage(text):
    """Argparse type: a number above 0 and at most 1."""
    value = positive_number(text)
    if value > 1:
        raise argparse.ArgumentTypeError(f"must be at most 1. Received: {text}")
    return value


def image_size(text):
    """Argparse type: `32`, or height x width as `48x32`, to `(height, width)`."""
    sides = text.lower().split("x")
    try:
        height, width = (int(sides[0]), int(sides[-1])) if len(sides) <= 2 else (0, 0)
    except ValueError:
        height = width = 0
    if not (4 <= height <= 1024 and 4 <= width <= 1024):
        raise argparse.ArgumentTypeError(
            f"must be a side such as 32, or HEIGHTxWIDTH, of 4 to 1024 pixels. Received: {text!r}"
        )
    return height, width


def model_prefix(default):
    """Return an argparse type: beginning of the model files' names; `default` in a folder."""

    def parse(text):
        if not text:
            raise argparse.ArgumentTypeError("must not be empty")
        is_folder = text.endswith(os.sep) or (text != default and os.path.isdir(text))
        return os.path.join(text, default) if is_folder else text

    return parse


def add_workers(options):
    options.add_argument(
        "--workers",
        type=integer(1, 256),
        metavar="N",
        help="processes that work on pictures (default: one per core)",
    )


def add_source(options):
    """Add the options that say how to understand a source of pictures."""
    from glyphs.readers import READERS

    options.add_argument(
        "--reader", choices=tuple(READERS), help="kind of source (default: told from its content)"
    )
    options.add_argument(
        "--label-regex",
        type=regex,
        metavar="REGEX",
        help="the class is what this finds in a picture's path, instead of its folder's name",
    )
    options.add_argument(
        "--class-map",
        metavar="FILE",
        help="characters of numbered classes: CSV of index,codepoint,char (default: found beside)",
    )
    options.add_argument(
        "--transpose",
        action=argparse.BooleanOptionalAction,
        help="swap rows and columns of arrays (default: for EMNIST)",
    )
    options.add_argument(
        "--margin",
        type=not_negative_number,
        default=0.0,
        metavar="X",
        help="widen boxes on pages by this part of their sides, on each side",
    )
    options.add_argument(
        "--groups",
        type=group_rule,
        default="auto",
        metavar="RULE",
        help="what must not be in two splits: auto (writers, books: as the source tells), none, or "
        "a REGEX that finds the writer in a picture's name",
    )


def source_options(args):
    """Return the readers.Options that the options of add_source say."""
    from glyphs import readers

    return readers.Options(
        label_regex=args.label_regex,
        class_map=args.class_map,
        transpose=args.transpose,
        margin=args.margin,
    )


def regex(text):
    """Argparse type: a regular expression, as text."""
    try:
        re.compile(text)
    except re.error as error:
        raise argparse.ArgumentTypeError(f"not a regular expression ({error}): {text!r}") from None
    return text


def group_rule(text):
    """Argparse type: "auto", "none" or a regular expression."""
    return text if text in ("auto", "none") else regex(text)


def add_seed(options):
    options.add_argument(
        "--seed", type=integer(0, 2**32 - 1), default=1, metavar="N", help="random seed"
    )


def add_training(
    options, output, epochs, batch_size, learning_rate, *, dataset="characters_dataset"
):
    """Add the options that all training scripts share, with a script's own defaults."""
    options.add_argument("--dataset", default=dataset, metavar="FILE", help="what to train on")
    options.add_argument(
        "--output",
        type=model_prefix(output),
        default=output,
        metavar="PREFIX",
        help="beginning of the model files' names, or a folder for them",
    )
    options.add_argument(
        "--epochs", type=integer(1), default=epochs, metavar="N", help="most epochs of a cycle"
    )
    options.add_argument(
        "--batch-size", type=integer(1), default=batch_size, metavar="N", help="pictures a step"
    )
    options.add_argument(
        "--learning-rate",
        type=positive_number,
        default=learning_rate,
        metavar="X",
        help="of the first cycle",
    )
    add_seed(options)
    options.add_argument(
        "--resume", action="store_true", help="go on from the checkpoint of an interrupted run"
    )


@contextlib.contextmanager
def without_chatter():
    """Silence what TensorFlow prints while it is imported; show it if the import fails."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    sys.stderr.flush()
    saved = os.dup(2)
    with tempfile.TemporaryFile() as chatter:
        os.dup2(chatter.fileno(), 2)
        try:
            yield
        except Exception:
            chatter.seek(0)
            os.write(saved, chatter.read())
            raise
        finally:
            os.dup2(saved, 2)
            os.close(saved)


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
    except GlyphsError as error:
        print_error(error)
        return error.exit_code
    except KeyboardInterrupt as interrupt:
        print_error(str(interrupt) or "interrupted")
        return 130
    except BrokenPipeError:
        # The reader of our output (`| head -1`) has gone: end quietly, as other tools do.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + getattr(signal, "SIGPIPE", 13)
    except OSError as error:
        message = files.explain(error, error.filename or "output")
        if message is None:
            raise
        print_error(message)
        return StorageError.exit_code


def _open_closed_streams():
    """Open the null device for standard streams that were closed by the caller (`>&-`).

    A file opened later would get the free descriptor, and what libraries print would go into it.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115


_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")  # what ends a line or steers a terminal


def one_line(value):
    """Return text with its control characters escaped, so that it stays one line."""
    return _CONTROL.sub(lambda match: repr(match[0])[1:-1], str(value))


def print_error(message):
    print(f"error: {one_line(message)}", file=sys.stderr, flush=True)


def print_warning(message):
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

    Args:
        total: how many there are to do.
        unit: of what.
        more: how many come afterwards, on other lines; they count in the time left.
        left: how to say the time left.
    """

    def __init__(self, total, unit, *, more=0, left="{} left"):
        self.total = total
        self.unit = unit
        self.more = more
        self.left = left
        self.shown = sys.stderr.isatty()
        self.started = self.updated = time.monotonic()

    def update(self, done, note=""):
        """Show that `done` of the total are done, at most ten times a second."""
        now = time.monotonic()
        if not self.shown or (now - self.updated < 0.1 and done < self.total):
            return
        self.updated = now
        rate = done / max(now - self.started, 1e-9)
        left = self.left.format(duration((self.total - done + self.more) / rate if rate else 0))
        text = f"{done:,}/{self.total:,} {self.unit}  {rate:,.0f}/s  {left}  {note}"
        sys.stderr.write(f"\r\x1b[K{text[: shutil.get_terminal_size().columns - 1]}")
        sys.stderr.flush()

    def clear(self):
        """Take the line away again, before other output or at the end."""
        if self.shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
