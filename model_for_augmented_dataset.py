"""Train a wider network on a dataset with elastically distorted copies.

    python model_for_augmented_dataset.py

Reads `characters_dataset_elastic`; writes `augmented_model_architecture.json`,
`augmented_model_weights.h5` and `augmented_model.onnx`, for classify.py --model augmented_model.
Three cycles of training at learning rates .01, .001 and .0001, at most 10 epochs each, stop when
val_loss has not fallen for 5 epochs. The best weights so far are saved after every epoch that
improves them, and measured on the test split at the end. An interrupted run goes on with --resume.
"""

import sys

from glyphs import console, options

NETWORK = "kanji-wide"
FILTERS = (40, 80, 160)
UNITS = 3000
EPOCHS = 10  # at most, per cycle
PATIENCE = 5
LEARNING_RATE = 0.01
LEARNING_RATE_FACTORS = (1, 0.1, 0.01)  # one per cycle
BATCH_SIZE = 100


def parse_args(argv=None):
    parser = options.make_parser(__doc__)
    options.add_dataset(parser, "characters_dataset_elastic")
    options.add_training(
        parser, "augmented_model", epochs=EPOCHS, batch_size=BATCH_SIZE, learning_rate=LEARNING_RATE
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

    dataset = open_dataset(args.dataset, made_by="create_augmented_dataset.py")
    recipe = Recipe(
        network=NETWORK,
        epochs=args.epochs,
        patience=PATIENCE,
        learning_rates=tuple(args.learning_rate * factor for factor in LEARNING_RATE_FACTORS),
        batch_size=args.batch_size,
        seed=args.seed,
        save_each_gain=True,
    )
    launch.train(dataset, build_network, recipe, args.output, resume=args.resume, log=console)


if __name__ == "__main__":
    sys.exit(console.run(main))
