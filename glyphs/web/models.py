"""The models that the server has: the one it was given, and those found beside it."""

import asyncio
import os

from glyphs.artifacts.paths import Paths
from glyphs.errors import GlyphsError, UsageError
from glyphs.inference.classifier import Classifier
from glyphs.sources.listing import natural_key
from glyphs.web.batching import Batcher
from glyphs.web.limits import RefusedError

SUFFIX = "_architecture.json"
MOST = 100  # models that are offered


def find_beside(prefix):
    """Return the models beside one, as dict of name -> prefix; the given one is the first.

    They lie in its folder, and, where the prefix names a folder, in the folders beside that: next
    to `pretrained/japanese/model` is `pretrained/chinese/model`, and it is called `chinese`.
    """
    folder = os.path.dirname(prefix)
    base = os.path.dirname(folder) if folder else ""
    prefixes = [prefix, *_models_in(folder)]
    if folder:
        prefixes += [found for beside in _folders_in(base) for found in _models_in(beside)]
    names = {}
    for found in prefixes:
        name = os.path.relpath(found, base or os.curdir)
        short, _, stem = name.rpartition(os.sep)
        name = short if short and stem == "model" else name
        if len(names) < MOST and found not in names.values():
            names.setdefault(name, found)
    return names


def _models_in(folder):
    try:
        files = os.listdir(folder or os.curdir)
    except OSError:
        return []
    stems = (file.removesuffix(SUFFIX) for file in files if file.endswith(SUFFIX))
    return [os.path.join(folder, stem) for stem in sorted(filter(None, stems), key=natural_key)]


def _folders_in(folder):
    try:
        with os.scandir(folder or os.curdir) as entries:
            found = [e.name for e in entries if not e.name.startswith(".") and e.is_dir()]
    except OSError:
        return []
    return [os.path.join(folder, name) for name in sorted(found, key=natural_key)]


class Model:
    """A model that was opened, and how it is asked.

    Attributes:
        name: as the page shows it.
        prefix: of its files.
        classifier: Classifier.
        batcher: batching.Batcher of it.
    """

    def __init__(self, name, prefix, classifier, pool):
        self.name, self.prefix, self.classifier = name, prefix, classifier
        self.batcher = Batcher(classifier, pool)
        self.label_of = {label: number for number, label in enumerate(classifier.class_names)}

    def class_of(self, text):
        """Return the class name that a text means, by itself or by its character; or None."""
        if text in self.label_of:
            return text
        means = [
            name
            for name, character in zip(
                self.classifier.class_names, self.classifier.characters, strict=True
            )
            if character == text
        ]
        return means[0] if len(means) == 1 else None

    def threshold(self, accuracy):
        try:
            return self.classifier.threshold(accuracy)
        except UsageError as error:
            raise RefusedError(400, str(error)) from None

    def describe(self):
        """Return what the model is, as a dict for JSON."""
        facts = self.classifier.facts
        doubt = self.classifier.doubt
        return {
            "name": self.name,
            "network": _part(facts, "training", "network"),
            "image_size": list(self.classifier.preprocessing.image_size),
            "preprocessing": self.classifier.preprocessing.to_json(),
            "test": {
                "accuracy": _part(facts, "figures", "test", "accuracy"),
                "pictures": _part(facts, "figures", "test", "pictures"),
            },
            "weights_sha256": _part(facts, "sha256", "weights"),
            # The accuracies that `accuracy` may ask for, where the model was calibrated.
            "accuracies": sorted(
                float(accuracy)
                for accuracy, threshold in (doubt.thresholds if doubt else {}).items()
                if threshold is not None
            ),
            "class_names": self.classifier.class_names,
            "characters": self.classifier.characters,
        }


def _part(value, *keys):
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


class Models:
    """Models by name; each is opened once, when it is first asked for.

    Args:
        prefix: of the model to begin with; opened at once.
        pool: batching.Pool.
        notify: called with one line of text before work that takes seconds.

    Raises:
        ArtifactError: that model is missing or damaged.
    """

    def __init__(self, prefix, pool, notify=lambda message: None):
        self.prefixes = find_beside(prefix)
        self.pool, self.notify = pool, notify
        self.default = next(iter(self.prefixes))
        self._opened = {self.default: self._open(self.default)}
        self._opening = asyncio.Lock()

    def _open(self, name):
        prefix = self.prefixes[name]
        if not os.path.isfile(Paths(prefix).architecture) and name != self.default:
            raise RefusedError(404, f"the model {name} is no longer there; choose another")
        classifier = Classifier(prefix, notify=self.notify)
        return Model(name, prefix, classifier, self.pool)

    @property
    def opened(self):
        """Names of the models that are in memory."""
        return list(self._opened)

    async def get(self, name=None):
        """Return the Model of a name; None: the one to begin with.

        Raises:
            RefusedError: there is none (404), or it is damaged (503).
        """
        name = self.default if name is None else name
        if name not in self.prefixes:
            raise RefusedError(404, f"no model {name[:100]} here; GET /model lists them")
        if name not in self._opened:
            async with self._opening:
                if name not in self._opened:
                    try:
                        self._opened[name] = await asyncio.to_thread(self._open, name)
                    except GlyphsError as error:
                        raise RefusedError(503, str(error)) from None
        return self._opened[name]
