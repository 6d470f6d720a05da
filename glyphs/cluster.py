"""Work on a Dask cluster: many machines that see the same files under the same names.

A task is a function and its arguments. It may be done twice, or be under way on a machine that was
given up, so it must do no harm then. What Dask asks of both sides is in requirements-cluster.txt;
this module alone, with cluster_worker, knows of it.
"""

import concurrent.futures
import contextlib
import itertools
import json
import logging
import os
import pickle
import time
import uuid

from glyphs.errors import LostError, UsageError

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
WAIT = 30.0  # seconds for a scheduler, and for a worker
LOOK = 1.0  # seconds between looks at who is there, while no task ends


class Cluster:
    """The cluster of a scheduler file.

        with Cluster("scheduler.json") as cluster:
            for name, result, failure in cluster.run(function, tasks):

    Args:
        scheduler_file: what `dask scheduler --scheduler-file` wrote.
        wait: seconds to wait for the scheduler, and for a worker whenever there is none; None:
            WAIT.

    Raises:
        UsageError: Dask is not installed, or there is no such file.
        LostError: nobody answers, there is no worker, or workers lack this toolkit.
    """

    def __init__(self, scheduler_file, *, wait=None):
        self.file, self.wait = os.fspath(scheduler_file), wait or WAIT
        self.address = _read_address(self.file)
        try:
            import distributed
        except ImportError:
            raise UsageError(
                "--cluster needs Dask: pip install -r requirements-cluster.txt"
            ) from None
        self._distributed = distributed
        # What it logs, such as each attempt to connect, is said here in one line.
        for logger in [name for name in logging.root.manager.loggerDict if "distributed" in name]:
            logging.getLogger(logger).setLevel(logging.CRITICAL + 1)
        try:
            self._client = distributed.Client(
                self.address, timeout=self.wait, set_as_default=False, name="glyphs"
            )
        except (OSError, ValueError) as error:  # ValueError: no address, such as "tcp://"
            raise LostError(
                f"{self.file}: no scheduler answers at {self.address} ({self.wait:g} s); is "
                f"`dask scheduler --scheduler-file {self.file}` running?"
            ) from error
        try:
            self._prepare()
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Leave the cluster, which goes on."""
        with contextlib.suppress(Exception):
            self._client.close(timeout=2)

    def _prepare(self):
        """Wait for a worker, and let all, also later ones, find this toolkit."""
        from glyphs import cluster_worker

        self._wait_for_worker()
        import cloudpickle

        # By value, as workers do not find this toolkit before.
        cloudpickle.register_pickle_by_value(cluster_worker)
        try:
            plugin = cluster_worker.Toolkit(ROOT, cluster_worker.fingerprint(ROOT))
            self._client.register_plugin(plugin, name="glyphs")
        except OSError:
            raise self._lost() from None
        except RuntimeError as error:
            raise LostError(f"{self.file}: {error}") from None
        finally:
            cloudpickle.unregister_pickle_by_value(cluster_worker)

    def _wait_for_worker(self):
        started = time.monotonic()
        while not self._threads():
            if time.monotonic() - started > self.wait:
                raise self._workless()
            time.sleep(0.1)

    def run(self, function, tasks, *, seen=()):
        """Do tasks on the workers, one a thread, and yield what becomes of each, in any order.

        A task whose worker dies is done by another. If so many die at it that Dask gives it up, it
        is tried a last time with no other task beside it, which may have been the culprit.

        Args:
            function: importable by name.
            tasks: iterable of `(name, arguments)`; it is taken from as workers are free.
            seen: paths of files and folders here, which each worker must see as well.

        Yields:
            `(name, result, failure)`: `failure` is None, or one line that says why there is no
            result: the task kills its workers, or an exception that is no GlyphsError.

        Raises:
            LostError: a task failed with a GlyphsError, with its exit code; a worker does not see
                the files; or the cluster is gone.
        """
        tasks = iter(tasks)
        marks = [(os.path.abspath(path), _size(path)) for path in seen]
        running, suspects = {}, []
        is_last_try = False
        last_seen = time.monotonic()
        try:
            while True:
                threads = self._threads()
                if threads:
                    last_seen = time.monotonic()
                elif time.monotonic() - last_seen > self.wait:
                    raise self._workless()
                # No more than there are threads: all tasks of a worker that dies are suspected.
                room = max(1 if is_last_try else threads, 1) - len(running)
                for task in itertools.islice(tasks, max(room, 0)):
                    running[self._submit(function, task, marks)] = task
                if not running and not suspects:
                    return
                if not running:
                    is_last_try, tasks, suspects = True, iter(suspects), []
                    continue
                for future in self._done(running):
                    task = running.pop(future)
                    result, failure, was_killed = self._outcome(future)
                    if was_killed and not is_last_try:
                        suspects.append(task)
                    else:
                        yield task[0], result, failure
        finally:
            if running:
                with contextlib.suppress(Exception):
                    self._client.cancel(list(running))

    def _submit(self, function, task, marks):
        name, arguments = task
        payload = pickle.dumps(_Call(function, arguments, marks))
        key = f"{function.__name__}-{name}-{uuid.uuid4().hex}"
        return self._client.submit(pickle.loads, payload, key=key, pure=False)

    def _done(self, running):
        """Return those of some futures that are done, after a second at the latest."""
        try:
            with self._client.as_current():
                return self._distributed.wait(
                    list(running), timeout=LOOK, return_when="FIRST_COMPLETED"
                ).done
        except TimeoutError:
            return ()
        except concurrent.futures.CancelledError:
            raise self._lost() from None

    def _outcome(self, future):
        """Return `(result, failure, whether its workers were killed)`."""
        if future.status in ("cancelled", "lost"):
            raise self._lost()
        if error := future.exception():
            if isinstance(error, self._distributed.KilledWorker):
                return None, f"{error.allowed_failures + 1} workers died of it, one by one", True
            return None, f"{type(error).__name__}: {error}", False
        result, refused = future.result()
        if refused:
            raise LostError(*refused)
        return result, None, False

    def _threads(self):
        """Return how many threads all workers have."""
        if self._client.status != "running":
            raise self._lost()
        try:
            return sum(self._client.nthreads().values())
        except Exception:  # of many kinds, at a moment when the connection breaks
            raise self._lost() from None

    def _lost(self):
        return LostError(
            f"{self.file}: the scheduler at {self.address} is gone; start it and this again"
        )

    def _workless(self):
        return LostError(
            f"{self.file}: there is no worker at {self.address} ({self.wait:g} s); start some with "
            f"`dask worker --scheduler-file {self.file}`"
        )


class _Call:
    """A call that is made where this is unpickled: on a worker.

    So the scheduler, which looks into what it passes on, need not know this toolkit; and Dask does
    not search arguments for tasks.
    """

    def __init__(self, *arguments):
        self.arguments = arguments

    def __reduce__(self):
        from glyphs import cluster_worker

        return cluster_worker.call, self.arguments


def unseen(path):
    """Return the error that a worker does not see a file which is there."""
    return LostError(
        f"a worker did not see {path}; all machines must see the same files under the same names"
    )


def _read_address(path):
    try:
        with open(path, "rb") as file:
            address = json.load(file)["address"]
        if not isinstance(address, str):
            raise TypeError
    except OSError as error:
        reason = "no such file" if isinstance(error, FileNotFoundError) else error.strerror
        raise UsageError(
            f"{path}: {reason}; `dask scheduler --scheduler-file {path}` writes it"
        ) from None
    except (ValueError, TypeError, KeyError):
        raise UsageError(f"{path}: not a scheduler file of Dask") from None
    return address


def _size(path):
    """Return the size of a file, None of a folder."""
    return None if os.path.isdir(path) else os.path.getsize(path)
