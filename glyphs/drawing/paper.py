"""Ink on paper: the last step of a drawn picture."""

import numpy as np
from PIL import Image

SIDE = 64  # pixels of the longer side of a character


def on_paper(ink, writer, rng):
    """Return ink as a scanner sees it on paper, with a margin.

    Args:
        ink: PIL image of mode "L", 255 = ink, not blank.
        writer: numpy Generator of what a writer's pen and paper are like.
        rng: numpy Generator of what differs from picture to picture.

    Returns:
        PIL image of mode "L", dark ink on light paper.
    """
    darkness, roughness = writer.uniform(40, 130), writer.random()
    # Half of the scanners make paper white.
    paper, grain = (255, 0) if writer.random() < 0.5 else writer.uniform((225, 0), (255, 5))
    ink = ink.crop(ink.getbbox())
    scale = SIDE / max(ink.size)
    size = tuple(max(4, round(side * scale)) for side in ink.size)
    filters = Image.Resampling.BOX, Image.Resampling.BILINEAR, Image.Resampling.BICUBIC
    ink = ink.resize(size, filters[rng.integers(3)])
    left, top, right, bottom = rng.integers(2, 10, 4).tolist()
    framed = Image.new("L", (size[0] + left + right, size[1] + top + bottom))
    framed.paste(ink, (left, top))
    cover = np.asarray(framed, np.float32) / 255
    shape = cover.shape
    dry = rng.random(shape, np.float32)  # pencil and dry pens
    blots = Image.fromarray(rng.integers(0, 256, (shape[0] // 6 + 2, shape[1] // 6 + 2), np.uint8))
    blots = np.asarray(blots.resize(framed.size, Image.Resampling.BILINEAR), np.float32) / 255
    roughness *= 0.5
    cover = cover * (1 - roughness * dry) * (1 - 0.6 * roughness * blots)
    grey = paper - (paper - darkness) * cover
    if grain:
        grey += np.float32(grain) * (rng.random(shape, np.float32) - 0.5)
    return Image.fromarray(grey.clip(0, 255).astype(np.uint8))
