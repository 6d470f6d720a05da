"""What a model answers to labelled pictures: the best few answers to each, in little memory."""

import dataclasses
import time

import numpy as np

from glyphs import parallel
from glyphs.errors import PictureError
from glyphs.images.preprocessing import at_own_size, image_of, resize_images
from glyphs.images.view import NoInkError, view_of
from glyphs.inference.prediction import best_of

KEPT = 10  # answers to a picture
CHUNK = 128  # pictures of a task


@dataclasses.dataclass
class Answers:
    """What a model answered to n pictures.

    Attributes:
        labels: int32 `(n,)`: the class of each picture.
        top: int32 `(n, k)`: the k most probable classes, the best first; -1 without an answer.
        probabilities: float32 `(n, k)`: theirs, 0..1.
        own: float32 `(n,)`: the probability of the picture's own class.
        failures: `{number: reason}` of pictures without an answer: unreadable, or blank.
        seconds: how long it took, decoding and all.
    """

    labels: np.ndarray
    top: np.ndarray
    probabilities: np.ndarray
    own: np.ndarray
    failures: dict
    seconds: float

    @property
    def is_right(self):
        """bool `(n,)`: whether the best answer is the picture's class; without an answer not."""
        return self.top[:, 0] == self.labels

    @property
    def confidences(self):
        """float32 `(n,)`: the probability of the best answer."""
        return self.probabilities[:, 0]


def see_chunk(chunk, preprocessing, own_size, done=0):
    """Decode pictures as a network expects them, in a worker process.

    Args:
        chunk: an index.Samples, as its `chunk` returns it.
        preprocessing: Preprocessing.
        own_size: leave pictures their size; for networks that take any.
        done: 0 for pictures; for images of a dataset how many of the image sizes they went through.

    Returns:
        For each a uint8 image, or text: why there is none.
    """
    return [
        picture.reason
        if isinstance(picture, PictureError)
        else _resized(picture, preprocessing, own_size, done)
        if done
        else see(picture, preprocessing, own_size)
        for picture in chunk.pictures()
    ]


def see(picture, preprocessing, own_size=False):
    """Return the uint8 image of a picture as a network expects it, or text: why there is none."""
    try:
        view = view_of(picture, preprocessing)
    except NoInkError as error:
        return str(error)
    wanted = at_own_size(view.picture.size, preprocessing) if own_size else preprocessing
    return image_of(view, wanted)


def _resized(image, preprocessing, own_size, done):
    """Return an image of a dataset in the size that a network expects."""
    images = np.asarray(image)[None]
    for size in () if own_size else preprocessing.image_sizes[done:]:
        images = resize_images(images, size)
    return images[0]


def answer(classifier, labelled, *, workers=None, progress=parallel.unseen):
    """Ask a model about labelled pictures.

    Args:
        classifier: inference.Classifier, or what has the same `class_names`, `preprocessing`,
            `takes_any_size` and `probabilities`.
        labelled: labelled.Labelled, of the same class names.
        workers: processes that decode; None: as many as the pictures are worth.
        progress: called with `(done, total)`.

    Returns:
        Answers, in the order of the pictures.
    """
    started = time.monotonic()
    n, k = len(labelled), min(KEPT, len(classifier.class_names))
    answers = Answers(
        labelled.labels,
        np.full((n, k), -1, np.int32),
        np.zeros((n, k), np.float32),
        np.zeros(n, np.float32),
        {},
        0.0,
    )
    for which, probabilities in probabilities_of(classifier, labelled, workers=workers):
        _record(answers, which, probabilities)
        progress(min(int(which[-1]) + 1, n), n)
    answers.seconds = time.monotonic() - started
    return answers


def probabilities_of(classifier, labelled, *, which=None, workers=None):
    """Yield `(numbers, probabilities)` of pictures, a chunk at a time.

    Args:
        classifier, labelled, workers: as for answer.
        which: int array of numbers among the pictures; None: all.

    Yields:
        int array `(m,)`, and a list of float32 `(n_classes,)` or text: why there is no answer.
    """
    which = np.arange(len(labelled)) if which is None else which
    if workers is None:
        workers = parallel.workers_for(len(which), few=labelled.index.samples.few)
    done = labelled.sizes_done(classifier.preprocessing)
    parts = [which[start : start + CHUNK] for start in range(0, len(which), CHUNK)]
    tasks = (
        (labelled.chunk(part), classifier.preprocessing, classifier.takes_any_size, done)
        for part in parts
    )
    seen = parallel.run_ordered(see_chunk, tasks, workers=workers)
    for part, images in zip(parts, seen, strict=True):
        yield part, ask(classifier, images)


def ask(classifier, images):
    """Return the probabilities for each image, float32 `(n_classes,)`; text stays what it is."""
    found = list(images)
    shapes = {}
    for i, image in enumerate(images):
        if not isinstance(image, str):
            shapes.setdefault(image.shape, []).append(i)
    for numbers in shapes.values():
        batch = np.stack([images[i] for i in numbers])
        for i, row in zip(numbers, classifier.probabilities(batch), strict=True):
            found[i] = row
    return found


def _record(answers, which, probabilities):
    k = answers.top.shape[1]
    for number, row in zip(which.tolist(), probabilities, strict=True):
        if isinstance(row, str):
            answers.failures[number] = row
            continue
        best = best_of(row, k)
        answers.top[number] = best
        answers.probabilities[number] = row[best]
        answers.own[number] = row[answers.labels[number]]
