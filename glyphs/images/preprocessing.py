"""From a picture to the image of a character: the only preprocessing there is.

`create_dataset.py` and `classify.py` both come through here, so a network is never asked about
pictures prepared otherwise than those it learned from.

NumPy is imported only by the functions that need it: the worker processes that decode do without,
and so start in a third of the time.
"""

import dataclasses

from PIL import Image, ImageChops

from glyphs.images.decode import MIN_CONTRAST, read_picture

FITS = ("stretch", "pad")
CLEANS = ("none", "otsu", "otsu-grey")
POLARITIES = ("auto", "dark-on-light", "light-on-dark")

SIDES = (16, 256)  # pixels: least and most of a picture at its own size


@dataclasses.dataclass(frozen=True)
class Preprocessing:
    """How a picture becomes an image of its character; stored with every dataset and every model.

    >>> preprocessing = Preprocessing(((4, 6),), fit="pad")
    >>> picture = Image.new("L", (20, 20), 240)  # light paper
    >>> picture.paste(40, (8, 0, 12, 20))  # a stroke from top to bottom
    >>> image_of(picture, preprocessing).shape
    (4, 6)
    >>> Preprocessing.from_json(preprocessing.to_json()) == preprocessing
    True

    Attributes:
        image_sizes: `(height, width)` pairs. The picture is resized to the first by `fit`, then
            stretched to each following one, as happens to a dataset that a network resizes.
        fit: "stretch" fills the size whatever the picture's shape; "pad" keeps the shape and
            fills up with paper.
        polarity: "dark-on-light", "light-on-dark", or "auto": decided per picture.
        majority: the polarity of pictures that "auto" cannot decide.
        clean: "otsu" makes the resized image black and white; "otsu-grey" makes the paper of the
            picture white before it is resized, and leaves the ink its grey values; or "none".
        border: pixels of paper around the picture, inside the first of the image sizes.
    """

    image_sizes: tuple
    fit: str = "stretch"
    polarity: str = "auto"
    majority: str = "dark-on-light"
    clean: str = "none"
    border: int = 0

    @property
    def image_size(self):
        """The final `(height, width)`."""
        return self.image_sizes[-1]

    def to_json(self):
        return {**dataclasses.asdict(self), "image_sizes": [list(s) for s in self.image_sizes]}

    @classmethod
    def from_json(cls, value):
        """Return the Preprocessing that `to_json` described.

        Raises:
            ValueError: the value describes none.
        """
        try:
            absent = {"clean": "none", "border": 0}  # in older files
            value = {**absent, **value}
            fields = {field.name: value[field.name] for field in dataclasses.fields(cls)}
            fields["image_sizes"] = tuple((int(h), int(w)) for h, w in fields["image_sizes"])
        except (TypeError, KeyError, ValueError, OverflowError):
            raise ValueError(f"not a preprocessing: {value!r:.200}") from None
        sane = (
            fields["image_sizes"]
            and all(1 <= side <= 1024 for size in fields["image_sizes"] for side in size)
            and fields["fit"] in FITS
            and fields["polarity"] in POLARITIES
            and fields["majority"] in POLARITIES[1:]
            and fields["clean"] in CLEANS
            and type(fields["border"]) is int
            and 0 <= 2 * fields["border"] < min(fields["image_sizes"][0])
        )
        if not sane:
            raise ValueError(f"not a preprocessing: {value!r:.200}")
        return cls(**fields)


def to_image(picture, preprocessing):
    """Turn an 8-bit grey picture into an image of its character.

    Args:
        picture: PIL image of mode "L", any size.
        preprocessing: a Preprocessing; only the first of its image sizes is applied here.

    Returns:
        `(image, polarity)`: the image as PIL image of mode "L", 0 = paper, 255 = ink; and the
        polarity found, None where it was undecided and the picture treated as the majority.
    """
    size = preprocessing.image_sizes[0]
    left, top, *inner = frame(picture.size, preprocessing)
    image = picture.resize(inner, Image.Resampling.BILINEAR)
    polarity = preprocessing.polarity
    if polarity == "auto":
        polarity = polarity_of(image)
    is_dark_on_light = (polarity or preprocessing.majority) == "dark-on-light"
    if is_dark_on_light:
        image = ImageChops.invert(image)
    if preprocessing.clean == "otsu-grey":
        image = ImageChops.invert(picture) if is_dark_on_light else picture
        threshold = otsu_threshold(image.histogram())
        image = image.point([0] * (threshold + 1) + [*range(threshold + 1, 256)])
        image = image.resize(inner, Image.Resampling.BILINEAR)
    elif preprocessing.clean == "otsu":
        threshold = otsu_threshold(image.histogram())
        image = image.point([0] * (threshold + 1) + [255] * (255 - threshold))
    if image.size != size[::-1]:
        padded = Image.new("L", size[::-1], 0)
        padded.paste(image, (left, top))
        image = padded
    return image, polarity


def frame(size, preprocessing):
    """Return where a picture lies in the first of the image sizes.

    Args:
        size: `(width, height)` of the picture.
        preprocessing: a Preprocessing.

    Returns:
        `(left, top, width, height)` in pixels; around it is paper.
    """
    width, height = size
    outer_height, outer_width = preprocessing.image_sizes[0]
    inner_width, inner_height = (
        side - 2 * preprocessing.border for side in (outer_width, outer_height)
    )
    if preprocessing.fit == "pad":
        scale = min(inner_width / width, inner_height / height)
        inner_width = min(inner_width, max(1, round(width * scale)))
        inner_height = min(inner_height, max(1, round(height * scale)))
    left, top = (outer_width - inner_width) // 2, (outer_height - inner_height) // 2
    return left, top, inner_width, inner_height


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


def resize_images(images, size):
    """Stretch images to another size.

    Args:
        images: uint8 `(n, h, w)`.
        size: `(height, width)`.

    Returns:
        uint8 `(n, height, width)`.
    """
    import numpy as np

    if images.shape[1:] == tuple(size):
        return images
    resized = np.empty((len(images), *size), np.uint8)
    for image, out in zip(images, resized, strict=True):
        out[:] = Image.fromarray(image).resize(size[::-1], Image.Resampling.BILINEAR)
    return resized


def at_own_size(size, preprocessing):
    """Return the Preprocessing that leaves a picture its size, as far as SIDES allow.

    Args:
        size: `(width, height)` of the picture.
        preprocessing: a Preprocessing.
    """
    scale = min(max(1, SIDES[0] / min(size)), SIDES[1] / max(size))
    width, height = (max(SIDES[0], round(side * scale)) + 2 * preprocessing.border for side in size)
    return dataclasses.replace(preprocessing, image_sizes=((height, width),), fit="stretch")


def read_image(path, preprocessing, *, own_size=False):
    """Read a picture file as the image that a network expects.

    Args:
        path: a picture file.
        preprocessing: a Preprocessing.
        own_size: leave the picture its size; for networks that take any.

    Returns:
        uint8 `(height, width)`, 0 = paper, 255 = ink, of the last of the image sizes.

    Raises:
        PictureError: the file cannot be read.
    """
    picture = read_picture(path)
    if own_size:
        preprocessing = at_own_size(picture.size, preprocessing)
    return image_of(picture, preprocessing)


def image_of(picture, preprocessing):
    """Turn an 8-bit grey picture into the image that a network expects.

    Args:
        picture: PIL image of mode "L", any size.
        preprocessing: a Preprocessing; all of its image sizes are applied.

    Returns:
        uint8 `(height, width)`, 0 = paper, 255 = ink.
    """
    import numpy as np

    image, _ = to_image(picture, preprocessing)
    for height, width in preprocessing.image_sizes[1:]:
        image = image.resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(image)
