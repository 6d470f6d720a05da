"""Which parts of the ink are one character: its strokes and dots, and not what is beside it."""

import numpy as np

from glyphs.ink import lines, windows


def character(mask, strong, sharp):
    """Return the pixels of the character among all ink, or None.

    Args:
        mask: bool `(h, w)`: ink and its soft edges.
        strong: bool `(h, w)`: as dark as ink.
        sharp: bool `(h, w)`: edges as those of ink.
    """
    height, width = mask.shape
    label, count = windows.label(mask)
    if not count:
        return None
    areas = np.bincount(label.ravel(), minlength=count + 1)
    # Uneven light has no edges, least of all where it is darkest.
    dark, edges = (
        np.bincount(label[where & mask], minlength=count + 1) for where in (strong, strong & sharp)
    )
    areas[16 * edges <= dark] = 0
    areas[0] = 0
    large = areas >= max(6, int(areas.max()) // 4)
    strokes = lines.stroke_width(large[label])
    numbers = np.nonzero(areas >= max(4, strokes * strokes // 3))[0].tolist()
    if not numbers:
        return None
    boxes = windows.boxes(label, count)
    areas = areas.tolist()
    numbers.sort(key=lambda i: -areas[i])
    chosen = np.zeros(count + 1, bool)
    chosen[_together(numbers[:200], areas, boxes, (width, height))] = True
    return chosen[label]


def _together(numbers, areas, boxes, size):
    """Return the numbers, of parts from the largest on, that make up the character."""
    width, height = size
    touches = {i: borders(boxes[i], size) for i in numbers}
    inner = [i for i in numbers if not any(touches[i])]
    sides = [any(touches[i][side] for i in numbers) for side in range(4)]
    main = numbers[0]
    if any(touches[main]) and inner and 3 * areas[inner[0]] >= areas[main]:
        main = inner[0]
    body = _union(
        boxes[i] for i in numbers if i == main or (i in inner and 8 * areas[i] >= areas[main])
    )
    is_large = 2 * min((body[2] - body[0]) * height, (body[3] - body[1]) * width) >= width * height
    # Ink at every side is a tight crop, unless a whole character lies free within.
    is_free = not any(touches[main]) and (is_large or not all(sides))
    kept = [main]
    box = boxes[main]
    rest = [i for i in numbers if i != main]
    while True:
        side = max(box[2] - box[0], box[3] - box[1])
        near = []
        for i in rest:
            gap = _gap(boxes[i], box)
            is_around = all(sides) and _within(box, boxes[i])  # as in 国, cropped tightly
            if any(touches[i]) and not is_around and not _within(boxes[i], box):
                depth = _depth(boxes[i], touches[i], size)
                if is_free:
                    continue
                if not all(sides) and depth * 6 <= side and gap * 16 > side:
                    continue
            reach = side // 4
            if 12 * areas[i] >= areas[main]:
                reach = 4 * side if 3 * areas[i] >= areas[main] else 2 * side // 5
            if gap <= reach:
                near.append(i)
        if not near:
            return kept
        kept += near
        rest = [i for i in rest if i not in near]
        box = _union(boxes[i] for i in kept)


def borders(box, size):
    """Return whether a box reaches the left, top, right, bottom border of the picture."""
    return box[0] <= 1, box[1] <= 1, box[2] >= size[0] - 1, box[3] >= size[1] - 1


def _depth(box, touched, size):
    """Return how far a part that enters from the border comes into the picture."""
    depths = (box[2], box[3], size[0] - box[0], size[1] - box[1])
    return min(d for d, is_touched in zip(depths, touched, strict=True) if is_touched)


def _union(boxes):
    left, top, right, bottom = zip(*boxes, strict=True)
    return min(left), min(top), max(right), max(bottom)


def _gap(a, b):
    """Return how far apart two boxes are."""
    across = max(a[0] - b[2], b[0] - a[2], 0)
    down = max(a[1] - b[3], b[1] - a[3], 0)
    return max(across, down)


def _within(a, b):
    """Return whether most of a box lies in another."""
    across = min(a[2], b[2]) - max(a[0], b[0])
    down = min(a[3], b[3]) - max(a[1], b[1])
    area = (a[2] - a[0]) * (a[3] - a[1])
    return across > 0 and down > 0 and 5 * across * down >= 3 * area
