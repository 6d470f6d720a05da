"""The names of a model's files."""

import dataclasses
import os


@dataclasses.dataclass(frozen=True)
class Paths:
    """The files of the model called `prefix`; train.py writes the last three."""

    prefix: str

    @property
    def architecture(self):
        return f"{self.prefix}_architecture.json"

    @property
    def weights(self):
        return f"{self.prefix}_weights.h5"

    @property
    def onnx(self):
        return f"{self.prefix}.onnx"

    @property
    def checkpoint(self):
        return f"{self.prefix}_checkpoint.npz"

    @property
    def history(self):
        return f"{self.prefix}_history.csv"

    @property
    def curves(self):
        return f"{self.prefix}_curves.png"

    @property
    def results(self):
        return f"{self.prefix}_results.txt"


def find_model(prefix):
    """Return the prefix of the model that a user means, who may have named its folder."""
    inside = os.path.join(prefix, "model")
    is_folder = os.path.isfile(Paths(inside).architecture)
    return inside if is_folder and not os.path.isfile(Paths(prefix).architecture) else prefix
