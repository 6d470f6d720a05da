"""The routes: the page, and the answers for programs.

POST /classify   pictures -> the JSON of `classify.py --format json`
POST /map        a picture, and which class -> PNG of where the network saw it
POST /collect    a picture, and its label -> kept as a file
GET /model       what the model is, and which others there are
GET /health      whether the server is up, and how busy
GET /            the page, with its style, script and font
"""

import asyncio
import concurrent.futures
import contextlib
import os

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from glyphs import fonts
from glyphs.errors import PictureError, StorageError
from glyphs.inference.as_json import json_lines
from glyphs.web.batching import Pool
from glyphs.web.bodies import read_body, uploads_of
from glyphs.web.guard import Guard, error_response
from glyphs.web.limits import Gate, Limits, RefusedError
from glyphs.web.maps import Mapper
from glyphs.web.models import Models

HERE = os.path.dirname(os.path.abspath(__file__))
STYLES = (os.path.join(os.path.dirname(HERE), "pages", "base.css"), os.path.join(HERE, "page.css"))
USUAL_ACCURACY = 0.99
YES, NO = ("true", "1", "yes", ""), ("false", "0", "no")


class App:
    """All that the server does.

    Args:
        prefix: of the model to begin with.
        collection: collect.Collection, or None: corrections are not kept.
        limits: Limits.
        notify: called with one line of text before work that takes seconds.

    Raises:
        ArtifactError: the model is missing or damaged.
    """

    def __init__(self, prefix, collection=None, limits=None, notify=lambda message: None):
        self.limits = limits or Limits()
        self.pool = Pool(self.limits)
        self.models = Models(prefix, self.pool, notify)
        self.mapper = Mapper(self.limits)
        self.collection = collection
        self.writer = concurrent.futures.ThreadPoolExecutor(1, "collect")
        self.waiting = Gate(self.limits.waiting, "requests")
        self.bodies = Gate(self.limits.bodies, "large requests")
        self.font = fonts.bundled_font()

    def close(self):
        for part in (self.pool, self.mapper):
            part.close()
        self.writer.shutdown(wait=False, cancel_futures=True)

    def asgi(self, names=("localhost",), is_open=False):
        """Return the ASGI application, with its Guard; see there for the arguments."""
        routes = [
            Route("/", self.file("page.html", "text/html")),
            Route("/page.css", self.style),
            Route("/page.js", self.file("page.js", "text/javascript")),
            Route("/icon.svg", self.file("icon.svg", "image/svg+xml")),
            Route("/health", self.health),
            Route("/model", self.model),
            Route("/classify", self.classify, methods=["POST"]),
            Route("/map", self.map, methods=["POST"]),
            Route("/collect", self.collect, methods=["POST"]),
        ]
        if self.font:
            routes.append(Route("/font.ttf", self.send_font))
        handlers = {
            HTTPException: _http_error,
            RefusedError: lambda _, refusal: error_response(refusal),
            ClientDisconnect: lambda *_: Response(status_code=400),  # nobody will read it
        }
        app = Starlette(routes=routes, exception_handlers=handlers)
        app.router.redirect_slashes = False
        return Guard(app, names, is_open, self.limits.send_seconds)

    # --- The page ---

    def file(self, name, media_type):
        with open(os.path.join(HERE, name), encoding="utf-8") as file:
            text = file.read()

        async def send(request):
            return Response(text, media_type=media_type, headers={"cache-control": "no-cache"})

        return send

    async def style(self, request):
        texts = []
        for path in STYLES:
            with open(path, encoding="utf-8") as file:
                texts.append(file.read())
        headers = {"cache-control": "no-cache"}
        return Response("\n".join(texts), media_type="text/css", headers=headers)

    async def send_font(self, request):
        headers = {"cache-control": "max-age=86400"}
        return FileResponse(self.font, media_type="font/ttf", headers=headers)

    # --- What programs ask ---

    async def health(self, request):
        _options(request)
        return _json({"status": "ok", "waiting": self.waiting.inside, "opened": self.models.opened})

    async def model(self, request):
        options = _options(request, "model")
        model = await self.models.get(options.get("model"))
        return _json(
            {
                **model.describe(),
                "models": list(self.models.prefixes),
                "collects": self.collection is not None,
                "limits": {
                    "body": self.limits.body,
                    "pixels": self.limits.pixels,
                    "pictures": self.limits.pictures,
                },
            }
        )

    async def classify(self, request):
        options = _options(request, "model", "top", "characters", "reject", "accuracy", "name")
        top = _whole_number(options, "top", 1)
        characters, reject = _truth(options, "characters"), _truth(options, "reject")
        accuracy = _share(options, "accuracy")
        if accuracy is not None and not reject:
            raise RefusedError(400, "accuracy says how much reject lets through; add reject=true")
        async with self.taking(request, options) as (model, uploads):
            threshold = model.threshold(accuracy or USUAL_ACCURACY) if reject else None
            predictions = await model.batcher.classify(uploads, top=top, threshold=threshold)
        text = "".join(json_lines(predictions, characters=characters, reject=reject))
        return _answer(text, "application/json")

    async def map(self, request):
        options = _options(request, "model", "label", "name")
        async with self.taking(request, options, most=1) as (model, uploads):
            label = model.class_of(_label(options))
            if label is None:
                raise RefusedError(400, "no class of the model; GET /model lists them")
            await self.count_pixels(uploads[0])
            png = await self.mapper.draw(model, uploads[0], model.label_of[label])
        return _answer(png, "image/png")

    async def collect(self, request):
        options = _options(request, "model", "label", "name")
        if self.collection is None:
            raise RefusedError(403, "corrections are not kept; start serve.py with --collect DIR")
        async with self.taking(request, options, most=1) as (model, uploads):
            label = _label(options)
            known = model.class_of(label)

            def keep(upload):
                return self.collection.keep(upload, known or label, is_known=known is not None)

            await self.count_pixels(uploads[0])
            try:
                loop = asyncio.get_running_loop()
                path = await loop.run_in_executor(self.writer, keep, uploads[0])
            except PictureError as error:
                raise RefusedError(400, error.reason) from None
            except StorageError as error:
                raise RefusedError(507, str(error)) from None
        return _json({"label": known or label, "path": path, "is_new_class": known is None})

    async def count_pixels(self, upload):
        """Refuse a picture that is too large, by its header, or none, before it costs more."""
        try:
            await self.pool.look(upload, lambda upload: None)
        except PictureError as error:
            raise RefusedError(400, error.reason) from None

    @contextlib.asynccontextmanager
    async def taking(self, request, options, most=None):
        """Read what a request brings; give `(model, uploads)`; count it while it is worked on.

        Args:
            request: a starlette Request.
            options: dict of its query.
            most: None, or how many pictures it may have.
        """
        with contextlib.ExitStack() as stack:
            if self.waiting.inside >= self.waiting.most:  # better now than after a long body
                self.waiting.enter()
            body = await read_body(request, self.limits, self.bodies, stack)
            stack.enter_context(self.waiting)
            model = await self.models.get(options.get("model"))
            arguments = (
                body,
                request.headers.get("content-type", ""),
                options.get("name", "picture"),
                self.limits,
            )
            if len(body) < 1_000_000:
                uploads = uploads_of(*arguments)
            else:
                uploads = await asyncio.to_thread(uploads_of, *arguments)
            if most and len(uploads) > most:
                raise RefusedError(400, "one picture is wanted here")
            yield model, uploads


# --- What a query says ---


def _options(request, *known):
    """Return the query as a dict.

    Raises:
        RefusedError: it has other options, or one twice.
    """
    options = {}
    for key, value in request.query_params.multi_items():
        if key not in known:
            raise RefusedError(400, f"no option {key[:50]!r}; known: {', '.join(known) or 'none'}")
        if key in options:
            raise RefusedError(400, f"{key} is given twice")
        options[key] = value
    return options


def _label(options):
    if "label" not in options:
        raise RefusedError(400, "which label? Add ?label=...")
    return options["label"]


def _whole_number(options, key, default):
    value = options.get(key, str(default))
    if not (value.isascii() and value.isdigit() and len(value) < 7 and int(value)):
        raise RefusedError(400, f"{key} must be a whole number of at least 1")
    return int(value)


def _truth(options, key):
    value = options.get(key, "false").lower()
    if value not in YES + NO:
        raise RefusedError(400, f"{key} must be true or false")
    return value in YES


def _share(options, key):
    if key not in options:
        return None
    try:
        value = float(options[key])
    except ValueError:
        value = -1.0
    if not 0 < value < 1:
        raise RefusedError(400, f"{key} must be a share below 1, such as 0.99")
    return value


# --- Answers ---


def _json(value):
    return JSONResponse(value, headers={"cache-control": "no-store"})


def _answer(content, media_type):
    return Response(content, media_type=media_type, headers={"cache-control": "no-store"})


def _http_error(request, error):
    text = {404: "nothing is here; see GET /", 405: "not this way; POST pictures, GET the rest"}
    return error_response(
        RefusedError(error.status_code, text.get(error.status_code, error.detail))
    )
