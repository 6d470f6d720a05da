"""Draw handwriting-like pictures of characters, to try the toolkit without any data.

    python draw_samples.py samples
    python draw_samples.py samples --characters あいうえお --count 50

Draws the 100 kanji from 亜 to 右 (or any others) with a font, each many times, into one folder per
character. Picture number n of every character is by the same imagined writer, with a slant, stretch
and stroke weight of their own, on paper of their own tone. The same seed draws the same pictures.
"""

import os
import shutil
import sys
import unicodedata

from glyphs import console, files, fonts, options, parallel
from glyphs.characters import ENCODINGS, class_name_of
from glyphs.errors import StorageError, UsageError

# 亜 to 右: B0A1 to B0FE and B1A1 to B1A6 in EUC-JP.
KANJI = b"".join(
    bytes((row, cell))
    for row, last in ((0xB0, 0xFE), (0xB1, 0xA6))
    for cell in range(0xA1, last + 1)
).decode("euc_jp")
SIDE = 64  # pixels of a picture
FONT_SIZE = 44
MARK = ".unfinished"


def parse_args(argv=None):
    parser = options.make_parser(__doc__)
    parser.add_argument("folder", metavar="FOLDER", help="folder to make")
    parser.add_argument(
        "--characters", metavar="TEXT", default=KANJI, help="what to draw (default: 亜 to 右)"
    )
    parser.add_argument(
        "--count", type=options.integer(1), default=100, metavar="N", help="pictures per character"
    )
    parser.add_argument(
        "--font", metavar="FILE", help="TrueType or OpenType font (default: IPAex Gothic)"
    )
    parser.add_argument(
        "--label-encoding",
        choices=(*ENCODINGS, "unicode"),
        default="euc-jp",
        help="how folders are named; a character without a code is named U+XXXX",
    )
    options.add_seed(parser)
    options.add_workers(parser)
    return parser.parse_args(argv)


def main(argv=None):
    args = parse_args(argv)
    text = unicodedata.normalize("NFC", args.characters)
    characters = list(dict.fromkeys(c for c in text if not c.isspace()))
    font = args.font or fonts.bundled_font()
    if font is None:
        raise UsageError("matplotlib-fontja is not installed; install it, or give a --font")
    check_font(font, characters)
    unfinished = start_folder(args.folder)
    try:
        tasks = [
            (character, os.path.join(unfinished, name), args.count, args.seed, font)
            for character, name in zip(
                characters, folder_names(characters, args.label_encoding), strict=True
            )
        ]
        few = len(characters) * args.count < parallel.FEW
        workers = args.workers or (1 if few else parallel.default_workers())
        with files.storage_errors(args.folder):
            with console.Progress("characters") as progress:
                drawn = parallel.run_ordered(draw_class, tasks, workers=workers)
                for done, _ in enumerate(drawn, 1):
                    progress.update(done, len(tasks))
            os.remove(os.path.join(unfinished, MARK))
            os.rename(unfinished, args.folder)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    n = len(characters)
    print(f"{args.folder}: {n * args.count:,} pictures of {n} characters, {SIDE}x{SIDE}")


def check_font(path, characters):
    """Raise UsageError unless the font can be loaded and has a glyph for every character."""
    from PIL import ImageFont

    if not characters:
        raise UsageError("--characters is empty; give the characters to draw")
    try:
        font = ImageFont.truetype(path, FONT_SIZE)
    except OSError:
        raise UsageError(f"{path}: no such font, or not a TrueType or OpenType file") from None
    missing = fonts.missing(font, characters)
    if missing:
        raise UsageError(
            f"{path}: has no glyph for {' '.join(missing[:10])}; leave it out, or give a --font "
            "that has it"
        )


def folder_names(characters, encoding):
    """Return one folder name per character."""
    names = []
    for character in characters:
        try:
            name = class_name_of(character, None if encoding == "unicode" else encoding)
        except ValueError:
            name = class_name_of(character)
        names.append(name)
    return names


def start_folder(folder):
    """Make and return the folder to draw in; it takes its final name when all is drawn."""
    if os.path.lexists(folder):
        raise UsageError(f"{folder}: exists already; name a new folder, or remove it")
    unfinished = files.temporary(folder)
    if os.path.exists(os.path.join(unfinished, MARK)):
        shutil.rmtree(unfinished)  # of a run that was killed
    with files.storage_errors(folder):
        try:
            os.mkdir(unfinished)
        except FileExistsError:
            raise UsageError(f"{unfinished}: is in the way; remove it, or name another") from None
        except FileNotFoundError:
            raise StorageError(f"{folder}: the folder above it does not exist") from None
        open(os.path.join(unfinished, MARK), "w").close()
    return unfinished


def draw_class(character, folder, count, seed, font_path):
    """Draw `count` pictures of a character into a folder of its own, in a worker process."""
    import numpy as np

    os.mkdir(folder)
    for number in range(count):
        writer = np.random.default_rng([seed, number])
        hand = np.random.default_rng([seed, number, ord(character)])
        picture = draw(character, font_path, writer, hand)
        picture.save(os.path.join(folder, f"{number + 1:04}.png"))


def draw(character, font_path, writer, hand):
    """Return a picture of a character.

    Args:
        character: text.
        font_path: font file.
        writer: numpy Generator for what a writer does to all characters.
        hand: numpy Generator for what differs from one picture to the next.

    Returns:
        PIL image of mode "L", SIDE x SIDE, dark ink on light paper.
    """
    import numpy as np
    from PIL import Image, ImageDraw, ImageFilter

    weight = writer.uniform(0, 1.1) + hand.uniform(0, 0.4)  # pixels added around strokes
    slant = writer.normal(0, 0.12) + hand.normal(0, 0.05)
    turn = writer.normal(0, 0.04) + hand.normal(0, 0.04)  # radians
    stretch_x, stretch_y = writer.uniform(0.85, 1.2, 2) * hand.uniform(0.93, 1.07, 2)
    shift_x, shift_y = hand.uniform(-4, 4, 2)
    softness = writer.uniform(0.3, 0.9)
    paper, ink = writer.uniform(205, 255), writer.uniform(0, 90) + hand.uniform(0, 20)
    noise = writer.uniform(1, 9)

    middle = SIDE / 2
    strokes = Image.new("L", (SIDE, SIDE))
    ImageDraw.Draw(strokes).text(
        (middle, middle),
        character,
        fill=255,
        font=_font(font_path),
        anchor="mm",
        stroke_width=round(weight, 2),
    )
    # Pillow wants the way back: from a pixel of the result to one of the drawing.
    cos, sin = np.cos(turn), np.sin(turn)
    shape = np.array([[cos, -sin], [sin, cos]]) @ [[stretch_x, slant], [0, stretch_y]]
    back = np.linalg.inv(shape)
    offset = middle - back @ (middle + np.array([shift_x, shift_y]))
    strokes = strokes.transform(
        strokes.size,
        Image.Transform.AFFINE,
        (*back[0], offset[0], *back[1], offset[1]),
        Image.Resampling.BICUBIC,
    ).filter(ImageFilter.GaussianBlur(softness))
    covered = np.asarray(strokes, np.float64) / 255
    grey = paper + (ink - paper) * covered + hand.normal(0, noise, covered.shape)
    return Image.fromarray(np.rint(grey.clip(0, 255)).astype(np.uint8))


_fonts = {}


def _font(path):
    """Return the font, loaded once per process."""
    from PIL import ImageFont

    if path not in _fonts:
        _fonts[path] = ImageFont.truetype(path, FONT_SIZE)
    return _fonts[path]


if __name__ == "__main__":
    sys.exit(console.run(main))
