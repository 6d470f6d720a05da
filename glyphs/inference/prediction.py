"""What is asked and answered, whoever answers: one model, or several together."""

import dataclasses
import functools
import itertools

import numpy as np

from glyphs.errors import BlankError, PictureError
from glyphs.images.looking import ask_about, images_of, look
from glyphs.images.preprocessing import Seen

BATCH = 128  # pictures that are taken at a time; more of them are worth threads


@dataclasses.dataclass(frozen=True)
class Candidate:
    """One answer: the class name, its character (None if unknown), a probability in 0..1."""

    label: str
    character: str | None
    probability: float


@dataclasses.dataclass(frozen=True)
class Prediction:
    """The answer to one picture.

    Attributes:
        path: the picture, as given.
        candidates: tuple of Candidate, the most probable first; empty if it could not be read.
        error: None, or the PictureError that says why it could not be read.
        seen: the picture as a preprocessing.Seen, where it was to be kept.
        rejected: whether the best candidate is not to be believed, or the picture is blank; always
            False where no accuracy was wanted.
        has_more: whether its file holds further pictures (pages, frames), which are not looked at.
    """

    path: str
    candidates: tuple = ()
    error: PictureError | None = None
    seen: Seen | None = None
    rejected: bool = False
    has_more: bool = False

    @property
    def label(self):
        """The most probable class name."""
        return self._best.label

    @property
    def character(self):
        """The character of the most probable class, or None if its name does not tell."""
        return self._best.character

    @property
    def probability(self):
        """The probability of the most probable class, 0..1."""
        return self._best.probability

    @property
    def is_unread(self):
        """Whether the picture could not be read; one that is rejected as blank could."""
        return bool(self.error) and not self.rejected

    @property
    def _best(self):
        if self.error:
            raise self.error
        return self.candidates[0]


class Answering:
    """Picture files in, predictions out. Subclasses look at pictures and ask their networks.

    Attributes:
        class_names: list of text.
        characters: list: the character of each class, or None where its name does not tell.
    """

    def classify(self, paths, *, top=1, keep=False, accuracy=None, workers=1):
        """Classify picture files, each of one character.

        Args:
            paths: iterable of paths; taken in batches, so it may be endless.
            top: how many candidates to return for each.
            keep: keep each picture as it was seen (by the first model); they are then taken one by
                one, as they may be large.
            accuracy: None, or the share of right answers wanted, 0..1: answers that are not sure
                enough for it, and blank pictures, are `rejected`.
            workers: processes that decode many pictures; None: one per core. With more than one,
                the calling script must be importable: under `if __name__ == "__main__":`.

        Returns:
            Iterator of a Prediction per path, in order. One that cannot be read has an `error`.

        Raises:
            UsageError: there is no threshold for this accuracy.
        """
        threshold = None if accuracy is None else self.threshold(accuracy)
        return self._classify(iter(paths), top, keep, threshold, workers)

    def threshold(self, accuracy):
        """Return the least probability to believe, 0..1, for a share of right answers.

        Raises:
            UsageError: there is none.
        """
        raise NotImplementedError

    def look(self, path, data=None):
        """Return a picture as each model sees it: a list of Seen.

        Args:
            path: a picture file.
            data: its bytes, where they are at hand; `path` is then only its name.

        Raises:
            PictureError: it cannot be read, or (BlankError) is blank.
        """
        return look(path, self._ways, data)

    @property
    def _ways(self):
        """How each model sees pictures: list of `(Preprocessing, own_size)`."""
        raise NotImplementedError

    def ask(self, images):
        """Return float32 `(n, n_classes)` for a list of `n` lists: the image for each model."""
        raise NotImplementedError

    def predict(self, path, found, *, top=1, threshold=None, seen=None, has_more=False):
        """Return the Prediction for one picture.

        Args:
            path: what to call it.
            found: float32 `(n_classes,)`, 0..1; or the PictureError that says why there is none.
            top: how many candidates to return.
            threshold: None, or the least probability to believe, 0..1.
            seen: the Seen to keep with it.
            has_more: whether its file holds further pictures.
        """
        does_reject = threshold is not None
        if isinstance(found, PictureError):
            is_blank = isinstance(found, BlankError)
            return Prediction(path, error=found, rejected=does_reject and is_blank)
        candidates = self._candidates(found, top)
        rejected = does_reject and candidates[0].probability < threshold
        return Prediction(path, candidates, seen=seen, rejected=rejected, has_more=has_more)

    def _classify(self, paths, top, keep, threshold, workers):
        if keep:
            yield from self._classify_and_keep(paths, top, threshold)
            return
        taken = list(itertools.islice(paths, BATCH))
        if len(taken) < BATCH:
            looks, more = images_of(taken, self._ways)
            answers = zip(taken, ask_about(looks, self.ask), more, strict=True)
        else:
            from glyphs.inference import bulk

            paths = itertools.chain(taken, paths)
            ask = functools.partial(ask_about, ask=self.ask)
            answers = bulk.answers(paths, self._ways, ask, workers=workers)
        for path, found, has_more in answers:
            yield self.predict(path, found, top=top, threshold=threshold, has_more=has_more)

    def _classify_and_keep(self, paths, top, threshold):
        for path in paths:
            try:
                seen = look(path, self._ways)
            except PictureError as error:
                yield self.predict(path, error, threshold=threshold)
                continue
            (found,) = self.ask([[one.image for one in seen]])
            yield self.predict(
                path,
                found,
                top=top,
                threshold=threshold,
                seen=seen[0],
                has_more=seen[0].picture.info["has_more"],
            )

    def _candidates(self, probabilities, top):
        best = best_of(probabilities, top)
        return tuple(
            Candidate(self.class_names[label], self.characters[label], float(probabilities[label]))
            for label in best.tolist()
        )


def best_of(probabilities, top):
    """Return the numbers of the most probable classes, the best first; of equals the lower one.

    >>> best_of(np.array([0.1, 0.4, 0.1, 0.4]), 3)
    array([1, 3, 0])

    Args:
        probabilities: float `(n_classes,)`.
        top: how many, at least 1; more than there are classes gives all.
    """
    top = min(top, len(probabilities))
    # To sort thousands of classes takes as long as the network's look at the picture.
    least = np.partition(probabilities, -top)[-top]
    best = np.flatnonzero(probabilities >= least)
    return best[np.argsort(-probabilities[best], kind="stable")][:top]
