"""An audit as one JSON object, for programs.

Its keys:

    format, version    "glyphs audit", 1
    source, reader     name of the source, and what kind it is; "dataset" for a characters_dataset
    pictures           how many could be read
    splits             per split {"pictures", "classes"}; null where the source has no splits
    classes            a list of {"name", "character", "pictures"}, and of counts per split
    coverage           {"share", "classes"}: so many of the most frequent classes make up the share
    sizes              of "height", "width" and "width / height": minimum, quartiles and maximum
    modes, polarities  how many pictures are stored in which mode and with which ink
    groups             {"kind", "count"}: writers, books, ...; null where they are not known
    skipped, notes     files that were skipped, by reason; what else the reader says
    advice             a list of {"option", "value", "reason"}
    severities         how many findings are "serious", "warning" and "note"
    findings           a list of {"id", "severity", "count", "title", "advice", "samples",
                       "records", "classes", "groups"}

Of the findings, samples are `{"name", "class", "split", "detail", "same_as"}`, the last being the
name, class and split of the picture with the same pixels; records are `{"name", "detail"}` of what
could not even be indexed; classes are `{"names", "detail"}`, several names where they belong
together; groups are names. What does not apply is null or empty.
"""

import json

from glyphs.inspection.findings import SEVERITIES

VERSION = 1


def write(audit, found, advice, file):
    """Write an audit as one JSON object and a newline.

    Args:
        audit: an audit.Audit.
        found: its findings.Findings.
        advice: its advice.Advice.
        file: text file. It gets one line per finding and sample, so that a million samples need
            not lie in memory as text.
    """
    head = json.dumps(summary(audit, found, advice), indent=1)
    file.write(f'{head[:-2]},\n "findings": [')
    for i, finding in enumerate(found):
        about = {
            key: getattr(finding, key) for key in ("id", "severity", "count", "title", "advice")
        }
        file.write(f"{',' if i else ''}\n{json.dumps(about)[:-1]}")
        entries = {
            "samples": samples(audit, finding),
            "records": ({"name": name, "detail": reason} for name, reason in finding.records),
            "classes": (
                {"names": [audit.index.class_names[label] for label in labels], "detail": detail}
                for labels, detail in finding.classes
            ),
            "groups": finding.groups,
        }
        for key, values in entries.items():
            file.write(f', "{key}": [')
            for j, value in enumerate(values):
                file.write(f"{',' if j else ''}\n {json.dumps(value)}")
            file.write("]")
        file.write("}")
    file.write("]}\n")


def summary(audit, found, advice):
    """Return all but the findings as a dict."""
    index, per_class = audit.index, audit.pictures_per_class.tolist()
    by_split = {
        name: audit.counts_of(name).tolist() for name in audit.split_names if name is not None
    }
    return {
        "format": "glyphs audit",
        "version": VERSION,
        "source": index.source,
        "reader": index.reader,
        "pictures": sum(per_class),
        "splits": {
            name: {"pictures": sum(counts), "classes": sum(n > 0 for n in counts)}
            for name, counts in by_split.items()
        }
        or None,
        "classes": [
            {
                "name": name,
                "character": audit.characters[label],
                "pictures": per_class[label],
                **{split: counts[label] for split, counts in by_split.items()},
            }
            for label, name in enumerate(index.class_names)
        ],
        "coverage": {"share": audit.coverage, "classes": audit.covering()},
        "sizes": audit.quartiles(),
        "modes": None if audit.is_dataset else dict(audit.modes()),
        "polarities": dict(audit.polarities()),
        "groups": None
        if audit.groups is None
        else {"kind": index.group_kind, "count": audit.n_groups()},
        "skipped": dict(index.skipped),
        "notes": index.notes,
        "advice": [vars(a) for a in advice],
        "severities": {s: sum(f.severity == s for f in found) for s in SEVERITIES},
    }


def samples(audit, finding):
    """Yield a dict for each picture that a finding is about."""
    for i, position in enumerate(finding.samples.tolist()):
        yield {
            **_sample(audit, position),
            "detail": finding.detail(position) if finding.detail else None,
            "same_as": None
            if finding.partners is None
            else _sample(audit, int(finding.partners[i])),
        }


def _sample(audit, position):
    return {
        "name": audit.name(position),
        "class": audit.class_name(position),
        "split": audit.split(position),
    }
