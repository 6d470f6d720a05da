"""What stands before all routes: who may ask, from which page; and no answer without its headers.

A page on another site must not reach a server that listens on this machine: neither by posting to
it (its Origin is another) nor through a name of its own that it lets point here (the Host is then
that name: DNS rebinding).
"""

import asyncio
import ipaddress
import sys

from starlette.responses import JSONResponse

from glyphs.errors import one_line
from glyphs.web.limits import RefusedError

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
HEADERS = {
    b"content-security-policy": POLICY.encode(),
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
    b"cross-origin-opener-policy": b"same-origin",
    b"cross-origin-resource-policy": b"same-origin",
}


def error_response(refusal):
    """Return the answer to what is refused: JSON with one line, `error`."""
    headers = {"cache-control": "no-store"}
    if refusal.retry_after is not None:
        headers["retry-after"] = str(refusal.retry_after)
    return JSONResponse({"error": str(refusal)}, refusal.status, headers)


class Guard:
    """ASGI application around another one.

    Args:
        app: the other.
        names: by which names this server may be called, in lower case, beside addresses.
        is_open: whether it listens beyond this machine, and so may be called by any address.
        send_seconds: how long a client may take over a part of an answer.
    """

    def __init__(self, app, names=("localhost",), is_open=False, send_seconds=30):
        self.app, self.names, self.is_open = app, frozenset(names), is_open
        self.send_seconds = send_seconds

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            return
        has_begun = False

        async def guarded_send(message):
            nonlocal has_begun
            if message["type"] == "http.response.start":
                has_begun = True
                message = {**message, "headers": [*message["headers"], *HEADERS.items()]}
            async with asyncio.timeout(self.send_seconds):
                await send(message)

        try:
            try:
                self.check(scope)
                await self.app(scope, receive, guarded_send)
            except RefusedError as refusal:
                await error_response(refusal)(scope, receive, guarded_send)
        except Exception as error:  # a fault of ours, or a client that takes no answer
            is_client = isinstance(error, (TimeoutError, OSError)) or "Disconnect" in repr(error)
            if not is_client:
                text = f"{type(error).__name__}: {error}"
                print(f"error: {one_line(text)}", file=sys.stderr, flush=True)
            if has_begun:
                raise asyncio.CancelledError from None  # the server then cuts the connection
            refusal = RefusedError(500, "a fault of the server; its terminal says more")
            await error_response(refusal)(scope, receive, guarded_send)

    def check(self, scope):
        """Raise RefusedError (403, or 400) unless a request is for us, and from no other site."""
        headers = {}
        for name, value in scope["headers"]:
            if name in (b"host", b"origin") and name in headers:
                raise RefusedError(400, f"more than one header {name.decode()}")
            headers[name] = value
        host = headers.get(b"host", b"").decode("latin-1").lower()
        if not self.may_be_called(host):
            raise RefusedError(
                403, f"not called {host or 'by any name'} here; see --allow-host of serve.py"
            )
        origin = headers.get(b"origin")
        if origin is not None:
            _, separator, own = origin.decode("latin-1").lower().partition("://")
            if not separator or own != host:
                raise RefusedError(403, "asked by a page of another site")
        is_own = headers.get(b"sec-fetch-site", b"none") in (b"same-origin", b"none")
        # A link to here may be anywhere. Pictures and frames, which send no Origin, may not.
        is_link = scope["method"] == "GET" and headers.get(b"sec-fetch-dest") == b"document"
        if not is_own and not is_link:
            raise RefusedError(403, "asked by a page of another site")

    def may_be_called(self, host):
        """Return whether a Host header names this server: `name`, `name:port`, `[::1]:port`."""
        if host.startswith("["):
            name, bracket, port = host[1:].partition("]")
            if not bracket or (port and not port.startswith(":")):
                return False
            port = port[1:]
        else:
            name, _, port = host.partition(":")
        if port and not (port.isascii() and port.isdigit()):
            return False
        if name in self.names:
            return True
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return False
        return self.is_open or address.is_loopback
