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

PLOT_WIDTH, PLOT_HEIGHT = 520, 260  # of a line plot
POINTS = 400  # of a line, which stands on about as many pixels

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


def line_plot(label, series, *, x_percent=False, y_percent=False, marks=()):
    """Return a figure: lines in one frame.

    Args:
        label: text that says what is plotted.
        series: list of `(name, x, y)`: text, and finite floats of one length, x rising.
        x_percent, y_percent: the numbers are shares, and shown as percentages.
        marks: where on the x axis to draw a vertical line.
    """
    x_scale = _Scale([x for _, x, _ in series], LEFT, PLOT_WIDTH - RIGHT, x_percent)
    y_scale = _Scale([y for _, _, y in series], PLOT_HEIGHT - BOTTOM, TOP, y_percent)
    lines = []
    for name, x, y in series:
        chosen = np.unique(np.linspace(0, len(x) - 1, min(len(x), POINTS)).astype(int)).tolist()
        points = " ".join(f"{x_scale(x[i])} {y_scale(y[i])}" for i in chosen)
        lines.append((name, f"M{points}" if len(chosen) > 1 else f"M{points}h1"))
    return page.render(
        "pages/line_plot.html",
        label=label,
        width=PLOT_WIDTH,
        height=PLOT_HEIGHT,
        left=LEFT,
        right=PLOT_WIDTH - RIGHT,
        top=TOP,
        base=PLOT_HEIGHT - BOTTOM,
        lines=lines,
        marks=[x_scale(x) for x in marks],
        x_ticks=x_scale.ticks(),
        y_ticks=y_scale.ticks(),
    )


class _Scale:
    """From numbers to pixels along an axis.

    Args:
        values: list of sequences of floats that must have a place.
        start, end: pixels of the lowest and of the highest.
        percent: whether they are shares.
    """

    def __init__(self, values, start, end, percent):
        self.low = min(float(min(v)) for v in values)
        self.high = max(float(max(v)) for v in values)
        if self.high - self.low < 1e-9:
            self.low, self.high = self.low - 0.01, self.high + 0.01
        self.start, self.end, self.percent = start, end, percent

    def __call__(self, value):
        part = (float(value) - self.low) / (self.high - self.low)
        return round(self.start + part * (self.end - self.start), 1)

    def ticks(self):
        """Return `(text, pixel)` of three to seven round numbers."""
        step = 10 ** math.floor(math.log10(self.high - self.low))
        step = next(
            s for s in (step / 5, step / 2, step, 2 * step) if (self.high - self.low) / s < 7
        )
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        values = [round(i * step, 12) for i in range(first, last + 1)]
        return [(f"{100 * v:g} %" if self.percent else f"{v:g}", self(v)) for v in values]


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
