"""A training by several processes, or on several devices: what each does, and what process 0 does.

All processes do the same steps, and take the same decisions, as their weights and figures are
equal to the bit. Process 0 alone reads and writes checkpoints and model files, and talks.
"""

import dataclasses
import time

import keras
import numpy as np

from glyphs.errors import StoppedError, UsageError
from glyphs.training import distribution, optimizer
from glyphs.training.batches import epoch_batches
from glyphs.training.cycles import State
from glyphs.training.learner import EVALUATION_BATCH, Learner
from glyphs.training.loop import Training


class DistributedTraining(Training):
    """A Training of which this process does a part.

    Args:
        *of_training, **options: as of loop.Training.
        team: team.Team.
        log: as of loop.Training; only process 0 uses it.

    Raises:
        UsageError: the devices cannot share a batch equally, or the processes were started to do
            different things.
    """

    def __init__(self, *of_training, team, log, **options):
        self.team = team
        self.make_learner = DistributedLearner
        log = log if team.is_first else Quiet(log)
        super().__init__(*of_training, log=log, **options)
        n_devices, batch_size = distribution.n_devices(), self.recipe.batch_size
        if batch_size % n_devices:
            more = -(-batch_size // n_devices) * n_devices
            raise UsageError(
                f"{n_devices} devices cannot share batches of {batch_size} pictures equally; give "
                f"--batch-size {more}"
            )
        team.check_same({**self.identity, "classes": self.dataset.class_names})
        machines = dict.fromkeys(about["host"] for about in team.everyone)
        log.say(f"{n_devices} devices, {team.count} processes on {', '.join(machines)}")

    def train(self, splits):
        started = time.perf_counter() - self.state.seconds
        try:
            super().train(splits)
        except StopWithinEpoch as stop:
            self.state.batches_done = stop.batches_done
            self.state.metrics = self.learner.metrics
            self.state.seconds = time.perf_counter() - started
            if self.team.is_first:
                super().write_checkpoint()
            self.stop(stop.why)

    def batches(self, images):
        return epoch_batches(
            images,
            self.recipe,
            self.state.epochs_done,
            len(self.dataset.class_names),
            first=self.state.batches_done,
            share=distribution.own_rows,
            process=self.team.number,
        )

    def callbacks(self, batches):
        return [StopWhenAsked(self.team, batches.first)]

    # --- What process 0 does alone ---

    def check_room(self):
        if self.team.is_first:
            super().check_room()

    def write_checkpoint(self):
        if self.team.is_first:
            super().write_checkpoint()
        why = self.team.stop_is_due()
        if why:
            self.stop(why)

    def stop(self, why):
        state = self.state
        raise StoppedError(
            f"{why}; {state.epochs_done} epochs and {state.batches_done} batches are safe in "
            f"{self.paths.checkpoint}, go on with --resume"
        )

    def write_model(self, saved):
        if self.team.is_first:
            super().write_model(saved)

    def save(self, splits):
        if self.team.is_first:
            with distribution.alone():
                super().save(splits)

    def what_is_safe(self):
        return super().what_is_safe() if self.team.is_first else "interrupted"

    # --- A checkpoint, which only process 0 need have ---

    def find_checkpoint(self):
        return self.team.share(super().find_checkpoint() if self.team.is_first else None)

    def read_checkpoint(self):
        state, values, best = None, None, None
        if self.team.is_first:
            state, values, best = super().read_checkpoint()
        stored = self.team.share(state and {"state": dataclasses.asdict(state), "best": bool(best)})
        if not self.team.is_first:
            values = [np.zeros(v.shape, v.dtype) for v in self.learner.variables]
            best = [np.zeros_like(w) for w in self.learner.model.get_weights() if stored["best"]]
        arrays = distribution.from_first([*values, *(best or ())])
        values, best = arrays[: len(values)], arrays[len(values) :]
        return State(**stored["state"]), values, best or None


class DistributedLearner(Learner):
    """A Learner whose batches all processes share."""

    def finished(self):
        """Return a copy of the network for this process alone, computing in float32."""
        with distribution.alone():
            model = optimizer.in_float32(self.model)
            model.set_weights(self.model.get_weights())
        return model

    def evaluate(self, images):
        model = self._float32 or self.model
        return distribution.evaluate(model, self.model, self.loss, images, EVALUATION_BATCH)


class StopWithinEpoch(Exception):  # noqa: N818  It is none.
    """All processes stop here."""

    def __init__(self, batches_done, why):
        super().__init__(why)
        self.batches_done = batches_done
        self.why = why


class StopWhenAsked(keras.callbacks.Callback):
    """Ends an epoch where all processes stop.

    Args:
        team: team.Team.
        first: number of the first batch.
    """

    def __init__(self, team, first):
        super().__init__()
        self.team = team
        self.first = first

    # At the beginning of the next one: at the end of a batch Keras would wait for its loss.
    def on_train_batch_begin(self, batch, logs=None):
        why = batch and self.team.stop_is_due()
        if why:
            raise StopWithinEpoch(self.first + batch, why)


class Quiet:
    """A log of which only errors are heard; process 0 says the rest."""

    def __init__(self, log):
        self.error = log.error

    def say(self, line):
        pass

    def warn(self, line):
        pass

    def Progress(self, unit):  # noqa: N802  as console has it
        return NoProgress()


class NoProgress:
    """A console.Progress that shows nothing."""

    shown = False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass
