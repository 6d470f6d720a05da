"""What a worker process does when a dataset is built. Imports Pillow only, to start fast."""

from glyphs import images
from glyphs.errors import PictureError


def decode_chunk(paths, preprocessing, scratch, start):
    """Decode pictures into their slots of the scratch file.

    Args:
        paths: of the pictures.
        preprocessing: images.Preprocessing.
        scratch: path of a file of slots, one character image each.
        start: slot of the first picture.

    Returns:
        `(polarities, failures)`: one polarity or None per picture; `(position, PictureError)` of
        those that cannot be read, whose slots are left as they are.
    """
    height, width = preprocessing.image_size
    slots = bytearray(len(paths) * height * width)
    polarities, failures = [None] * len(paths), []
    for i, path in enumerate(paths):
        try:
            picture = images.read_picture(path)
        except PictureError as error:
            failures.append((i, error))
        else:
            image, polarities[i] = images.to_character(picture, preprocessing)
            slots[i * height * width : (i + 1) * height * width] = image.tobytes()
    with open(scratch, "r+b") as file:
        file.seek(start * height * width)
        file.write(slots)
    return polarities, failures
