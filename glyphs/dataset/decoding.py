"""Decode the pictures of a dataset: in this process, in several, or on a cluster."""

import dataclasses
import itertools
import os

import numpy as np

from glyphs import parallel
from glyphs.dataset.build_worker import decode_chunk, decode_images, store_images
from glyphs.errors import LostError, MissingError

CHUNK = 128  # pictures a worker decodes at a time; fewer if they are more than CHUNK_BYTES
CLUSTER_CHUNK = 2048  # the same on a cluster, where it is a longer way to a worker
CHUNK_BYTES = 1 << 24


@dataclasses.dataclass
class Decoded:
    """What became of the pictures: their images are in the scratch file."""

    polarities: list  # one per readable sample, in order; None = undecided
    undecided: list  # sample numbers
    unreadable: list  # (path, reason)
    readable: np.ndarray  # bool, one per sample


def decode_all(samples, numbers, preprocessing, scratch, run, progress):
    """Decode samples into the slots of a scratch file, in their order.

    Args:
        samples: index.Samples.
        numbers: sequence of int: which of them.
        preprocessing: Preprocessing.
        scratch: path of a file with a slot for each.
        run: who does it: in_processes or on_cluster, told with whom.
        progress: called with the number of pictures decoded so far, and that of all.

    Returns:
        Decoded.

    Raises:
        LostError: the cluster is gone, its workers do not see the pictures, or die of them.
    """
    decoded = Decoded([], [], [], np.ones(len(numbers), bool))
    done = 0
    for polarities, failures in run(samples, numbers, preprocessing, scratch, progress):
        for i, error in failures:
            decoded.unreadable.append((error.path, error.reason))
            decoded.readable[done + i] = False
        decoded.undecided += [
            done + i for i, p in enumerate(polarities) if p is None and decoded.readable[done + i]
        ]
        decoded.polarities += [p for i, p in enumerate(polarities) if decoded.readable[done + i]]
        done += len(polarities)
    return decoded


def in_processes(samples, numbers, preprocessing, scratch, progress, *, workers):
    """Yield what decode_chunk returns for each chunk of the samples, in order; see decode_all.

    Args:
        samples, numbers, preprocessing, scratch, progress: as for decode_all.
        workers: number of processes; one is this process.
    """
    tasks = _tasks(samples, numbers, preprocessing, scratch, CHUNK)
    done = 0
    for polarities, failures in parallel.run_ordered(decode_chunk, tasks, workers=workers):
        yield polarities, failures
        done += len(polarities)
        progress(done, len(numbers))


def on_cluster(samples, numbers, preprocessing, scratch, progress, *, cluster, seen):
    """Return what decode_chunk returns for each chunk of the samples, in order; see decode_all.

    Workers send images, and this process writes them: what a lost one still does can harm nothing.

    Args:
        samples, numbers, preprocessing, scratch, progress: as for decode_all.
        cluster: cluster.Cluster.
        seen: the files and folders that its workers must see.
    """
    from glyphs.cluster import unseen  # seldom needed

    slots_of, found, done = {}, {}, 0

    def chunks():
        tasks = _tasks(samples, numbers, preprocessing, scratch, CLUSTER_CHUNK)
        for number, (chunk, _, _, slots) in enumerate(tasks):
            slots_of[number] = slots
            yield number, (chunk, preprocessing)

    for number, result, failure in cluster.run(decode_images, chunks(), seen=seen):
        slots = slots_of.pop(number)
        if failure:
            raise LostError(f"pictures {slots[0] + 1:,} to {slots[-1] + 1:,}: {failure}")
        images, polarities, failures = result
        for _, error in failures:
            if isinstance(error, MissingError) and os.path.exists(error.path):
                raise unseen(error.path)
        store_images(images, scratch, slots)
        found[number] = polarities, failures
        done += len(slots)
        progress(done, len(numbers))
    return [found[number] for number in sorted(found)]


def _tasks(samples, numbers, preprocessing, scratch, most):
    """Yield the arguments of decode_chunk, of at most so many pictures each."""
    height, width = preprocessing.image_size
    size = min(most, max(1, CHUNK_BYTES // (height * width)))
    start = 0
    for run in samples.runs(numbers, size):
        chunk = samples.chunk([int(number) for number in run])
        yield chunk, preprocessing, scratch, range(start, start + len(run))
        start += len(run)


def decode_again(samples, numbers, undecided, preprocessing, scratch):
    """Decode again the pictures without a polarity of their own, now that the majority is known."""
    slots = iter(undecided)
    for run in samples.runs([int(numbers[slot]) for slot in undecided], CHUNK):
        decode_chunk(
            samples.chunk(run), preprocessing, scratch, list(itertools.islice(slots, len(run)))
        )
