"""Trials of a model on pictures as people bring them: photographed, boxed, small, and so on."""

import numpy as np
from PIL import Image, ImageChops, ImageFilter, ImageOps

from glyphs import parallel
from glyphs.errors import PictureError
from glyphs.evaluation.answers import ask, see
from glyphs.images.conditions import CONDITIONS
from glyphs.ink.find import find_ink

CHUNK = 50  # pictures of a task
MARGIN = 0.1  # of paper around ink that was cut out, of its longer side
WHITE = 12  # grey levels: white paper varies by less
DUST = 0.01  # share of the paper that may be darker


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

    Conditions are made of what is written: where there is more in the picture than ink on white
    paper, such as grey paper or a shadow, the ink is found first, and what is around it left out.

    Args:
        picture: PIL image of mode "L".
        number: of the picture; with the seed it determines the condition's chance.
        condition: name of one of CONDITIONS.
        polarity: "dark-on-light", "light-on-dark", or None: told from the picture.
        seed: of the condition.

    Returns:
        PIL image of mode "L"; the picture itself where no ink is found in it.
    """
    ink = find_ink(picture, polarity or "auto")
    if ink is None:
        return picture
    image = picture if ink.polarity == "light-on-dark" else ImageChops.invert(picture)
    if condition != "as_it_is" and not _is_alone(ink, image):
        image = ImageOps.expand(ink.image, round(MARGIN * max(ink.image.size)))
    return CONDITIONS[condition](image, np.random.default_rng([seed, number])).convert("L")


def _is_alone(ink, image):
    """Return whether there is only paper, as light as can be, around the ink of an image."""
    left, top, right, bottom = ink.box
    cover = Image.new("L", image.size)
    cover.paste(ink.image.resize((right - left, bottom - top)), (left, top))
    # A pixel more: the edges of strokes are soft.
    around = np.asarray(image)[np.asarray(cover.filter(ImageFilter.MaxFilter(3))) == 0]
    return np.count_nonzero(around > WHITE) <= DUST * len(around)
