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

from glyphs import artifacts, catalogue, cli, files, recipes

NETWORK = "glyphnet"
WEIGHT_DECAY = 0.05  # of --optimizer adamw, where the network's recipe has another optimizer
MOMENTUM = 0.9  # of --optimizer sgd, likewise


def parse_args(argv=None):
    options = cli.parser(__doc__)
    options.add_argument(
        "source",
        nargs="?",
        default="characters_dataset",
        metavar="DATASET",
        help="dataset, or source of pictures (default: characters_dataset)",
    )
    options.add_argument("--list", action="store_true", help="name the networks, and stop")
    options.add_argument("--network", choices=tuple(catalogue.NETWORKS), default=NETWORK)
    options.add_argument(
        "--output",
        type=cli.model_prefix("model"),
        default="model",
        metavar="PREFIX",
        help="beginning of the model files' names, or a folder for them",
    )
    options.add_argument(
        "--image-size",
        type=cli.image_size,
        metavar="SIZE",
        help="side in pixels, or HEIGHTxWIDTH (default: the dataset's; of pictures, the network's)",
    )
    options.add_argument(
        "--epochs",
        type=cli.integer(1),
        metavar="N",
        help="most epochs of a cycle (glyphnet: 20, more for few pictures)",
    )
    options.add_argument(
        "--patience",
        type=cli.integer(1),
        metavar="N",
        help="stop a cycle after N epochs without a lower val_loss",
    )
    options.add_argument("--batch-size", type=cli.integer(1), metavar="N", help="pictures a step")
    options.add_argument(
        "--learning-rate", type=cli.positive_number, metavar="X", help="of the first cycle"
    )
    options.add_argument("--optimizer", choices=("adam", "adamw", "sgd"))
    options.add_argument(
        "--schedule",
        choices=("cycles", "cosine"),
        help="cycles: learning rates one after another; cosine: warm up, then down to 0",
    )
    options.add_argument(
        "--augment",
        choices=(*recipes.AUGMENTS, "none"),
        help="distort the training pictures anew in every epoch",
    )
    options.add_argument(
        "--label-smoothing", type=cli.share, metavar="X", help="share spread over all classes"
    )
    options.add_argument(
        "--class-weights", action="store_true", help="let rare classes count as much as common ones"
    )
    options.add_argument(
        "--validation-split",
        type=cli.share,
        metavar="X",
        help="share of train to validate on, where the dataset has no val split",
    )
    options.add_argument(
        "--weights",
        metavar="FILE",
        help="initial weights of xception and resnet152v2: imagenet (the default) or a file, of "
        "which the last layers go on learning; or none, and all layers learn",
    )
    options.add_argument(
        "--half-precision", action="store_true", help="store weights as float16, in half the space"
    )
    options.add_argument(
        "--mixed-precision",
        action="store_true",
        help="compute in bfloat16: faster on GPUs and CPUs that know it, and on no others",
    )
    options.add_argument(
        "--refit",
        action=argparse.BooleanOptionalAction,
        help="train anew on train, val and test together for as many epochs, and save that "
        "(kanji and kanji30 do so unless told otherwise)",
    )
    options.add_argument(
        "--init",
        metavar="PREFIX",
        help="start from the weights of this model, of other classes too",
    )
    options.add_argument(
        "--resume", action="store_true", help="go on from the checkpoint of an interrupted run"
    )
    options.add_argument(
        "--tensorboard",
        metavar="DIR",
        help="also write loss, accuracy and learning rate of each epoch for TensorBoard",
    )
    cli.add_seed(options)
    args = options.parse_args(argv)
    if args.weights and not catalogue.find(args.network).takes_weights:
        options.error(f"--weights is for networks that were pretrained; {args.network} was not")
    return args


def main(argv=None):
    args = parse_args(argv)
    if args.list:
        print_networks()
        return
    from glyphs import launching

    board = open_board(args)
    files.make_folder(os.path.dirname(args.output) or ".")
    paths = artifacts.Paths(args.output)
    for path in (paths.history, paths.curves, paths.results):
        files.check_can_write(path)
    dataset = open_or_build(args)
    recipe = recipe_of(args, count_pictures(dataset, args.validation_split))
    run = launching.start(dataset, args, build_network(recipe), recipe, on_epoch=board)
    if run.state.phase == "done":
        write_reports(run)


def print_networks():
    """Print name, picture size, parameters and source of every network."""
    for name, entry in catalogue.NETWORKS.items():
        print(
            f"{name:<14} {entry.side:>3}x{entry.side:<3} {entry.n_classes:>5,} classes "
            f"{entry.parameters:>12,} parameters  {entry.source}"
        )


def recipe_of(args, n_pictures):
    """Return the network's recipe with what the user said in place of its own.

    Args:
        args: as parse_args returns them.
        n_pictures: how many there are to train on.
    """
    settings = dict(recipes.DEFAULTS[args.network])
    least_steps = settings.pop("least_steps", 0)
    for name in (
        "epochs", "patience", "batch_size", "optimizer", "label_smoothing", "schedule", "refit",
    ):  # fmt: skip
        if getattr(args, name) is not None:
            settings[name] = getattr(args, name)
    if not args.epochs:
        settings["epochs"] = recipes.enough_epochs(
            settings["epochs"], least_steps, n_pictures, settings["batch_size"]
        )
    if args.learning_rate:
        first, *_ = rates = settings["learning_rates"]
        settings["learning_rates"] = tuple(args.learning_rate * rate / first for rate in rates)
    if settings.get("schedule") == "cosine":
        settings["learning_rates"] = settings["learning_rates"][:1]
        settings.setdefault("warmup", 0.1)
    if settings.get("optimizer") == "adamw":
        settings.setdefault("weight_decay", WEIGHT_DECAY)
    if settings.get("optimizer") == "sgd":
        settings.setdefault("momentum", MOMENTUM)
    if args.augment:
        settings["augment"] = recipes.AUGMENTS.get(args.augment)
    if catalogue.find(args.network).takes_weights:
        settings["weights"] = None if args.weights == "none" else args.weights or "imagenet"
    return recipes.Recipe(
        network=args.network,
        seed=args.seed,
        class_weights=args.class_weights,
        validation_split=args.validation_split or 0.0,
        half_precision=args.half_precision,
        mixed_precision=args.mixed_precision,
        init=args.init and artifacts.find_model(args.init),
        **settings,
    )


def count_pictures(dataset, validation_split):
    """Return how many pictures of a dataset are trained on."""
    if not len(dataset.X_val):
        return round((1 - (validation_split or 0)) * len(dataset.X_train))
    copies = 0 if dataset.X_train_elastic is None else len(dataset.X_train_elastic)
    return len(dataset.X_train) + copies


def build_network(recipe):
    """Return the function that builds the network of a recipe."""
    options = {}
    if catalogue.find(recipe.network).takes_weights:
        options["weights"] = recipe.weights

    def build(image_size, n_classes):
        return catalogue.build(recipe.network, image_size, n_classes, **options)

    return build


def open_board(args):
    """Return the function that tells TensorBoard of an epoch, or None."""
    if not args.tensorboard:
        return None
    from glyphs import reports

    return reports.TensorBoard(args.tensorboard).write


def open_or_build(args):
    """Return the dataset; build it first where the source is pictures."""
    from glyphs import datasets

    path = args.source
    if os.path.isdir(path) or (os.path.exists(path) and not datasets.is_dataset(path)):
        path = build_dataset(args)
    dataset = datasets.open_dataset(path)
    if args.validation_split and path == args.source and len(dataset.X_val):
        cli.print_warning(f"{path} has a val split; --validation-split is not used")
    return dataset.resized(args.image_size) if args.image_size else dataset


def build_dataset(args):
    """Let create_dataset.py build a dataset beside the model files; return its path."""
    import create_dataset

    path = f"{args.output}_dataset"
    height, width = args.image_size or catalogue.find(args.network).image_size
    arguments = [args.source, "--output", path, "--image-size", f"{height}x{width}"]
    for option, value in recipes.PREPARATIONS.get(args.network, {}).items():
        arguments += [f"--{option}", str(value)]
    if args.validation_split:
        share = 100 * args.validation_split
        arguments += ["--split", f"{100 - share:.10g}", f"{share:.10g}", "0"]
    create_dataset.main(arguments)
    return path


def write_reports(run):
    """Write history, curves and test results beside the model files."""
    from glyphs import reports

    paths = run.paths
    reports.write_history(paths.history, run.state.history)
    reports.write_curves(paths.curves, run.state.history)
    reports.write_results(paths.results, run.results())
    print(f"saved {paths.history}, {paths.curves} and {paths.results}")


if __name__ == "__main__":
    sys.exit(cli.run(main))
