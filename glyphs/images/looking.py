"""A picture as each of several networks sees it; and what a process does that looks at many."""

from glyphs.errors import PictureError
from glyphs.images.preprocessing import see


def look(path, ways, data=None):
    """Look at a picture in several ways, once in each.

    Args:
        path: a picture file.
        ways: list of `(Preprocessing, own_size)`, as see takes them.
        data: its bytes, where they are at hand; `path` is then only its name.

    Returns:
        list of Seen, one for each way.

    Raises:
        PictureError: it cannot be read, or (BlankError) is blank.
    """
    seen = {way: see(path, way[0], own_size=way[1], data=data) for way in dict.fromkeys(ways)}
    return [seen[way] for way in ways]


def images_of(paths, ways):
    """Look at pictures, for somebody who asks networks about them.

    Args:
        paths, ways: as for look.

    Returns:
        `(looks, more)`: for each picture the list of its images, uint8 `(height, width)`, or its
        PictureError; and for each whether its file holds further pictures.
    """
    looks, more = [], []
    for path in paths:
        try:
            seen = look(path, ways)
        except PictureError as error:
            looks.append(error)
            more.append(False)
        else:
            looks.append([one.image for one in seen])
            more.append(seen[0].picture.info["has_more"])
    return looks, more


def ask_about(looks, ask):
    """Ask about the pictures that could be read.

    Args:
        looks: list: for each picture the list of its images, or its PictureError.
        ask: function from a list of `n` lists of images to float32 `(n, n_classes)`.

    Returns:
        list of float32 `(n_classes,)`; a PictureError stays what it is.
    """
    images = [look for look in looks if not isinstance(look, PictureError)]
    rows = iter(ask(images) if images else ())
    return [look if isinstance(look, PictureError) else next(rows) for look in looks]
