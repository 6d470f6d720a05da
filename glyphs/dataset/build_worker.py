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
    polarities, failures = [], []
    height, width = preprocessing.image_size
    with open(scratch, "r+b") as file:
        place = None
        for i, (slot, picture) in enumerate(zip(slots, chunk.pictures(), strict=True)):
            if isinstance(picture, PictureError):
                failures.append((i, picture))
                polarities.append(None)
                continue
            try:
                image, polarity = to_image(picture, preprocessing)
            except NoInkError as error:
                failures.append((i, PictureError(chunk.name(i), str(error))))
                polarities.append(None)
                continue
            polarities.append(polarity)
            if slot != place:  # seeking empties the buffer
                file.seek(slot * height * width)
            file.write(image.tobytes())
            place = slot + 1
    return polarities, failures
