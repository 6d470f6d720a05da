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

Each class is split 80/10/10 into train, val and test in file order. Where writers (sheets, books)
are known, whole writers go to one split. Splits that the source has are kept: if all topmost
folders are named train, val or test, they are the splits. Without val, a tenth of train becomes it.

Writes `characters_dataset`, which model.py trains on.
"""

import collections
import sys

from glyphs import cli, labels
from glyphs.errors import UsageError

SPLIT = (80.0, 10.0, 10.0)  # percentages of train, val and test


def parse_args(argv=None):
    options = cli.parser(__doc__)
    options.add_argument("source", metavar="SOURCE", help="folder, archive or data file")
    options.add_argument(
        "--output", default="characters_dataset", metavar="FILE", help="the dataset to write"
    )
    options.add_argument(
        "--image-size",
        type=cli.image_size,
        default=(32, 32),
        metavar="SIZE",
        help="side in pixels, or HEIGHTxWIDTH (default: 32)",
    )
    options.add_argument(
        "--fit",
        choices=("stretch", "pad"),
        default="stretch",
        help="stretch pictures to the size, or keep their shape and pad with paper",
    )
    options.add_argument(
        "--border",
        type=cli.integer(0, 500),
        default=0,
        metavar="N",
        help="pixels of paper to leave around the picture, inside the size",
    )
    options.add_argument(
        "--polarity",
        choices=("auto", "dark-on-light", "light-on-dark"),
        default="auto",
        help="which is ink; auto looks at the border of each picture",
    )
    options.add_argument(
        "--clean",
        choices=("none", "otsu", "otsu-grey"),
        default="none",
        help="otsu makes pictures black and white; otsu-grey makes the paper white and leaves the "
        "ink its grey",
    )
    options.add_argument(
        "--split",
        nargs=3,
        type=float,
        default=SPLIT,
        metavar=("TRAIN", "VAL", "TEST"),
        help="percentages of each class (default: 80 10 10); where the source has splits but no "
        "val, VAL is what it takes of train",
    )
    options.add_argument(
        "--shuffle-seed",
        type=cli.integer(0, 2**32 - 1),
        metavar="N",
        help="shuffle before the split, instead of splitting in file order",
    )
    options.add_argument(
        "--classes", metavar="FILE", help="use only the classes (or characters) in it, one a line"
    )
    options.add_argument(
        "--min-count",
        type=cli.integer(1),
        metavar="N",
        help="leave out classes with fewer pictures",
    )
    options.add_argument(
        "--coverage",
        type=cli.coverage,
        metavar="X",
        help="keep the most frequent classes that make up this share (.9, say) of the pictures, "
        "and gather the others in one class called rare",
    )
    options.add_argument(
        "--max-per-class",
        type=cli.integer(1),
        metavar="N",
        help="use at most so many pictures of a class (of each split, where the source has "
        "splits): the first ones, or with --shuffle-seed any",
    )
    options.add_argument(
        "--label-encoding",
        choices=labels.ENCODINGS,
        help="what folder names of four hex digits mean: B0A1 is 亜 in euc-jp, 啊 in gb2312",
    )
    cli.add_source(options)
    options.add_argument(
        "--strict", action="store_true", help="stop at unreadable pictures, write nothing, exit 1"
    )
    cli.add_workers(options)
    args = options.parse_args(argv)
    if min(args.split) < 0 or abs(sum(args.split) - 100) > 1e-6 or not args.split[0]:
        options.error(f"--split must be three percentages that add up to 100: {args.split}")
    if 2 * args.border >= min(args.image_size):
        options.error(f"--border {args.border} leaves nothing of --image-size {args.image_size}")
    return args


def main(argv=None):
    args = parse_args(argv)
    import os

    from glyphs import building, files, images
    from glyphs.readers import sources

    files.refuse_same(args.output, args.source, args.classes, args.class_map)
    files.check_can_write(args.output)
    wanted = read_classes(args.classes) if args.classes else None
    scratch = files.temporary(f"{args.output}.unpacked")
    with sources.open_index(
        args.source, cli.source_options(args), scratch=scratch, reader=args.reader
    ) as index:
        for note in index.notes:
            cli.print_warning(note)
        if index.splits is not None and (
            args.shuffle_seed is not None
            or (args.split != SPLIT and building.SPLITS.index("val") in index.splits)
        ):
            cli.print_warning("the source has splits of its own, which are kept")
        index, selection = select(index, args, wanted)
        existed = os.path.exists(args.output)
        progress = cli.Progress(len(index.labels), "pictures")
        try:
            summary = building.build(
                index,
                args.output,
                images.Preprocessing(
                    (args.image_size,),
                    args.fit,
                    args.polarity,
                    clean=args.clean,
                    border=args.border,
                ),
                selection=selection,
                fractions=[share / 100 for share in args.split],
                shuffle_seed=args.shuffle_seed,
                label_encoding=args.label_encoding,
                strict=args.strict,
                workers=args.workers,
                progress=progress.update,
            )
        finally:
            progress.clear()
    for (path, reason), count in collections.Counter(summary.unreadable).items():
        times = f" ({count:,} times)" if count > 1 else ""
        cli.print_warning(f"{path}: {reason}; left out{times}")
    print_summary(summary, selection, args, existed)


def read_classes(path):
    """Return the classes that a file lists, one a line."""
    try:
        with open(path, encoding="utf-8-sig") as file:
            return [line.strip() for line in file if line.strip()]
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror.lower()}; it should list classes") from None
    except UnicodeDecodeError:
        raise UsageError(f"{path}: not UTF-8 text; it should list classes, one a line") from None


def select(index, args, wanted):
    """Return the part of an index that the options ask for, and what was asked, as a dict."""
    from glyphs import selecting

    selection = {}
    index = selecting.regroup(index, args.groups)
    if wanted is not None:
        index = selecting.only_classes(index, wanted, args.classes)
        selection |= {"classes": index.class_names, "classes_from": args.classes}
    if args.min_count:
        before = len(index.class_names)
        index = selecting.at_least(index, args.min_count)
        selection["min_count"] = args.min_count
        selection["left_out"] = before - len(index.class_names)
    if args.coverage:
        before = index.class_names
        index, share = selecting.most_frequent(index, args.coverage)
        rare = sorted(set(before) - set(index.class_names))
        kept = len(before) - len(rare)
        selection |= {"coverage": args.coverage, "kept": kept, "share": share, "rare": rare}
    if args.max_per_class:
        index = selecting.at_most(index, args.max_per_class, shuffle_seed=args.shuffle_seed)
        selection["max_per_class"] = args.max_per_class
    return index, selection


def print_summary(summary, selection, args, existed):
    """Say on stdout what is in the dataset, and on stderr what deserves a look."""
    counts = summary.counts
    totals = sum(counts.values())
    height, width = args.image_size
    how = [f"{height}x{width}", args.fit]
    how += [] if args.clean == "none" else [args.clean]
    how += [f"border {args.border}"] if args.border else []
    replaced = " (the file that was there is replaced)" if existed else ""
    print(cli.one_line(f"{args.output}: written{replaced}"))
    print(f"  {totals.sum():,} pictures of {len(totals)} classes, {', '.join(how)}")
    for name, split in counts.items():
        print(f"  {name:<6}{split.sum():>9,} pictures, {(split > 0).sum():,} classes")
    print(f"  split: {summary.split_rule}")
    print(f"  groups: {describe_groups(summary.groups, args.groups)}")
    for line in describe_selection(selection):
        print(f"  {line}")
    fewest, most = totals.argmin(), totals.argmax()
    if totals[fewest] == totals[most]:
        print(f"  pictures a class: {totals[0]:,}")
    else:
        rarest, commonest = (cli.one_line(summary.class_names[i]) for i in (fewest, most))
        print(
            f"  pictures a class: {totals[fewest]:,} ({rarest}) to {totals[most]:,} ({commonest})"
        )
    found = ", ".join(f"{n:,} {polarity}" for polarity, n in summary.polarities.most_common())
    if args.polarity != "auto":
        found = f"{args.polarity} (given)"
    elif summary.polarity_told:
        found = f"{summary.polarity_told} (as the format has it)"
    print(f"  polarity: {found}")
    skipped = [f"{n:,} {reason}" for reason, n in sorted(summary.skipped.items())]
    if summary.unreadable:
        skipped.append(f"{len(summary.unreadable):,} unreadable")
    print(f"  skipped: {', '.join(skipped) or 'none'}")
    print(f"  {summary.seconds:.1f} s, {summary.pictures_per_second:,.0f} pictures/s")

    if summary.groups.n_crossing:
        cli.print_warning(
            "the test split holds groups that training sees too; its accuracy will flatter"
        )
    _warn_about_classes(summary.left_out, "without a readable picture, left out")
    for name in counts:
        if not counts[name].any():
            cli.print_warning(f"no pictures in {name}")
        else:
            missing = [c for c, n in zip(summary.class_names, counts[name], strict=True) if not n]
            _warn_about_classes(missing, f"without a picture in {name}")
    if totals[most] > 3 * totals[fewest]:
        cli.print_warning("uneven classes; the rare ones will be recognised worse")


def describe_groups(groups, rule):
    """Return in words whether groups were kept apart."""
    if rule == "none":
        return "not asked for"
    if groups.kind is None:
        return "none known; what one writer wrote may be in several splits (see --groups)"
    if not groups.n_crossing:
        return f"{groups.n_groups:,} ({groups.kind}), each in one split only"
    return f"{groups.n_groups:,} ({groups.kind}), NOT kept apart: some are in several splits"


def describe_selection(selection):
    """Return lines about which classes and pictures were chosen."""
    lines = []
    if "classes" in selection:
        lines.append(f"classes: the {len(selection['classes']):,} of {selection['classes_from']}")
    if "min_count" in selection:
        lines.append(
            f"min count: {selection['left_out']:,} classes with fewer than "
            f"{selection['min_count']:,} pictures left out"
        )
    if "coverage" in selection:
        n_rare = len(selection["rare"])
        lines.append(
            f"coverage: {selection['kept']:,} classes make up {100 * selection['share']:.1f} %, "
            f"{n_rare:,} others are one class, rare"
        )
    if "max_per_class" in selection:
        lines.append(f"at most {selection['max_per_class']:,} pictures of a class")
    return lines


def _warn_about_classes(names, problem):
    if names:
        shown = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
        cli.print_warning(f"{len(names)} classes {problem}: {shown}")


if __name__ == "__main__":
    sys.exit(cli.run(main))
