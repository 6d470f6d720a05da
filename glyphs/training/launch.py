"""Start a training: check all that can be checked before Keras, which takes seconds, is loaded."""

import functools
import os

from glyphs import files
from glyphs.artifacts.paths import Paths
from glyphs.errors import ArtifactError
from glyphs.training import backend


def train(dataset, build_network, recipe, prefix, *, log, resume=False, on_epoch=None, team=None):
    """Train a network on a dataset and write its model files.

    Args:
        dataset: open.Dataset.
        build_network: function `(image_size, n_classes)` -> uncompiled keras.Model.
        recipe: recipe.Recipe.
        prefix: of the model files.
        log: where to say things: has say(line), warn(line) and Progress(unit), as the module
            glyphs.console has.
        resume: go on from the checkpoint of an interrupted run, if there is one.
        on_epoch: None, or a function called after each epoch with cycles.State.history.
        team: None, or the team.Team of the processes that train together.

    Returns:
        The loop.Training, finished.

    Raises:
        ArtifactError: the dataset cannot be trained on, or the checkpoint is damaged or of
            another run.
        StorageError: the model files cannot be written.
        UsageError: Keras's backend cannot be used, or the processes do not fit together.
        LostError: another process has failed.
        StoppedError: SIGTERM came to one of the processes.
        GlyphsError: the training has diverged.
        KeyboardInterrupt: after Ctrl-C, with a text that says how to go on.
    """
    if not len(dataset.X_val) and not recipe.validation_split:
        raise ArtifactError(
            f"{dataset.path}: has no val split, which tells when to stop; build it with a --split "
            "that gives val a share, or take a part of train by train.py --validation-split"
        )
    is_writer = not team or team.is_first
    paths = Paths(prefix)
    for path in (paths.architecture, paths.weights, paths.onnx) if is_writer else ():
        files.check_can_write(path)
    if os.path.exists(paths.checkpoint) and not resume and is_writer:
        log.warn(
            f"{paths.checkpoint} is the checkpoint of an interrupted run and will be replaced "
            "after the first epoch; stop now and add --resume to go on with it"
        )
    with backend.without_chatter():
        backend.import_keras()
        make_training = _together(team) if team else _alone()
        device = backend.describe_device()
    if is_writer:
        log.say(device)
    training = make_training(dataset, build_network, recipe, prefix, log=log, on_epoch=on_epoch)
    training.run(resume=resume)
    return training


def _alone():
    from glyphs.training.loop import Training

    return Training


def _together(team):
    from glyphs.training import distribution
    from glyphs.training.distributed import DistributedTraining

    distribution.connect(team)
    return functools.partial(DistributedTraining, team=team)
