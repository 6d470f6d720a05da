"""The processes of one training: they end together, stop together, and agree on what they do.

Each of them keeps a connection to process 0, and a thread that watches it. When a process is
killed, the system closes its connection; when a machine is lost, it falls silent; when one fails,
it says so. Whatever it is, the others end within seconds and say why, where JAX's own collectives
would wait for minutes.
"""

import contextlib
import os
import queue
import selectors
import signal
import socket
import sys
import threading
import time
import traceback

from glyphs import files
from glyphs.errors import GlyphsError, LostError, StoppedError, StorageError, UsageError
from glyphs.training import rendezvous
from glyphs.training.stopping import Stopping

BEAT = 2  # seconds between two signs of life
SILENCE = 30  # seconds without one after which a process is taken for lost
GRACE = 5  # seconds in which the others end, or the cause of an error of JAX becomes known


class Team:
    """The processes of a training, seen from one of them.

    Args:
        place: hosts.Place.
        wait: most seconds to wait for the others.
        log: where to say things, as the module glyphs.console.

    Attributes:
        number, count: of this process, and how many there are.
        is_first: whether this is process 0, which alone writes and talks.
        everyone: list of what each process says about itself: its host, and its GPUs.

    Raises:
        LostError: not all have come in time.
        UsageError: two have the same number, or process 0 cannot listen at its address.
    """

    def __init__(self, place, *, wait, log):
        self.place = place
        self.number, self.count = place.number, place.count
        self.is_first = place.number == 0
        self.log = log
        about = {
            "host": socket.gethostname(),
            "gpus": os.environ.get("CUDA_VISIBLE_DEVICES"),
        }
        self._links, self.everyone = {}, [about]
        if self.count > 1:
            self._links, self.everyone = rendezvous.meet(place, about, wait=wait, warn=log.warn)
        self._values = {number: queue.SimpleQueue() for number in self._links}
        self._stopping = Stopping(self.count, self._send_all)
        self._gone, self._all_done = set(), threading.Event()
        self._ending = threading.Lock()
        self._stderr = os.dup(2)
        self._wake, self._alarm = socket.socketpair()
        self._alarm.setblocking(False)
        threading.Thread(target=self._watch, name="watch", daemon=True).start()

    # --- What the training asks for; all processes ask in the same order ---

    def name(self, number):
        return f"process {number} of {self.count} on {self.everyone[number]['host']}"

    def share(self, value=None):
        """Return the value that process 0 gives; any that JSON holds."""
        for link in self._links.values() if self.is_first else ():
            link.send(value=value)
        return value if self.is_first else self._values[0].get()

    def gather(self, value):
        """Return at process 0 a list of what each process gives, by number; elsewhere None."""
        if not self.is_first:
            self._links[0].send(value=value)
            return None
        return [value, *(self._values[number].get() for number in range(1, self.count))]

    def check_same(self, facts):
        """Raise UsageError unless all processes give the same facts, a dict."""
        found = self.gather(facts)
        for number, others in enumerate(found or ()):
            for key, value in facts.items():
                if others.get(key) != value:
                    raise UsageError(
                        f"{self.name(number)} has another {key} ({others.get(key)!r:.80}, process "
                        f"0: {value!r:.80}); start all with the same command and the same data"
                    )
        self.share()

    def heed_sigterm(self):
        """Let SIGTERM ask all processes to stop; JAX would ignore it."""
        signal.signal(signal.SIGTERM, lambda *_: None)
        # The watch hears of it at once, also while the main thread computes.
        signal.set_wakeup_fd(self._alarm.fileno(), warn_on_full_buffer=False)

    def stop_is_due(self):
        """Return why all processes stop now, at the same step, or None; to be asked after each."""
        return self._stopping.is_due()

    # --- The end ---

    def do(self, work):
        """Return what `work()` returns; the others learn of it when it fails.

        Raises:
            LostError: it failed as nothing should; the traceback is printed.
            GlyphsError, OSError, KeyboardInterrupt: those of `work` that a user can cause.
        """
        try:
            result = work()
        except StoppedError:
            self._leave()
            raise
        except BaseException as error:
            if explained := explain(error):
                self._tell(*explained)
                raise
            # If JAX has lost its partner, the watch will know more.
            time.sleep(GRACE if self._links else 0)
            traceback.print_exc()
            text = f"{type(error).__name__}: {error}"
            self._tell(text, LostError.exit_code)
            raise LostError(f"{self.name(self.number)}: {text}") from None
        self._leave()
        return result

    def end(self, code):
        """End this process, without the rites of JAX, which wait for the others; process 0 last."""
        until = time.monotonic() + GRACE
        while self.is_first and self._links and time.monotonic() < until:
            time.sleep(0.01)
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        os._exit(code)

    def _tell(self, text, code):
        """Tell the others that this process has failed, unless one of them was known to before."""
        if not self._ending.acquire(blocking=False):
            threading.Event().wait()  # until the watch ends this process
        self._send_all(end=f"{self.name(self.number)}: {text}", code=code)

    def _leave(self):
        """Wait until all others have done what they had to."""
        self._send_all(done=True)
        self._note_gone(self.number)
        self._all_done.wait()

    def _note_gone(self, number):
        self._gone.add(number)
        if not self.is_first or len(self._gone) < self.count:
            return
        self._send_all(bye=True)
        self._all_done.set()

    def _send_all(self, **message):
        for link in list(self._links.values()):
            link.send(**message)

    # --- The watch, in a thread of its own ---

    def _watch(self):
        try:
            with selectors.DefaultSelector() as selector:
                selector.register(self._wake, selectors.EVENT_READ)
                for number, link in self._links.items():
                    selector.register(link.socket, selectors.EVENT_READ, number)
                    for message in link.unread:
                        self._heed(number, message)
                beat = 0
                while True:
                    for key, _ in selector.select(BEAT / 2):
                        if key.data is None:
                            self._hear_signals()
                        else:
                            self._read(key.data, selector)
                    if time.monotonic() - beat > BEAT:
                        beat = time.monotonic()
                        self._send_all(alive=True)
                        self._check_silence(beat)
        except BaseException as error:
            traceback.print_exc()
            self._finish(f"{self.name(self.number)}: {error!r}")

    def _read(self, number, selector):
        link = self._links[number]
        for message in link.read():
            self._heed(number, message)
        if link.is_closed:
            selector.unregister(link.socket)
            link.close()
            del self._links[number]
            if number not in self._gone:
                self._finish(
                    f"{self.name(number)} has ended without a word (killed?)", LostError.exit_code
                )

    def _check_silence(self, now):
        for number, link in list(self._links.items()):
            if now - link.heard > SILENCE:
                self._finish(f"{self.name(number)} has not been heard of for {SILENCE} s")

    def _heed(self, number, message):
        if "end" in message:
            self._finish(message["end"], message["code"])
        elif "value" in message:
            self._values[number].put(message["value"])
        elif "done" in message:
            if self.is_first:
                self._note_gone(number)
        elif "bye" in message:
            self._gone.add(0)
            self._all_done.set()
        elif "stop" in message:
            self._stopping.begin(message["stop"])
        elif "count" in message:
            self._links[0].send(passed=self._stopping.hold())
        elif "passed" in message:
            self._stopping.note(number, message["passed"])
        elif "stop_at" in message:
            self._stopping.stop_at(message["stop_at"], message["why"])

    def _finish(self, text, code=LostError.exit_code):
        """End all processes, unless the main thread is about to."""
        if not self._ending.acquire(blocking=False):
            return
        self._send_all(end=text, code=code)
        os.dup2(self._stderr, 2)  # it may be silenced while libraries are imported
        self.log.error(text)
        # The links close as the others end; process 0 has to see it, and this is the watch.
        if self.is_first:
            until = time.monotonic() + GRACE
            while self._links and time.monotonic() < until:
                for number, link in list(self._links.items()):
                    link.socket.settimeout(0.05)
                    with contextlib.suppress(OSError):
                        link.read()
                    if link.is_closed:
                        del self._links[number]
        os._exit(code)

    def _hear_signals(self):
        if signal.SIGTERM not in self._wake.recv(64):
            return
        why = f"SIGTERM came to {self.name(self.number)}"
        if self.is_first:
            self._stopping.begin(why)
        else:
            self._links[0].send(stop=why)


def explain(error):
    """Return the text and exit code of an error that a user can cause; None of any other."""
    if isinstance(error, GlyphsError):
        return str(error), error.exit_code
    if isinstance(error, KeyboardInterrupt):
        return str(error) or "interrupted", 130
    if isinstance(error, BrokenPipeError):
        return "the reader of its log has gone", 141
    reason = isinstance(error, OSError) and files.explain(error, error.filename or "output")
    return (reason, StorageError.exit_code) if reason else None
