"""Plots as SVG, to stand in a page.

Drawn by templates of ours, not by matplotlib: that takes .23 s to import and .06 s to plot 1,000
classes, and writes 60 kB where this takes .002 s and 12 kB (matplotlib 3.11). Its colours are fixed
in style attributes, which neither follow the page into the dark nor pass its
Content-Security-Policy.
"""

import itertools
import math

import numpy as np

from glyphs.pages import page

WIDTH, HEIGHT = 1000, 260  # of the frequency curve
LEFT, RIGHT, TOP, BOTTOM = 60, 24, 26, 30  # margins
WIDE = 20  # from this ratio of the largest to the smallest class on, the scale is logarithmic

BARS = 32  # of a histogram
BARS_WIDTH, BARS_HEIGHT = 320, 86


def frequency_curve(counts, k, share):
    """Return a figure: pictures of each class, the most frequent first, with a cutoff after k.

    Args:
        counts: int `(n,)`, falling.
        k: how many classes are needed for the share.
        share: text, "90 %".
    """
    n, most = len(counts), max(1, int(counts[0]))
    is_log = most > WIDE * max(1, int(counts[-1]))
    base, right = HEIGHT - BOTTOM, WIDTH - RIGHT

    def y(count):
        part = math.log(max(count, 0.5) / 0.5) / math.log(most / 0.5) if is_log else count / most
        return round(base - part * (base - TOP), 1)

    def x(rank):
        return round(LEFT + rank * (right - LEFT) / n, 1)

    # One step per class, or per pixel where there are more classes than pixels.
    ranks = np.unique(np.linspace(0, n, min(n, WIDTH) + 1).astype(int)).tolist()
    return page.render(
        "pages/frequency_curve.html",
        width=WIDTH,
        height=HEIGHT,
        left=LEFT,
        right=right,
        top=TOP,
        base=base,
        steps="".join(f"V{y(int(counts[a]))}H{x(b)}" for a, b in itertools.pairwise(ranks)),
        y_ticks=[(tick, y(tick)) for tick in _ticks(most, is_log)],
        x_ticks=[(tick, x(tick)) for tick in _ticks(n, is_log=False)],
        cutoff=x(k),
        k=k,
        n=n,
        share=share,
        most=most,
        fewest=int(counts[-1]),
        is_log=is_log,
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
    """Return the distribution of numbers, cut off at both ends where hardly any are."""
    low, high = np.percentile(values, (0.5, 99.5))
    bars, _ = np.histogram(values, BARS, (low, high if high > low else low + 1))
    heights = (BARS_HEIGHT * bars / bars.max()).tolist()
    pitch = BARS_WIDTH / BARS
    return page.render(
        "pages/histogram.html",
        width=BARS_WIDTH,
        base=BARS_HEIGHT + 4,
        bar_width=f"{pitch - 1:.1f}",
        bars=[
            (f"{i * pitch:.1f}", f"{BARS_HEIGHT + 4 - height:.1f}", f"{height:.1f}")
            for i, height in enumerate(heights)
            if height
        ],
        low=f"{low:.3g}",
        high=f"{high:.3g}",
    )
