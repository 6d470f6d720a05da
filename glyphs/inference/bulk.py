"""Many pictures: some are decoded while networks look at others.

Decoding holds the interpreter, so it is spread over processes. ONNX Runtime lets go of it, so
networks run in threads: each run in one, as many at a time as there are cores, and there is one
copy of a network in memory. Whoever gets ahead of the other waits, and leaves it the cores.
"""

import collections
import concurrent.futures
import itertools

from glyphs import parallel
from glyphs.images.looking import images_of

CHUNK = 64  # pictures that go from hand to hand
FEW = 512  # pictures that are decoded by the time that other processes have started
HERE = 2  # chunks a core that are decoded while they start
AHEAD = 4  # decoded chunks a core: at most so many wait for the networks


def answers(paths, ways, ask, *, workers=None):
    """Yield `(path, found, has_more)` for each picture, in order, as soon as all before are done.

    Args:
        paths: iterator of paths, may be endless; little more of it is taken than is answered.
        ways: list of `(Preprocessing, own_size)`: how each network sees pictures.
        ask: function from the looks that images_of returns to a list: float32 `(n_classes,)` for
            each picture, or its PictureError; it is called in several threads.
        workers: processes that decode; None: one per core, where there are more than FEW pictures.

    Yields:
        The path; float32 `(n_classes,)` or the PictureError that says why there are none; whether
        the file holds further pictures.

    Raises:
        GlyphsError: a process was killed.
    """
    cores = parallel.default_workers()
    waiting = collections.deque()
    threads = concurrent.futures.ThreadPoolExecutor(cores, "ask")
    try:
        for chunk, (looks, more) in _looked(paths, ways, workers or cores):
            waiting.append((chunk, more, threads.submit(ask, looks)))
            while waiting and (len(waiting) > AHEAD * cores or waiting[0][-1].done()):
                yield from _collect(*waiting.popleft())
        while waiting:
            yield from _collect(*waiting.popleft())
    finally:
        threads.shutdown(wait=True, cancel_futures=True)


def _looked(paths, ways, workers):
    """Yield `(chunk of paths, what images_of returns for it)`."""
    chunks = collections.deque()

    def tasks():
        while chunk := list(itertools.islice(paths, CHUNK)):
            chunks.append(chunk)
            yield chunk, ways

    tasks = tasks()
    few = parallel.run_ordered(images_of, itertools.islice(tasks, FEW // CHUNK), workers=1)
    many = parallel.run_ordered(images_of, tasks, workers=workers, here=HERE * workers)
    for looks in itertools.chain(few, many):
        yield chunks.popleft(), looks


def _collect(chunk, more, answer):
    return zip(chunk, answer.result(), more, strict=True)
