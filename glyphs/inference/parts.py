"""A list of pictures in parts, each with a file of its answers: for many jobs, or many machines.

A folder of parts holds

    parts.json         what the parts are of: the list of pictures, the models, the options
    part-07.txt        the answers of part 7: exactly its share of what classify.py prints
    part-07.errors     which of its pictures could not be read; absent if all could

A part is written whole or not at all, so one that is there is done. Whoever comes twice to the same
part, as two jobs may or a cluster that lost sight of a machine, writes the same bytes again.
"""

import contextlib
import dataclasses
import io
import os

from glyphs import files
from glyphs.errors import ArtifactError, StorageError, one_line
from glyphs.inference.bulk import CHUNK
from glyphs.inference.output import SUFFIXES

MANIFEST = "parts.json"


@dataclasses.dataclass(frozen=True)
class Parts:
    """A folder of parts, and what they are of.

    Attributes:
        folder: its path.
        manifest: dict, as parts.json holds it.
    """

    folder: str
    manifest: dict

    @property
    def n_parts(self):
        return self.manifest["parts"]

    @property
    def n_pictures(self):
        return self.manifest["pictures"]

    @property
    def manifest_path(self):
        return os.path.join(self.folder, MANIFEST)

    def path(self, number):
        """Return the file of the answers of a part, 1 to n_parts."""
        return self._stem(number) + SUFFIXES[self.manifest["options"]["format"]]

    def errors_path(self, number):
        """Return the file of what could not be read in a part."""
        return self._stem(number) + ".errors"

    def _stem(self, number):
        # With leading zeros: `cat part-*.txt` joins them in order.
        digits = len(str(self.n_parts))
        return os.path.join(self.folder, f"part-{number:0{digits}}")

    def pictures(self, number):
        """Return the slice of the list of pictures that a part is of.

        Parts are whole chunks of the bulk classification, so pictures meet the same neighbours as
        in one run: networks may round otherwise in other company.
        """
        chunks, more = divmod(-(-self.n_pictures // CHUNK), self.n_parts)
        first = chunks * (number - 1) + min(number - 1, more)
        return slice(first * CHUNK, (first + chunks + (number <= more)) * CHUNK)

    def is_done(self, number):
        return os.path.exists(self.path(number))

    def missing(self):
        """Return the numbers of the parts that are not there."""
        there = set(self.there())
        return [number for number in range(1, self.n_parts + 1) if number not in there]

    def there(self):
        """Return the numbers of the parts that are there."""
        with files.storage_errors(self.folder):
            found = set(os.listdir(self.folder))
        numbers = range(1, self.n_parts + 1)
        return [n for n in numbers if os.path.basename(self.path(n)) in found]

    def errors(self, number):
        """Return what could not be read in a part that is there: list of lines."""
        try:
            with open(self.errors_path(number), encoding="utf-8", errors="surrogateescape") as file:
                return file.read().splitlines()
        except FileNotFoundError:
            return []

    def make(
        self, number, request, classifier, names, *, paths=None, listed=(), workers=1, check=None
    ):
        """Classify the pictures of a part and write its files, unless they are there.

        Args:
            number: of the part, 1 to n_parts.
            request: Request.
            classifier: what it opened.
            names: list: the pictures of this part, as they are called in the output.
            paths: list: where they are opened; None: by their names.
            listed: lines that say what was wrong with the list; part 1 keeps them.
            workers: processes that decode; None: one per core.
            check: called with the PictureError of each picture that cannot be read, by its name
                in the output. What it raises keeps the part from being written.

        Returns:
            list of lines: what could not be read, now or when the part was made.

        Raises:
            StorageError: no space or no permission; the part is then not there.
        """
        if self.is_done(number):
            return self.errors(number)
        errors = list(listed) if number == 1 else []
        predictions = request.predictions(classifier, paths or names, workers=workers)
        if paths:
            predictions = map(_renamed, predictions, names)
        predictions = _noting_errors(predictions, errors, check)
        pieces = request.output.pieces(
            predictions, is_first=number == 1, is_last=number == self.n_parts
        )
        # The temporary file is gone where all parts were made elsewhere in the meantime: see tidy.
        with contextlib.suppress(FileNotFoundError):
            with _writing(self.path(number)) as write:
                for piece in pieces:
                    write(piece)
                self._write_errors(number, errors)  # before the part is there
        if not self.is_done(number):
            raise ArtifactError(f"{self.folder}: vanished while a part was made")
        return errors

    def _write_errors(self, number, errors):
        if errors:
            with _writing(self.errors_path(number)) as write:
                write("".join(f"{error}\n" for error in errors))
        else:
            files.remove(self.errors_path(number))

    def tidy(self):
        """Delete what processes left that were killed at a part, now that all parts are there."""
        with contextlib.suppress(OSError):
            for name in os.listdir(self.folder):
                if name.endswith(files.OWN_SUFFIX):
                    os.remove(os.path.join(self.folder, name))

    def join(self, write):
        """Write the bytes of all parts in order.

        Args:
            write: called with bytes.

        Raises:
            ArtifactError: some are missing; nothing is written then.
            StorageError: no permission to read them.
        """
        if missing := self.missing():
            raise ArtifactError(
                f"{self.folder}: {len(missing):,} of {self.n_parts:,} parts are missing: "
                f"{ranges_of(missing)}; make them, then gather again"
            )
        for number in range(1, self.n_parts + 1):
            for block in _blocks(self.path(number)):
                write(block)


def _blocks(path):
    try:
        with open(path, "rb") as file:
            while block := file.read(files.BLOCK):
                yield block
    except OSError as error:
        raise StorageError(f"{path}: cannot be read ({error.strerror.lower()})") from None


def _renamed(prediction, name):
    """Return a prediction as if the picture had been opened by another name."""
    error = prediction.error and type(prediction.error)(name, prediction.error.reason)
    return dataclasses.replace(prediction, path=name, error=error)


def _noting_errors(predictions, errors, check):
    for prediction in predictions:
        if prediction.is_unread:
            if check:
                check(prediction.error)
            errors.append(one_line(prediction.error))
        yield prediction


@contextlib.contextmanager
def _writing(path):
    """Yield a function that writes text to a file, which is there whole or not at all."""
    with files.replacing(path, is_shared=True) as file:
        # As console.run has stdout: names of files are bytes to the system.
        text = io.TextIOWrapper(file, "utf-8", "surrogateescape", newline="")
        yield text.write
        text.detach()  # flushed, but not closed


def ranges_of(numbers, most=8):
    """Return rising numbers in words, the first `most` ranges of them.

    >>> ranges_of([1, 2, 3, 7, 9, 10])
    '1-3, 7, 9-10'
    """
    ranges = []
    for number in numbers:
        if ranges and ranges[-1][1] == number - 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    shown = [f"{a}-{b}" if b > a else str(a) for a, b in ranges[:most]]
    return ", ".join(shown) + (", ..." if len(ranges) > most else "")
