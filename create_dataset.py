"""Turn a folder of pictures, one sub-folder per character, into one dataset file.

    python create_dataset.py FOLDER

The folder holds one folder per class, named for its character (亜, U+4E9C, B0A1, ...), with PNG,
JPEG, BMP, GIF, TIFF or WebP pictures in it. Each class is split 80/10/10 into train, val and test
in file order. If all sub-folders are named train, val or test, they are the splits; without val,
the last tenth of each class of train becomes val.

Writes `characters_dataset`, which model.py trains on.
"""

import sys

from glyphs import cli, labels


def parse_args(argv=None):
    options = cli.parser(__doc__)
    options.add_argument("source", metavar="SOURCE", help="folder, archive or file")
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
        "--polarity",
        choices=("auto", "dark-on-light", "light-on-dark"),
        default="auto",
        help="which is ink; auto looks at the border of each picture",
    )
    options.add_argument(
        "--split",
        nargs=3,
        type=float,
        default=(80.0, 10.0, 10.0),
        metavar=("TRAIN", "VAL", "TEST"),
        help="percentages of each class (default: 80 10 10)",
    )
    options.add_argument(
        "--shuffle-seed",
        type=cli.integer(0, 2**32 - 1),
        metavar="N",
        help="shuffle each class before the split, instead of splitting in file order",
    )
    options.add_argument(
        "--label-encoding",
        choices=labels.ENCODINGS,
        help="what folder names of four hex digits mean: B0A1 is 亜 in euc-jp, 啊 in gb2312",
    )
    options.add_argument(
        "--strict", action="store_true", help="stop at unreadable pictures, write nothing, exit 1"
    )
    cli.add_workers(options)
    args = options.parse_args(argv)
    if min(args.split) < 0 or abs(sum(args.split) - 100) > 1e-6 or not args.split[0]:
        options.error(f"--split must be three percentages that add up to 100: {args.split}")
    return args


def main(argv=None):
    args = parse_args(argv)
    import os

    from glyphs import building, files, images, readers
    from glyphs.readers import sources

    files.check_can_write(args.output)
    scratch = files.temporary(f"{args.output}.unpacked")
    options = readers.Options()
    with sources.open_index(args.source, options, scratch=scratch) as index:
        for note in index.notes:
            cli.print_warning(note)
        existed = os.path.exists(args.output)
        progress = cli.Progress(len(index.labels), "pictures")
        try:
            summary = building.build(
                index,
                args.output,
                images.Preprocessing((args.image_size,), args.fit, args.polarity),
                fractions=[share / 100 for share in args.split],
                shuffle_seed=args.shuffle_seed,
                label_encoding=args.label_encoding,
                strict=args.strict,
                workers=args.workers,
                progress=progress.update,
            )
        finally:
            progress.clear()
    for path, reason in summary.unreadable:
        cli.print_warning(f"{path}: {reason}; left out")
    print_summary(summary, args, existed)


def print_summary(summary, args, existed):
    """Say on stdout what is in the dataset, and on stderr what deserves a look."""
    counts = summary.counts
    totals = sum(counts.values())
    height, width = args.image_size
    replaced = " (the file that was there is replaced)" if existed else ""
    print(cli.one_line(f"{args.output}: written{replaced}"))
    print(f"  {totals.sum():,} pictures of {len(totals)} classes, {height}x{width}, {args.fit}")
    for name, split in counts.items():
        print(f"  {name:<6}{split.sum():>9,} pictures, {(split > 0).sum():,} classes")
    print(f"  split: {summary.split_rule}")
    fewest, most = totals.argmin(), totals.argmax()
    if totals[fewest] == totals[most]:
        print(f"  pictures a class: {totals[0]:,}")
    else:
        rarest, commonest = (cli.one_line(summary.class_names[i]) for i in (fewest, most))
        print(
            f"  pictures a class: {totals[fewest]:,} ({rarest}) to {totals[most]:,} ({commonest})"
        )
    found = ", ".join(f"{n:,} {polarity}" for polarity, n in summary.polarities.most_common())
    print(f"  polarity: {found if args.polarity == 'auto' else args.polarity + ' (given)'}")
    skipped = [f"{n:,} {reason}" for reason, n in sorted(summary.skipped.items())]
    if summary.unreadable:
        skipped.append(f"{len(summary.unreadable):,} unreadable")
    print(f"  skipped: {', '.join(skipped) or 'none'}")
    print(f"  {summary.seconds:.1f} s, {summary.pictures_per_second:,.0f} pictures/s")

    _warn_about_classes(summary.left_out, "without a readable picture, left out")
    for name in ("val", "test"):
        if counts[name].any():
            missing = [c for c, n in zip(summary.class_names, counts[name], strict=True) if not n]
            _warn_about_classes(missing, f"without a picture in {name}")
    if totals[most] > 3 * totals[fewest]:
        cli.print_warning("uneven classes; the rare ones will be recognised worse")


def _warn_about_classes(names, problem):
    if names:
        shown = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
        cli.print_warning(f"{len(names)} classes {problem}: {shown}")


if __name__ == "__main__":
    sys.exit(cli.run(main))
