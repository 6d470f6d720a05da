"""The server under the application: its socket, its connections, and how it ends.

uvicorn waits for the head of a request as long as a client likes; here there is a time for it, and
what is no HTTP gets JSON too. Told to end, the server takes nothing new, answers what it has begun,
and is gone.
"""

import asyncio
import contextlib
import ipaddress
import json
import logging
import resource
import signal
import socket

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from glyphs.errors import StorageError, UsageError

BACKLOG = 2048
KEEP_ALIVE = 30  # seconds


def listen(host, port):
    """Return a listening socket.

    Args:
        host: name or address.
        port: number; 0 for any that is free.

    Raises:
        UsageError: there is no such host, or the port is taken.
        StorageError: no permission for that port.
    """
    try:
        (family, kind, protocol, _, address), *_ = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        # With its protocol: asyncio then sends at once, else every answer would wait 40 ms for the
        # client's acknowledgement of its head (Nagle's algorithm).
        bound = socket.socket(family, kind, protocol)
    except (OSError, UnicodeError):
        raise UsageError(f"{host}: no address of that name; give another --host") from None
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
        bound.listen(BACKLOG)
    except PermissionError:
        bound.close()
        raise StorageError(
            f"no permission for port {port}; give one above 1023 as --port"
        ) from None
    except OSError as error:
        bound.close()
        reason = error.strerror.lower() if error.strerror else str(error)
        raise UsageError(
            f"port {port} of {host}: {reason}; give another --port, or 0 for any that is free"
        ) from None
    return bound


def url_of(bound):
    """Return the URL of a listening socket."""
    host, port = bound.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def names_of(bound, host, others=()):
    """Return `(names, is_open)` for the Guard of what a socket serves.

    Args:
        bound: listening socket.
        host: as it was asked for.
        others: further names.
    """
    is_open = not ipaddress.ip_address(bound.getsockname()[0].partition("%")[0]).is_loopback
    names = {"localhost", host.lower(), *(name.lower() for name in others)}
    if is_open:
        own = socket.gethostname().lower()
        names |= {own, f"{own}.local"}
    return names, is_open


def run(asgi, bound, limits, ready=lambda: None):
    """Serve until SIGTERM, or Ctrl-C.

    Args:
        asgi: application.
        bound: listening socket.
        limits: limits.Limits.
        ready: called when the first client can come.

    Raises:
        KeyboardInterrupt: it was Ctrl-C.
    """
    _open_files(limits.connections + 200)
    for name in ("uvicorn.error", "python_multipart"):  # of what clients do wrong, clients are told
        logger = logging.getLogger(name)
        logger.addHandler(logging.NullHandler())
        logger.propagate = False
    config = uvicorn.Config(
        asgi,
        http=type("Protocol", (_Protocol,), {"limits": limits}),
        ws="none",
        loop="asyncio",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=limits.finish_seconds,
    )
    server = _Server(config)
    server.ready = ready
    server.run(sockets=[bound])
    if signal.SIGINT in server.signals:
        raise KeyboardInterrupt


def _open_files(count):
    """Allow so many files and connections at a time, as far as the system lets us."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count if hard == resource.RLIM_INFINITY else min(count, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


class _Server(uvicorn.Server):
    """A server that says when it is ready, and outlives the signals that end it."""

    def __init__(self, config):
        super().__init__(config)
        self.signals = []

    async def startup(self, sockets=None):
        await super().startup(sockets)
        self.ready()

    @contextlib.contextmanager
    def capture_signals(self):
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._end, number)
        try:
            yield
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)

    def _end(self, number):
        self.signals.append(number)
        self.handle_exit(number, None)


class _Protocol(H11Protocol):
    """A connection whose client has to say what it wants, in time."""

    limits = None
    _head_timer = None

    def connection_made(self, transport):
        super().connection_made(transport)
        if len(self.connections) > self.limits.connections:
            self._refuse(503, b"Service Unavailable", "too many connections; come back later")
        self._watch()

    def connection_lost(self, exc):
        self._stop_watching()
        super().connection_lost(exc)

    def data_received(self, data):
        super().data_received(data)
        self._watch()

    def on_response_complete(self):
        super().on_response_complete()
        # The next head has begun, or the rest of a body is coming that nobody waits for.
        if self.conn.trailing_data[0] or self.conn.their_state is h11.SEND_BODY:
            self._watch()

    def _watch(self):
        """Start the clock where a head is awaited; stop it where one has come."""
        if self.cycle is not None and not self.cycle.response_complete:
            self._stop_watching()
        elif self._head_timer is None:
            self._head_timer = self.loop.call_later(self.limits.head_seconds, self._give_up)

    def _stop_watching(self):
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _give_up(self):
        self._head_timer = None
        if not self.transport.is_closing():
            if self.conn.our_state is h11.IDLE:
                self._refuse(408, b"Request Timeout", "the request came too slowly")
            else:
                self.transport.close()

    def send_400_response(self, msg):
        self._refuse(400, b"Bad Request", "not a valid HTTP request")

    def _refuse(self, status, reason, message):
        """Answer outside of any request, and close."""
        body = json.dumps({"error": message}).encode()
        head = b"HTTP/1.1 %d %s\r\ncontent-type: application/json\r\nconnection: close\r\n" % (
            status, reason,
        )  # fmt: skip
        self.transport.write(head + b"content-length: %d\r\n\r\n%s" % (len(body), body))
        self.transport.close()
