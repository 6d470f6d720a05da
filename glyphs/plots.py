"""Plots as SVG, to stand in the pages of `pages`."""

import itertools
import math

import numpy as np

WIDTH, HEIGHT = 1000, 260  # of the frequency curve
LEFT, RIGHT, TOP, BOTTOM = 60, 24, 26, 30  # margins
WIDE = 20  # from this ratio of the largest to the smallest class on, the scale is logarithmic


def frequency_curve(counts, k, share):
    """Return an SVG: pictures of each class, the most frequent first, with the cutoff after k."""
    n, most = len(counts), max(1, int(counts[0]))
    is_log = most > WIDE * max(1, int(counts[-1]))
    base = HEIGHT - BOTTOM

    def y(count):
        part = math.log(max(count, 0.5) / 0.5) / math.log(most / 0.5) if is_log else count / most
        return round(base - part * (base - TOP), 1)

    def x(rank):
        return round(LEFT + rank * (WIDTH - LEFT - RIGHT) / n, 1)

    # One step per class, or per pixel where there are more classes than pixels.
    ranks = np.unique(np.linspace(0, n, min(n, WIDTH) + 1).astype(int))
    steps = "".join(
        f"V{y(int(counts[a]))}H{x(int(b))}" for a, b in itertools.pairwise(ranks.tolist())
    )
    lines = "".join(
        f'<path class="grid" d="M{LEFT} {y(tick)}H{WIDTH - RIGHT}"/>'
        f'<text x="{LEFT - 8}" y="{y(tick) + 4}" text-anchor="end">{tick:,}</text>'
        for tick in _ticks(most, is_log)
    )
    marks = "".join(
        f'<text x="{x(tick)}" y="{HEIGHT - 8}" text-anchor="middle">{tick:,}</text>'
        for tick in _ticks(n, is_log=False)
    )
    side, shift = ("end", -8) if k > n / 2 else ("start", 8)
    cutoff = (
        f'<path class="cutoff" d="M{x(k)} {TOP - 14}V{base}"/>'
        f'<text class="cutoff" x="{x(k) + shift}" y="{TOP - 6}" text-anchor="{side}">'
        f"{share} of the pictures: {k:,} of {n:,} classes</text>"
    )
    scale = ", logarithmic" if is_log else ""
    return (
        f'<figure class="curve"><svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{most:,} pictures in the most frequent class, {counts[-1]:,} in the rarest">'
        f'{lines}<path class="curve" d="M{LEFT} {base}{steps}V{base}Z"/>{marks}{cutoff}</svg>'
        f"<figcaption>Pictures of each class{scale}; classes by rank</figcaption></figure>"
    )


def _ticks(most, is_log):
    if is_log:
        decades = range(int(math.log10(most)) + 1)
        digits = (1, 2, 5) if len(decades) < 3 else (1,)
        return [digit * 10**i for i in decades for digit in digits if digit * 10**i <= most]
    step = 10 ** math.floor(math.log10(most))
    step = next(s for s in (step / 5, step / 2, step, 2 * step) if most / s <= 5)
    step = max(1, int(step))
    return list(range(0, most + 1, step))


def histogram(values):
    """Return an SVG of a distribution, its ends cut off where hardly any picture is."""
    low, high = np.percentile(values, (0.5, 99.5))
    bars, _ = np.histogram(values, 32, (low, high if high > low else low + 1))
    pitch = 320 / len(bars)
    rects = "".join(
        f'<rect x="{i * pitch:.1f}" y="{90 - 86 * bar / bars.max():.1f}" '
        f'width="{max(1, pitch - 1):.1f}" height="{86 * bar / bars.max():.1f}"/>'
        for i, bar in enumerate(bars.tolist())
        if bar
    )
    return (
        f'<svg class="bars" viewBox="0 0 320 108" aria-hidden="true"><path class="grid" '
        f'd="M0 90.5H320"/>{rects}<text x="0" y="106">{low:.3g}</text>'
        f'<text x="320" y="106" text-anchor="end">{high:.3g}</text></svg>'
    )


STYLE = """
.grid { stroke: var(--line); fill: none; }
path.curve { stroke: var(--curve); fill: var(--fill); stroke-width: 1.5; }
path.cutoff { stroke: var(--ink); stroke-dasharray: 3 3; }
text.cutoff { fill: var(--ink); font-weight: 600; }
.bars rect { fill: var(--curve); }
figure.curve { margin: 1rem 0; }
"""
