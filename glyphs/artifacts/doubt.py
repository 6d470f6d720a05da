"""What a model's doubt is worth, stored with it: a temperature, and thresholds for accuracies.

>>> doubt = Doubt(0.8, {"0.9": 0.4, "0.99": 0.75, "0.999": None}, pictures=500, val="")
>>> doubt.threshold(0.95)
0.75
"""

import dataclasses
import math

from glyphs import files
from glyphs.artifacts import description
from glyphs.artifacts.loading import read_architecture
from glyphs.artifacts.paths import Paths
from glyphs.errors import UsageError

KEY = "doubt"  # within the key "glyphs" of the model's JSON; absent until a model is calibrated


@dataclasses.dataclass(frozen=True)
class Doubt:
    """How far to believe a model's probabilities; see evaluation.calibration, which measures it.

    Attributes:
        temperature: what to divide the logarithms of its probabilities by; above 0.
        thresholds: dict: a wanted accuracy, as text, to the lowest probability (of the best class,
            at that temperature) to believe for it, 0..1; or to None, where no threshold gives it.
        pictures: how many it was measured on.
        val: how it was measured, in words.
    """

    temperature: float
    thresholds: dict
    pictures: int
    val: str

    @classmethod
    def from_json(cls, value):
        """Return the Doubt that a model's JSON describes.

        Raises:
            ValueError: the value describes none.
        """
        try:
            doubt = cls(**{field.name: value[field.name] for field in dataclasses.fields(cls)})
            is_sane = (
                _is_number(doubt.temperature)
                and doubt.temperature > 0
                and all(0 < float(accuracy) < 1 for accuracy in doubt.thresholds)
                and all(
                    threshold is None or (_is_number(threshold) and 0 <= threshold <= 1)
                    for threshold in doubt.thresholds.values()
                )
                and type(doubt.pictures) is int
                and doubt.pictures >= 0
                and isinstance(doubt.val, str)
            )
        except (TypeError, KeyError, ValueError, AttributeError):
            is_sane = False
        if not is_sane:
            raise ValueError(f"not a doubt: {value!r:.200}")
        return doubt

    @property
    def most(self):
        """The highest accuracy that a threshold gives; 0 where none gives any."""
        given = (float(a) for a, threshold in self.thresholds.items() if threshold is not None)
        return max(given, default=0.0)

    def threshold(self, accuracy):
        """Return the threshold of the nearest stored accuracy that is at least as strict.

        Args:
            accuracy: the wanted one, 0..1.

        Raises:
            UsageError: no threshold promises so much.
        """
        found = [
            (float(stored), threshold)
            for stored, threshold in self.thresholds.items()
            if threshold is not None
        ]
        stricter = [pair for pair in found if pair[0] >= accuracy]
        if not stricter:
            known = ", ".join(f"{stored:g}" for stored, _ in sorted(found)) or "no accuracy"
            raise UsageError(
                f"an accuracy of {accuracy:g} cannot be promised: the {self.pictures:,} pictures "
                f"that the model was calibrated on allow {known}"
            )
        return min(stricter)[1]


def _is_number(value):
    return type(value) in (int, float) and math.isfinite(value)


def store_doubt(prefix, doubt, *, force=False):
    """Store a model's doubt in PREFIX_architecture.json; all else there stays as it is.

    Args:
        prefix: path and beginning of the file names.
        doubt: dict with the attributes of Doubt.
        force: store it even where a better one is lost.

    Raises:
        ValueError: it is no doubt.
        UsageError: the one that is there is better: it was measured on more pictures, and gives a
            higher accuracy.
        ArtifactError: the model is missing or damaged.
        StorageError: no space or no permission.
    """
    doubt = Doubt.from_json(doubt)
    architecture = read_architecture(prefix)
    if not force:
        _refuse_worse(prefix, doubt, architecture["glyphs"].get(KEY))
    architecture["glyphs"][KEY] = dataclasses.asdict(doubt)
    with files.replacing(Paths(prefix).architecture) as file:
        file.write(description.to_bytes(architecture))


def _refuse_worse(prefix, doubt, stored):
    """Raise UsageError if a Doubt is worse than what a model's JSON holds, if it holds one."""
    try:
        stored = Doubt.from_json(stored)
    except ValueError:
        return
    if doubt.pictures < stored.pictures and doubt.most < stored.most:
        promised = f"only {100 * doubt.most:g} %" if doubt.most else "no accuracy"
        raise UsageError(
            f"{prefix}: {doubt.pictures:,} pictures can promise {promised}, so the calibration on "
            f"{stored.pictures:,}, which promises {100 * stored.most:g} %, is kept; --calibrate "
            "--force replaces it"
        )
