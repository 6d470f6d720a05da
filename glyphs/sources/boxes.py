"""Boxes on pages: single characters cut out of larger pictures. NumPy is imported late."""

import array
import itertools

from glyphs.errors import PictureError
from glyphs.sources.index import Samples

FIELDS = ("page", "number", "x", "y", "width", "height")  # of a box; it counts from 1 on its page


class Boxes(Samples):
    """Boxes on pages, in the order of the pages.

    Args:
        pages: Samples, the pictures of the pages; each has a box.
        boxes: array of int32, the FIELDS of box after box; in pixels.
        margin: by which fraction of its sides a box is widened on each side.
    """

    def __init__(self, pages, boxes, margin):
        self.pages = pages
        self.boxes = boxes
        self.margin = margin

    def __len__(self):
        return len(self.boxes) // len(FIELDS)

    def _box(self, number):
        """Return a copy of the FIELDS of a box."""
        return self.boxes[number * len(FIELDS) : (number + 1) * len(FIELDS)]

    def name(self, number):
        page, number, *_ = self._box(number)
        return f"{self.pages.name(page)}, box {number}"

    def runs(self, numbers, size):
        """Cut `numbers` into runs that end with a page, so that each page is decoded once."""
        import numpy as np

        boxes = np.frombuffer(self.boxes, np.int32).reshape(-1, len(FIELDS))
        last = np.diff(boxes[np.asarray(numbers, int), 0], append=-1) != 0
        start = 0
        for end in (np.flatnonzero(last) + 1).tolist():
            if end - start >= size or end == len(numbers):
                yield numbers[start:end]
                start = end

    def chunk(self, numbers):
        pages, boxes = [], array.array("i")
        for box in map(self._box, numbers):
            if not pages or pages[-1] != box[0]:
                pages.append(box[0])
            box[0] = len(pages) - 1
            boxes += box
        return Boxes(self.pages.chunk(pages), boxes, self.margin)

    def pictures(self):
        numbers = itertools.groupby(range(len(self)), key=lambda number: self._box(number)[0])
        for page, (_, inside) in zip(self.pages.pictures(), numbers, strict=True):
            for number in inside:
                if isinstance(page, PictureError):
                    yield page
                else:
                    yield self._crop(page, number)

    def _crop(self, page, number):
        """Return a box of a page, widened and clipped to it; or the PictureError instead."""
        _, _, x, y, width, height = self._box(number)
        if x >= page.width or y >= page.height or x + width <= 0 or y + height <= 0:
            reason = f"lies outside its page of {page.width} x {page.height} pixels"
            return PictureError(self.name(number), reason)
        dx = round(min(self.margin * width, page.width))
        dy = round(min(self.margin * height, page.height))
        return page.crop(
            (
                max(0, x - dx),
                max(0, y - dy),
                min(page.width, x + width + dx),
                min(page.height, y + height + dy),
            )
        )
