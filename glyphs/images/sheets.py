"""What conditions draw with: sheets of paper, light, rules, pens."""

import io

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter

# Sources of 32 pixels are enlarged to about what a scan of a form gives for one character.
SIDE = 128


def enlarged(image):
    """Return a character image as PIL image, at least SIDE pixels on its longer side."""
    image = image if isinstance(image, Image.Image) else Image.fromarray(np.asarray(image))
    scale = SIDE / max(image.size)
    if scale <= 1:
        return image.convert("L")
    size = [max(1, round(side * scale)) for side in image.size]
    return image.convert("L").resize(size, Image.Resampling.BICUBIC)


def framed(image, across, down, place):
    """Return the enlarged image on a larger sheet of paper.

    `across` and `down` are the sides of the sheet in those of the image; `place` is where on the
    sheet the image lies, 0..1 from left to right and from top to bottom.
    """
    ink = enlarged(image)
    sheet = Image.new("L", (round(ink.width * across), round(ink.height * down)))
    room = sheet.width - ink.width, sheet.height - ink.height
    sheet.paste(ink, tuple(round(r * p) for r, p in zip(room, place, strict=True)))
    return sheet


def on_white(ink):
    return ImageChops.invert(ink)


def cover(ink):
    """Return how much of each pixel is covered, float64 `(h, w)`, 0..1."""
    return np.asarray(ink, np.float64) / 255


def picture(values):
    """Return grey `(h, w)` or colour `(h, w, 3)` values as a PIL image, cut to 0..255."""
    return Image.fromarray(np.rint(np.clip(values, 0, 255)).astype(np.uint8))


def written(ink, paper, darkness, rng, *, noise):
    """Return ink on paper of given grey values; `darkness` is what ink leaves of the light."""
    grey = paper * (1 + (darkness - 1) * cover(ink))
    return picture(grey + rng.normal(0, noise, ink.size[::-1]))


def printed(ink, lines, rng):
    """Return ink on paper with printed lines that are as dark as the ink, or fainter."""
    paper = rng.uniform(225, 255) * (1 - rng.uniform(0.3, 0.8) * cover(lines))
    return written(ink, paper, rng.uniform(0.1, 0.25), rng, noise=rng.uniform(0, 3))


def draw_rules(lines, spacing, phase, tilt, width):
    """Draw lines from side to side, `tilt` pixels down per pixel to the right."""
    draw = ImageDraw.Draw(lines)
    fall = tilt * lines.width
    y = (phase - 1) * spacing - abs(fall)
    while y < lines.height + abs(fall):
        draw.line((-1, y, lines.width, y + fall), fill=255, width=width)
        y += spacing


def draw_dashes(lines, line, dash, gap, width):
    """Draw a line `(x0, y0, x1, y1)` in dashes of so many pixels, with gaps of so many."""
    draw = ImageDraw.Draw(lines)
    (x0, y0), (x1, y1) = line[:2], line[2:]
    length = np.hypot(x1 - x0, y1 - y0)
    for start in np.arange(0, length, dash + gap):
        a, b = start / length, min(1, (start + dash) / length)
        ends = (x0 + a * (x1 - x0), y0 + a * (y1 - y0), x0 + b * (x1 - x0), y0 + b * (y1 - y0))
        draw.line(ends, fill=255, width=width)


def ramp(size, rng, low, high):
    """Return light that falls off in one direction, float64 `(h, w)`, `low` to `high`."""
    width, height = size
    angle = rng.uniform(0, 2 * np.pi)
    y, x = np.mgrid[0:height, 0:width] / max(size)
    ramp = np.cos(angle) * x + np.sin(angle) * y
    ramp = (ramp - ramp.min()) / max(np.ptp(ramp), 1e-9)
    return low + rng.uniform(0.5, 1) * (high - low) * ramp


def table(size, rng):
    """Return the top of a table, plain, of wood or with a checked cloth, as PIL image "L"."""
    y, x = np.mgrid[0 : size[1], 0 : size[0]] / max(size)
    kind, turn = rng.integers(3), rng.uniform(0, np.pi)
    along = np.cos(turn) * x + np.sin(turn) * y
    across = np.cos(turn) * y - np.sin(turn) * x
    if kind == 0:
        pattern = np.zeros_like(x)
    elif kind == 1:
        pattern = np.sin(2 * np.pi * (rng.uniform(6, 25) * along + np.sin(9 * across)))
    else:
        checks = rng.uniform(5, 20)
        pattern = np.sign(np.sin(np.pi * checks * along) * np.sin(np.pi * checks * across))
    shade = rng.uniform(10, 170)
    return picture(shade * (1 + rng.uniform(0.05, 0.3) * pattern))


def half_plane(size, rng):
    """Return one side of a line through the middle part of a picture, 255, as PIL image."""
    width, height = size
    angle = rng.uniform(0, 2 * np.pi)
    y, x = np.mgrid[0:height, 0:width]
    x0, y0 = rng.uniform(0.3, 0.7, 2) * size
    return picture(255.0 * (np.cos(angle) * (x - x0) + np.sin(angle) * (y - y0) > 0))


def clouds(size, rng):
    """Return soft patches, float64 `(h, w)`, 0..1."""
    coarse = picture(rng.uniform(0, 255, (5, 5)))
    return cover(coarse.resize(size, Image.Resampling.BICUBIC))


def stroke_width(ink):
    """Return about how wide the strokes are, in pixels: twice their area by their outline."""
    inside = np.asarray(ink) > 127
    outline = (inside[1:] != inside[:-1]).sum() + (inside[:, 1:] != inside[:, :-1]).sum()
    return 2.0 * inside.sum() / max(outline, 1)


def grown(ink, pixels):
    """Return strokes grown by so many pixels on either side, or thinned if negative."""
    # Blurred edges, cut at another level than the middle, are those of a wider or narrower pen.
    radius = float(abs(pixels))
    soft = np.asarray(ink.filter(ImageFilter.GaussianBlur(radius)), np.float64)
    soft *= 255 / max(ink.getextrema()[1], 1)
    level = 255 * (0.5 - 0.32 * np.sign(pixels))
    return picture(127.5 + (soft - level) * 3)


def jpeg(picture, quality):
    """Return what is left of a picture after JPEG."""
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=quality)
    with Image.open(file) as stored:
        return stored.convert("RGB")
