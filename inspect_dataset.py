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
import itertools
import sys

from glyphs import cli, labels

SERIOUS = 5  # exit code
EXAMPLES = 3  # of a finding, on the terminal


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
    from glyphs import audit_json, audit_page, auditing, files, findings

    if args.html:
        files.refuse_same(args.html, args.source, args.class_map)
        files.check_can_write(args.html)
    with open_index(args) as (index, characters, groups):
        progress = cli.Progress(len(index.labels), "pictures")
        try:
            audit = auditing.measure(
                index,
                characters,
                groups,
                coverage=args.coverage,
                workers=args.workers,
                progress=progress.update,
            )
        finally:
            progress.clear()
        found, advice = findings.find(audit), findings.advise(audit)
        if args.html:
            page = audit_page.render(audit, found, advice, workers=args.workers)
            with files.replacing(args.html) as file:
                file.write(page.encode())
        if args.json:
            audit_json.write(audit, found, advice, sys.stdout)
        else:
            print_table(audit, found, advice)
    return SERIOUS if any(finding.severity == "serious" for finding in found) else 0


@contextlib.contextmanager
def open_index(args):
    """Yield `(index, characters, groups)` of a source or a dataset; see auditing.Audit."""
    import os
    import tempfile

    from glyphs import auditing, datasets, selecting
    from glyphs.readers import sources

    if datasets.is_dataset(args.source):
        dataset = datasets.open_dataset(args.source)
        index = auditing.index_dataset(dataset)
        yield index, dataset.characters, auditing.groups_of_dataset(dataset)
        return
    with tempfile.TemporaryDirectory(prefix="inspect_dataset.") as folder:
        scratch = os.path.join(folder, "unpacked")
        options = cli.source_options(args)
        with sources.open_index(args.source, options, scratch=scratch, reader=args.reader) as index:
            index = selecting.regroup(index, args.groups)
            encoding = args.label_encoding or index.label_encoding
            characters = [labels.character(name, encoding) for name in index.class_names]
            yield index, characters, auditing.groups_by_split(index)


def print_table(audit, found, advice):
    """Print what was found for people to read."""
    index = audit.index
    per_class = audit.pictures_per_class
    say(f"{index.source}: {per_class.sum():,} pictures of {len(per_class):,} classes")
    for split in filter(None, audit.split_names):
        counts = audit.counts_of(split)
        say(f"  {split:<20}{counts.sum():>9,} pictures, {(counts > 0).sum():,} classes")
    say_facts(audit)
    for severity in ("serious", "warning", "note"):
        chosen = [finding for finding in found if finding.severity == severity]
        if chosen:
            print(f"\n{severity.upper()}")
        for finding in chosen:
            say(f"  {finding.title}: {finding.count:,}  [{finding.id}]")
            say(f"      {finding.advice}")
            for example in examples(audit, finding):
                say(f"      - {example}")
    if not found:
        print("\nnothing found that is wrong")
    if advice:
        print("\nADVICE")
    for a in advice:
        say(f"  {a.option} {a.value}: {a.reason}")


def say_facts(audit):
    index = audit.index
    counts = audit.pictures_per_class

    def line(title, text):
        say(f"  {title:<20}{text}")

    if counts.min() == counts.max():
        line("pictures a class", f"{counts[0]:,}")
    else:
        rarest, largest = (index.class_names[i] for i in (counts.argmin(), counts.argmax()))
        line("pictures a class", f"{counts.min():,} ({rarest}) to {counts.max():,} ({largest})")
    line("coverage", f"{audit.covering():,} classes make up at most {100 * audit.coverage:g} %")
    for name, quartiles in (audit.quartiles() or {}).items():
        low, first, median, third, high = (f"{q:g}" for q in quartiles)
        line(name, f"{low} to {high}, median {median}, half are {first} to {third}")
    for title, counter in (("stored as", audit.modes()), ("polarity", audit.polarities())):
        if not audit.is_dataset:
            line(title, ", ".join(f"{n:,} {kind}" for kind, n in counter.most_common()))
    if audit.groups is not None:
        line(f"{index.group_kind}s", f"{audit.n_groups():,}")
    elif not audit.is_dataset:
        line("writers", "not known; a split by file order or by chance may mix them")
    if index.skipped:
        line("passed over", ", ".join(f"{n:,} {why}" for why, n in sorted(index.skipped.items())))
    for note in index.notes:
        line("note", note)


def examples(audit, finding):
    """Yield a line for each of the first things that a finding is about, and how many follow."""
    from glyphs import audit_json

    names = audit.index.class_names
    lines = itertools.chain(
        (describe(sample) for sample in audit_json.samples(audit, finding)),
        (f"{name}: {reason}" for name, reason in finding.records),
        (
            " / ".join(names[label] for label in together) + (f": {detail}" if detail else "")
            for together, detail in finding.classes
        ),
        finding.groups,
    )
    yield from itertools.islice(lines, EXAMPLES)
    parts = (finding.samples, finding.records, finding.classes, finding.groups)
    more = sum(map(len, parts)) - EXAMPLES
    if more > 0:
        yield f"and {more:,} more"


def describe(sample):
    """Return one line for a dict of audit_json.samples."""
    if sample["same_as"]:
        return f"{sample['name']} = {sample['same_as']['name']}"
    return sample["name"] + (f": {sample['detail']}" if sample["detail"] else "")


def say(line):
    print(cli.one_line(line))


if __name__ == "__main__":
    sys.exit(cli.run(main))
