"""Work in several processes: results in order, no orphans, quiet on Ctrl-C; or in threads.

What starts processes and threads is imported late: one picture is classified without.
"""

import collections
import functools
import itertools
import os
import signal
import threading
import warnings

from glyphs.errors import GlyphsError

# Starting a process costs about as much as decoding this many pictures.
FEW = 2000
BLAS_THREADS = "OPENBLAS_NUM_THREADS"


def unseen(done, total):
    """Take the progress of work that nobody wants to see."""


def default_workers():
    """Return the number of cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def workers_for(count, *, few):
    """Return how many processes `count` samples are worth: one if they are fewer than `few`."""
    return 1 if count < few else default_workers()


def run_ordered(function, tasks, *, workers, here=0):
    """Yield `function(*task)` for every task, in the order of the tasks.

    With one worker the work is done in this process. At most a few tasks per worker are under
    way at a time, so results cannot pile up in memory, and tasks may be endless.

    Args:
        function: importable by name, as are its arguments (processes are spawned).
        tasks: iterable of argument tuples.
        workers: number of processes.
        here: how many of the first tasks are done in this process, while the others start.
    """
    tasks = iter(tasks)
    # One more than is done here, if there are so many, is worth the processes.
    first = [] if workers == 1 else list(itertools.islice(tasks, here + 1))
    if len(first) <= here or workers == 1:
        for task in itertools.chain(first, tasks):
            yield function(*task)
        return
    first, tasks = first[:here], itertools.chain(first[here:], tasks)
    import concurrent.futures.process
    import multiprocessing

    context = multiprocessing.get_context("spawn")
    executor = concurrent.futures.ProcessPoolExecutor(workers, context, prepare_worker)
    # There is a process for each core: NumPy's own threads would only get into their way. It reads
    # this when it is loaded, which may be before prepare_worker is.
    threads = os.environ.get(BLAS_THREADS)
    os.environ[BLAS_THREADS] = threads or "1"
    try:
        yield from _in_order(executor, function, first, tasks, 4 * workers)
    except concurrent.futures.process.BrokenProcessPool:
        raise GlyphsError(
            "a worker process was killed, perhaps for want of memory; try --workers 1"
        ) from None
    finally:
        if threads is None:
            os.environ.pop(BLAS_THREADS, None)
        executor.shutdown(wait=True, cancel_futures=True)


def run_ordered_in_threads(function, tasks, *, workers):
    """Yield `function(*task)` for every task, in the order of the tasks, as run_ordered does.

    For functions that mostly compute with large arrays, which leaves the interpreter alone: threads
    cost nothing to start, and what they return is not sent.

    Args:
        function: of the arguments in a task.
        tasks: iterable of argument tuples.
        workers: number of threads.
    """
    if workers == 1:
        yield from itertools.starmap(function, tasks)
        return
    import concurrent.futures

    executor = concurrent.futures.ThreadPoolExecutor(workers, "glyphs")
    try:
        yield from _in_order(executor, function, (), iter(tasks), 2 * workers)
    finally:
        executor.shutdown(wait=True, cancel_futures=True)


def _in_order(executor, function, first, tasks, ahead):
    """Yield the results of the `first` tasks, done here, and of the others, done by the executor.

    So many of the others are under way `ahead` of the one that is waited for.
    """
    pending = collections.deque(
        executor.submit(function, *task) for task in itertools.islice(tasks, ahead)
    )
    for task in first:
        yield function(*task)
    for task in tasks:
        yield pending.popleft().result()
        pending.append(executor.submit(function, *task))
    while pending:
        yield pending.popleft().result()


def in_threads(function, items):
    """Return a list of `function(item)` for each item, done in a thread per core.

    For functions that mostly leave the interpreter alone, as ONNX Runtime does.
    """
    return [function(items[0])] if len(items) == 1 else list(_threads().map(function, items))


@functools.cache
def _threads():
    import concurrent.futures

    return concurrent.futures.ThreadPoolExecutor(default_workers(), "glyphs")


def prepare_worker():
    """Leave Ctrl-C to the parent, and end when the parent is gone, however it went."""
    warnings.simplefilter("ignore")  # as console.run does
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent():
    import multiprocessing

    multiprocessing.parent_process().join()
    os._exit(1)
