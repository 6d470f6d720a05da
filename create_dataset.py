"""Turn pictures of characters into one dataset file.

    python create_dataset.py FOLDER
    python create_dataset.py ETL9B.zip
    python create_dataset.py kuzushiji/ --coverage 0.9 --image-size 80 --fit pad

SOURCE is what people have, as it comes; its kind is told from its content:

- a folder with one folder per class, named for its character (亜, U+4E9C, B0A1, alphabet/letter),
  with PNG, JPEG, BMP, GIF, TIFF or WebP pictures in it;
- a CSV or TSV table of file,label, or the folder it lies in; perhaps with columns split and group;
- KMNIST, Kuzushiji-49, MNIST or EMNIST files (npz, idx, idx.gz);
- ETL8B, ETL8G, ETL9B or ETL9G record files; CASIA HWDB .gnt files;
- the Kaggle Kuzushiji Recognition folder: train.csv and page pictures;
- any of these in a .zip, .tar, .tar.gz, .tar.xz or .tar.bz2 archive.

The ink is found, whatever is around it (wide or dark paper, shadows, ruled lines, a printed box),
and cut out; --crop none takes pictures as they are framed, as is usual with data files.

Each class is split 80/10/10 into train, val and test in file order. Where writers (sheets, books)
are known, whole writers go to one split. Splits that the source has are kept: if all topmost
folders are named train, val or test (or training, dev, ...), they are the splits. Without val, a
tenth of train becomes it.

Writes `characters_dataset`, which model.py trains on.
"""

import contextlib
import sys

from glyphs import console, options
from glyphs.sources.index import FRACTIONS


def parse_args(argv=None):
    parser = options.make_parser(__doc__)
    parser.add_argument("source", metavar="SOURCE", help="folder, archive or data file")
    parser.add_argument(
        "--output", default="characters_dataset", metavar="FILE", help="the dataset to write"
    )
    parser.add_argument(
        "--strict", action="store_true", help="stop at unreadable pictures, write nothing, exit 1"
    )
    parser.add_argument(
        "--keep-names",
        action="store_true",
        help="store in the dataset what each picture is called, as evaluate.py --suspects needs it",
    )
    options.add_workers(parser)
    options.add_cluster(parser, "decode")
    add_pictures(parser.add_argument_group("pictures"))
    add_splits(parser.add_argument_group("splits"))
    add_classes(parser.add_argument_group("classes"))
    options.add_source(parser)
    args = parser.parse_args(argv)
    if min(args.split) < 0 or abs(sum(args.split) - 100) > 1e-6 or not args.split[0]:
        parser.error(f"--split must be three percentages that add up to 100: {args.split}")
    if args.cluster and args.workers:
        parser.error("--workers are of this machine; those of the cluster are running already")
    if args.border and 2 * args.border >= min(args.image_size):
        parser.error(f"--border {args.border} leaves nothing of --image-size {args.image_size}")
    return args


def add_pictures(group):
    group.add_argument(
        "--image-size",
        type=options.image_size,
        default=(32, 32),
        metavar="SIZE",
        help="side in pixels, or HEIGHTxWIDTH (default: 32)",
    )
    group.add_argument(
        "--crop",
        choices=("ink", "none"),
        help="find the ink, whatever is around it, and cut it out; or take pictures as they are "
        "framed, where size and place of the ink in its frame matter (default: ink for pictures, "
        "none for data files, whose images are framed alike already)",
    )
    group.add_argument(
        "--fit",
        choices=("stretch", "pad"),
        help="stretch pictures to the size, or keep their shape and pad with paper (default: pad "
        "with --crop ink, else stretch)",
    )
    group.add_argument(
        "--border",
        type=options.integer(0, 500),
        metavar="N",
        help="pixels of paper to leave around, inside the size (default: a sixteenth of its side "
        "with --crop ink, else none)",
    )
    group.add_argument(
        "--polarity",
        choices=("auto", "dark-on-light", "light-on-dark"),
        default="auto",
        help="which is ink; auto looks at the border of each picture",
    )
    group.add_argument(
        "--clean",
        choices=("none", "otsu", "otsu-grey"),
        default="none",
        help="otsu makes pictures black and white; otsu-grey makes the paper white and leaves the "
        "ink its grey",
    )


def add_splits(group):
    group.add_argument(
        "--split",
        nargs=3,
        type=float,
        default=[100 * fraction for fraction in FRACTIONS],
        metavar=("TRAIN", "VAL", "TEST"),
        help="percentages of each class (default: 80 10 10); where the source has splits but no "
        "val, VAL is what it takes of train",
    )
    group.add_argument(
        "--shuffle-seed",
        type=options.integer(0, 2**32 - 1),
        metavar="N",
        help="shuffle before the split, instead of splitting in file order",
    )


def add_classes(group):
    group.add_argument(
        "--classes", metavar="FILE", help="use only the classes (or characters) in it, one a line"
    )
    group.add_argument(
        "--corrections",
        metavar="FILE",
        help="put labels right: CSV of path,label,correction; without a correction, the picture "
        "is left out",
    )
    group.add_argument(
        "--min-count",
        type=options.integer(1),
        metavar="N",
        help="leave out classes with fewer pictures",
    )
    group.add_argument(
        "--coverage",
        type=options.coverage,
        metavar="X",
        help="keep the most frequent classes that make up this share (.9, say) of the pictures, "
        "and gather the others in one class called rare",
    )
    group.add_argument(
        "--max-per-class",
        type=options.integer(1),
        metavar="N",
        help="use at most so many pictures of a class (of each split, where the source has "
        "splits): the first ones, or with --shuffle-seed any",
    )
    options.add_label_encoding(group)


def main(argv=None):
    args = parse_args(argv)
    from glyphs.dataset import build, summary

    settings = settings_of(args)
    with contextlib.ExitStack() as stack:
        cluster = None
        if args.cluster:
            from glyphs.cluster import Cluster

            cluster = stack.enter_context(Cluster(args.cluster, wait=args.wait))
        progress = stack.enter_context(console.Progress("pictures"))
        built = build.from_source(
            args.source,
            args.output,
            settings,
            workers=args.workers,
            cluster=cluster,
            warn=console.warn,
            progress=progress.update,
        )
    summary.report(built, args.output, settings, say=console.say, warn=console.warn)


def settings_of(args):
    """Return the build.Settings that the options say."""
    from glyphs.dataset.build import Settings
    from glyphs.dataset.select import Selection
    from glyphs.images.preprocessing import Preprocessing

    def preprocessing(crop):
        return Preprocessing.usual(
            args.image_size,
            crop=crop,
            fit=args.fit,
            border=args.border,
            polarity=args.polarity,
            clean=args.clean,
        )

    return Settings(
        preprocessing(args.crop or "ink"),
        framed=None if args.crop else preprocessing("none"),
        selection=Selection(
            groups=args.groups,
            classes_from=args.classes,
            min_count=args.min_count,
            coverage=args.coverage,
            max_per_class=args.max_per_class,
            corrections_from=args.corrections,
        ),
        reader=args.reader,
        reading=options.source_options(args),
        fractions=tuple(percentage / 100 for percentage in args.split),
        shuffle_seed=args.shuffle_seed,
        label_encoding=args.label_encoding,
        is_strict=args.strict,
        keep_names=args.keep_names,
    )


if __name__ == "__main__":
    sys.exit(console.run(main))
