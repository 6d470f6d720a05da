"""Train the network of model.py on pictures of 30x30 pixels.

    python model30x30.py

Reads `characters_dataset`, resizing its pictures if they are of another size, as classify.py then
does too; writes `model30x30_architecture.json`, `model30x30_weights.h5` and `model30x30.onnx`.
All else is as in model.py.
"""

import sys

from glyphs import cli

NETWORK = "kanji30"
IMAGE_SIZE = (30, 30)
FILTERS = (30, 60, 120)
UNITS = 2000
EPOCHS = 50  # at most, per cycle
PATIENCE = 6
LEARNING_RATE = 0.01
LEARNING_RATE_FACTORS = (1, 0.1)  # one per cycle
BATCH_SIZE = 100


def parse_args(argv=None):
    options = cli.parser(__doc__)
    cli.add_training(options, "model30x30", EPOCHS, BATCH_SIZE, LEARNING_RATE)
    options.add_argument(
        "--no-refit", action="store_true", help="save the measured weights; do not train anew"
    )
    return options.parse_args(argv)


def build_network(image_size, n_classes):
    from glyphs import networks

    return networks.kanji(image_size, n_classes, filters=FILTERS, units=UNITS, pad_block_2=True)


def main(argv=None):
    args = parse_args(argv)
    from glyphs import launching

    launching.train(
        args,
        build_network,
        image_size=IMAGE_SIZE,
        network=NETWORK,
        patience=PATIENCE,
        learning_rates=LEARNING_RATE_FACTORS,
        refit=not args.no_refit,
    )


if __name__ == "__main__":
    sys.exit(cli.run(main))
