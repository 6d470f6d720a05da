"""From a picture file to a character image: the only preprocessing there is.

`create_dataset.py` and `classify.py` both come through here, so a network is never asked about
pictures prepared otherwise than those it learned from.

NumPy is imported only by the functions that need it: the worker processes that decode do without,
and so start in a third of the time.
"""

import contextlib
import dataclasses
import errno
import io
import os
import stat

from PIL import Image, ImageChops, ImageOps

from glyphs.errors import PictureError

FORMATS = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP")
FITS = ("stretch", "pad")
CLEANS = ("none", "otsu", "otsu-grey")
POLARITIES = ("auto", "dark-on-light", "light-on-dark")

# A character needs thousands of pixels; a picture past this is a mistake or an attack, and is
# refused from its header, before anything is decoded.
MAX_PIXELS = 50_000_000
MAX_BYTES = 500_000_000

SIDES = (16, 256)  # pixels: least and most of a picture at its own size
MIN_CONTRAST = 8  # grey levels; a picture with less is blank

_TRANSPOSED = 0x0112  # the EXIF tag `Orientation`


@dataclasses.dataclass(frozen=True)
class Preprocessing:
    """How a picture becomes a character image; stored with every dataset and every model.

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
            older = {"clean": "none", "border": 0}  # files of before these existed
            value = {**older, **value}
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


def read_picture(path):
    """Read a picture file as 8-bit grey.

    The first frame counts, EXIF rotation is applied, transparent pixels become white paper, 16-bit
    values are divided by 257.

    Args:
        path: a PNG, JPEG, BMP, GIF, TIFF or WebP file.

    Returns:
        A PIL image of mode "L". Its `info` says how the picture is stored: "mode" as Pillow calls
        it, and "alpha": whether pixels can be transparent.

    Raises:
        PictureError: the file is missing, no picture, damaged, or larger than MAX_PIXELS or
            MAX_BYTES.
    """
    return decode_picture(_read_file(path), path)


def decode_picture(data, path):
    """Read the bytes of a picture file as 8-bit grey; see read_picture.

    Args:
        data: bytes.
        path: what to call it in errors.
    """
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as picture:
            width, height = picture.size
            if width * height > MAX_PIXELS:
                raise PictureError(
                    path, f"{width} x {height} pixels are too many; cut out single characters"
                )
            with _quiet() if picture.format == "TIFF" else contextlib.nullcontext():
                picture.load()
            grey = _to_grey(picture)
            grey.info = {"mode": picture.mode, "alpha": picture.has_transparency_data}
            return grey
    except PictureError:
        raise
    except Image.UnidentifiedImageError:
        raise PictureError(path, "not a PNG, JPEG, BMP, GIF, TIFF or WebP picture") from None
    except Image.DecompressionBombError:
        raise PictureError(path, "far too many pixels; cut out single characters") from None
    except MemoryError:
        raise PictureError(path, "not enough memory to decode it") from None
    except Exception as error:  # of a dozen kinds, AssertionError and struct.error among them
        raise PictureError(path, f"cannot be decoded ({reason_of(error)})") from None


@contextlib.contextmanager
def _quiet():
    """Silence libtiff: it prints what is wrong, without a file name, past Python's stderr."""
    saved, null = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(null, 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(null)


def _read_file(path):
    """Return the bytes of a regular file that is neither empty nor huge; a FIFO would block."""
    try:
        status = os.stat(path)
        if stat.S_ISREG(status.st_mode) and 0 < status.st_size <= MAX_BYTES:
            with open(path, "rb", buffering=0) as file:
                return file.read()
    except ValueError:
        raise PictureError(path, "not a possible file name") from None
    except OSError as error:
        is_dangling = error.errno == errno.ENOENT and os.path.islink(path)
        reason = "dangling link" if is_dangling else reason_of(error)
        raise PictureError(path, reason.replace(" or directory", "")) from None
    if stat.S_ISDIR(status.st_mode):
        raise PictureError(path, "is a folder, not a picture")
    if not stat.S_ISREG(status.st_mode):
        raise PictureError(path, "not a regular file")
    if not status.st_size:
        raise PictureError(path, "empty file")
    raise PictureError(path, f"{status.st_size / 1e6:,.0f} MB are too many for one picture")


def reason_of(error):
    """Return what an exception says, as part of one line."""
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return " ".join((text or type(error).__name__).split())[:150].rstrip(".").lower()


def _to_grey(picture):
    """Return a decoded picture of any mode as mode "L", upright, on white paper."""
    if not picture.info and picture.mode in ("L", "RGB") and picture.format != "TIFF":
        return picture.convert("L")  # nothing below applies to the bulk of pictures
    if picture.getexif().get(_TRANSPOSED, 1) != 1:
        picture = ImageOps.exif_transpose(picture)
    if picture.mode.startswith(("I", "F")):
        return _wide_to_grey(picture)
    if picture.has_transparency_data:
        return _on_paper(picture.convert("RGBA"))
    if picture.mode in ("P", "LAB"):
        picture = picture.convert("RGB") if picture.mode == "P" else picture.getchannel("L")
    return picture.convert("L")


def _wide_to_grey(picture):
    """Return a picture of 16-bit or wider grey values as mode "L"."""
    import numpy as np

    values = np.asarray(picture)
    transparent = picture.info.get("transparency")
    if picture.mode.startswith("I;16"):
        grey = (values.astype(np.uint32) + 128) // 257
    else:
        # 32-bit pictures hold 0..1, 0..255 or 0..65535 in practice; the values tell which.
        values = np.nan_to_num(values.astype(np.float64))
        largest = values.max(initial=0)
        is_unit = picture.mode == "F" and largest <= 1
        full = 1 if is_unit else next((m for m in (255, 65535) if largest <= m), largest)
        grey = np.rint(values.clip(0) * (255 / full))
    grey = grey.astype(np.uint8)
    if isinstance(transparent, int):
        grey[values == transparent] = 255
    return Image.fromarray(grey)


def _on_paper(picture):
    """Return an RGBA picture as mode "L", its transparent pixels turned into paper.

    Paper is white, unless the ink itself is: white strokes on nothing would vanish.
    """
    for paper in ("white", "black"):
        background = Image.new("RGBA", picture.size, paper)
        grey = Image.alpha_composite(background, picture).convert("L")
        darkest, lightest = grey.getextrema()
        if lightest - darkest > MIN_CONTRAST or darkest < 248:
            return grey
    return grey


def to_character(picture, preprocessing):
    """Turn an 8-bit grey picture into a character image.

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
    """Stretch character images to another size.

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


def read_character(path, preprocessing, *, own_size=False):
    """Read a picture file as the character image a network expects.

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
    return character_of(picture, preprocessing)


def character_of(picture, preprocessing):
    """Turn an 8-bit grey picture into the character image a network expects.

    Args:
        picture: PIL image of mode "L", any size.
        preprocessing: a Preprocessing; all of its image sizes are applied.

    Returns:
        uint8 `(height, width)`, 0 = paper, 255 = ink.
    """
    import numpy as np

    image, _ = to_character(picture, preprocessing)
    for height, width in preprocessing.image_sizes[1:]:
        image = image.resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(image)
