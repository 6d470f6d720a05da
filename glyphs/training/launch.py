"""Start a training: check all that can be checked before Keras, which takes seconds, is loaded."""

import os

from glyphs import files
from glyphs.artifacts.paths import Paths
from glyphs.errors import ArtifactError
from glyphs.training import backend


def train(dataset, build_network, recipe, prefix, *, log, resume=False, on_epoch=None):
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

    Returns:
        The loop.Training, finished.

    Raises:
        ArtifactError: the dataset cannot be trained on, or the checkpoint is damaged or of
            another run.
        StorageError: the model files cannot be written.
        UsageError: Keras's backend cannot be used.
        GlyphsError: the training has diverged.
        KeyboardInterrupt: after Ctrl-C, with a text that says how to go on.
    """
    if not len(dataset.X_val) and not recipe.validation_split:
        raise ArtifactError(
            f"{dataset.path}: has no val split, which tells when to stop; build it with a --split "
            "that gives val a share, or take a part of train by train.py --validation-split"
        )
    paths = Paths(prefix)
    for path in (paths.architecture, paths.weights, paths.onnx):
        files.check_can_write(path)
    if os.path.exists(paths.checkpoint) and not resume:
        log.warn(
            f"{paths.checkpoint} is the checkpoint of an interrupted run and will be replaced "
            "after the first epoch; stop now and add --resume to go on with it"
        )
    with backend.without_chatter():
        backend.import_keras()
        from glyphs.training.loop import Training

        device = backend.describe_device()
    log.say(device)
    training = Training(dataset, build_network, recipe, prefix, log=log, on_epoch=on_epoch)
    training.run(resume=resume)
    return training
