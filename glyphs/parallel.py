"""Work in several processes: results in order, no orphans, quiet on Ctrl-C."""

import concurrent.futures
import multiprocessing
import os
import signal
import threading
import warnings

from glyphs.errors import GlyphsError

# Starting a process costs about as much as decoding this many pictures.
FEW = 2000


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


def run_ordered(function, tasks, *, workers):
    """Yield `function(*task)` for every task, in the order of the tasks.

    With one worker the work is done in this process. At most a few tasks per worker are under
    way at a time, so results cannot pile up in memory.

    Args:
        function: importable by name, as are its arguments (processes are spawned).
        tasks: iterable of argument tuples.
        workers: number of processes.
    """
    if workers == 1:
        for task in tasks:
            yield function(*task)
        return
    context = multiprocessing.get_context("spawn")
    executor = concurrent.futures.ProcessPoolExecutor(workers, context, prepare_worker)
    try:
        pending = []
        for task in tasks:
            pending.append(executor.submit(function, *task))
            if len(pending) >= 4 * workers:
                yield pending.pop(0).result()
        while pending:
            yield pending.pop(0).result()
    except concurrent.futures.process.BrokenProcessPool:
        raise GlyphsError(
            "a worker process was killed, perhaps for want of memory; try --workers 1"
        ) from None
    finally:
        executor.shutdown(wait=True, cancel_futures=True)


def prepare_worker():
    """Leave Ctrl-C to the parent, and end when the parent is gone, however it went."""
    warnings.simplefilter("ignore")  # as console.run does
    # There is a process for each core: NumPy's own threads would only take time to start.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent():
    multiprocessing.parent_process().join()
    os._exit(1)
