"""Train a network, any of those that train.py --list names.

    python train.py
    python train.py --network kuzushiji --epochs 5
    python train.py characters/ --network hebrew --batch-size 8 --validation-split 0.2 --output out/
    python train.py --list

Reads a `characters_dataset`; a folder of class folders, or whatever else create_dataset.py reads,
is made into one on the way, as the network wants it. Writes what model.py writes, for classify.py,
and beside it the history as CSV, its curves as PNG, and the test results as text. --output names
the beginning of these files, or a folder for them. What is not said comes from the network's own
recipe: its epochs, batch size, learning rates, distortions. An interrupted run goes on with
--resume.
"""

import argparse
import os
import sys

from glyphs import console, files, options
from glyphs.errors import UsageError
from glyphs.networks import catalogue
from glyphs.training.recipe import AUGMENTS

NETWORK = "glyphnet"
# Options that stand for attributes of the recipe, as they are.
AS_GIVEN = (
    "patience", "batch_size", "optimizer", "schedule", "label_smoothing", "class_weights",
    "validation_split", "half_precision", "mixed_precision", "refit", "seed", "sides",
)  # fmt: skip


def parse_args(argv=None):
    parser = options.make_parser(__doc__)
    parser.add_argument(
        "source",
        nargs="?",
        default="characters_dataset",
        metavar="DATASET",
        help="dataset, or source of pictures (default: characters_dataset)",
    )
    options.add_label_encoding(parser)
    parser.add_argument("--list", action="store_true", help="name the networks, and stop")
    parser.add_argument(
        "--network",
        choices=tuple(catalogue.NETWORKS),
        help=f"which (default: {NETWORK}, or that of --init)",
    )
    parser.add_argument(
        "--image-size",
        type=options.image_size,
        metavar="SIZE",
        help="side in pixels, or HEIGHTxWIDTH (default: the dataset's; of pictures, the network's)",
    )
    parser.add_argument(
        "--validation-split",
        type=options.share,
        metavar="X",
        help="share of train to validate on, where the dataset has no val split",
    )
    says = " (glyphnet: 20, more for few pictures)"
    recipe, outputs = options.add_training(parser, "model", says=says)
    add_recipe(recipe)
    add_weights(parser.add_argument_group("weights"))
    outputs.add_argument(
        "--tensorboard",
        metavar="DIR",
        help="also write loss, accuracy and learning rate of each epoch for TensorBoard",
    )
    add_processes(parser.add_argument_group("several GPUs, several machines"))
    args = parser.parse_args(argv)
    args.sides = args.sides and tuple(args.sides)
    return args


def add_recipe(group):
    group.add_argument(
        "--patience",
        type=options.integer(1),
        metavar="N",
        help="stop a cycle after N epochs without a lower val_loss",
    )
    group.add_argument("--optimizer", choices=("adam", "adamw", "sgd"))
    group.add_argument(
        "--schedule",
        choices=("cycles", "cosine"),
        help="cycles: learning rates one after another; cosine: warm up, then down to 0",
    )
    group.add_argument(
        "--augment",
        choices=(*AUGMENTS, "none"),
        help="distort the training pictures anew in every epoch",
    )
    group.add_argument(
        "--sides",
        type=options.integer(16, 256),
        nargs="+",
        metavar="N",
        help="pixels of the images' longer side, one drawn for each batch; for kuzushiji-fcn, "
        "which then reads pictures of any of these sizes",
    )
    group.add_argument(
        "--label-smoothing",
        type=options.share,
        metavar="X",
        help="share spread over all classes",
    )
    group.add_argument(
        "--class-weights", action="store_true", help="let rare classes count as much as common ones"
    )
    group.add_argument(
        "--refit",
        action=argparse.BooleanOptionalAction,
        help="train anew on train, val and test together for as many epochs, and save that "
        "(kanji and kanji30 do so unless told otherwise)",
    )
    group.add_argument(
        "--mixed-precision",
        action="store_true",
        help="compute in bfloat16: faster on GPUs and CPUs that know it, and on no others",
    )


def add_weights(group):
    group.add_argument(
        "--init",
        metavar="PREFIX",
        help="start from the weights of this model, of other classes too",
    )
    group.add_argument(
        "--weights",
        metavar="FILE",
        help="initial weights of xception and resnet152v2: imagenet (the default) or a file, of "
        "which the last layers go on learning; or none, and all layers learn",
    )
    group.add_argument(
        "--half-precision", action="store_true", help="store weights as float16, in half the space"
    )


def add_processes(group):
    group.add_argument(
        "--distribute",
        action="store_true",
        help="train on all GPUs, and with all processes that srun or mpirun has started, or that "
        "KERAS_DISTRIBUTION_* tell of (docs/training.md)",
    )
    group.add_argument(
        "--wait",
        type=options.integer(1),
        default=300,
        metavar="SECONDS",
        help="how long to wait for the other processes",
    )


def main(argv=None):
    args = parse_args(argv)
    if args.list:
        print_networks()
    elif args.distribute:
        train_together(args)
    else:
        train(args)


def train_together(args):
    """Train with the other processes; all end when one of them fails, or is asked to."""
    from glyphs.training import backend, hosts
    from glyphs.training.team import Team

    backend.choose_jax()
    team = Team(hosts.find_place(os.environ), wait=args.wait, log=console)
    team.end(console.run(lambda: team.do(lambda: train(args, team))))


def train(args, team=None):
    from glyphs.artifacts.paths import Paths, find_model
    from glyphs.training import launch

    args.init = args.init and find_model(args.init)
    args.network = args.network or network_of(args.init) or NETWORK
    check_network(args)
    is_writer = not team or team.is_first
    board = open_board(args.tensorboard) if is_writer else None
    if is_writer:
        files.make_folder(os.path.dirname(args.output) or ".")
        paths = Paths(args.output)
        for path in (paths.history, paths.curves, paths.results):
            files.check_can_write(path)
    dataset = open_or_build(args)
    recipe = recipe_of(args, dataset)
    run = launch.train(
        dataset,
        build_network(recipe),
        recipe,
        args.output,
        resume=args.resume,
        log=console,
        on_epoch=board,
        team=team,
    )
    if run.state.phase == "done" and is_writer:
        write_reports(run)


def network_of(prefix):
    """Return the name of a model's network, or None where it is not of the catalogue."""
    from glyphs.artifacts.loading import read_architecture

    if not prefix:
        return None
    name = read_architecture(prefix)["glyphs"].get("training", {}).get("network")
    return name if name in catalogue.NETWORKS else None


def check_network(args):
    """Raise UsageError where an option is not for this network."""
    entry = catalogue.find(args.network)
    if args.sides and not entry.takes_any_size:
        raise UsageError(
            f"--sides is for networks that take images of any size; {args.network} does not"
        )
    if args.weights and not entry.takes_weights:
        raise UsageError(f"--weights is for networks that were pretrained; {args.network} was not")


def print_networks():
    """Print name, picture size, parameters and source of every network."""
    for name, entry in catalogue.NETWORKS.items():
        print(
            f"{name:<14} {entry.side:>3}x{entry.side:<3} {entry.n_classes:>5,} classes "
            f"{entry.parameters:>12,} parameters  {entry.source}"
        )


def open_board(folder):
    """Return the function that tells TensorBoard of an epoch, or None."""
    if not folder:
        return None
    from glyphs.training.history import TensorBoard

    return TensorBoard(folder).write


def open_or_build(args):
    """Return the dataset; build it first where the source is pictures."""
    from glyphs.dataset.open import is_dataset, open_dataset

    path = args.source
    if os.path.isdir(path) or (os.path.exists(path) and not is_dataset(path)):
        if args.distribute:
            raise UsageError(
                f"{path}: --distribute wants a dataset; make one first: python create_dataset.py "
                f"{path}"
            )
        path = build_dataset(args)
    dataset = open_dataset(path)
    if args.validation_split and path == args.source and len(dataset.X_val):
        console.warn(f"{path} has a val split; --validation-split is not used")
    if args.label_encoding and path == args.source:
        console.warn(f"{path} is a dataset already; --label-encoding is for create_dataset.py")
    return dataset.resized(args.image_size) if args.image_size else dataset


def build_dataset(args):
    """Build a dataset beside the model files, as the network wants it; return its path."""
    from glyphs.artifacts.loading import read_architecture
    from glyphs.dataset import build, summary
    from glyphs.images.preprocessing import Preprocessing
    from glyphs.sources.index import FRACTIONS

    path = f"{args.output}_dataset"
    entry = catalogue.find(args.network)
    size = args.image_size or entry.image_size
    usual = Preprocessing.usual(size, **entry.preparation)
    framed = Preprocessing.usual(size, crop="none", **entry.preparation)
    if args.init and not args.image_size:
        # Pictures as the model has learned to see them.
        usual = framed = Preprocessing.from_json(
            read_architecture(args.init)["glyphs"]["preprocessing"]
        )
    share = args.validation_split
    settings = build.Settings(
        usual,
        framed=framed,
        fractions=(1 - share, share, 0.0) if share else FRACTIONS,
        label_encoding=args.label_encoding,
    )
    with console.Progress("pictures") as progress:
        built = build.from_source(
            args.source, path, settings, warn=console.warn, progress=progress.update
        )
    summary.report(built, path, settings, say=console.say, warn=console.warn)
    return path


def recipe_of(args, dataset):
    """Return the network's recipe with what the user said in place of its own."""
    from glyphs.training import recipe

    return recipe.for_network(
        args.network,
        dataset.n_trained_on(args.validation_split or 0.0),
        epochs=args.epochs,
        learning_rate=args.learning_rate,
        augment=args.augment,
        weights=args.weights,
        init=args.init,
        **{name: getattr(args, name) for name in AS_GIVEN},
    )


def build_network(recipe):
    """Return the function that builds the network of a recipe."""
    takes_weights = catalogue.find(recipe.network).takes_weights
    builder_options = {"weights": recipe.weights} if takes_weights else {}

    def build(image_size, n_classes):
        return catalogue.build(recipe.network, image_size, n_classes, **builder_options)

    return build


def write_reports(run):
    """Write history, curves and test results beside the model files."""
    from glyphs.training import history

    paths = run.paths
    history.write_history(paths.history, run.state.history)
    history.write_curves(paths.curves, run.state.history)
    history.write_results(paths.results, run.results())
    print(f"saved {paths.history}, {paths.curves} and {paths.results}")


if __name__ == "__main__":
    sys.exit(console.run(main))
