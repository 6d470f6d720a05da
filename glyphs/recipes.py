"""How to train: everything that a result depends on besides the data and the network."""

import dataclasses
import json
import math


@dataclasses.dataclass(frozen=True)
class Recipe:
    """How to train.

    Attributes:
        network: the network's name.
        epochs: the most epochs of a cycle.
        patience: epochs without a lower val_loss after which a cycle stops; None: never.
        learning_rates: the learning rate of each cycle; of the schedule "cosine" the highest one.
        batch_size: pictures per step.
        seed: of weights, dropout, order and distortions.
        refit: whether to train anew on all data for the epochs found, and save that.
        save_each_gain: write the model files whenever val_loss has reached a new low, so that a
            long training can be used before it ends.
        optimizer: "adam", "adamw" or "sgd" with `momentum`.
        schedule: "cycles": each of `learning_rates` until it helps no more; "cosine": one cycle,
            from 0 to the learning rate in `warmup` of all steps, then down to 0 by a cosine.
        weight_decay: of adamw; not applied to biases and normalization.
        momentum: of sgd.
        clip_norm: longest gradient of all weights together; longer ones are shortened; or None.
        warmup: share of all steps, 0..1.
        label_smoothing: share of the target that is spread over all classes, 0..1.
        class_weights: whether rare classes weigh more: each class weighs the same in all.
        augment: the preset by which training pictures are distorted anew in every epoch, or None.
        validation_split: share of each class of train that becomes val where there is none, 0..1.
        half_precision: round the weights that are measured and saved to float16.
        mixed_precision: compute in bfloat16, and keep the weights in float32.
        init: PREFIX of the model whose weights are the initial ones, or None.
        weights: the initial weights of a pretrained network: "imagenet" or a file; or None.
    """

    network: str
    epochs: int
    patience: int | None
    learning_rates: tuple
    batch_size: int
    seed: int
    refit: bool = False
    save_each_gain: bool = False
    optimizer: str = "adam"
    schedule: str = "cycles"
    weight_decay: float = 0.0
    momentum: float = 0.0
    clip_norm: float | None = None
    warmup: float = 0.0
    label_smoothing: float = 0.0
    class_weights: bool = False
    augment: str | None = None
    validation_split: float = 0.0
    half_precision: bool = False
    mixed_precision: bool = False
    init: str | None = None
    weights: str | None = None


def to_json(recipe):
    """Return a recipe as JSON holds it."""
    return json.loads(json.dumps(dataclasses.asdict(recipe)))


# What a recipe written before an attribute was there did.
DEFAULT_VALUES = {
    field.name: field.default
    for field in dataclasses.fields(Recipe)
    if field.default is not dataclasses.MISSING
}

# What train.py does for each network unless told otherwise: the seeds' settings, where known.
# least_steps: few pictures are seen in more epochs than said, until there are so many steps.
DEFAULTS = {
    "glyphnet": {
        "epochs": 20, "patience": None, "learning_rates": (0.002,), "batch_size": 64,
        "optimizer": "adamw", "schedule": "cosine", "weight_decay": 0.05, "warmup": 0.1,
        "label_smoothing": 0.1, "augment": "affine", "least_steps": 2000,
    },
    "kanji": {
        "epochs": 50, "patience": 6, "learning_rates": (0.01, 0.001), "batch_size": 100,
        "refit": True,
    },
    "kanji30": {
        "epochs": 50, "patience": 6, "learning_rates": (0.01, 0.001), "batch_size": 100,
        "refit": True,
    },
    "kanji-wide": {
        "epochs": 10, "patience": 5, "learning_rates": (0.01, 0.001, 0.0001), "batch_size": 100,
    },
    "kuzushiji": {"epochs": 10, "patience": None, "learning_rates": (0.0001,), "batch_size": 512},
    "kuzushiji-fcn": {
        "epochs": 10, "patience": None, "learning_rates": (0.0001,), "batch_size": 512,
    },
    "xception": {"epochs": 10, "patience": None, "learning_rates": (0.0001,), "batch_size": 64},
    "resnet152v2": {"epochs": 10, "patience": None, "learning_rates": (0.0001,), "batch_size": 64},
    "kmnist": {"epochs": 12, "patience": None, "learning_rates": (0.001,), "batch_size": 400},
    "hebrew": {"epochs": 50, "patience": None, "learning_rates": (0.001,), "batch_size": 32},
    # 41 epochs are published; when the learning rate fell is not, so it falls when nothing helps.
    # Without clipping, the sums of the pooling make the first steps too long to learn anything.
    "melnyk": {
        "epochs": 25, "patience": 3, "learning_rates": (0.1, 0.01, 0.001), "batch_size": 256,
        "optimizer": "sgd", "momentum": 0.9, "clip_norm": 1.0,
    },
}  # fmt: skip

MOST_EPOCHS = 200  # an epoch takes .3 s at least, however few its pictures


def enough_epochs(epochs, least_steps, n_pictures, batch_size):
    """Return in how many epochs at least `epochs` and, if it can be, `least_steps` are done."""
    steps = max(1, math.ceil(n_pictures / batch_size))
    return max(epochs, min(math.ceil(least_steps / steps), MOST_EPOCHS))


# How pictures are prepared for a network that is given a source in place of a dataset.
PREPARATIONS = {
    "kuzushiji": {"fit": "pad"},
    "kuzushiji-fcn": {"fit": "pad"},
    "xception": {"fit": "pad"},
    "resnet152v2": {"fit": "pad"},
    "hebrew": {"clean": "otsu"},
    "melnyk": {"fit": "pad", "clean": "otsu-grey", "border": 4},
}

# Names of distortions for --augment, and the preset of glyphs.elastic that each is.
AUGMENTS = {"elastic": "seed", "ciresan": "ciresan", "affine": "affine"}
