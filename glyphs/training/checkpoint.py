"""The checkpoint of a training: one file with all that its next epoch depends on."""

import dataclasses
import json
import os

import keras
import numpy as np

from glyphs import files
from glyphs.artifacts.loading import read_architecture
from glyphs.artifacts.paths import Paths
from glyphs.errors import ArtifactError, GlyphsError
from glyphs.training import recipe as recipes
from glyphs.training.cycles import State


def identity(dataset, recipe):
    """Return what must agree before a checkpoint may be continued.

    Args:
        dataset: open.Dataset.
        recipe: recipe.Recipe.
    """
    return {
        "dataset": dataset.fingerprint,
        "backend": keras.backend.backend(),
        "keras": keras.__version__,
        "image_size": list(dataset.preprocessing.image_size),
        **recipes.to_json(recipe),
    }


def write(path, identity, state, variables, best_weights):
    """Write a checkpoint, replacing an older one at the end.

    Args:
        path: the file.
        identity: dict of what must agree before it may be continued.
        state: cycles.State.
        variables: arrays of the model and of its optimizer.
        best_weights: None, or the arrays of the best weights so far.

    Raises:
        StorageError: no space or no permission.
    """
    header = json.dumps({"identity": identity, "state": dataclasses.asdict(state)})
    arrays = {f"variable{i}": np.asarray(v) for i, v in enumerate(variables)}
    arrays |= {f"best{i}": w for i, w in enumerate(best_weights or ())}
    needed = sum(array.nbytes for array in arrays.values())
    with files.replacing(path, needed) as file:
        np.savez(file, header=np.array(header), **arrays)


def read(path, identity, variables):
    """Read a checkpoint.

    Args:
        path: the file.
        identity: what must agree with that of the checkpoint.
        variables: of a training whose shapes must agree.

    Returns:
        `(state, values, best_weights)`, as they were given to write.

    Raises:
        ArtifactError: it is damaged, or of a run with another identity.
    """
    damaged = ArtifactError(f"{path}: damaged; delete it and start without --resume")
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as stored:
            header = json.loads(str(stored["header"][()]))
            _check_identity(path, recipes.of_today(header["identity"]), identity)
            values = [stored[f"variable{i}"] for i in range(len(variables))]
            n_best = sum(name.startswith("best") for name in stored.files)
            best_weights = [stored[f"best{i}"] for i in range(n_best)] or None
            state = State(**header["state"])
    except GlyphsError:
        raise
    except Exception:  # a damaged zip file ends in errors of many kinds
        raise damaged from None
    if any(tuple(v.shape) != value.shape for v, value in zip(variables, values, strict=True)):
        raise damaged
    return state, values, best_weights


def _check_identity(path, stored, identity):
    for key, value in identity.items():
        if stored.get(key) != value:
            raise ArtifactError(
                f"{path}: of a run with another {key} ({stored.get(key)!r:.80}, now "
                f"{value!r:.80}); give the same options, or start without --resume"
            )


def is_finished(prefix, identity, recipe):
    """Return whether the model files are those of a training of this identity that has ended."""
    if not os.path.exists(Paths(prefix).architecture):
        return False
    facts = read_architecture(prefix)["glyphs"]
    if recipes.of_today(facts["training"]) != identity:
        return False
    return len(facts["figures"]["stopping_epochs"]) == len(recipe.learning_rates)
