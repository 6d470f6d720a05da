"""What a worker process does when a dataset is built. Imports Pillow only, to start fast."""

from glyphs.errors import PictureError
from glyphs.images.preprocessing import NoInkError, to_image


def decode_chunk(chunk, preprocessing, scratch, slots):
    """Decode pictures into their slots of the scratch file.

    Args:
        chunk: an index.Samples, as its `chunk` returns it.
        preprocessing: Preprocessing.
        scratch: path of a file of slots, one character image each.
        slots: for each picture the number of its slot.

    Returns:
        `(polarities, failures)`: one polarity or None per picture; `(position, PictureError)` of
        those that cannot be read or are blank, whose slots are left as they are.
    """
    images, polarities, failures = decode_images(chunk, preprocessing)
    store_images(images, scratch, slots)
    return polarities, failures


def decode_images(chunk, preprocessing):
    """Decode pictures.

    Args:
        chunk, preprocessing: as for decode_chunk.

    Returns:
        `(images, polarities, failures)`: the bytes of each image, uint8 `(height, width)`, or None;
        the rest as decode_chunk returns it.
    """
    images, polarities, failures = [], [], []
    for i, picture in enumerate(chunk.pictures()):
        image = polarity = None
        if isinstance(picture, PictureError):
            failures.append((i, picture))
        else:
            try:
                image, polarity = to_image(picture, preprocessing)
                image = image.tobytes()
            except NoInkError as error:
                failures.append((i, PictureError(chunk.name(i), str(error))))
        images.append(image)
        polarities.append(polarity)
    return images, polarities, failures


def store_images(images, scratch, slots):
    """Write images into their slots of the scratch file.

    Args:
        images: list of bytes, all as long as a slot, or None.
        scratch, slots: as for decode_chunk.
    """
    with open(scratch, "r+b") as file:
        place = None
        for slot, image in zip(slots, images, strict=True):
            if image is None:
                continue
            if slot != place:  # seeking empties the buffer
                file.seek(slot * len(image))
            file.write(image)
            place = slot + 1
