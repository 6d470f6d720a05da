"""Predictions as text: what classify.py prints, in whole or in parts that are joined later."""

import csv
import dataclasses
import io

from glyphs.errors import one_line
from glyphs.inference.as_json import json_lines

SUFFIXES = {"text": ".txt", "csv": ".csv", "json": ".json"}  # of a file in each format


@dataclasses.dataclass(frozen=True)
class Output:
    """How predictions are written.

    Attributes:
        format: one of SUFFIXES.
        top: None, or how many candidates to write of each, with their probabilities.
        characters: whether to write the character beside a label.
        reject: whether to say what is rejected.
    """

    format: str = "text"
    top: int | None = None
    characters: bool = False
    reject: bool = False

    def pieces(self, predictions, *, is_first=True, is_last=True):
        """Yield the text of predictions, piece by piece, as they come.

        Args:
            predictions: iterable of prediction.Prediction.
            is_first, is_last: of a list in parts, whether these are the first or the last one; the
                texts of all parts, one after another, are the text of the whole list.
        """
        if self.format == "json":
            yield from json_lines(
                predictions,
                characters=self.characters,
                reject=self.reject,
                is_first=is_first,
                is_last=is_last,
            )
        elif self.format == "csv":
            yield from self._csv(predictions, is_first)
        else:
            yield from self._lines(predictions)

    def _lines(self, predictions):
        """`path label`; with `top`, `path label percentage label percentage ...`.

        What is rejected has the label ?; with `top` the candidates follow.
        """
        for prediction in predictions:
            if prediction.is_unread:
                continue
            words = [one_line(prediction.path)]
            if prediction.rejected:
                words.append("?")
            for candidate in prediction.candidates if self.top or not prediction.rejected else ():
                words.append(one_line(candidate.label))
                if self.characters and candidate.character not in (None, candidate.label):
                    words.append(candidate.character)
                if self.top:
                    words.append(f"{100 * candidate.probability:.2f}%")
            yield " ".join(words) + "\n"

    def _csv(self, predictions, is_first):
        """`filename,label,probability`, then the columns of the second candidate, and so on.

        With `reject` the last column is `rejected`, true or false. The first part has the header.
        """
        columns = ["label", "probability"]
        if self.characters:
            columns.insert(1, "character")
        row_text = io.StringIO(newline="")
        writer = csv.writer(row_text, lineterminator="\n")

        def written(row):
            row_text.seek(0)
            row_text.truncate()
            writer.writerow(row)
            return row_text.getvalue()

        numbers = [""] + [f"_{i}" for i in range(2, (self.top or 1) + 1)]
        header = ["filename"] + [column + number for number in numbers for column in columns]
        if is_first:
            yield written(header + ["rejected"] * self.reject)
        for prediction in predictions:
            if prediction.is_unread:
                continue
            row = [prediction.path]
            for candidate in prediction.candidates:
                row.append(candidate.label)
                if self.characters:
                    row.append(candidate.character or "")
                row.append(f"{candidate.probability:.6f}")
            row += [""] * (len(header) - len(row))  # a blank picture has no candidates
            yield written(row + [str(prediction.rejected).lower()] * self.reject)
