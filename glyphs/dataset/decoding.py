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

    polarities: list  # one per sample; None = undecided or unreadable
    undecided: list  # sample numbers
    unreadable: list  # (path, reason)
    readable: np.ndarray  # bool, one per sample


def decode_all(samples, numbers, preprocessing, scratch, workers, progress, cluster=None, seen=()):
    """Decode samples into the slots of a scratch file, in their order.

    Args:
        samples: index.Samples.
        numbers: sequence of int: which of them.
        preprocessing: Preprocessing.
        scratch: path of a file with a slot for each.
        workers: number of processes.
        progress: called with the number of pictures decoded so far, and that of all.
        cluster: None, or the cluster.Cluster whose workers decode, instead of processes here.
        seen: the files and folders that its workers must see.

    Returns:
        Decoded.

    Raises:
        LostError: the cluster is gone, its workers do not see the pictures, or die of them.
    """
    decoded = Decoded([], [], [], np.ones(len(numbers), bool))
    height, width = preprocessing.image_size
    most = CLUSTER_CHUNK if cluster else CHUNK
    size = min(most, max(1, CHUNK_BYTES // (height * width)))
    tasks = _tasks(samples, samples.runs(numbers, size), preprocessing, scratch)
    if cluster:
        results = _on_cluster(cluster, tasks, seen, progress, len(numbers))
    else:
        results = parallel.run_ordered(decode_chunk, tasks, workers=workers)
    done = 0
    for polarities, failures in results:
        for i, error in failures:
            decoded.unreadable.append((error.path, error.reason))
            decoded.readable[done + i] = False
        decoded.undecided += [
            done + i for i, p in enumerate(polarities) if p is None and decoded.readable[done + i]
        ]
        decoded.polarities += [p for i, p in enumerate(polarities) if decoded.readable[done + i]]
        done += len(polarities)
        if not cluster:
            progress(done, len(numbers))
    return decoded


def _on_cluster(cluster, tasks, seen, progress, total):
    """Return what decode_chunk returns for each task, in order, done by workers of a cluster.

    They send images, and this process writes them: what a lost worker still does can harm nothing.
    """
    from glyphs.cluster import unseen  # seldom needed

    slots_of, found, done = {}, {}, 0

    def chunks():
        for number, (chunk, preprocessing, scratch, slots) in enumerate(tasks):
            slots_of[number] = scratch, slots
            yield number, (chunk, preprocessing)

    for number, result, failure in cluster.run(decode_images, chunks(), seen=seen):
        scratch, slots = slots_of.pop(number)
        if failure:
            raise LostError(f"pictures {slots[0] + 1:,} to {slots[-1] + 1:,}: {failure}")
        images, polarities, failures = result
        for _, error in failures:
            if isinstance(error, MissingError) and os.path.exists(error.path):
                raise unseen(error.path)
        store_images(images, scratch, slots)
        found[number] = polarities, failures
        done += len(slots)
        progress(done, total)
    return [found[number] for number in sorted(found)]


def _tasks(samples, runs, preprocessing, scratch):
    start = 0
    for run in runs:
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
