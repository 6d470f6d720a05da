"""Train a wider network on a dataset with elastically distorted copies.

    python model_for_augmented_dataset.py

Reads `characters_dataset_elastic`; writes `augmented_model_architecture.json`,
`augmented_model_weights.h5` and `augmented_model.onnx`, for classify.py --model augmented_model.
Three cycles of training at learning rates .01, .001 and .0001, at most 10 epochs each, stop when
val_loss has not fallen for 5 epochs. The best weights so far are saved after every epoch that
improves them, and measured on the test split at the end. An interrupted run goes on with --resume.
"""

import sys

from glyphs import cli

NETWORK = "kanji-wide"
FILTERS = (40, 80, 160)
UNITS = 3000
EPOCHS = 10  # at most, per cycle
PATIENCE = 5
LEARNING_RATE = 0.01
LEARNING_RATE_FACTORS = (1, 0.1, 0.01)  # one per cycle
BATCH_SIZE = 100


def parse_args(argv=None):
    options = cli.parser(__doc__)
    cli.add_training(
        options,
        "augmented_model",
        EPOCHS,
        BATCH_SIZE,
        LEARNING_RATE,
        dataset="characters_dataset_elastic",
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
        made_by="create_augmented_dataset.py",
        network=NETWORK,
        patience=PATIENCE,
        learning_rates=LEARNING_RATE_FACTORS,
        refit=False,
        save_each_gain=True,
    )


if __name__ == "__main__":
    sys.exit(cli.run(main))
