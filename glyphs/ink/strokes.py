"""Find the strokes of one character in a picture that holds other things too."""

import numpy as np
from PIL import Image

from glyphs.ink import desk, lines, paper, parts, printed, windows

SIDES = (96, 224)  # pixels: the longer side of what is analysed
TARGET = 160  # pixels: the longer side of a character cut from a larger picture


def find_strokes(picture, polarity, is_enlarged=False):
    """Find the strokes of the character in a picture.

    Args:
        picture: PIL image of mode "L".
        polarity: "auto", "dark-on-light" or "light-on-dark".
        is_enlarged: whether strokes of the picture were about a pixel wide: they look like rules,
            and where they are faint, they are ink.

    Returns:
        `(image, box, polarity)` as the attributes of ink.Ink, or None where there is no ink.
    """
    if is_enlarged or polarity == "light-on-dark":
        return _find_on_paper(picture, polarity, is_enlarged)
    sheet = desk.page_of(picture)
    if sheet is None:
        return _find_on_paper(picture, polarity)
    found = _find_on_paper(sheet.picture, "dark-on-light")
    return found and _moved(found, sheet.offset)


def shows_more(image):
    """Return whether an image shows more than strokes: printed lines, or a table beside the sheet.

    Args:
        image: PIL image of mode "L", 0 = paper, 255 = ink.
    """
    mask = np.asarray(_analysed(image)) > 64
    return not np.array_equal(printed.without_lines(_without_table(mask)), mask)


def _find_on_paper(picture, polarity, is_enlarged=False):
    """Return what `find_strokes` returns, of a picture without a table."""
    found = _look(picture, polarity, is_enlarged)
    if found is None:
        return None
    _, (left, top, right, bottom), polarity = found
    side = max(right - left, bottom - top)
    if max(picture.size) <= SIDES[1] or 2 * side > max(picture.size):
        return found
    # Small on a large sheet: dots and fine strokes are only seen in a closer look.
    part = (
        max(0, left - side // 2),
        max(0, top - side // 2),
        min(picture.width, right + side // 2),
        min(picture.height, bottom + side // 2),
    )
    closer = _look(picture.crop(part), polarity, is_enlarged=False)
    if closer is None:
        return found
    image, box, _ = _moved(closer, part)
    return image, box, polarity


def _moved(found, offset):
    """Return what was found in a part of a picture as it lies in the whole."""
    image, (left, top, right, bottom), polarity = found
    across, down = offset[:2]
    return image, (left + across, top + down, right + across, bottom + down), polarity


def _look(picture, polarity, is_enlarged):
    """Return what `find_strokes` returns, from the whole picture at once."""
    small = _analysed(picture)
    grey = np.asarray(small)
    if polarity == "auto":
        polarity = paper.polarity_of(grey)
        found = _search(picture, small, polarity, is_enlarged)
        if found is None or not _is_sheet(found[0]):
            return found and found[1]
        # On a table lies a sheet: the ink is what is dark on it, or light on a board.
        other = "light-on-dark" if polarity == "dark-on-light" else "dark-on-light"
        inner = _search(picture, small, other, is_enlarged)
        # Within a thick 0 is paper too, but that is round and full; and between the strokes of 囲,
        # but that goes to their edge.
        is_ink = inner is not None and _fill(inner[0]) < 65
        is_ink = is_ink and _is_well_inside(inner[1][1], found[1][1])
        return inner[1] if is_ink else found[1]
    found = _search(picture, small, polarity, is_enlarged)
    return found and found[1]


def _search(picture, small, polarity, is_enlarged):
    """Return `(pixels, (image, box, polarity))` of the character, or None.

    `small` is the picture as it is analysed, and `pixels` a mask of its size.
    """
    grey = np.asarray(small)
    if polarity == "light-on-dark":
        grey = 255 - grey
    sheet = paper.paper_of(grey)
    depth = paper.contrast(grey, sheet)
    # Enlarging would hide the noise of a small picture.
    noise = paper.noise_of(np.asarray(picture) if max(picture.size) < SIDES[0] else grey)
    found = _levels(noise, sheet, depth)
    if found is None:
        return None
    floor, low, high = found
    mask = _without_shadows(depth, low, high)
    mask = _without_table(mask)
    rest = mask if is_enlarged else printed.without_lines(mask)
    ruled = windows.grown(mask & ~rest, 1)
    found = _levels(noise, sheet, np.where(ruled, 0, depth)) if ruled.any() else None
    if found is not None and 4 * found[2] < 3 * high:
        # Faint ink on dark lines: it is seen only without them.
        floor, low, high = found
        rest = _without_table(_without_shadows(np.where(ruled, 0, depth), low, high))
    elif ruled.any():
        # Faint lines end in pieces that only touch the strokes.
        line = int(np.median(depth[mask & ~rest]))
        if line < high:
            rest = rest & (depth > 5 * line // 4)
    mask = rest
    reach = 2 * max(1, small.width // picture.width) + 1
    kept = parts.character(mask, depth > high, paper.sharp(grey, depth, reach, noise))
    if kept is None:
        return None
    low, high = _stretch(depth, kept, floor // 2)
    cut = _cut(picture, sheet, mask, kept, (low, high), polarity)
    return cut and (kept, cut)


def _is_sheet(kept):
    """Return whether what was found fills its box, and half the picture, as hardly strokes do."""
    rows, columns = kept.any(axis=1).sum(), kept.any(axis=0).sum()
    return min(2 * rows - kept.shape[0], 2 * columns - kept.shape[1]) > 0 and _fill(kept) > 84


def _is_well_inside(box, sheet):
    """Return whether around a box there is paper on each side of the sheet's."""
    least = max(2, max(sheet[2] - sheet[0], sheet[3] - sheet[1]) // 64)
    return min(box[0] - sheet[0], box[1] - sheet[1], sheet[2] - box[2], sheet[3] - box[3]) >= least


def _fill(kept):
    """Return how many percent of the box around it a mask fills."""
    return 100 * int(kept.sum()) // int(kept.any(axis=1).sum() * kept.any(axis=0).sum())


def _analysed(picture):
    """Return the picture at a size that is analysed fast and whose details are seen."""
    longer = max(picture.size)
    if longer > SIDES[1]:
        scale = SIDES[1] / longer
    elif longer < SIDES[0]:
        scale = -(-SIDES[0] // longer)
    else:
        return picture
    size = [max(1, round(side * scale)) for side in picture.size]
    if scale > 1:
        return picture.resize(size, Image.Resampling.BICUBIC)
    return picture.resize(size, Image.Resampling.BOX, reducing_gap=2.0)


def _levels(noise, sheet, depth):
    """Return contrasts: `(floor, low, high)` of noise, of ink's edges, of ink; None without ink."""
    floor = max(paper.MIN_CONTRAST, 6 * noise * 255 // max(24, int(np.median(sheet))))
    histogram = np.bincount(depth.ravel(), minlength=256)
    ink = int(histogram[floor:].sum())
    if ink < 6:
        return None
    # As much paper as ink: however large the sheet, it does not outweigh the ink.
    balanced = histogram.copy()
    balanced[:floor] = 0
    balanced[floor // 2] = ink
    threshold = max(floor, paper.otsu(balanced))
    full = int(np.median(depth[depth > threshold])) if (depth > threshold).any() else floor
    return floor, max(floor, 3 * full // 10), max(floor, 6 * full // 10)


def _without_shadows(depth, low, high):
    """Return the ink without what is too wide for a stroke and too faint for ink: shadows."""
    mask = depth > low
    ink = int(np.percentile(depth[mask], 95, method="nearest")) if mask.any() else high
    darkest = depth > max(high, 7 * ink // 10)
    side = max(3 * lines.stroke_width(darkest) + 5, max(mask.shape) // 16)
    wide = paper.opened(mask, side)
    strokes = (depth > high) & ~windows.grown(wide, 2)
    if not wide.any() or not strokes.any():
        return mask
    faint = 85 * int(np.median(depth[strokes])) // 100
    label, count = windows.label(wide)
    for part in range(1, min(count, 20) + 1):
        inside = label == part
        rows, columns = np.nonzero(inside)
        box = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
        # A shadow comes in from the border.
        if any(parts.borders(box, mask.shape[::-1])) and int(np.median(depth[inside])) <= faint:
            around = windows.grown(inside, 3)
            mask &= ~(around & (depth <= faint))
    return mask


def _without_table(mask):
    """Return the ink without what lies around the sheet: wide, and along much of the border."""
    label, count = windows.label(mask)
    ends = np.concatenate((label[0], label[-1], label[1:-1, 0], label[1:-1, -1]))
    along = np.bincount(ends, minlength=count + 1)
    along[0] = 0
    outer = along * 5 > len(ends)
    inner = mask & ~outer[label]
    if not outer.any() or 50 * inner.sum() < mask.sum():
        return mask
    # A character that is cropped tightly can be its own border: 国. Its strokes are all one pen's.
    wide = 3 * lines.stroke_width(inner) // 2 + 1
    for part in np.nonzero(outer)[0].tolist():
        if lines.stroke_width(label == part) > wide:
            mask = mask & (label != part)
    return mask


def _stretch(depth, kept, noise):
    """Return the contrasts that become 0 and 255."""
    full = int(np.percentile(depth[kept], 70, method="nearest"))
    return min(max(noise, full // 8), full - 1), full


def _cut(picture, sheet, mask, kept, levels, polarity):
    """Return the character cut from the picture itself: `(image, box, polarity)`."""
    height, width = kept.shape
    rows, columns = np.nonzero(kept.any(axis=1))[0], np.nonzero(kept.any(axis=0))[0]
    across, down = picture.width / width, picture.height / height
    # The soft edge of strokes lies outside the mask.
    edge = 2
    left, right = max(0, int(columns[0]) - edge), min(width, int(columns[-1]) + 1 + edge)
    top, bottom = max(0, int(rows[0]) - edge), min(height, int(rows[-1]) + 1 + edge)
    box = [
        int(left * across),
        int(top * down),
        min(picture.width, -int(-right * across // 1)),
        min(picture.height, -int(-bottom * down // 1)),
    ]
    size = box[2] - box[0], box[3] - box[1]
    scale = min(1, TARGET / max(size))
    size = tuple(max(1, round(side * scale)) for side in size)
    cut = picture.resize(size, Image.Resampling.BOX, box, reducing_gap=2.0)
    grey = np.asarray(cut)
    if polarity == "light-on-dark":
        grey = 255 - grey
    part = (box[0] / across, box[1] / down, box[2] / across, box[3] / down)
    under = Image.fromarray(sheet).resize(size, Image.Resampling.BILINEAR, part)
    depth = paper.contrast(grey, np.asarray(under)).astype(np.int32)
    low, high = levels
    ink = ((depth - low).clip(0, high - low) * 255 // (high - low)).astype(np.uint8)
    near = windows.grown(kept, 2) & ~(mask & ~kept)
    near = Image.fromarray(near.astype(np.uint8) * 255).resize(
        size, Image.Resampling.BILINEAR, part
    )
    ink = (ink.astype(np.int32) * np.asarray(near) // 255).astype(np.uint8)
    image = Image.fromarray(ink)
    tight = Image.fromarray((ink > 64).astype(np.uint8)).getbbox()
    if tight is None:
        return None
    image = image.crop(tight)
    back = (box[2] - box[0]) / size[0], (box[3] - box[1]) / size[1]
    box = (
        box[0] + int(tight[0] * back[0]),
        box[1] + int(tight[1] * back[1]),
        min(box[2], box[0] - int(-tight[2] * back[0] // 1)),
        min(box[3], box[1] - int(-tight[3] * back[1] // 1)),
    )
    return image, box, polarity
