"""Tell ink from paper: uneven light, shadows, coloured paper and blackboards are no ink.

Arithmetic is in integers, so that the same picture gives the same bytes on any machine.
"""

import numpy as np

from glyphs.ink.windows import grown, largest, smallest, smoothed

# Windows that the paper is estimated in, as parts of the picture's longer side. Strokes are
# narrower than the window that suits them; shadows are wider.
WINDOWS = (0.06, 0.1, 0.16, 0.25, 0.4, 0.6)
MIN_CONTRAST = 14  # of 255; less is no ink


def polarity_of(grey):
    """Return whether strokes are darker or lighter than the paper beside them.

    Args:
        grey: uint8 `(h, w)`, 0 = black.

    Returns:
        "dark-on-light" or "light-on-dark".
    """
    smooth = _halved(smoothed(grey))
    darkest, lightest = int(smooth.min()), int(smooth.max())
    border = np.concatenate((smooth[0], smooth[-1], smooth[:, 0], smooth[:, -1]))
    score = 0
    for grey in (border, smooth.ravel()):
        place = (grey.astype(np.int32) - darkest) * 100 // max(1, lightest - darkest)
        score += 2500 * (int((place > 80).sum()) - int((place < 20).sum())) // grey.size
    # Half in shadow, or on a table: what is narrow, and not what is rare, is ink.
    found = []
    for part in WINDOWS[:4]:
        window = _odd(part * max(smooth.shape))
        dark = _closed(smooth, window) - smooth
        light = smooth - opened(smooth, window)
        found.append([int(v[v > MIN_CONTRAST].sum(dtype=np.int64)) for v in (dark, light)])
    little = max(map(max, found)) // 32
    for weight, (dark, light) in zip((3, 2, 1, 1), found, strict=True):
        score += weight * 1000 * (dark - light) // (max(dark, light) + little + 1)
    return "dark-on-light" if score >= 0 else "light-on-dark"


def paper_of(grey):
    """Estimate the paper under dark strokes.

    Valleys in the light that are narrower than a window are filled. Wider ones stay as they are,
    with their edges: shadows, and the table around a sheet. The window is the narrowest that
    fills the darkest strokes.

    Args:
        grey: uint8 `(h, w)`, 0 = black, dark strokes on lighter paper.

    Returns:
        uint8 `(h, w)`, at least `grey` up to noise.
    """
    smooth = smoothed(grey)
    few = _halved(smooth)
    windows = [_odd(part * max(few.shape)) for part in WINDOWS]
    widest = _closed(few, windows[-1])
    if _is_nearly_all_ink(few, widest):
        return np.full_like(smooth, smooth.max())
    # Wide windows see much of uneven light as ink; they are for thick strokes.
    usual = _closed(few, windows[3])
    if 10 * int((usual - few).max()) < 7 * int((widest - few).max()) and not _shades(
        few, usual, widest
    ):
        usual = widest
    depth = contrast(few, usual)
    # Ink in a shadow, measured against paper in the light, seems darker than it is.
    darkest = max(int(np.percentile(depth, 99, method="nearest")), int(depth.max()) // 2)
    strong = depth > 7 * darkest // 10
    full = depth[strong].astype(np.int32)
    for window in windows[:-1]:
        found = contrast(few, _closed(few, window))[strong]
        if 100 * int((100 * found.astype(np.int32) > 65 * full).sum()) >= 92 * full.size:
            break
    else:
        window = windows[-1]
    scale = grey.shape[0] / few.shape[0]
    window = _odd(scale * (window + 2))
    paper = _closed(smooth, window)
    # Of noise, the filter has chosen the light side.
    over = int(np.percentile(paper - smooth, 25, method="nearest"))
    paper -= np.uint8(min(over, 3 * noise_of(grey), int(paper.min())))
    # The tip of a shadow is as narrow as a stroke, but no darker than the shadow beside it.
    shaded = smallest(paper, 2 * window + 1)
    tips = (shaded < paper - paper // 8) & (smooth >= shaded - shaded // 12)
    tips &= (smooth < paper - paper // 16) & (smooth <= shaded + shaded // 12)
    if tips.any():
        tips = opened(tips, max(5, max(grey.shape) // 32))
        near = largest(tips, 7)
        paper = np.where(near & (smooth >= shaded - shaded // 12), np.minimum(smooth, paper), paper)
    # Along the edge of a shadow, only what is darker than the shadow too is ink.
    side = max(5, max(grey.shape) // 32 | 1)
    beside = smallest(paper, side)
    is_edge = (beside < paper - paper // 8) & (opened(paper, side) > paper - paper // 8)
    return np.where(is_edge, beside, paper)


def opened(values, side):
    """Return the parts of a mask, or of what is light, that a square of so many pixels fits into.

    Args:
        values: bool or uint8 `(h, w)`.
        side: pixels.
    """
    return largest(smallest(values, side), side)


def contrast(grey, paper):
    """Return how much darker than the paper a picture is, uint8: 0 = paper, 255 = black.

    Args:
        grey: uint8 `(h, w)`.
        paper: uint8 `(h, w)`.
    """
    darker = np.where(paper > grey, paper - grey, 0).astype(np.int32)
    return (darker * 255 // np.maximum(paper, 24)).astype(np.uint8)


def sharp(grey, depth, reach, noise):
    """Return where there are edges, which ink has and uneven light has not.

    Args:
        grey: uint8 `(h, w)`.
        depth: uint8 `(h, w)`, contrast of the ink.
        reach: pixels, an odd number, over which the edges of ink may be spread.
        noise: in grey levels.

    Returns:
        bool `(h, w)`.
    """
    low, high = smallest(grey, reach), largest(grey, reach)
    depth = largest(depth, 2 * reach + 1)
    step = (high - low).astype(np.int32) - 4 * noise
    return 4 * 255 * step > depth.astype(np.int32) * np.maximum(high, 24)


def noise_of(grey):
    """Return how much grey values differ from those beside them where nothing is drawn.

    Args:
        grey: uint8 `(h, w)`.

    Returns:
        An integer in grey levels, about one standard deviation.
    """
    fine = grey.astype(np.int16) * 16
    apart = np.abs(fine - smoothed(fine))
    # Of a small picture, a third may be all that is not beside a stroke.
    noise = int(np.percentile(apart, 30, method="nearest")) * 5 // 32
    if max(grey.shape) > 24:
        return noise
    return min(noise, (int(grey.max()) - int(grey.min())) // 64)  # hardly anything else is there


def otsu(histogram):
    """Return the value of a histogram that best divides it in two, from 0 to 255.

    Source: Otsu 1979, "A threshold selection method from gray-level histograms".
    """
    count, total = int(histogram.sum()), sum(v * int(n) for v, n in enumerate(histogram))
    below = sum_below = threshold = 0
    best = -1
    for value, n in enumerate(histogram.tolist()):
        below += n
        sum_below += value * n
        if 0 < below < count:
            variance = (total * below - count * sum_below) ** 2 // (below * (count - below))
            if variance > best:
                best, threshold = variance, value
    return threshold


def _shades(grey, usual, widest):
    """Return whether what only the widest window sees as dark is in shadow, and no thick stroke.

    Ink is darker than the shadow that it lies in. The tips of thick strokes, which narrower windows
    see, are as dark as the rest of the strokes.
    """
    seen, all_dark = contrast(grey, usual), contrast(grey, widest)
    strokes = seen > max(MIN_CONTRAST, int(seen.max()) // 2)
    beyond = (all_dark > max(MIN_CONTRAST, int(all_dark.max()) // 2)) & (seen <= MIN_CONTRAST)
    steps = largest(grey, 3) - smallest(grey, 3)
    has_edges = 4 * (strokes & (steps > (usual - grey) // 3)).sum() >= strokes.sum()
    if strokes.sum() < 6 or not has_edges or beyond.sum() < strokes.sum():
        return False
    within = strokes & grown(beyond, 2 + max(grey.shape) // 16)
    if 2 * within.sum() < strokes.sum():
        return True
    return 8 * int(np.median(grey[within])) < 7 * int(np.median(grey[beyond]))


def _is_nearly_all_ink(grey, paper):
    """Return whether the windows hold no paper: thick strokes that fill a tight crop.

    They have edges, which uneven light has not, and are darker than a shadow.
    """
    darkest, lightest = int(grey.min()), int(grey.max())
    found, there = int((paper - grey).max()), lightest - darkest
    steps = [np.abs(np.diff(grey.astype(np.int16), axis=axis)) for axis in (0, 1)]
    step = max(int(found.max()) if found.size else 0 for found in steps)
    return 4 * found < there and 4 * step > there and 5 * there > 3 * lightest


def _halved(grey):
    """Return every other row and column, where enough are left."""
    return np.ascontiguousarray(grey[::2, ::2]) if min(grey.shape) > 48 else grey


def _odd(side):
    return max(3, int(side) // 2 * 2 + 1)


def _closed(grey, window):
    return smallest(largest(grey, window), window)
