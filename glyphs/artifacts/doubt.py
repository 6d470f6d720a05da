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


def store_doubt(prefix, doubt):
    """Store a model's doubt in PREFIX_architecture.json; all else there stays as it is.

    Args:
        prefix: path and beginning of the file names.
        doubt: dict with the attributes of Doubt.

    Raises:
        ValueError: it is no doubt.
        ArtifactError: the model is missing or damaged.
        StorageError: no space or no permission.
    """
    doubt = dataclasses.asdict(Doubt.from_json(doubt))
    architecture = read_architecture(prefix)
    architecture["glyphs"][KEY] = doubt
    with files.replacing(Paths(prefix).architecture) as file:
        file.write(description.to_bytes(architecture))
