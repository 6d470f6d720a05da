"""Folders of pictures with nothing wrong or some faults, and what is found in them."""

import os
import shutil

import numpy as np
from conftest import draw_shape
from PIL import Image

from glyphs.characters import character_of
from glyphs.inspection import audit as audits
from glyphs.inspection import findings, report_json
from glyphs.sources import opening
from glyphs.sources.index import Options

SHAPES = ("bar", "cross", "ring")


def picture(shape, number):
    """Return a picture that is like no other of that shape."""
    image = draw_shape(shape, np.random.default_rng(number))
    image.putpixel((number % 40, number // 40), 200)
    return image


def make_clean(folder, classes=SHAPES, count=12, first=0):
    """Make a folder of classes in which nothing is wrong; return it."""
    for i, name in enumerate(classes):
        (folder / name).mkdir(parents=True)
        for number in range(first, first + count):
            picture(SHAPES[i % 3], number + 100 * (i // 3)).save(folder / name / f"{number}.png")
    return folder


def make_splits(folder):
    for i, split in enumerate(("train", "val", "test")):
        make_clean(folder / split, first=20 * i)
    return folder


def make_faulty(split):
    """Add some faults to a folder of make_splits, and names that are hard to print."""
    for name in ("train", "test"):
        (split / name / "ring").rename(split / name / "<script>")
        (split / name / "bar").rename(split / name / "亜")
    shutil.copy(split / "train" / "亜" / "3.png", split / "test" / "亜" / "leak.png")
    (split / "train" / "cross" / "名 & \n.png").touch()
    (split / "train" / "cross" / os.fsdecode(b"\xff.png")).touch()
    canvas(40).save(split / "test" / "cross" / "blank.png")
    return split


def measure(index, encoding=None, **options):
    characters = [character_of(name, encoding) for name in index.class_names]
    return audits.measure(index, characters, audits.groups_by_split(index), workers=1, **options)


def inspect(folder, change=lambda index: None, encoding=None):
    """Return `(audit, findings by id)` of a folder whose index was changed."""
    with opening.open_index(folder, Options(), scratch=f"{folder}.scratch") as index:
        change(index)
        audit = measure(index, encoding)
        found = findings.find(audit)
        assert len({finding.id for finding in found}) == len(found)
        return audit, {finding.id: finding for finding in found}


def only(folder, name, severity, **options):
    """Return `(audit, finding)`, the only finding of a folder."""
    audit, found = inspect(folder, **options)
    assert list(found) == [name]
    assert found[name].severity == severity
    return audit, found[name]


def relative(folder, samples):
    return [os.path.relpath(sample["name"], folder) for sample in samples]


def samples_of(audit, finding, folder):
    return relative(folder, report_json.samples(audit, finding))


def canvas(side, *boxes, paper=230, ink=20):
    image = Image.new("L", (side, side), paper)
    for box in boxes:
        image.paste(ink, box)
    return image
