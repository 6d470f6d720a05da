"""The networks by name. An entry says all about one of them, without loading Keras.

from glyphs.networks import catalogue

network = catalogue.build("kmnist", (28, 28), 10)
"""

import dataclasses
import importlib

from glyphs.errors import UsageError


@dataclasses.dataclass(frozen=True)
class Entry:
    """A network that has a name.

    Attributes:
        builder: module of glyphs.networks and its function `(image_size, n_classes, **options)`
            that returns an uncompiled keras.Model.
        side: height and width of its images in the original.
        n_classes: number of classes in the original.
        parameters: of the network for that size and so many classes.
        trainable: how many of these the training changes.
        source: where it comes from.
        recipe: what train.py does unless told otherwise, as attributes of recipe.Recipe: the
            original's settings, where known. With "least_steps" few images are seen in more epochs
            than said, until there are so many steps.
        preparation: how pictures are prepared that are given in place of a dataset, as attributes
            of preprocessing.Preprocessing.
        options: of the builder.
        takes_weights: whether the builder has the option `weights`.
        takes_any_size: whether the network takes images of any size, whatever it learned from.
    """

    builder: str
    side: int
    n_classes: int
    parameters: int
    trainable: int
    source: str
    recipe: dict
    preparation: dict = dataclasses.field(default_factory=dict)
    options: dict = dataclasses.field(default_factory=dict)
    takes_weights: bool = False
    takes_any_size: bool = False

    @property
    def image_size(self):
        """`(height, width)` of its images in the original."""
        return self.side, self.side


_KANJI = "CNN for handwritten kanji"
_KUZUSHIJI = "Japanese Kuzushiji Character Classification"

NETWORKS = {
    "glyphnet": Entry(
        "glyphnet.glyphnet", 32, 100, 1_277_060, 1_275_140, "this toolkit's own",
        recipe={
            "epochs": 20, "patience": None, "learning_rates": (0.002,), "batch_size": 64,
            "optimizer": "adamw", "schedule": "cosine", "weight_decay": 0.05, "warmup": 0.1,
            "label_smoothing": 0.1, "augment": "pens", "least_steps": 2000,
        },
    ),
    "glyphnet-many": Entry(
        "glyphnet.glyphnet", 32, 3755, 2_050_187, 2_048_075, "this toolkit's own, for many classes",
        recipe={
            "epochs": 10, "patience": None, "learning_rates": (0.003,), "batch_size": 128,
            "optimizer": "adamw", "schedule": "cosine", "weight_decay": 0.05, "warmup": 0.05,
            "label_smoothing": 0.1, "augment": "pens", "least_steps": 2000,
        },
        options={"convolutions": (1, 1, 2, 2), "embedding": 192, "dropout": 0.1},
    ),
    "kanji": Entry(
        "kanji.kanji", 32, 100, 8_344_660, 8_336_240, f"{_KANJI}: model.py",
        recipe={
            "epochs": 50, "patience": 6, "learning_rates": (0.01, 0.001), "batch_size": 100,
            "refit": True,
        },
        options={"filters": (30, 60, 120), "units": 2000},
    ),
    "kanji30": Entry(
        "kanji.kanji", 30, 100, 8_339_080, 8_330_660, f"{_KANJI}: model30x30.py",
        recipe={
            "epochs": 50, "patience": 6, "learning_rates": (0.01, 0.001), "batch_size": 100,
            "refit": True,
        },
        options={"filters": (30, 60, 120), "units": 2000, "pad_block_2": True},
    ),
    "kanji-wide": Entry(
        "kanji.kanji", 32, 100, 17_490_180, 17_477_620, f"{_KANJI}: model_for_augmented_dataset.py",
        recipe={
            "epochs": 10, "patience": 5, "learning_rates": (0.01, 0.001, 0.0001),
            "batch_size": 100,
        },
        options={"filters": (40, 80, 160), "units": 3000},
    ),
    "kuzushiji": Entry(
        "kuzushiji.kuzushiji", 80, 514, 37_934_274, 37_921_314, f"{_KUZUSHIJI}: baseline",
        recipe={"epochs": 10, "patience": None, "learning_rates": (0.0001,), "batch_size": 512},
        preparation={"fit": "pad"},
    ),
    "kuzushiji-fcn": Entry(
        "kuzushiji.kuzushiji_fcn", 80, 514, 11_072_230, 11_067_162,
        f"{_KUZUSHIJI}: fully convolutional",
        recipe={"epochs": 10, "patience": None, "learning_rates": (0.0001,), "batch_size": 512},
        preparation={"fit": "pad"},
        takes_any_size=True,
    ),
    "xception": Entry(
        "transfer.xception", 80, 514, 96_935_994, 80_791_314, f"{_KUZUSHIJI}: transfer learning",
        recipe={"epochs": 10, "patience": None, "learning_rates": (0.0001,), "batch_size": 64},
        preparation={"fit": "pad"},
        takes_weights=True,
    ),
    "resnet152v2": Entry(
        "transfer.resnet152v2", 80, 514, 134_406_162, 77_098_258,
        f"{_KUZUSHIJI}: transfer learning",
        recipe={"epochs": 10, "patience": None, "learning_rates": (0.0001,), "batch_size": 64},
        preparation={"fit": "pad"},
        takes_weights=True,
    ),
    "kmnist": Entry(
        "kmnist.kmnist", 28, 10, 11_722, 11_626, "Kuzushiji-MNIST Character Classification",
        recipe={"epochs": 12, "patience": None, "learning_rates": (0.001,), "batch_size": 400},
    ),
    "hebrew": Entry(
        "hebrew.hebrew", 64, 27, 17_014_107, 17_014_107, "Handwritten ancient Hebrew characters",
        recipe={"epochs": 50, "patience": None, "learning_rates": (0.001,), "batch_size": 32},
        preparation={"clean": "otsu"},
    ),
    # 41 epochs are published; when the learning rate fell is not, so it falls when nothing helps.
    # Without clipping, the sums of the pooling make the first steps too long to learn anything.
    "melnyk": Entry(
        "melnyk.melnyk", 96, 3755, 6_523_819, 6_518_635, "Melnyk-Net, arXiv 1812.11489",
        recipe={
            "epochs": 25, "patience": 3, "learning_rates": (0.1, 0.01, 0.001), "batch_size": 256,
            "optimizer": "sgd", "momentum": 0.9, "clip_norm": 1.0,
        },
        preparation={"fit": "pad", "clean": "otsu-grey", "border": 4},
    ),
}  # fmt: skip


def find(name):
    """Return the Entry of a network.

    Raises:
        UsageError: there is none of that name.
    """
    if name not in NETWORKS:
        raise UsageError(f"{name}: no such network; choose one of {', '.join(NETWORKS)}")
    return NETWORKS[name]


def build(name, image_size, n_classes, **options):
    """Return a network as an uncompiled keras.Model.

    Args:
        name: one of NETWORKS.
        image_size: `(height, width)` of its images.
        n_classes: number of classes.
        **options: of the builder; they go before those of the catalogue.

    Raises:
        UsageError: no such network, the images are too small for it, or its weights are missing.
    """
    entry = find(name)
    module, function = entry.builder.split(".")
    builder = getattr(importlib.import_module(f"glyphs.networks.{module}"), function)
    return builder(image_size, n_classes, **{**entry.options, **options})
