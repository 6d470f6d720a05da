"""From the arguments of a training script to a training; Keras is loaded as late as possible."""

import contextlib
import os

from glyphs import artifacts, cli, files, recipes
from glyphs.errors import ArtifactError, UsageError


def train(
    args,
    build_network,
    *,
    made_by="create_dataset.py",
    image_size=None,
    learning_rates,
    **recipe,
):
    """Do what the three model scripts do with their arguments.

    Args:
        args: with the options of cli.add_training.
        build_network: function `(image_size, n_classes)` -> uncompiled keras.Model.
        made_by: the script that makes the dataset, to name where there is none.
        image_size: `(height, width)` that the network wants, None: that of the dataset.
        learning_rates: of each cycle, as multiples of --learning-rate.
        **recipe: what else recipes.Recipe needs.

    Raises:
        ArtifactError: the dataset is missing, damaged, or has no val split.
        StorageError: the model files could not be written.
    """
    from glyphs import datasets

    dataset = datasets.open_dataset(args.dataset, made_by=made_by)
    if image_size:
        dataset = dataset.resized(image_size)
    recipe = recipes.Recipe(
        epochs=args.epochs,
        batch_size=args.batch_size,
        learning_rates=tuple(args.learning_rate * factor for factor in learning_rates),
        seed=args.seed,
        **recipe,
    )
    start(dataset, args, build_network, recipe)


def start(dataset, args, build_network, recipe, *, on_epoch=None):
    """Check all that can be checked before Keras is loaded, then train.

    Args:
        dataset: datasets.Dataset.
        args: with --output and --resume.
        build_network: function `(image_size, n_classes)` -> uncompiled keras.Model.
        recipe: recipes.Recipe.
        on_epoch: None, or a function called after each epoch with training.State.history.

    Returns:
        The finished training.Training.

    Raises:
        ArtifactError: the dataset is damaged, or has no val split.
        StorageError: the model files could not be written.
        UsageError: Keras's backend cannot be used.
    """
    if not len(dataset.X_val) and not recipe.validation_split:
        raise ArtifactError(
            f"{dataset.path}: has no val split, which tells when to stop; build it with a --split "
            "that gives val a share, or take a part of train by train.py --validation-split"
        )
    paths = artifacts.Paths(args.output)
    for path in (paths.architecture, paths.weights, paths.onnx):
        files.check_can_write(path)
    if os.path.exists(paths.checkpoint) and not args.resume:
        cli.print_warning(
            f"{paths.checkpoint} is the checkpoint of an interrupted run and will be replaced "
            "after the first epoch; stop now and add --resume to go on with it"
        )
    with cli.without_chatter():
        import_keras()
        from glyphs import backends, training

        with contextlib.suppress(ImportError):
            import tensorflow  # noqa: F401  Keras does in its first epoch, whatever the backend

        device = backends.describe_device()
    training.say(device)
    return training.train(
        dataset, build_network, recipe, args.output, resume=args.resume, on_epoch=on_epoch
    )


def import_keras():
    """Import Keras with the backend that KERAS_BACKEND names, TensorFlow if none.

    Raises:
        UsageError: that backend is not installed, or there is none of that name.
    """
    try:
        import keras  # noqa: F401
    except (ImportError, ValueError) as error:
        backend = os.environ.get("KERAS_BACKEND", "tensorflow")
        raise UsageError(
            f"KERAS_BACKEND={backend}: cannot be used ({error}); install it, or choose tensorflow"
        ) from None
