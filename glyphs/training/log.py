"""What a training says while it runs and when it ends, line by line."""

import keras
import numpy as np


def format_figures(figures):
    return "  ".join(f"{name} {value:.4f}" for name, value in figures.items())


def title(state, recipe, most_epochs):
    """Return what the line of the epoch that is under way begins with."""
    cycle = f"{state.phase} {state.cycle + 1}/{len(recipe.learning_rates)}"
    return f"{cycle}  epoch {state.epoch + 1:>2}/{most_epochs}"


class EpochProgress:
    """Progress within an epoch, on a terminal only: reading the loss after each step costs time.

    Args:
        progress: console.Progress of batches.
        steps: batches in the epoch.
        title: what stands before the figures.
        more: batches that come after this epoch.
        at_most: whether there may be fewer, by early stopping.
    """

    def __init__(self, progress, steps, title, more, at_most):
        self.progress = progress
        self.steps = steps
        self.title = title
        self.more = more
        # The time of validation is not counted.
        self.left = "at most about {} left" if at_most else "about {} left"
        self.callbacks = []
        if progress.shown:
            self.callbacks = [keras.callbacks.LambdaCallback(on_train_batch_end=self._update)]

    def _update(self, step, logs):
        note = f"{self.title}  {format_figures(logs)}"
        self.progress.update(step + 1, self.steps, more=self.more, left=self.left, note=note)


def search_line(state):
    """Return the line about what the search has found."""
    best = state.best
    return (
        f"search done: {' + '.join(map(str, state.stopping))} epochs; best val_loss "
        f"{best['val_loss']:.4f} (val_accuracy {best['val_accuracy']:.4f}) "
        f"in epoch {best['epoch']}"
    )


def test_line(state):
    """Return the line about what was measured on the test split, which nothing used before."""
    test = state.test
    if not test:
        return "test: the dataset has no test split, so nothing was measured on it"
    return (
        f"test: accuracy {test['accuracy']:.4f}, loss {test['loss']:.4f} on "
        f"{test['pictures']:,} pictures not used so far, with the weights of epoch "
        f"{state.best['epoch']}"
    )


def saved_weights(state, recipe, dataset):
    """Return in words which weights are saved at the end."""
    if recipe.refit:
        *names, last = [s for s in ("train", "val", "test") if len(getattr(dataset, f"X_{s}"))]
        images = f"{', '.join(names)} and {last} together" if names else f"all of {last}"
        figures = "val and test figures" if state.test else "val figures"
        return (
            f"a refit on {images} for the same number of epochs; the {figures} are those of "
            "the searched weights, the refit itself was not measured"
        )
    if state.test:
        return "the weights measured on the test split"
    return "the weights with the lowest val_loss"


def results(prefix, state, recipe, dataset):
    """Return lines of text about what was trained and how good it is."""
    best, test = state.best, state.test
    lines = [
        f"model {prefix}, network {recipe.network}",
        f"dataset {dataset.path}: {len(dataset.class_names)} classes",
        f"{state.epochs_done} epochs, {state.seconds:,.0f} s",
        f"val: accuracy {best['val_accuracy']:.4f}, loss {best['val_loss']:.4f} in epoch "
        f"{best['epoch']}",
    ]
    if test:
        lines.append(
            f"test: accuracy {test['accuracy']:.4f}, loss {test['loss']:.4f} on "
            f"{test['pictures']:,} pictures"
        )
    return [*lines, f"saved: {saved_weights(state, recipe, dataset)}"]


def uneven_classes(labels, recipe):
    """Return a warning where some classes are much rarer than others and the recipe ignores it.

    Args:
        labels: int `(n,)`.
        recipe: recipe.Recipe.
    """
    counts = np.bincount(labels)
    counts = counts[counts > 0]
    if recipe.class_weights or counts.max() <= 3 * counts.min():
        return None
    return (
        f"uneven classes ({counts.min():,} to {counts.max():,} pictures); train.py "
        "--class-weights lets the rare ones count as much"
    )
