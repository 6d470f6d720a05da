"""What a recipe minimises, and how: the loss, the optimizer, the precision."""

import contextlib

import keras


def make_optimizer(recipe, steps):
    """Return the Keras optimizer of a recipe; `steps` are the batches of an epoch."""
    learning_rate = recipe.learning_rates[0]
    if recipe.schedule == "cosine":
        steps *= recipe.epochs
        warmup = round(recipe.warmup * steps)
        learning_rate = keras.optimizers.schedules.CosineDecay(
            0.0 if warmup else learning_rate,
            max(1, steps - warmup),
            warmup_target=learning_rate if warmup else None,
            warmup_steps=warmup,
        )
    clip = {"global_clipnorm": recipe.clip_norm}
    if recipe.optimizer == "sgd":
        return keras.optimizers.SGD(learning_rate, momentum=recipe.momentum, **clip)
    if recipe.optimizer == "adamw":
        optimizer = keras.optimizers.AdamW(learning_rate, weight_decay=recipe.weight_decay, **clip)
        optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta", "alpha"])
        return optimizer
    return keras.optimizers.Adam(learning_rate, **clip)


def make_loss(label_smoothing, n_classes):
    """Return the loss for labels that are class numbers: cross-entropy, its target smoothed."""
    if not label_smoothing:
        return "sparse_categorical_crossentropy"

    def smoothed_crossentropy(y_true, y_pred):
        y_true = keras.ops.one_hot(keras.ops.reshape(y_true, (-1,)), n_classes)
        return keras.losses.categorical_crossentropy(
            y_true, y_pred, label_smoothing=label_smoothing
        )

    return smoothed_crossentropy


@contextlib.contextmanager
def precision(recipe):
    """Let the layers made in the meantime compute in the recipe's precision.

    bfloat16 has the range of float32, so nothing needs scaling, as it would in float16.
    """
    usual = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16" if recipe.mixed_precision else usual)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(usual)


def in_float32(model):
    """Return a copy of a model that computes in float32, with weights of its own."""

    def copy(layer):
        return type(layer).from_config({**layer.get_config(), "dtype": "float32"})

    return keras.models.clone_model(model, clone_function=copy)
