"""At which step all processes of a training stop, when one of them was asked to."""

import threading


class Stopping:
    """The agreement on the step, seen from one process.

    Process 0 asks all how many steps they have passed. From then on nobody passes another, until it
    has said where to stop: after the step that follows the last one that anybody has passed. So the
    main threads, which may wait for one another within a step, need not answer; the watches do.

    Args:
        count: how many processes there are.
        send_all: function that sends a message from process 0 to all others.
    """

    def __init__(self, count, send_all):
        self.count = count
        self.send_all = send_all
        self._changed = threading.Condition()
        self._is_held = False
        self._passed = 0
        self._stop_at = self._why = None
        self._passed_by = {}  # process 0 knows it of all

    def is_due(self):
        """Return why to stop now, or None; all processes ask after the same steps."""
        with self._changed:
            self._changed.wait_for(lambda: not self._is_held)
            self._passed += 1
            is_due = self._stop_at is not None and self._passed >= self._stop_at
            return self._why if is_due else None

    def begin(self, why):
        """As process 0, ask all; once is enough."""
        if self._why:
            return
        self._why = why
        self.send_all(count=True)
        self.note(0, self.hold())

    def hold(self):
        """Let no further step pass; return how many have."""
        with self._changed:
            self._is_held = True
            return self._passed

    def note(self, number, passed):
        """As process 0, take down how far a process is; when all are known, say where to stop."""
        self._passed_by[number] = passed
        if len(self._passed_by) == self.count:
            step = max(self._passed_by.values()) + 1
            self.send_all(stop_at=step, why=self._why)
            self.stop_at(step, self._why)

    def stop_at(self, step, why):
        with self._changed:
            self._stop_at, self._why = step, why
            self._is_held = False
            self._changed.notify_all()
