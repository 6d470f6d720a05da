"""What the server takes at most, and how it says no."""

import dataclasses

from glyphs.errors import one_line
from glyphs.images.decode import MAX_PIXELS

CHUNK = 1 << 18  # bytes of a body that any request may hold; more is from the common budget


class RefusedError(Exception):
    """A request that is answered with an error: `status` of HTTP, and one line of text.

    Args:
        status: 400 to 599.
        message: what is wrong, and what to do.
        retry_after: None, or the seconds after which to ask again.
    """

    def __init__(self, status, message, retry_after=None):
        super().__init__(one_line(message))
        self.status = status
        self.retry_after = retry_after


@dataclasses.dataclass(frozen=True)
class Limits:
    """What the server takes at most.

    Attributes:
        body: bytes of a request's body (413).
        bodies: bytes of all bodies that are held at a time, without the first CHUNK of each (503).
        pixels: of a picture, as its header says (413).
        pictures: of a request (413).
        waiting: requests that are worked on or wait for it (503).
        maps: activation maps that are worked on or wait for it (503).
        connections: open at a time (503).
        head_seconds: for the head of a request, once a client has connected or begun it.
        body_seconds: for a body, and more for a large one: a second for each `least_rate` bytes
            that came (408).
        least_rate: bytes a second.
        send_seconds: for a client to take (a part of) an answer.
        finish_seconds: for all that has begun when the server is told to end.
    """

    body: int = 64_000_000
    bodies: int = 256_000_000
    pixels: int = MAX_PIXELS
    pictures: int = 100
    waiting: int = 256
    maps: int = 8
    connections: int = 2000
    head_seconds: float = 15
    body_seconds: float = 20
    least_rate: int = 50_000
    send_seconds: float = 30
    finish_seconds: float = 60


class Gate:
    """Counts what is inside, and lets no more in than may be.

    Args:
        most: how many.
        name: what they are, in the error.
    """

    def __init__(self, most, name):
        self.most, self.name = most, name
        self.inside = 0

    def enter(self, count=1):
        """Let `count` more in.

        Raises:
            RefusedError: there is no room (503).
        """
        if self.inside + count > self.most:
            raise RefusedError(503, f"too many {self.name} at once; ask again in a second", 1)
        self.inside += count

    def leave(self, count=1):
        self.inside -= count

    def __enter__(self):
        self.enter()
        return self

    def __exit__(self, *_):
        self.leave()
