"""The mistakes and mishaps a user can cause, each with the exit code of its script."""

import re

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")  # what ends a line or steers a terminal


def one_line(value):
    """Return text with its control characters escaped, so that it stays one line.

    >>> print(one_line("two\\nlines"))
    two\\nlines
    """
    return _CONTROL.sub(lambda match: repr(match[0])[1:-1], str(value))


class GlyphsError(Exception):
    """Base class. Its text is one line: what is wrong, where, and what to do now."""

    exit_code = 2


class UsageError(GlyphsError):
    """Arguments that cannot work: a missing folder, a size of zero, too few classes."""

    exit_code = 2


class PictureError(GlyphsError):
    """A picture that cannot be read. `path` names it, `reason` says why."""

    exit_code = 1

    def __init__(self, path, reason):
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason

    def __reduce__(self):  # exceptions with two arguments do not cross processes by themselves
        return type(self), (self.path, self.reason)


class MissingError(PictureError):
    """A picture that is not there, as far as this machine can see."""


class BlankError(PictureError):
    """A picture without ink: it can be read, but there is nothing on it."""


class ArtifactError(GlyphsError):
    """A dataset, model or checkpoint is missing, damaged, or does not match its partner."""

    exit_code = 3


class StorageError(GlyphsError):
    """No space left, or no permission to read or write."""

    exit_code = 4


class LostError(GlyphsError):
    """Another process of a training, or a cluster, has failed, was killed, or did not come."""

    exit_code = 6

    def __init__(self, text, exit_code=exit_code):
        super().__init__(text)
        self.exit_code = exit_code


class StoppedError(GlyphsError):
    """A training was asked to stop, and has written what it needs to go on."""

    exit_code = 143  # as the shell says of what SIGTERM has ended
