"""Predictions as JSON: what `classify.py --format json` prints and the server answers."""

import json


def json_lines(predictions, *, characters=False, reject=False, is_first=True, is_last=True):
    """Yield the text of a list of objects, one a line, as the predictions come.

    A picture that could not be read has an `error`. A blank one that was rejected has no
    candidates.

    Args:
        predictions: iterable of prediction.Prediction.
        characters: add the character of each candidate; null where its class does not tell.
        reject: say of each picture whether it was `rejected`.
        is_first, is_last: of a list in parts, whether these are the first or the last one. All
            parts, one after another, are the whole text, where the first has a prediction.
    """
    separator = "[" if is_first else ","
    for prediction in predictions:
        entry = {"path": prediction.path}
        if prediction.is_unread:
            entry["error"] = prediction.error.reason
        else:
            entry["candidates"] = [
                {
                    "label": candidate.label,
                    **({"character": candidate.character} if characters else {}),
                    "probability": round(candidate.probability, 6),
                }
                for candidate in prediction.candidates
            ]
            if reject:
                entry["rejected"] = prediction.rejected
        # A path that is no UTF-8 is written with escapes: JSON must be valid whatever the path.
        is_text = prediction.path.isascii() or prediction.path.isprintable()
        yield f"{separator}\n{json.dumps(entry, ensure_ascii=not is_text)}"
        separator = ","
    if is_last:
        yield "[]\n" if separator == "[" else "\n]\n"
