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


def build_network(image_size, n_classes):
    from glyphs import networks

    return networks.kanji(image_size, n_classes, filters=FILTERS, units=UNITS)


def main(argv=None):
    args = parse_args(argv)
    from glyphs import launching

    launching.train(
        args,
        build_network,
        network=NETWORK,
        patience=PATIENCE,
        learning_rates=LEARNING_RATE_FACTORS,
        refit=not args.no_refit,
    )


if __name__ == "__main__":
    sys.exit(cli.run(main))
