"""How the processes of a training find each other: each comes to process 0 and says who it is.

They talk in lines of JSON, and go on doing so while they train (see team.py).
"""

import contextlib
import errno
import json
import re
import select
import socket
import threading
import time

from glyphs.errors import LostError, UsageError

VERSION = 1
LONGEST_LINE = 1 << 24  # bytes; what strangers send is no reason to run out of memory
PATIENCE = 2  # seconds after which one wants to know who is waited for
REMINDER = 10  # seconds between two such lines
TICK = 0.2  # seconds


class Link:
    """A connection between process 0 and another one.

    Args:
        connection: socket.socket.

    Attributes:
        heard: when anything was last heard, by time.monotonic().
        is_closed: whether the other side has gone.
        unread: messages that came together with the one that was waited for.
    """

    def __init__(self, connection):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.settimeout(30)
        self.socket = connection
        self.heard = time.monotonic()
        self.is_closed = False
        self.unread = []
        self._received = b""
        self._sending = threading.Lock()

    def fileno(self):
        return self.socket.fileno()

    def send(self, **message):
        """Send a message; one to a process that has gone is lost, which reading tells."""
        with self._sending, contextlib.suppress(OSError):
            self.socket.sendall(json.dumps(message).encode() + b"\n")

    def read(self):
        """Return the messages that have come, when there is something to read."""
        try:
            data = self.socket.recv(1 << 16)
        except OSError:
            data = b""
        self.heard = time.monotonic()
        *lines, self._received = (self._received + data).split(b"\n")
        self.is_closed = not data or len(self._received) > LONGEST_LINE
        try:
            messages = [json.loads(line) for line in lines]
        except ValueError:
            messages = [None]
        if not all(isinstance(message, dict) for message in messages):
            self.is_closed = True  # a stranger
            return []
        return messages

    def close(self):
        self.socket.close()


def meet(place, about, *, wait, warn):
    """Wait until all processes are there.

    Args:
        place: hosts.Place of this one.
        about: dict of what the others may want to know about this one.
        wait: most seconds.
        warn: called with a line about who is waited for.

    Returns:
        `(links, everyone)`: dict from a process's number to its Link, of process 0 all others, of
        others that of process 0; list of what each said about itself, by number.

    Raises:
        LostError: not all have come in time.
        UsageError: two have the same number, or process 0 cannot listen at its address.
    """
    hello = {"glyphs": VERSION, "number": place.number, "count": place.count, "about": about}
    if place.number:
        return _join(place, hello, wait, warn)
    return _gather(place, hello, wait, warn)


def _gather(place, hello, wait, warn):
    """As process 0, wait for the others."""
    links, everyone, strangers = {}, {0: hello["about"]}, []
    reminder, error = _Reminder(wait, warn), None
    with _listen(place) as listener:
        while len(links) < place.count - 1 and not error:
            ready, _, _ = select.select([listener, *strangers, *links.values()], [], [], TICK)
            for number in [n for n, link in links.items() if link in ready]:
                links[number].read()
                if links[number].is_closed:  # it has gone; another may come in its place
                    links.pop(number).close()
            for link in [link for link in strangers if link in ready]:
                messages = link.read()
                if messages or link.is_closed:
                    strangers.remove(link)
                    error = error or _greet(messages, link, links, everyone, place.count)
            if listener in ready:
                strangers.append(Link(listener.accept()[0]))
            missing = [n for n in range(1, place.count) if n not in links]
            who = f"{len(missing)} of {place.count} processes (number {_shortened(missing)})"
            if missing and reminder.is_over(f"waiting for {who}"):
                error = error or LostError(
                    f"{who} did not come to {place.address} within {wait:g} s; start all of them, "
                    "on machines that reach it"
                )
    if error:
        for link in [*links.values(), *strangers]:
            link.send(end=str(error), code=error.exit_code)
            link.close()
        raise error
    everyone = [everyone[number] for number in range(place.count)]
    for link in links.values():
        link.send(everyone=everyone)
    return links, everyone


def _greet(messages, link, links, everyone, count):
    """Take a process in that says who it is; return the error if it cannot be one of ours."""
    hello = messages[0] if messages else {}
    number, its_count = hello.get("number"), hello.get("count")
    is_one_of_us = hello.get("glyphs") == VERSION and type(number) is type(its_count) is int
    if not is_one_of_us or not 0 <= number < its_count or "about" not in hello:
        link.close()  # a port scanner, or a browser
        return None
    problem = None
    if its_count != count:
        problem = f"process {number} was told of {its_count} processes, process 0 of {count}"
    elif number in links or number == 0:
        problem = f"two processes have the number {number}; give each its own"
    if problem:
        link.send(end=problem, code=UsageError.exit_code)
        return UsageError(problem)
    links[number] = link
    everyone[number] = hello["about"]
    return None


def _join(place, hello, wait, warn):
    """As another process, go to process 0."""
    reminder = _Reminder(wait, warn)
    problem, link = "", None
    while not reminder.is_over(f"waiting for process 0 at {place.address}"):
        if not link:
            try:
                link = Link(socket.create_connection((place.host, place.port), timeout=5))
                link.send(**hello)
            except OSError as error:
                problem = f" ({error.strerror or error})"
                time.sleep(TICK)
                continue
        if not select.select([link], [], [], TICK)[0]:
            problem = " (it waits for others)"
            continue
        messages = link.read()
        if messages and "end" in messages[0]:
            raise LostError(messages[0]["end"], messages[0]["code"])
        if messages and "everyone" in messages[0]:
            link.unread = messages[1:]
            return {0: link}, messages[0]["everyone"]
        if messages or link.is_closed:  # it has gone, or is none of us; another may come
            link.close()
            link = None
            time.sleep(TICK)
    raise LostError(
        f"process 0 at {place.address} did not answer within {wait:g} s{problem}; start it, on a "
        "machine that this one reaches"
    )


class _Reminder:
    """Says now and then who is waited for."""

    def __init__(self, wait, warn):
        self.warn = warn
        self.end = time.monotonic() + wait
        self.next = time.monotonic() + PATIENCE

    def is_over(self, line):
        """Return whether the time is over; say the line when it is due."""
        now = time.monotonic()
        if now >= self.next:
            self.warn(line)
            self.next = now + REMINDER
        return now >= self.end


def _listen(place):
    """Return the listening socket of process 0."""
    try:
        family, *_, address = socket.getaddrinfo(
            listening_host(place.host), place.port, type=socket.SOCK_STREAM
        )[0]
        return socket.create_server(address[:2], family=family, backlog=place.count)
    except OSError as error:
        advice = "process 0 must run on the machine of this address"
        if error.errno == errno.EADDRINUSE:
            advice = "choose another port by KERAS_DISTRIBUTION_JOB_ADDRESSES"
        raise UsageError(
            f"{place.address}: process 0 cannot listen there ({error.strerror}); {advice}"
        ) from None


def listening_host(host):
    """Return on which address of its machine process 0 listens.

    It is the one that the others were told, and no other network sees it. Only where a machine
    takes its own name for 127.0.1.1, as Debian's do, it must listen on all its addresses.
    """
    if host == "localhost" or re.fullmatch(r"[\d.]+|.*:.*", host):
        return host
    return "0.0.0.0" if socket.gethostbyname(host).startswith("127.") else host


def free_port(host):
    """Return a port that nobody listens on."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((listening_host(host), 0), family=family) as server:
        return server.getsockname()[1]


def _shortened(numbers):
    """Return numbers as text, not more than one wants to read."""
    text = ", ".join(map(str, numbers[:8]))
    return f"{text}, ..." if len(numbers) > 8 else text
