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
    numbers = numbers[:200]
    cut_off = _cut_off(numbers, label, strong)
    chosen = np.zeros(count + 1, bool)
    chosen[_together(numbers, areas, boxes, cut_off, strokes * strokes, (width, height))] = True
    return chosen[label]


def _cut_off(numbers, label, strong):
    """Return for each part whether the left, top, right, bottom border cuts it off.

    The outermost pixels of a stroke that ends there are faint.
    """
    ends = label[:, 0], label[0], label[:, -1], label[-1]
    inks = strong[:, 0], strong[0], strong[:, -1], strong[-1]
    cut = [set(end[ink].tolist()) for end, ink in zip(ends, inks, strict=True)]
    return {i: tuple(i in side for side in cut) for i in numbers}


def _together(numbers, areas, boxes, cut_off, dot, size):
    """Return the numbers, of parts from the largest on, that make up the character.

    `cut_off` is what _cut_off returns, and `dot` the area of the smallest dot of this pen.
    """
    width, height = size
    touches = {i: borders(boxes[i], size) for i in numbers}
    sides = [any(touches[i][side] for i in numbers) for side in range(4)]
    inner = [i for i in numbers if not any(touches[i])]
    main = numbers[0]
    body = _union(boxes[i] for i in inner if 8 * areas[i] >= areas[main]) or boxes[main]
    is_large = 2 * min((body[2] - body[0]) * height, (body[3] - body[1]) * width) >= width * height
    if is_large:
        entered = {i: _entered_beside(body, boxes[i], touches[i], size) for i in numbers}
    else:
        total = sum(areas[i] for i in inner)
        entered = {
            # A neighbour shows less of itself, or is further away, than own strokes.
            i: cut_off[i]
            if areas[i] <= (total if 4 * _gap(boxes[i], body) > _side(body) else total // 2)
            else (False,) * 4
            for i in numbers
        }
    whole = [i for i in numbers if not any(entered[i])]
    if whole and 3 * areas[whole[0]] >= areas[main]:
        main = whole[0]
    # Ink at every side is a tight crop, unless a whole character lies free within.
    is_free = not any(touches[main]) and (is_large or not all(sides))
    kept, box = [main], boxes[main]
    rest = [i for i in numbers if i != main]
    while True:
        side = _side(box)
        near = []
        for i in rest:
            gap = _gap(boxes[i], box)
            is_around = all(sides) and _within(box, boxes[i])  # as in 国, cropped tightly
            if any(entered[i]) and not is_around and not _within(boxes[i], box):
                depth = min(np.array(_depths(boxes[i], size))[list(entered[i])])
                if is_free or (not all(sides) and depth * 6 <= side and gap * 16 > side):
                    continue
            if 3 * areas[i] >= areas[main]:
                reach = 4 * side
            elif 12 * areas[i] >= areas[main] or areas[i] >= dot:
                reach = side // 2
            else:
                reach = side // 4
            if gap <= reach:
                near.append(i)
        if not near:
            return kept
        kept += near
        rest = [i for i in rest if i not in near]
        box = _union(boxes[i] for i in kept)


def _entered_beside(body, box, touched, size):
    """Return the borders through which a part may have come into the picture, beside a body.

    A character lies in the middle, also one with strokes that reach the border.
    """
    free = body[0], body[1], size[0] - body[2], size[1] - body[3]
    depths = _depths(box, size)
    return tuple(
        touched[side]
        and 3 * free[side - 2] >= free[side]
        and depths[side] <= free[side] + _side(body) // 8
        for side in range(4)
    )


def borders(box, size):
    """Return whether a box reaches the left, top, right, bottom border of the picture."""
    return box[0] <= 1, box[1] <= 1, box[2] >= size[0] - 1, box[3] >= size[1] - 1


def _depths(box, size):
    """Return how far a box comes into the picture from its left, top, right, bottom border."""
    return box[2], box[3], size[0] - box[0], size[1] - box[1]


def _side(box):
    """Return the longer side of a box."""
    return max(box[2] - box[0], box[3] - box[1])


def _union(boxes):
    """Return the box around boxes; None if there are none."""
    boxes = list(boxes)
    if not boxes:
        return None
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
