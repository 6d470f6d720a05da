"""What comes next in a training: another epoch, the next cycle, the refit, the end. No Keras here.

A training searches first: each cycle, at a learning rate of its own, ends when val_loss has not
fallen for some epochs, or after the most epochs. Then, where the recipe wants a refit, the network
learns anew from all images, for as many epochs in each cycle as the search took.
"""

import dataclasses
import math

from glyphs.errors import GlyphsError


@dataclasses.dataclass
class State:
    """Where a training is: between two epochs, or within one where it was asked to stop.

    Attributes:
        phase: "search", "refit" or "done".
        cycle: number of the cycle, from 0.
        epoch: epochs done in this cycle.
        epochs_done: epochs done in all, over both phases.
        wait: epochs since the lowest val_loss of this cycle.
        cycle_best: the lowest val_loss of this cycle.
        best: val_loss, val_accuracy and number of the best epoch so far.
        stopping: epochs that each finished cycle of the search ran.
        history: one dict per epoch.
        test: loss and accuracy of the searched weights on the test split, once measured.
        seconds: training time so far.
        batches_done: batches done of the epoch that is under way.
        metrics: the sums of its loss and accuracy so far, as Keras keeps them.
    """

    phase: str = "search"
    cycle: int = 0
    epoch: int = 0
    epochs_done: int = 0
    wait: int = 0
    cycle_best: float = math.inf
    best: dict | None = None
    stopping: list = dataclasses.field(default_factory=list)
    history: list = dataclasses.field(default_factory=list)
    test: dict | None = None
    seconds: float = 0.0
    batches_done: int = 0
    metrics: list = dataclasses.field(default_factory=list)


def most_epochs(state, recipe):
    """Return the most epochs that this cycle may have."""
    return recipe.epochs if state.phase == "search" else state.stopping[state.cycle]


def may_stop_early(state, recipe):
    return state.phase == "search" and recipe.patience is not None


def note_epoch(state, recipe, figures, learning_rate, seconds):
    """Take down an epoch that has just been done.

    Args:
        state: State; changed.
        recipe: recipe.Recipe.
        figures: dict of loss and accuracy, in the search also of val_loss and val_accuracy.
        learning_rate: at the end of the epoch.
        seconds: how long it took.

    Returns:
        Whether its val_loss is the lowest of all epochs so far.

    Raises:
        GlyphsError: a loss is no finite number; nothing mends that.
    """
    for name in ("loss", "val_loss"):
        if not math.isfinite(figures.get(name, 0)):
            raise GlyphsError(
                f"the {name} is {figures[name]} in epoch {state.epochs_done + 1}: training has "
                "diverged; start again with a lower --learning-rate"
            )
    state.epoch += 1
    state.epochs_done += 1
    state.batches_done, state.metrics = 0, []
    state.seconds += seconds
    state.history.append(
        {
            "phase": state.phase,
            "cycle": state.cycle + 1,
            **figures,
            "learning_rate": learning_rate,
        }
    )
    if state.phase == "refit":
        return False
    state.wait += 1
    if figures["val_loss"] < state.cycle_best:
        state.cycle_best = figures["val_loss"]
        state.wait = 0
    if state.best and figures["val_loss"] >= state.best["val_loss"]:
        return False
    state.best = {
        "val_loss": figures["val_loss"],
        "val_accuracy": figures["val_accuracy"],
        "epoch": state.epochs_done,
    }
    return True


def advance(state, recipe):
    """Go on to the next cycle, or to the next phase, if this one is over.

    Args:
        state: State; changed.
        recipe: recipe.Recipe.

    Returns:
        The phase that has ended, "search" or "refit"; None while it goes on.
    """
    is_patience_lost = may_stop_early(state, recipe) and state.wait == recipe.patience
    if state.epoch < most_epochs(state, recipe) and not is_patience_lost:
        return None
    if state.phase == "search":
        state.stopping.append(state.epoch)
    state.cycle += 1
    state.epoch = state.wait = 0
    state.cycle_best = math.inf
    if state.cycle < len(recipe.learning_rates):
        return None
    ended = state.phase
    state.cycle = 0
    state.phase = "refit" if ended == "search" and recipe.refit else "done"
    return ended


def batches_left(state, recipe, n_batches, n_refit):
    """Return the most batches that come after the epoch that is under way, in both phases.

    Args:
        state: State.
        recipe: recipe.Recipe.
        n_batches: batches in an epoch of this phase.
        n_refit: batches in an epoch of the refit.
    """
    if state.phase == "refit":
        return (sum(state.stopping[state.cycle :]) - state.epoch - 1) * n_batches
    search = (len(recipe.learning_rates) - state.cycle) * recipe.epochs - state.epoch
    left = (search - 1) * n_batches
    if recipe.refit:
        left += (sum(state.stopping) + state.epoch + search) * n_refit
    return left
