"""What a worker process does when a dataset is built. Imports Pillow only, to start fast."""

from glyphs import images
from glyphs.errors import PictureError


def decode_chunk(chunk, preprocessing, scratch, start):
    """Decode pictures into their slots of the scratch file.

    Args:
        chunk: what readers.Samples.chunk returned.
        preprocessing: images.Preprocessing.
        scratch: path of a file of slots, one character image each.
        start: slot of the first picture.

    Returns:
        `(polarities, failures)`: one polarity or None per picture; `(position, PictureError)` of
        those that cannot be read, whose slots are zero.
    """
    slots = []
    polarities, failures = [], []
    height, width = preprocessing.image_size
    for i, picture in enumerate(chunk.pictures()):
        if isinstance(picture, PictureError):
            failures.append((i, picture))
            slots.append(bytes(height * width))
            polarities.append(None)
        else:
            image, polarity = images.to_character(picture, preprocessing)
            slots.append(image.tobytes())
            polarities.append(polarity)
    with open(scratch, "r+b") as file:
        file.seek(start * height * width)
        file.write(b"".join(slots))
    return polarities, failures
