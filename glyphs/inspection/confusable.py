"""Classes whose names are easily taken for one another."""

import collections
import functools
import re
import unicodedata

# Names that differ in nothing else are confusable.
_FOLDS = {
    "Unicode normal form": lambda name: unicodedata.normalize("NFC", name),
    "spaces": lambda name: re.sub(r"\s+", "", name),
    "upper and lower case": str.casefold,
    "width or style (Unicode NFKC)": lambda name: unicodedata.normalize("NFKC", name),
}


def classes(names, characters):
    """Find classes whose names are alike, or that stand for the same character.

    >>> classes(["ab", "AB", "亜", "B0A1"], [None, None, "亜", "亜"])
    [((0, 1), 'differ in upper and lower case'), ((2, 3), 'stand for the same character')]

    Args:
        names: the name of each class.
        characters: for each class the character that it stands for, or None.

    Returns:
        A list of `(labels, why)`: those that belong together, and what is alike in them.
    """
    together = collections.defaultdict(list)
    for label, name in enumerate(names):
        together[functools.reduce(lambda text, fold: fold(text), _FOLDS.values(), name)] += [label]
    found = {
        tuple(labels): "differ in " + _difference([names[label] for label in labels])
        for labels in together.values()
        if len(labels) > 1
    }
    together = collections.defaultdict(list)
    for label, character in enumerate(characters):
        together[character or label] += [label]
    for labels in together.values():
        if len(labels) > 1:
            found.setdefault(tuple(labels), "stand for the same character")
    return list(found.items())


def _difference(names):
    """Return in what names differ, of _FOLDS: one if that explains it, else several."""
    for description, fold in _FOLDS.items():
        if len({fold(name) for name in names}) == 1:
            return description
    return "several of these: " + ", ".join(_FOLDS)
