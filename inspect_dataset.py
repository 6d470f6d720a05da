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

from glyphs import console, options
from glyphs.characters import character_of
from glyphs.errors import one_line

SERIOUS = 5  # exit code


def parse_args(argv=None):
    parser = options.make_parser(__doc__)
    parser.add_argument(
        "source", metavar="SOURCE_OR_DATASET", help="folder, archive, file or characters_dataset"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--html", metavar="FILE", help="write a page to look at")
    parser.add_argument(
        "--coverage",
        type=options.coverage,
        default=0.9,
        metavar="SHARE",
        help="say how many of the most frequent classes make up this share of the pictures",
    )
    options.add_label_encoding(parser)
    options.add_workers(parser)
    options.add_source(parser)
    return parser.parse_args(argv)


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
    with open_source(args) as (index, characters, groups):
        with console.Progress("pictures") as progress:
            audit = measure(
                index,
                characters,
                groups,
                coverage=args.coverage,
                workers=args.workers,
                progress=progress.update,
            )
        found, advice = find(audit), advise(audit)
        if args.html:
            page = report.render(audit, found, advice, workers=args.workers)
            with files.replacing(args.html) as file:
                file.write(page.encode())
        if args.json:
            report_json.write(audit, found, advice, sys.stdout)
        else:
            for line in report_text.lines(audit, found, advice):
                print(one_line(line))
    return SERIOUS if any(finding.severity == "serious" for finding in found) else 0


@contextlib.contextmanager
def open_source(args):
    """Yield `(index, characters, groups)` of a source or a dataset; see audit.Audit."""
    import os
    import tempfile

    from glyphs.dataset.open import is_dataset, open_dataset
    from glyphs.dataset.select import regroup
    from glyphs.inspection.audit import groups_by_split, groups_of_dataset, index_dataset
    from glyphs.sources.opening import open_index

    if is_dataset(args.source):
        dataset = open_dataset(args.source)
        index = index_dataset(dataset)
        yield index, dataset.characters, groups_of_dataset(dataset)
        return
    with tempfile.TemporaryDirectory(prefix="inspect_dataset.") as folder:
        scratch = os.path.join(folder, "unpacked")
        reading = options.source_options(args)
        with open_index(args.source, reading, scratch=scratch, reader=args.reader) as index:
            index = regroup(index, args.groups)
            encoding = args.label_encoding or index.label_encoding
            characters = [character_of(name, encoding) for name in index.class_names]
            yield index, characters, groups_by_split(index)


if __name__ == "__main__":
    sys.exit(console.run(main))
