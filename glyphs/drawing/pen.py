"""From the way of a pen to the ink that it leaves."""

import numpy as np
from PIL import Image, ImageDraw

SIDE = 128  # pixels of the longer side of what is drawn


def ink(points, pressure, width, thinning):
    """Return the ink of one trajectory, cut out.

    Args:
        points: float `(points, 2)`, x and y.
        pressure: float `(points,)`, 0 where the pen is up.
        width: of the pen, as a share of the longer side.
        thinning: 0..1, how much a pen gets thinner where it is fast.

    Returns:
        PIL image of mode "L", 255 = ink.
    """
    down = pressure > 0
    low, high = points[down].min(0), points[down].max(0)
    pen = width * SIDE
    margin = pen / 2 + 2
    scale = (SIDE - 2 * margin) / max(*(high - low), 0.05)
    places = (points - low) * scale + margin
    size = np.ceil((high - low) * scale + 2 * margin).astype(int) + 1
    speed = np.hypot(*np.gradient(places, axis=0).T)
    speed = (speed / max(np.median(speed), 1e-6)).clip(0.3, 2.2)
    widths = pen * (1 - thinning * (speed - 1)).clip(0.45, 1.5)
    widths *= np.minimum(1, 0.35 + 0.65 * pressure)
    picture = Image.new("L", tuple(size.tolist()))
    draw = ImageDraw.Draw(picture)
    radii = (widths / 2)[:, None]
    boxes = np.concatenate([places - radii, places + radii], 1)[down].tolist()
    together = down[:-1] & down[1:]
    lines = np.concatenate([places[:-1], places[1:]], 1)[together].tolist()
    line_widths = np.rint((widths[:-1] + widths[1:]) / 2)[together].clip(1).astype(int).tolist()
    for box in boxes:
        draw.ellipse(box, fill=255)
    for line, line_width in zip(lines, line_widths, strict=True):
        draw.line(line, fill=255, width=line_width)
    return picture
