"""Trials of a model on pictures as people bring them: photographed, boxed, small, and so on."""

import numpy as np

from glyphs import parallel
from glyphs.errors import PictureError
from glyphs.evaluation.answers import ask, see
from glyphs.images.conditions import CONDITIONS
from glyphs.images.levels import polarity_of

CHUNK = 50  # pictures of a task


def accuracies(classifier, labelled, *, count, seed, workers=None, progress=parallel.unseen):
    """Measure a model under every condition of images.conditions.

    Args:
        classifier: inference.Classifier.
        labelled: labelled.Labelled.
        count: how many of the pictures to draw by chance; all if there are fewer.
        seed: of the choice and of the conditions.
        workers: processes; None: one per core.
        progress: called with `(done, total)`.

    Returns:
        `(results, numbers)`: for each condition `(is_right, confidences)`, bool and float32 `(m,)`,
        without an answer False and 0; and the int `(m,)` numbers of the pictures that were drawn.
    """
    rng = np.random.default_rng(seed)
    numbers = np.sort(rng.permutation(len(labelled))[:count])
    parts = [numbers[start : start + CHUNK] for start in range(0, len(numbers), CHUNK)]
    polarity = "light-on-dark" if labelled.preprocessing else labelled.index.polarity
    prepared = classifier.preprocessing, classifier.takes_any_size
    tasks = (
        (labelled.chunk(part), part.tolist(), condition, polarity, seed, *prepared)
        for condition in CONDITIONS
        for part in parts
    )
    workers = workers or parallel.workers_for(len(numbers), few=100)
    seen = parallel.run_ordered(under_condition, tasks, workers=workers)
    results = {}
    for i, condition in enumerate(CONDITIONS):
        right, confidences = [], []
        for j, part in enumerate(parts):
            found = ask(classifier, next(seen))
            best = [-1 if isinstance(row, str) else int(row.argmax()) for row in found]
            confidences += [0.0 if isinstance(row, str) else float(row.max()) for row in found]
            right += (np.array(best) == labelled.labels[part]).tolist()
            progress(i * len(parts) + j + 1, len(CONDITIONS) * len(parts))
        results[condition] = np.array(right), np.array(confidences, np.float32)
    return results, numbers


def under_condition(chunk, numbers, condition, polarity, seed, preprocessing, own_size):
    """Return what a network sees of pictures under a condition; in a worker process.

    Args:
        chunk: an index.Samples.
        numbers: of the pictures; with the seed they determine the condition's chance.
        condition: name of one of CONDITIONS.
        polarity: of the pictures; None: told from each.
        seed: of the condition.
        preprocessing, own_size: as for answers.see.

    Returns:
        For each a uint8 image, or text: why there is none.
    """
    seen = []
    for number, picture in zip(numbers, chunk.pictures(), strict=True):
        if isinstance(picture, PictureError):
            seen.append(picture.reason)
            continue
        brought = bring(picture, number, condition, polarity, seed)
        seen.append(see(brought, preprocessing, own_size))
    return seen


def bring(picture, number, condition, polarity, seed):
    """Return a picture as somebody would bring it.

    Args:
        picture: PIL image of mode "L".
        number: of the picture; with the seed it determines the condition's chance.
        condition: name of one of CONDITIONS.
        polarity: "dark-on-light", "light-on-dark", or None: told from the picture.
        seed: of the condition.

    Returns:
        PIL image of mode "L".
    """
    grey = np.asarray(picture)
    image = grey if (polarity or polarity_of(picture)) == "light-on-dark" else 255 - grey
    return CONDITIONS[condition](image, np.random.default_rng([seed, number])).convert("L")
