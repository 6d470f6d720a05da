"""Decoding and networks in a bounded pool; who asks at the same time is answered in one batch."""

import asyncio
import concurrent.futures
import io

from PIL import Image

from glyphs.errors import PictureError
from glyphs.images.decode import FORMATS
from glyphs.web.limits import RefusedError

BATCH = 32  # pictures in one run of a network: more would let the first wait for the last
LARGE = 4_000_000  # pixels; larger pictures wait for one another, and hold up no small ones
AT_ONCE = 4  # pictures of one request that are in the pool at a time, between those of others
LOOKERS = 2  # threads that decode


class Pool:
    """The threads that all models share.

    Args:
        limits: limits.Limits.
    """

    def __init__(self, limits):
        self.limits = limits
        self._small = concurrent.futures.ThreadPoolExecutor(LOOKERS, "look")
        self._large = concurrent.futures.ThreadPoolExecutor(1, "look-large")
        self._network = concurrent.futures.ThreadPoolExecutor(1, "network")

    def close(self):
        for executor in (self._small, self._large, self._network):
            executor.shutdown(wait=False, cancel_futures=True)

    async def look(self, upload, function):
        """Return `function(upload)`, by a thread for pictures of its size.

        Raises:
            RefusedError: its header says that it has too many pixels (413).
        """

        def look_unless_large(upload):
            pixels = pixels_of(upload.data)
            return (pixels, None) if pixels > LARGE else (pixels, function(upload))

        loop = asyncio.get_running_loop()
        pixels, found = await loop.run_in_executor(self._small, look_unless_large, upload)
        if pixels > self.limits.pixels:
            raise RefusedError(
                413,
                f"{upload.name}: more than {self.limits.pixels / 1e6:g} million pixels; cut out "
                "single characters",
            )
        if pixels > LARGE:
            found = await loop.run_in_executor(self._large, function, upload)
        return found

    async def ask(self, function, images):
        return await asyncio.get_running_loop().run_in_executor(self._network, function, images)


def pixels_of(data):
    """Return how many pixels a picture says it has; 0 for what is no picture."""
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as picture:
            return picture.width * picture.height
    except Image.DecompressionBombError:
        return float("inf")
    except Exception:  # of a dozen kinds; decoding it will say what is wrong
        return 0


class Batcher:
    """A classifier that many ask at the same time.

    What comes in while the network is at work is its next batch: nobody waits for a batch to fill.

    Args:
        classifier: a Classifier.
        pool: Pool.
    """

    def __init__(self, classifier, pool):
        self.classifier, self.pool = classifier, pool
        self._waiting = []  # (images, future)
        self._worker = None

    async def classify(self, uploads, *, top=1, threshold=None):
        """Return a Prediction for each picture, in order.

        Args:
            uploads: list of bodies.Upload.
            top: how many candidates.
            threshold: None, or the least probability to believe.

        Raises:
            RefusedError: one of them has too many pixels (413).
        """
        turns = asyncio.Semaphore(AT_ONCE)

        async def one(upload):
            async with turns:
                found = await self._one(upload)
                return self.classifier.predict(upload.name, found, top=top, threshold=threshold)

        if len(uploads) == 1:
            return [await one(uploads[0])]
        async with TaskGroup() as group:
            tasks = [group.create_task(one(upload)) for upload in uploads]
        return [task.result() for task in tasks]

    def _look(self, upload):
        try:
            return [seen.image for seen in self.classifier.look(upload.name, upload.data)]
        except PictureError as error:
            return error

    async def _one(self, upload):
        """Return the probabilities of one picture, or its PictureError."""
        found = await self.pool.look(upload, self._look)
        if isinstance(found, PictureError):
            return found
        answer = asyncio.get_running_loop().create_future()
        self._waiting.append((found, answer))
        if self._worker is None:
            self._worker = asyncio.create_task(self._work())
        return await answer

    async def _work(self):
        """Ask the network about what waits until nothing does."""
        try:
            while batch := self._waiting[:BATCH]:
                del self._waiting[:BATCH]
                try:
                    rows = await self.pool.ask(self.classifier.ask, [images for images, _ in batch])
                except Exception as error:
                    for _, answer in batch:
                        if not answer.done():
                            answer.set_exception(error)
                    continue
                for (_, answer), row in zip(batch, rows, strict=True):
                    if not answer.done():
                        answer.set_result(row)
        finally:
            self._worker = None


class TaskGroup(asyncio.TaskGroup):
    """A task group that raises the first error itself, not a group of it."""

    async def __aexit__(self, *exception):
        try:
            return await super().__aexit__(*exception)
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from None
