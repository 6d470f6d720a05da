"""A server to test: started as a user starts it, or with other limits, and asked over sockets."""

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import urllib.parse

from conftest import ROOT

from glyphs.artifacts import description
from glyphs.artifacts.loading import read_architecture
from glyphs.artifacts.paths import Paths

SMALL = """
import sys
from glyphs.web import server
from glyphs.web.app import App
from glyphs.web.collect import Collection
from glyphs.web.limits import Limits
prefix, collect, limits = sys.argv[1], sys.argv[2], Limits(**eval(sys.argv[3]))
bound = server.listen("127.0.0.1", 0)
app = App(prefix, Collection(collect) if collect else None, limits)
server.run(app.asgi(), bound, limits, lambda: print(server.url_of(bound), flush=True))
app.close()
"""


def renamed(prefix, folder, names):
    """Copy a model to a folder, its classes named otherwise; return the copy's prefix."""
    folder.mkdir(parents=True)
    copy = str(folder / "model")
    os.link(Paths(str(prefix)).weights, Paths(copy).weights)
    os.link(Paths(str(prefix)).onnx, Paths(copy).onnx)
    content = read_architecture(str(prefix))
    content["glyphs"] |= {
        "class_names": list(names),
        "characters": [name if len(name) == 1 else None for name in names],
    }
    (folder / "model_architecture.json").write_bytes(description.to_bytes(content))
    return copy


class Server:
    """A server in a process of its own."""

    def __init__(self, command, cwd=None):
        self.process = subprocess.Popen(
            command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self.line = self.process.stdout.readline()
        assert self.line.startswith("http://"), self.process.communicate()
        self.url = self.line.split()[0]
        self.port = int(self.url.rpartition(":")[2])

    def ask(self, method, path, body=None, headers=None, **options):
        """Return `(status, headers, body)` of an answer; JSON is parsed."""
        query = f"?{urllib.parse.urlencode(options)}" if options else ""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        with contextlib.closing(connection):
            connection.request(method, path + query, body, headers or {})
            response = connection.getresponse()
            content = response.read()
        if response.headers.get("content-type", "").startswith("application/json"):
            content = json.loads(content)
        return response.status, response.headers, content

    def post(self, path, body, headers=None, **options):
        return self.ask("POST", path, body, headers, **options)

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.port), timeout=60)

    def send(self, data):
        """Send raw bytes; return all that comes back until the server closes."""
        with self.connect() as connection:
            connection.sendall(data)
            return read_all(connection)

    def end(self, number=signal.SIGTERM):
        """Return `(exit code, stdout, stderr)` after a signal."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        out, err = self.process.communicate(timeout=60)
        return self.process.returncode, out, err


def read_all(connection):
    parts = []
    with contextlib.suppress(ConnectionResetError):
        while part := connection.recv(65536):
            parts.append(part)
    return b"".join(parts)


@contextlib.contextmanager
def serving(*arguments, cwd=None):
    """Run serve.py on a free port; check that it ends well and said nothing of a traceback."""
    server = Server([sys.executable, ROOT / "serve.py", "--port", "0", *map(str, arguments)], cwd)
    try:
        yield server
    finally:
        code, _, err = server.end()
    assert code in (0, 130)
    assert "Traceback" not in err
    server.err = err


@contextlib.contextmanager
def limited(prefix, collect="", **limits):
    """Run the server with other limits."""
    command = [sys.executable, "-c", SMALL, str(prefix), str(collect), repr(limits)]
    server = Server(command, ROOT)
    try:
        yield server
    finally:
        code, _, err = server.end()
    assert (code, err) == (0, "")


def multipart(pictures, boundary="frontier"):
    """Return `(body, headers)` for a list of `(file name, bytes)`; names go as they are."""
    parts = []
    for name, data in pictures:
        name = name.encode("utf-8", "surrogateescape") if isinstance(name, str) else name
        head = b'Content-Disposition: form-data; name="picture"; filename="' + name + b'"\r\n'
        parts.append(b"--" + boundary.encode() + b"\r\n" + head + b"\r\n" + data + b"\r\n")
    body = b"".join(parts) + f"--{boundary}--\r\n".encode()
    return body, {"Content-Type": f"multipart/form-data; boundary={boundary}"}
