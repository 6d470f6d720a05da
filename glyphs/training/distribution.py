"""All devices of all processes as one: Keras's data parallelism, on JAX.

Every process holds the same weights, runs the same program and feeds its own rows of each batch.
The batch is one to the mathematics: the mean of its losses, and the statistics of batch
normalization, are those of all rows, wherever they are.
"""

import contextlib
import functools
import math
import os
import sys

import jax
import keras
import numpy as np
from jax.experimental import multihost_utils

from glyphs.errors import UsageError
from glyphs.training import hosts
from glyphs.training.rendezvous import free_port, listening_host

GPU_FOLDER = "/proc/driver/nvidia/gpus"


def connect(team):
    """Make the devices of all processes one, before JAX computes anything.

    Args:
        team: team.Team.

    Raises:
        UsageError: a machine has more processes than GPUs, or another number of devices.
    """
    # SIGTERM is ours; JAX would take it and do nothing.
    jax.config.update("jax_enable_preemption_service", False)
    if team.count > 1:
        _take_gpus(team)
        _keep_stdout_for_the_log()
        host = team.place.host
        port = team.share(free_port(host) if team.is_first else None)
        jax.distributed.initialize(
            hosts.address(host, port),
            team.count,
            team.number,
            coordinator_bind_address=hosts.address(listening_host(host), port),
            cluster_detection_method="deactivate",
        )
        counts = team.share(team.gather(jax.local_device_count()))
        if len(set(counts)) > 1:
            raise UsageError(f"the processes have {counts} devices; all need the same number")
    team.heed_sigterm()
    parallel = keras.distribution.DataParallel(auto_shard_dataset=False)
    keras.distribution.set_distribution(parallel)


def _keep_stdout_for_the_log():
    """Send elsewhere what Gloo prints on stdout when processes on CPUs meet, at its own moments."""
    log = sys.stdout
    log.flush()
    sys.stdout = os.fdopen(os.dup(1), "w", encoding=log.encoding, errors=log.errors)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)


def _take_gpus(team):
    """Leave each other process of this machine its share of the GPUs."""
    own = team.everyone[team.number]
    here = [number for number, other in enumerate(team.everyone) if other == own]
    n_gpus = len(os.listdir(GPU_FOLDER)) if os.path.isdir(GPU_FOLDER) else 0
    share = hosts.share_of_gpus(own["gpus"], n_gpus, here.index(team.number), len(here))
    if share:
        os.environ["CUDA_VISIBLE_DEVICES"] = share


def n_devices():
    """Return how many devices there are in all processes."""
    return jax.device_count()


def own_rows(numbers):
    """Return those numbers of a batch whose images this process gives out.

    All devices get the same number of rows: a batch that they cannot share equally, the last one of
    an epoch, is filled up with its own first rows.

    Args:
        numbers: int `(n,)`.
    """
    filled = np.resize(numbers, math.ceil(len(numbers) / n_devices()) * n_devices())
    return np.split(filled, jax.process_count())[jax.process_index()]


def evaluate(model, weights_of, loss, images, batch_size):
    """Measure a model on images, each counted once.

    Args:
        model: keras.Model that computes.
        weights_of: keras.Model of the same layers, whose weights it computes with.
        loss: as compile() takes it.
        images: LabelledImages.
        batch_size: images in a batch.

    Returns:
        `(loss, accuracy)`.
    """
    trainable = [v.value for v in weights_of.trainable_variables]
    non_trainable = [v.value for v in weights_of.non_trainable_variables]
    sums, everything = np.zeros(2), np.arange(len(images))
    for start in range(0, len(images), batch_size):
        numbers = everything[start : start + batch_size]
        n = math.ceil(len(numbers) / n_devices()) * n_devices()
        x, y = images.take(own_rows(numbers))
        # What a batch was filled up with is not counted.
        is_counted = own_rows(np.arange(n)) < len(numbers)
        rows = map(_distributed, (x[..., None], y, is_counted))
        *found, penalty = _measure(model, loss)(trainable, non_trainable, *rows)
        sums += [float(value) for value in found]
    loss, accuracy = sums / len(images)
    return loss + float(penalty), accuracy


@functools.lru_cache(maxsize=2)
def _measure(model, loss):
    """Return a compiled function: the sums of loss and of right answers over the rows of a batch,
    and what the size of the weights adds to the loss."""
    loss_of_each = keras.losses.get(loss)

    @jax.jit
    def measure(trainable, non_trainable, x, y, is_counted):
        probabilities, _, penalties = model.stateless_call(
            trainable, non_trainable, x, training=False, return_losses=True
        )
        losses = loss_of_each(y, probabilities)
        is_right = keras.ops.argmax(probabilities, axis=-1) == y
        sums = [keras.ops.sum(keras.ops.where(is_counted, v, 0.0)) for v in (losses, is_right)]
        return *sums, sum(penalties)

    return measure


def _distributed(rows):
    """Return all rows of a batch, of which each process gives its own."""
    layout = keras.distribution.distribution().get_data_layout(rows.shape)
    return jax.make_array_from_process_local_data(layout.backend_layout, rows)


def from_first(arrays):
    """Return the arrays of process 0.

    Args:
        arrays: list of arrays, of the same shapes and types in all processes.
    """
    if jax.process_count() == 1:
        return arrays
    return [np.asarray(array) for array in multihost_utils.broadcast_one_to_all(arrays)]


@contextlib.contextmanager
def alone():
    """Let this process compute without the others in the meantime, with models made in it."""
    usual = keras.distribution.distribution()
    keras.distribution.set_distribution(None)
    try:
        yield
    finally:
        keras.distribution.set_distribution(usual)
