"""Train the network for handwritten characters on a dataset.

    python model.py

Reads `characters_dataset`; writes `model_architecture.json`, `model_weights.h5` and `model.onnx`,
which classify.py uses. Two cycles of training at learning rates .01 and .001 each stop when
val_loss has not fallen for 6 epochs. The best weights are measured on the test split. Then the
network is trained anew on all pictures for as many epochs, and that is saved (--no-refit saves the
measured weights instead). An interrupted run goes on with --resume.
"""

import sys

from glyphs import console, options

NETWORK = "kanji"
FILTERS = (30, 60, 120)
UNITS = 2000
EPOCHS = 50  # at most, per cycle
PATIENCE = 6
LEARNING_RATE = 0.01
LEARNING_RATE_FACTORS = (1, 0.1)  # one per cycle
BATCH_SIZE = 100


def parse_args(argv=None):
    parser = options.make_parser(__doc__)
    options.add_dataset(parser)
    recipe, _ = options.add_training(
        parser, "model", epochs=EPOCHS, batch_size=BATCH_SIZE, learning_rate=LEARNING_RATE
    )
    recipe.add_argument(
        "--no-refit", action="store_true", help="save the measured weights; do not train anew"
    )
    return parser.parse_args(argv)


def build_network(image_size, n_classes):
    from glyphs.networks.kanji import kanji

    return kanji(image_size, n_classes, filters=FILTERS, units=UNITS)


def main(argv=None):
    args = parse_args(argv)
    from glyphs.dataset.open import open_dataset
    from glyphs.training import launch
    from glyphs.training.recipe import Recipe

    dataset = open_dataset(args.dataset)
    recipe = Recipe(
        network=NETWORK,
        epochs=args.epochs,
        patience=PATIENCE,
        learning_rates=tuple(args.learning_rate * factor for factor in LEARNING_RATE_FACTORS),
        batch_size=args.batch_size,
        seed=args.seed,
        refit=not args.no_refit,
    )
    launch.train(dataset, build_network, recipe, args.output, resume=args.resume, log=console)


if __name__ == "__main__":
    sys.exit(console.run(main))
