"""How to train: everything that a result depends on besides the data and the network."""

import dataclasses


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
        optimizer: "adam", "adamw" or "sgd" (with Nesterov-free momentum).
        schedule: "cycles": each of `learning_rates` until it helps no more; "cosine": one cycle,
            from 0 to the learning rate in `warmup` of all steps, then down to 0 by a cosine.
        weight_decay: of adamw; not applied to biases and normalization.
        momentum: of sgd.
        warmup: share of all steps, 0..1.
        label_smoothing: share of the target that is spread over all classes, 0..1.
        class_weights: whether rare classes weigh more: each class weighs the same in all.
        augment: the preset by which training pictures are distorted anew in every epoch, or None.
        init: fingerprint of the model whose weights are the initial ones, or None.
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
    warmup: float = 0.0
    label_smoothing: float = 0.0
    class_weights: bool = False
    augment: str | None = None
    init: str | None = None
