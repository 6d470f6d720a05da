"""What the grey levels of a whole picture tell: which are ink, and whether ink is dark or light."""

from glyphs.images.decode import MIN_CONTRAST


def otsu_threshold(histogram):
    """Return the grey value that best divides a picture in two: what is above it is light.

    Where several values divide it equally well, their mean. A picture with hardly any contrast has
    no ink: 255.

    Args:
        histogram: how many pixels have each of 256 grey values.

    Source: Otsu 1979, "A threshold selection method from gray-level histograms": the greatest
    variance between the two classes.
    """
    present = [value for value, count in enumerate(histogram) if count]
    if present[-1] - present[0] < MIN_CONTRAST:
        return 255
    count, total = sum(histogram), sum(value * n for value, n in enumerate(histogram))
    below = sum_below = 0
    best, first, last = -1.0, 0, 0
    for value in range(present[0], present[-1]):
        below += histogram[value]
        sum_below += value * histogram[value]
        variance = (total * below - count * sum_below) ** 2 / (below * (count - below))
        if variance > best:
            best, first = variance, value
        if variance >= best:
            last = value
    return (first + last) // 2


def polarity_of(image):
    """Return which side of a picture is paper: "dark-on-light", "light-on-dark", or None.

    The border of a character's picture is mostly paper: its median is near one end of the range
    of grey values. Undecided (None) are blank pictures and medians near the middle.

    Args:
        image: PIL image of mode "L", 0 = black.
    """
    darkest, lightest = image.getextrema()
    contrast = lightest - darkest
    if contrast < MIN_CONTRAST:
        return None
    grey, width = image.tobytes(), image.width
    border = grey[:width] + grey[-width:] + grey[::width] + grey[width - 1 :: width]
    position = (sorted(border)[len(border) // 2] - darkest) / contrast
    if position > 0.6:
        return "dark-on-light"
    if position < 0.4:
        return "light-on-dark"
    return None
