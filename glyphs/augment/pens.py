"""What pens and cameras do to a character: strokes thicker or thinner, blur, faint ink, noise."""

import numpy as np

# Of 256: how far strokes go from as they are to a pixel thinner (below 0) or thicker all around.
WEIGHT = (-144, 224)
BLUR = 256  # at most, of 256: from sharp to [1 2 1] in both directions
FAINTEST = 144  # of 256: the faintest ink
NOISE = 20  # grey levels: at most its standard deviation
SIDE = 32  # pixels: of larger images strokes and blur are changed by more pixels


def redraw(images, rng):
    """Return images as other pens and cameras would have made them; each draws its own.

    >>> images = np.zeros((2, 32, 32), np.uint8)
    >>> images[:, 8:24, 15:17] = 255  # a stroke
    >>> redrawn = redraw(images, np.random.default_rng(3))
    >>> redrawn.shape, redrawn.dtype
    ((2, 32, 32), dtype('uint8'))

    Args:
        images: uint8 `(n, height, width)`, 0 = paper, 255 = ink; not modified.
        rng: numpy Generator.

    Returns:
        uint8 `(n, height, width)`. All arithmetic is on whole numbers.
    """
    n = len(images)
    weight = rng.integers(*WEIGHT, n, endpoint=True, dtype=np.int32)[:, None, None]
    blur = rng.integers(0, BLUR, n, endpoint=True, dtype=np.int32)
    blur = (blur * rng.integers(0, 2, n))[:, None, None].astype(np.int32)
    ink = rng.integers(FAINTEST, 256, n, endpoint=True, dtype=np.int32)[:, None, None]
    noise = rng.integers(0, NOISE, n, endpoint=True) * (rng.integers(0, 3, n) == 0)
    redrawn = images.astype(np.int32)
    thicker = np.flatnonzero(weight > 0)
    thinner = np.flatnonzero(weight < 0)
    for _ in range(max(1, round(min(images.shape[1:]) / SIDE))):
        for chosen, extreme in ((thicker, np.maximum), (thinner, np.minimum)):
            part = redrawn[chosen]
            redrawn[chosen] += (_around(extreme, part) - part) * abs(weight[chosen]) >> 8
        redrawn += (_softened(redrawn) - redrawn) * blur >> 8
    redrawn = redrawn * ink >> 8
    for i in np.flatnonzero(noise):
        grain = rng.standard_normal(images.shape[1:], np.float32) * np.float32(noise[i])
        redrawn[i] += np.rint(grain).astype(np.int32)
    return redrawn.clip(0, 255).astype(np.uint8)


def _around(extreme, images):
    """Return the extreme of each pixel and its four neighbours."""
    found = images.copy()
    extreme(found[:, 1:], images[:, :-1], out=found[:, 1:])
    extreme(found[:, :-1], images[:, 1:], out=found[:, :-1])
    extreme(found[:, :, 1:], images[:, :, :-1], out=found[:, :, 1:])
    extreme(found[:, :, :-1], images[:, :, 1:], out=found[:, :, :-1])
    return found


def _softened(images):
    """Return images blurred by [1 2 1] / 4 in both directions; their borders stay."""
    soft = images.copy()
    soft[:, 1:-1] = images[:, :-2] + 2 * images[:, 1:-1] + images[:, 2:] >> 2
    images = soft.copy()
    soft[:, :, 1:-1] = images[:, :, :-2] + 2 * images[:, :, 1:-1] + images[:, :, 2:] >> 2
    return soft
