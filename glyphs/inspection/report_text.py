"""An audit as lines of text, for a terminal."""

import itertools

from glyphs.inspection import report_json
from glyphs.inspection.findings import SEVERITIES

EXAMPLES = 3  # of a finding


def lines(audit, found, advice):
    """Yield the lines of the report.

    Args:
        audit: an audit.Audit.
        found: its findings.Findings.
        advice: its advice.Advice.
    """
    per_class = audit.pictures_per_class
    yield f"{audit.index.source}: {per_class.sum():,} pictures of {len(per_class):,} classes"
    for title, text in _facts(audit):
        yield f"  {title:<20}{text}"
    for severity in SEVERITIES:
        chosen = [finding for finding in found if finding.severity == severity]
        if chosen:
            yield from ("", severity.upper())
        for finding in chosen:
            yield f"  {finding.title}: {finding.count:,}  [{finding.id}]"
            yield f"      {finding.advice}"
            yield from (f"      - {example}" for example in _examples(audit, finding))
    if not found:
        yield from ("", "nothing wrong was found")
    if advice:
        yield from ("", "ADVICE")
    for a in advice:
        yield f"  {a.option} {a.value}: {a.reason}"


def _facts(audit):
    """Yield `(title, text)` of what the pictures are like."""
    index = audit.index
    for split in filter(None, audit.split_names):
        counts = audit.counts_of(split)
        yield split, f"{counts.sum():>9,} pictures, {(counts > 0).sum():,} classes"
    counts = audit.pictures_per_class
    if counts.min() == counts.max():
        yield "pictures a class", f"{counts[0]:,}"
    else:
        rarest, largest = (index.class_names[i] for i in (counts.argmin(), counts.argmax()))
        yield "pictures a class", f"{counts.min():,} ({rarest}) to {counts.max():,} ({largest})"
    yield "coverage", f"{audit.covering():,} classes make up at most {100 * audit.coverage:g} %"
    for name, quartiles in (audit.quartiles() or {}).items():
        low, first, median, third, high = (f"{q:g}" for q in quartiles)
        yield name, f"{low} to {high}, median {median}, half are {first} to {third}"
    if not audit.is_dataset:
        for title, counter in (("stored as", audit.modes()), ("polarity", audit.polarities())):
            yield title, ", ".join(f"{n:,} {kind}" for kind, n in counter.most_common())
    if audit.groups is not None:
        yield f"{index.group_kind}s", f"{audit.n_groups():,}"
    elif not audit.is_dataset:
        yield "writers", "not known; a split in file order or at random may mix them"
    if index.skipped:
        skipped = sorted(index.skipped.items())
        yield "skipped", ", ".join(f"{n:,} {why}" for why, n in skipped)
    for note in index.notes:
        yield "note", note


def _examples(audit, finding):
    """Yield the first things that a finding is about, and how many follow."""
    names = audit.index.class_names
    examples = itertools.chain(
        map(_sample, report_json.samples(audit, finding)),
        (f"{name}: {reason}" for name, reason in finding.records),
        (
            " / ".join(names[label] for label in together) + (f": {detail}" if detail else "")
            for together, detail in finding.classes
        ),
        finding.groups,
    )
    yield from itertools.islice(examples, EXAMPLES)
    things = (finding.samples, finding.records, finding.classes, finding.groups)
    more = sum(map(len, things)) - EXAMPLES
    if more > 0:
        yield f"and {more:,} more"


def _sample(sample):
    """Return a dict of report_json.samples as text."""
    if sample["same_as"]:
        return f"{sample['name']} = {sample['same_as']['name']}"
    return sample["name"] + (f": {sample['detail']}" if sample["detail"] else "")
