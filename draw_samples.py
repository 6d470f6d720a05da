"""Draw handwriting-like pictures of characters, to try the toolkit without any data.

    python draw_samples.py samples
    python draw_samples.py samples --characters あいうえお --count 50

Draws the 100 kanji from 亜 to 右 (or any others) with a font, each many times, into one folder per
character. Picture number n of every character is by the same imagined writer, with a slant, stretch
and stroke weight of their own, on paper of their own tone. The same seed draws the same pictures.
"""

import functools
import os
import shutil
import sys
import unicodedata

from glyphs import charsets, console, files, fonts, options, parallel
from glyphs.characters import ENCODINGS, class_name_of
from glyphs.errors import StorageError, UsageError

# 亜 to 右: B0A1 to B0FE and B1A1 to B1A6 in EUC-JP.
KANJI = b"".join(
    bytes((row, cell))
    for row, last in ((0xB0, 0xFE), (0xB1, 0xA6))
    for cell in range(0xA1, last + 1)
).decode("euc_jp")
MARK = ".unfinished"


def parse_args(argv=None):
    parser = options.make_parser(__doc__)
    parser.add_argument("folder", metavar="FOLDER", help="folder to make")
    what = parser.add_argument_group("what to draw")
    what.add_argument("--characters", metavar="TEXT", help="characters (default: 亜 to 右)")
    what.add_argument(
        "--classes",
        nargs="+",
        metavar="SET",
        help=f"named sets ({', '.join(charsets.SETS)}) or text files of characters or class names",
    )
    what.add_argument(
        "--count", type=options.integer(1), default=100, metavar="N", help="pictures per character"
    )
    sources = parser.add_argument_group("from what")
    sources.add_argument(
        "--strokes",
        nargs="+",
        metavar="PATH",
        help="stroke data: folders or packages of KanjiVG or hanzi-writer-data",
    )
    sources.add_argument(
        "--font",
        nargs="+",
        metavar="FILE",
        help="TrueType, OpenType or WOFF fonts (default, without --strokes: IPAex Gothic)",
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
    characters = characters_to_draw(args)
    strokes, font_paths = sources(args)
    unfinished = start_folder(args.folder)
    try:
        tasks = [
            (character, os.path.join(unfinished, name), args.count, args.seed, strokes, font_paths)
            for character, name in zip(
                characters, folder_names(characters, args.label_encoding), strict=True
            )
        ]
        workers = parallel.workers_for(len(characters) * args.count, few=parallel.FEW)
        with files.storage_errors(args.folder):
            with console.Progress("characters") as progress:
                drawn = parallel.run_ordered(draw_class, tasks, workers=args.workers or workers)
                found = []
                for having in drawn:
                    found.append(having)
                    progress.update(len(found), len(tasks))
            missing = [c for c, having in zip(characters, found, strict=True) if not having]
            if missing:
                raise UsageError(
                    f"none of the sources has {' '.join(missing[:10])}"
                    f"{' ...' if len(missing) > 10 else ''}; leave "
                    f"{'it' if len(missing) == 1 else f'these {len(missing)}'} out, or give another --font"
                )
            os.remove(os.path.join(unfinished, MARK))
            os.rename(unfinished, args.folder)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    n = len(characters)
    print(f"{args.folder}: {n * args.count:,} pictures of {n:,} characters")


def characters_to_draw(args):
    """Return what the arguments name, each character once."""
    text = args.characters
    if text is None:
        text = "" if args.classes else KANJI
    elif not text.strip():
        raise UsageError("--characters is empty; give the characters to draw")
    chosen = [c for c in unicodedata.normalize("NFC", text) if not c.isspace()]
    for name in args.classes or ():
        chosen += charsets.read_characters(name)
    return list(dict.fromkeys(chosen))


def sources(args):
    """Return the paths of stroke data and fonts, each of which can be read."""
    strokes, font_paths = args.strokes or [], args.font or []
    if not strokes and not font_paths:
        font_paths = [fonts.bundled_font()]
        if font_paths == [None]:
            raise UsageError("matplotlib-fontja is not installed; install it, or give a --font")
    for path in strokes:
        _strokes(path)
    for path in font_paths:
        _typeface(path)
    return strokes, font_paths


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


def draw_class(character, folder, count, seed, strokes, font_paths):
    """Draw a character into a folder of its own, in a worker process.

    Returns:
        The paths of the sources that have it; nothing is drawn where there are none.
    """
    from glyphs.drawing import character as drawing

    ways = {path: _strokes(path).of(character) for path in strokes}
    glyphs = {path: _typeface(path).glyph(character) for path in font_paths}
    ways = {path: way for path, way in ways.items() if way}
    glyphs = {path: glyph for path, glyph in glyphs.items() if glyph}
    if ways or glyphs:
        os.mkdir(folder)
        pictures = drawing.draw(character, list(ways.values()), list(glyphs.values()), count, seed)
        for number, picture in enumerate(pictures, 1):
            # The slower levels save a tenth of the space.
            picture.save(os.path.join(folder, f"{number:04}.png"), compress_level=1)
    return [*ways, *glyphs]


@functools.cache
def _strokes(path):
    from glyphs.drawing.strokes import Strokes

    return Strokes(path)


@functools.cache
def _typeface(path):
    from glyphs.drawing.typeface import Typeface

    return Typeface(path)


if __name__ == "__main__":
    sys.exit(console.run(main))
