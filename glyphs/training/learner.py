"""The network while it learns: compiled, with its optimizer, and its twin in float32."""

import math

import keras
import numpy as np

from glyphs.artifacts import saving
from glyphs.training import optimizer
from glyphs.training.batches import Batches
from glyphs.training.warm_start import take_weights

EVALUATION_BATCH = 500


class Learner:
    """A network that learns as a recipe says.

    Args:
        build_network: function `(image_size, n_classes)` -> uncompiled keras.Model.
        recipe: recipe.Recipe.
        image_size: `(height, width)` of its images.
        class_names: list of text.
        characters: list: the character of each class, or None.

    Attributes:
        model: the compiled keras.Model, once start() was called.
    """

    def __init__(self, build_network, recipe, image_size, class_names, characters):
        self.build_network = build_network
        self.recipe = recipe
        self.image_size = image_size
        self.class_names = class_names
        self.characters = characters

    def start(self, n_images, *, say=lambda line: None):
        """Build and compile the network with its initial weights, the same at every call.

        Args:
            n_images: how many it will learn from; the schedule of the learning rate depends on it.
            say: called with a line about weights that were taken from another model.

        Raises:
            ArtifactError: the model to take weights from is missing, damaged, or does not fit.
            UsageError: the images are too small for the network.
        """
        recipe, n_classes = self.recipe, len(self.class_names)
        keras.utils.set_random_seed(recipe.seed)
        with optimizer.precision(recipe):
            self.model = self.build_network(self.image_size, n_classes)
        if recipe.init:
            taken = take_weights(self.model, recipe.init, self.class_names, self.characters)
            say(f"initial weights: {taken}")
        # What is measured and saved computes in float32, whatever the network learns in. It is
        # copied before compile(), whose loss a copy could not take along.
        self._float32 = optimizer.in_float32(self.model) if recipe.mixed_precision else None
        self.loss = loss = optimizer.make_loss(recipe.label_smoothing, n_classes)
        self.model.compile(
            optimizer=optimizer.make_optimizer(recipe, math.ceil(n_images / recipe.batch_size)),
            loss=loss,
            metrics=["accuracy"],
        )
        self.model.optimizer.build(self.model.trainable_variables)
        if self._float32:
            self._float32.compile(loss=loss, metrics=["accuracy"])

    @property
    def variables(self):
        """All that the next step depends on, the seeds of Dropout included."""
        return [*self.model.variables, *self.model.optimizer.variables]

    @property
    def learning_rate(self):
        return float(self.model.optimizer.learning_rate)

    def finished(self):
        """Return the network with its present weights, computing in float32."""
        if not self._float32:
            return self.model
        self._float32.set_weights(self.model.get_weights())
        return self._float32

    @property
    def metrics(self):
        """The sums of loss and accuracy in this epoch so far: floats."""
        return [float(variable) for variable in self.model.metrics_variables]

    def fit(self, batches, *, cycle, callbacks=(), metrics=()):
        """Train one epoch, or the rest of one.

        Args:
            batches: Batches.
            cycle: number of the cycle, from 0, whose learning rate is due.
            callbacks: of Keras.
            metrics: what `metrics` was after the batches that are done already.

        Returns:
            dict of loss and accuracy.
        """
        if self.recipe.schedule == "cycles":
            self.model.optimizer.learning_rate = self.recipe.learning_rates[cycle]
        callbacks = [GoOn(metrics), *callbacks] if metrics else list(callbacks)
        history = self.model.fit(
            batches, epochs=1, shuffle=False, verbose=0, callbacks=callbacks
        ).history
        return {"loss": history["loss"][0], "accuracy": history["accuracy"][0]}

    def evaluate(self, images):
        """Return `(loss, accuracy)` of the present weights on LabelledImages."""
        batches = Batches(images, np.arange(len(images)), EVALUATION_BATCH)
        figures = self.finished().evaluate(batches, verbose=0, return_dict=True)
        return figures["loss"], figures["accuracy"]

    def round_weights(self):
        """Make the weights what will be saved, before they are measured."""
        if self.recipe.half_precision:
            weights = self.model.get_weights()
            self.model.set_weights([saving.halved(w).astype(np.float32) for w in weights])


class GoOn(keras.callbacks.Callback):
    """Counts loss and accuracy of an epoch on from where they were.

    Args:
        metrics: floats, what Learner.metrics was then.
    """

    def __init__(self, metrics):
        super().__init__()
        self.metrics = metrics

    def on_epoch_begin(self, epoch, logs=None):
        for variable, value in zip(self.model.metrics_variables, self.metrics, strict=True):
            variable.assign(value)
