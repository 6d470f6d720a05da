"""Train the network for handwritten characters on a dataset.

    python model.py

Reads `characters_dataset`; writes `model_architecture.json`, `model_weights.h5` and `model.onnx`,
which classify.py uses. Two cycles of training at learning rates .01 and .001 each stop when
val_loss has not fallen for 6 epochs. The best weights are measured on the test split. Then the
network is trained anew on all pictures for as many epochs, and that is saved (--no-refit saves the
measured weights instead). An interrupted run goes on with --resume.
"""

import sys

from glyphs import cli

NETWORK = "kanji"
FILTERS = (30, 60, 120)
UNITS = 2000
EPOCHS = 50  # at most, per cycle
PATIENCE = 6
LEARNING_RATE = 0.01
LEARNING_RATE_FACTORS = (1, 0.1)  # one per cycle
BATCH_SIZE = 100


def parse_args(argv=None):
    options = cli.parser(__doc__)
    cli.add_training(options, "model", EPOCHS, BATCH_SIZE, LEARNING_RATE)
    options.add_argument(
        "--no-refit", action="store_true", help="save the measured weights; do not train anew"
    )
    return options.parse_args(argv)


def main(argv=None):
    args = parse_args(argv)
    dataset = cli.open_for_training(args)
    with cli.without_chatter():
        from glyphs import networks, training

        device = training.describe_device()
    training.say(device)

    def build_network(image_size, n_classes):
        return networks.kanji(image_size, n_classes, filters=FILTERS, units=UNITS)

    recipe = training.Recipe(
        network=NETWORK,
        epochs=args.epochs,
        patience=PATIENCE,
        learning_rates=tuple(args.learning_rate * factor for factor in LEARNING_RATE_FACTORS),
        batch_size=args.batch_size,
        seed=args.seed,
        refit=not args.no_refit,
    )
    training.train(dataset, build_network, recipe, args.output, resume=args.resume)


if __name__ == "__main__":
    sys.exit(cli.run(main))
