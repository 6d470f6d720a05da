"""From a picture to the image of a character: the only preprocessing there is.

`create_dataset.py` and `classify.py` both come through here, so a network is never asked about
pictures prepared otherwise than those it learned from.

NumPy is imported only by the functions that need it: the worker processes that decode do without,
and so start in a third of the time.
"""

import dataclasses
import typing

from PIL import Image, ImageChops

from glyphs.errors import BlankError
from glyphs.images.decode import decode_picture, read_picture
from glyphs.images.levels import otsu_threshold, polarity_of
from glyphs.images.view import NoInkError, View, view_of

CROPS = ("ink", "none")
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
    >>> image_of(view_of(picture, preprocessing), preprocessing).shape
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
        crop: "ink" finds the ink, whatever is around it, and cuts it out before all else; "none"
            takes the picture as it is framed.
    """

    image_sizes: tuple
    fit: str = "stretch"
    polarity: str = "auto"
    majority: str = "dark-on-light"
    clean: str = "none"
    border: int = 0
    crop: str = "none"

    @classmethod
    def usual(cls, image_size, *, crop="ink", fit=None, border=None, **others):
        """Return the Preprocessing for an image size, with what is usual for the rest.

        Args:
            image_size: `(height, width)`.
            crop: "ink" or "none".
            fit: None: "pad" for ink, which keeps its shape; "stretch" for a whole picture.
            border: None: a sixteenth of the shorter side for ink; none for a whole picture.
            **others: attributes as they are.
        """
        is_ink = crop == "ink"
        fit = fit or ("pad" if is_ink else "stretch")
        if border is None:
            border = round(min(image_size) / 16) if is_ink else 0
        return cls((tuple(image_size),), fit=fit, border=border, crop=crop, **others)

    @property
    def image_size(self):
        """The final `(height, width)`."""
        return self.image_sizes[-1]

    def to_json(self):
        value = {**dataclasses.asdict(self), "image_sizes": [list(s) for s in self.image_sizes]}
        if self.crop == "none":  # as before there was a choice: such files keep their bytes
            del value["crop"]
        return value

    @classmethod
    def from_json(cls, value):
        """Return the Preprocessing that `to_json` described.

        Raises:
            ValueError: the value describes none.
        """
        try:
            absent = {"clean": "none", "border": 0, "crop": "none"}  # in older files
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
            and fields["crop"] in CROPS
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

    Raises:
        NoInkError: the ink is wanted, and there is none.
    """
    return _framed(view_of(picture, preprocessing), preprocessing)


def _framed(view, preprocessing):
    """Return `(image, polarity)` of a View; see to_image."""
    size = preprocessing.image_sizes[0]
    picture, polarity = view.picture, view.polarity
    left, top, *inner = frame(picture.size, preprocessing)
    resampling = _resampling(picture.size, inner, preprocessing)
    image = picture.resize(inner, resampling)
    is_dark_on_light = False
    if not polarity:
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
        image = image.resize(inner, resampling)
    elif preprocessing.clean == "otsu":
        threshold = otsu_threshold(image.histogram())
        image = image.point([0] * (threshold + 1) + [255] * (255 - threshold))
    if image.size != size[::-1]:
        padded = Image.new("L", size[::-1], 0)
        padded.paste(image, (left, top))
        image = padded
    return image, polarity


def _resampling(size, inner, preprocessing):
    """Return the filter that brings a picture of a size to the inner one.

    Ink comes from pictures of any size: much reduced, and a little enlarged, it must stay sharp.
    """
    if preprocessing.crop == "none":
        return Image.Resampling.BILINEAR
    is_reduced = inner[0] < size[0] or inner[1] < size[1]
    return Image.Resampling.HAMMING if is_reduced else Image.Resampling.LANCZOS


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
    border = 2 * preprocessing.border
    inner_width, inner_height = outer_width - border, outer_height - border
    if preprocessing.fit == "pad":
        scale = min(inner_width / width, inner_height / height)
        inner_width = min(inner_width, max(1, round(width * scale)))
        inner_height = min(inner_height, max(1, round(height * scale)))
    left, top = (outer_width - inner_width) // 2, (outer_height - inner_height) // 2
    return left, top, inner_width, inner_height


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
        size: `(width, height)` of the picture, or of its ink.
        preprocessing: a Preprocessing.
    """
    scale = min(max(1, SIDES[0] / min(size)), SIDES[1] / max(size))
    width, height = (max(SIDES[0], round(side * scale)) + 2 * preprocessing.border for side in size)
    return dataclasses.replace(preprocessing, image_sizes=((height, width),), fit="stretch")


class Seen(typing.NamedTuple):
    """A picture, and how a network sees it.

    Attributes:
        picture: PIL image of mode "L", all of it.
        view: View: the part of it that the image shows.
        preprocessing: Preprocessing that made the image of the view.
        image: uint8 `(height, width)`, 0 = paper, 255 = ink.
    """

    picture: Image.Image
    view: View
    preprocessing: Preprocessing
    image: typing.Any


def see(path, preprocessing, *, own_size=False, data=None):
    """Read a picture file, or its bytes `data` where they are at hand, and look at it as a network
    does; see read_image. Returns a Seen.
    """
    picture = read_picture(path) if data is None else decode_picture(data, path)
    try:
        view = view_of(picture, preprocessing)
    except NoInkError as error:
        raise BlankError(path, str(error)) from None
    if own_size:
        preprocessing = at_own_size(view.picture.size, preprocessing)
    return Seen(picture, view, preprocessing, image_of(view, preprocessing))


def read_image(path, preprocessing, *, own_size=False):
    """Read a picture file as the image that a network expects.

    Args:
        path: a picture file.
        preprocessing: a Preprocessing.
        own_size: leave the picture its size; for networks that take any.

    Returns:
        uint8 `(height, width)`, 0 = paper, 255 = ink, of the last of the image sizes.

    Raises:
        PictureError: the file cannot be read, or (BlankError) has no ink where that is wanted.
    """
    return see(path, preprocessing, own_size=own_size).image


def image_of(view, preprocessing):
    """Turn the View of a picture into the image that a network expects.

    Args:
        view: a View.
        preprocessing: a Preprocessing; all of its image sizes are applied.

    Returns:
        uint8 `(height, width)`, 0 = paper, 255 = ink.
    """
    import numpy as np

    image, _ = _framed(view, preprocessing)
    for height, width in preprocessing.image_sizes[1:]:
        image = image.resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(image)
