"""How to train: everything that a result depends on besides the data and the network."""

import dataclasses
import json
import math

from glyphs.networks import catalogue


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
        sides: of the images of a batch, one drawn for each, for networks that take any size; of
            none: that of the dataset.
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
    sides: tuple = ()
    init: str | None = None
    weights: str | None = None


def to_json(recipe):
    """Return a recipe as JSON holds it."""
    return json.loads(json.dumps(dataclasses.asdict(recipe)))


def of_today(stored):
    """Return a recipe (or an identity) from a file as today's programs write it.

    Args:
        stored: dict; in older files attributes are absent, and a preset had another name.
    """
    absent = {
        field.name: field.default
        for field in dataclasses.fields(Recipe)
        if field.default is not dataclasses.MISSING
    }
    filled = json.loads(json.dumps(absent)) | stored
    return filled | {"augment": OLD_PRESETS.get(filled["augment"], filled["augment"])}


# Names of distortions for --augment, and the preset of glyphs.augment that each is.
AUGMENTS = {"elastic": "classic", "ciresan": "ciresan", "affine": "affine", "pens": "pens"}
OLD_PRESETS = {"seed": "classic"}

# Of our own networks, where few pictures go on from a model's weights (docs/training.md: measured).
FEW_PICTURES = 20_000
FROM_A_MODEL = {
    "epochs": 20, "learning_rates": (0.002,), "batch_size": 32, "least_steps": 640,
}  # fmt: skip

MOST_EPOCHS = 200  # an epoch takes .3 s at least, however few its pictures
WEIGHT_DECAY = 0.05  # of adamw, where the network's own recipe has another optimizer
MOMENTUM = 0.9  # of sgd, likewise


def for_network(
    network, n_images, *, epochs=None, learning_rate=None, augment=None, weights=None, **wanted
):
    """Return the recipe of a network, with what is wanted in place of its own.

    Args:
        network: one of catalogue.NETWORKS.
        n_images: how many there are to train on; few and with `init`, glyphnet has a recipe for it.
        epochs: the most epochs of a cycle; None: those of the network, more for few images.
        learning_rate: of the first cycle; those of the others change in proportion.
        augment: one of AUGMENTS, or "none"; None: that of the network.
        weights: of a pretrained network: "imagenet", a file, or "none" for random ones.
        **wanted: attributes of Recipe; None stands for the network's own.
    """
    entry = catalogue.find(network)
    own = entry.recipe
    if wanted.get("init") and n_images < FEW_PICTURES and own.get("schedule") == "cosine":
        own = own | FROM_A_MODEL
    settings = own | {name: value for name, value in wanted.items() if value is not None}
    least_steps = settings.pop("least_steps", 0)
    settings["epochs"] = epochs or enough_epochs(
        settings["epochs"], least_steps, n_images, settings["batch_size"]
    )
    if learning_rate:
        first, *_ = rates = settings["learning_rates"]
        settings["learning_rates"] = tuple(learning_rate * rate / first for rate in rates)
    if settings.get("schedule") == "cosine":
        settings["learning_rates"] = settings["learning_rates"][:1]
        settings.setdefault("warmup", 0.1)
    if settings.get("optimizer") == "adamw":
        settings.setdefault("weight_decay", WEIGHT_DECAY)
    if settings.get("optimizer") == "sgd":
        settings.setdefault("momentum", MOMENTUM)
    if augment:
        settings["augment"] = AUGMENTS.get(augment)
    if entry.takes_weights:
        settings["weights"] = None if weights == "none" else weights or "imagenet"
    return Recipe(network=network, **settings)


def enough_epochs(epochs, least_steps, n_images, batch_size):
    """Return in how many epochs at least `epochs` and, if it can be, `least_steps` are done."""
    steps = max(1, math.ceil(n_images / batch_size))
    return max(epochs, min(math.ceil(least_steps / steps), MOST_EPOCHS))
