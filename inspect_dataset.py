"""Find out what is wrong with pictures of characters before a network learns from them.

    python inspect_dataset.py FOLDER
    python inspect_dataset.py characters_dataset --html report.html

Looks at whatever create_dataset.py reads, or at a finished dataset: unreadable and blank pictures,
copies within and across splits, one picture under two labels, ink and paper swapped, confusable
class names, rare and missing classes, writers in two splits. Suggests --image-size and --fit.

Prints a table, or with --json one JSON object; --html writes a page with the pictures concerned
and samples of each class. The exit code is 5 where a finding is serious, so that scripts can stop.
"""

import contextlib
import sys

from glyphs import cli, labels

SERIOUS = 5  # exit code


def parse_args(argv=None):
    options = cli.parser(__doc__)
    options.add_argument(
        "source", metavar="SOURCE_OR_DATASET", help="folder, archive, file or characters_dataset"
    )
    options.add_argument("--json", action="store_true", help="print one JSON object")
    options.add_argument("--html", metavar="FILE", help="write a page to look at")
    options.add_argument(
        "--coverage",
        type=cli.coverage,
        default=0.9,
        metavar="SHARE",
        help="say how many of the most frequent classes make up this share of the pictures",
    )
    options.add_argument(
        "--label-encoding",
        choices=labels.ENCODINGS,
        help="what folder names of four hex digits mean: B0A1 is 亜 in euc-jp, 啊 in gb2312",
    )
    cli.add_source(options)
    cli.add_workers(options)
    return options.parse_args(argv)


def main(argv=None):
    args = parse_args(argv)
    from glyphs import files
    from glyphs.inspection import report_json, report_text
    from glyphs.inspection.advice import advise
    from glyphs.inspection.audit import measure
    from glyphs.inspection.findings import find

    if args.html:
        from glyphs.inspection import report

        files.refuse_same(args.html, args.source, args.class_map)
        files.check_can_write(args.html)
    with open_index(args) as (index, characters, groups):
        progress = cli.Progress(len(index.labels), "pictures")
        try:
            audit = measure(
                index,
                characters,
                groups,
                coverage=args.coverage,
                workers=args.workers,
                progress=progress.update,
            )
        finally:
            progress.clear()
        found, advice = find(audit), advise(audit)
        if args.html:
            page = report.render(audit, found, advice, workers=args.workers)
            with files.replacing(args.html) as file:
                file.write(page.encode())
        if args.json:
            report_json.write(audit, found, advice, sys.stdout)
        else:
            for line in report_text.lines(audit, found, advice):
                print(cli.one_line(line))
    return SERIOUS if any(finding.severity == "serious" for finding in found) else 0


@contextlib.contextmanager
def open_index(args):
    """Yield `(index, characters, groups)` of a source or a dataset; see audit.Audit."""
    import os
    import tempfile

    from glyphs import datasets, selecting
    from glyphs.inspection.audit import groups_by_split, groups_of_dataset, index_dataset
    from glyphs.readers import sources

    if datasets.is_dataset(args.source):
        dataset = datasets.open_dataset(args.source)
        index = index_dataset(dataset)
        yield index, dataset.characters, groups_of_dataset(dataset)
        return
    with tempfile.TemporaryDirectory(prefix="inspect_dataset.") as folder:
        scratch = os.path.join(folder, "unpacked")
        options = cli.source_options(args)
        with sources.open_index(args.source, options, scratch=scratch, reader=args.reader) as index:
            index = selecting.regroup(index, args.groups)
            encoding = args.label_encoding or index.label_encoding
            characters = [labels.character(name, encoding) for name in index.class_names]
            yield index, characters, groups_by_split(index)


if __name__ == "__main__":
    sys.exit(cli.run(main))
