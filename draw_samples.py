"""Draw handwriting-like pictures of characters: to try the toolkit, or to learn from.

    python draw_samples.py samples
    python draw_samples.py samples --characters あいうえお --count 50
    python draw_samples.py samples --classes hiragana katakana --strokes kanjivg.whl --font *.ttf

Draws the 100 kanji from 亜 to 右 (or any others), each many times, into one folder per character:
half of the pictures stroke by stroke, from stroke data, and half with fonts, distorted as hands
differ. fetch_sources.py fetches open ones of both; without, one font draws all. Picture number n of
every character is by the same imagined writer, with slant, proportions, haste, pen and paper of
their own. The same seed draws the same pictures.
"""

import io
import os
import shutil
import sys
import unicodedata
import zlib

from glyphs import charsets, console, files, fonts, options, parallel
from glyphs.artifacts.paths import find_model
from glyphs.characters import ENCODINGS, class_name_of
from glyphs.errors import StorageError, UsageError

# 亜 to 右: B0A1 to B0FE and B1A1 to B1A6 in EUC-JP.
KANJI = charsets.rows("euc_jp", 0xB0, 0xB1, 0xA6)
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
    sources.add_argument(
        "--check",
        metavar="PREFIX",
        help="model that must read a font's character as such, or the font is left out for it",
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
    encoding = None if args.label_encoding == "unicode" else args.label_encoding
    characters = characters_to_draw(args, encoding)
    material = material_of(args, characters)
    folder = os.path.normpath(args.folder)
    unfinished = start_folder(folder)
    try:
        tasks = [
            (
                character,
                os.path.join(unfinished, class_name_of(character, encoding)),
                args.count,
                args.seed,
                material,
            )
            for character in characters
        ]
        workers = parallel.workers_for(len(characters) * args.count, few=parallel.FEW)
        with files.storage_errors(folder):
            with console.Progress("characters") as progress:
                drawn = parallel.run_ordered(draw_class, tasks, workers=args.workers or workers)
                results = []
                for result in drawn:
                    results.append(result)
                    progress.update(len(results), len(tasks))
            os.remove(os.path.join(unfinished, MARK))
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    try:
        os.rename(unfinished, folder)
    except OSError:
        raise StorageError(f"{folder}: is in the way now; all lies in {unfinished}") from None
    report(args, characters, results)


def characters_to_draw(args, encoding):
    """Return what the arguments name, each character once."""
    text = args.characters
    if text is None:
        text = "" if args.classes else KANJI
    elif not text.strip():
        raise UsageError("--characters is empty; give the characters to draw")
    chosen = [c for c in unicodedata.normalize("NFC", text) if not c.isspace()]
    for name in args.classes or ():
        chosen += charsets.read_characters(name, encoding)
    return list(dict.fromkeys(chosen))


def material_of(args, characters):
    """Return the Material that the arguments name.

    Raises:
        UsageError: a part of it cannot be read, it lacks a character, or the model of --check knows
            none.
    """
    from glyphs.drawing.material import Material

    fonts_to_use = args.font or []
    if not args.strokes and not fonts_to_use:
        if not fonts.bundled_font():
            raise UsageError("matplotlib-fontja is not installed; install it, or give a --font")
        fonts_to_use = [fonts.bundled_font()]
    check = args.check and find_model(args.check)
    material = Material(tuple(args.strokes or ()), tuple(fonts_to_use), check)
    material.open()
    if missing := [c for c in characters if material.lacks(c)]:
        named = [*material.strokes, *material.fonts]
        others = f" and {len(named) - 1} others" if len(named) > 1 else ""
        shown = " ".join(missing[:10]) + (" ..." if len(missing) > 10 else "")
        raise UsageError(
            f"{named[0]}{others}: has no glyph for {shown} ({len(missing)} of {len(characters)}); "
            "leave out what is missing, or give a --font that has it"
        )
    if check:
        warn_of_unchecked(material, characters)
    return material


def warn_of_unchecked(material, characters):
    """Say which characters the model of --check does not know.

    Raises:
        UsageError: it knows none of them.
    """
    unknown = [c for c in characters if not material.can_check(c)]
    if len(unknown) == len(characters):
        raise UsageError(
            f"--check: {material.check} knows none of the {len(characters):,} characters; give a "
            "model that does, or leave it out"
        )
    if unknown:
        shown = " ".join(unknown[:10]) + (" ..." if len(unknown) > 10 else "")
        console.warn(
            f"--check: {material.check} does not know {len(unknown):,} of {len(characters):,} "
            f"characters, which are not checked: {shown}"
        )


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
        except (FileNotFoundError, NotADirectoryError):
            raise StorageError(f"{folder}: the folder above it does not exist") from None
        open(os.path.join(unfinished, MARK), "w").close()
    return unfinished


def draw_class(character, folder, count, seed, material):
    """Draw a character into a folder of its own, in a worker process.

    Returns:
        `(paths of the sources that were drawn from, paths of the fonts that were left out)`.
    """
    from glyphs.drawing.character import draw

    ways, glyphs, refused = material.of(character)
    os.mkdir(folder)
    pictures = draw(character, list(ways.values()), list(glyphs.values()), count, seed)
    for number, picture in enumerate(pictures, 1):
        # Run lengths alone take a tenth less space than the fastest level, in less time.
        data = io.BytesIO()
        picture.save(data, "PNG", compress_level=1, compress_type=zlib.Z_RLE)
        with open(os.path.join(folder, f"{number:04}.png"), "xb") as file:
            file.write(data.getbuffer())  # at once: Pillow writes in many small pieces
    return [*ways, *glyphs], refused


def report(args, characters, results):
    """Print what was drawn, and from what."""
    n = len(characters)
    print(f"{args.folder}: {n * args.count:,} pictures of {n:,} characters")
    if len(args.strokes or ()) + len(args.font or ()) < 2:
        return
    for path in [*(args.strokes or ()), *(args.font or ())]:
        has = sum(path in used for used, _ in results)
        refused = sum(path in refused for _, refused in results)
        left_out = f", {refused:,} left out by the check" if refused else ""
        print(f"  {has:6,} characters from {path}{left_out}")
    alone = [c for c, (used, _) in zip(characters, results, strict=True) if len(used) == 1]
    if alone:
        more = " ..." if len(alone) > 100 else ""
        print(f"  {len(alone):6,} from one source alone: {''.join(alone[:100])}{more}")


if __name__ == "__main__":
    sys.exit(console.run(main))
