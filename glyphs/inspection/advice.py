"""What to choose for --image-size and --fit, as the sizes of the pictures suggest."""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class Advice:
    """What to choose for an option of create_dataset.py, and why."""

    option: str
    value: str
    reason: str


SIDES = (32, 48, 64, 96)


def advise(audit):
    """Return Advice about `--image-size` and `--fit`."""
    if not (quartiles := audit.quartiles()):
        return []
    facts = audit.facts[audit.readable]
    return [_advise_size(quartiles), _advise_fit(facts["width"] / facts["height"])]


def _advise_size(quartiles):
    (low, _, height, _, high), (narrow, _, width, _, wide) = (
        quartiles[side] for side in ("height", "width")
    )
    if low == high and narrow == wide and max(low, narrow) <= SIDES[2]:
        value = f"{low:g}" if low == narrow else f"{low:g}x{narrow:g}"
        return Advice("--image-size", value, "all pictures have this size; another only blurs them")
    side = max(height, width)
    # A stroke two pixels wide is still one pixel wide when the picture is halved.
    value = next((s for s in SIDES if s >= side / 2), SIDES[-1])
    factor = side / value
    if factor <= 1:
        why = "smaller ones are enlarged, which adds nothing"
    elif factor <= 2:
        why = f"shrunk {factor:.2g} times, strokes of two pixels survive"
    else:
        why = f"shrunk {factor:.2g} times, thin strokes suffer, but more pixels cost much time"
    return Advice("--image-size", str(value), f"the median picture is {height:g}x{width:g}; {why}")


def _advise_fit(ratio):
    low, high = np.percentile(ratio, (5, 95))
    if low == high:
        return Advice("--fit", "stretch", "all pictures have one shape; --fit pad gives the same")
    span = f"width / height is {low:.2f} to {high:.2f} for nine in ten pictures"
    if high / low > 1.5:
        return Advice("--fit", "pad", f"{span}: stretched to one shape, 一 becomes as tall as 日")
    return Advice("--fit", "stretch", f"{span}: shapes are alike, and stretching uses all pixels")
