"""Maps of where a network saw a class, made by a process of their own.

Keras on TensorFlow takes some ten seconds to start and much memory; here neither holds up the
answers. The process starts when the first map is asked for, and steps back behind other work.
"""

import asyncio
import concurrent.futures
import functools
import io
import multiprocessing
import os

from glyphs import parallel
from glyphs.errors import GlyphsError, PictureError
from glyphs.images.preprocessing import see
from glyphs.web.limits import Gate, RefusedError


class Mapper:
    """Draws maps.

    Args:
        limits: limits.Limits.
    """

    def __init__(self, limits):
        self._gate = Gate(limits.maps, "maps")
        self._executor = None

    def close(self):
        if self._executor:
            self._executor.shutdown(wait=False, cancel_futures=True)

    async def draw(self, model, upload, label):
        """Return a PNG: the picture, red where a network saw a class.

        Args:
            model: models.Model.
            upload: bodies.Upload.
            label: number of the class.

        Raises:
            RefusedError: the picture cannot be read or the network has no maps (400), or too many
                maps are waiting (503).
        """
        classifier = model.classifier
        with self._gate:
            if self._executor is None:
                context = multiprocessing.get_context("spawn")
                self._executor = concurrent.futures.ProcessPoolExecutor(1, context, _prepare)
            executor = self._executor
            try:
                return await asyncio.wrap_future(
                    executor.submit(
                        _draw,
                        model.prefix,
                        classifier.preprocessing,
                        classifier.takes_any_size,
                        upload,
                        label,
                    )
                )
            except concurrent.futures.process.BrokenProcessPool:
                if self._executor is executor:  # of several maps, one is told first
                    self._executor = None
                raise RefusedError(
                    503, "the process that draws maps was killed, perhaps for want of memory", 5
                ) from None
            except PictureError as error:
                raise RefusedError(400, error.reason) from None
            except GlyphsError as error:
                raise RefusedError(400, str(error)) from None


def _prepare():
    parallel.prepare_worker()
    os.nice(10)


def _draw(prefix, preprocessing, takes_any_size, upload, label):
    explainer = _explainer(prefix)
    from glyphs.inference import explain

    seen = see(upload.name, preprocessing, own_size=takes_any_size, data=upload.data)
    (activation,) = explainer.maps(seen.image[None], [label])
    buffer = io.BytesIO()
    explain.draw(seen, activation).save(buffer, "PNG")
    return buffer.getvalue()


@functools.lru_cache(maxsize=2)
def _explainer(prefix):
    from glyphs.training import backend

    os.environ["KERAS_BACKEND"] = "tensorflow"  # whatever is set: the maps need its gradient
    with backend.without_chatter():
        backend.import_keras()
        from glyphs.inference import explain

        return explain.Explainer(prefix)
