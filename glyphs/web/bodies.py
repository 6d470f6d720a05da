"""The pictures of a request: a raw body is one, a multipart body holds several.

Nothing is written to the disk. Names are only words of the answer.
"""

import asyncio
import contextlib
import typing

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from glyphs.web.limits import CHUNK, RefusedError

LONGEST_NAME = 255  # characters of a picture's name that are kept
MORE_PARTS = 100  # of a body, besides pictures: empty fields of a form


class Upload(typing.NamedTuple):
    """A picture as it came: what to call it, and its bytes."""

    name: str
    data: bytes


async def read_body(request, limits, budget, stack):
    """Return the body of a request: at most `limits.body` bytes, in time.

    Args:
        request: a starlette Request.
        limits: Limits.
        budget: Gate that counts the bytes of all bodies.
        stack: contextlib.ExitStack, by which they leave it when the request is done.

    Raises:
        RefusedError: too large (413), too slow (408), or too much is held already (503).
    """
    announced = request.headers.get("content-length", "0")  # h11 has seen to it that it is a number
    if int(announced) > limits.body:
        raise _too_large(limits)
    parts, size, held = [], 0, 0
    loop = asyncio.get_running_loop()
    started = loop.time()
    async with _in_time(started + limits.body_seconds) as deadline:
        async for part in request.stream():
            size += len(part)
            if size > limits.body:
                raise _too_large(limits)
            if (more := max(0, size - CHUNK) - held) > 0:
                budget.enter(more)
                stack.callback(budget.leave, more)
                held += more
            parts.append(part)
            deadline.reschedule(started + limits.body_seconds + size / limits.least_rate)
    return b"".join(parts)


@contextlib.asynccontextmanager
async def _in_time(when):
    try:
        async with asyncio.timeout_at(when) as deadline:
            yield deadline
    except TimeoutError:
        raise RefusedError(408, "the body came too slowly; send it again") from None


def _too_large(limits):
    return RefusedError(
        413, f"a body of more than {limits.body / 1e6:g} MB; send fewer or smaller pictures"
    )


def uploads_of(body, content_type, name, limits):
    """Return the pictures of a body.

    Args:
        body: bytes.
        content_type: header of the request; multipart/form-data holds several, each with a name.
        name: of the picture, if the body is one.
        limits: Limits.

    Returns:
        Non-empty list of Upload.

    Raises:
        RefusedError: there is none (400), there are too many (413), or the body is damaged (400).
    """
    kind, options = parse_options_header(content_type)
    if kind != b"multipart/form-data":
        if not body:
            raise RefusedError(400, "no picture; send one, or several as multipart/form-data")
        return [Upload(name[:LONGEST_NAME], body)]
    parts = _Parts(limits.pictures)
    try:
        parser = MultipartParser(options.get(b"boundary", b""), parts.callbacks())
        parser.write(body)
        parser.finalize()
    except (FormParserError, ValueError, IndexError, KeyError):
        raise RefusedError(400, "not a valid multipart/form-data body; send it again") from None
    if not parts.is_whole:
        raise RefusedError(400, "the multipart/form-data body ends early; send it again")
    if not parts.uploads:
        raise RefusedError(400, "no picture in the multipart/form-data body")
    return parts.uploads


class _Parts:
    """Collects the parts of a multipart body."""

    def __init__(self, most):
        self.most = most
        self.uploads = []
        self.begun = 0
        self.is_whole = False

    def callbacks(self):
        return {
            "on_part_begin": self._begin,
            "on_header_field": lambda data, start, end: self.field.append(data[start:end]),
            "on_header_value": lambda data, start, end: self.value.append(data[start:end]),
            "on_header_end": self._end_header,
            "on_part_data": lambda data, start, end: self.data.append(data[start:end]),
            "on_part_end": self._end,
            "on_end": self._end_all,
        }

    def _begin(self):
        self.begun += 1
        if self.begun > self.most + MORE_PARTS:
            raise RefusedError(413, "too many parts; send the pictures alone")
        self.name, self.field, self.value, self.data = "picture", [], [], []

    def _end_header(self):
        if b"".join(self.field).lower() == b"content-disposition":
            _, options = parse_options_header(b"".join(self.value))
            name = options.get(b"filename") or options.get(b"name") or b"picture"
            self.name = name.decode("utf-8", "replace")[:LONGEST_NAME]
        self.field, self.value = [], []

    def _end(self):
        data = b"".join(self.data)
        if not data:  # a form's field for a file that was not chosen
            return
        if len(self.uploads) == self.most:
            raise RefusedError(
                413, f"more than {self.most} pictures; send them in several requests"
            )
        self.uploads.append(Upload(self.name, data))

    def _end_all(self):
        self.is_whole = True
