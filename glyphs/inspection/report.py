"""An audit as an HTML page: findings with their pictures, classes, sizes, samples.

This module chooses what is shown; report.html says how. Import it only where a page is wanted: it
loads Jinja2.
"""

import itertools

import numpy as np

from glyphs.inspection import audit_worker
from glyphs.inspection.audit import thumbnails
from glyphs.inspection.findings import SEVERITIES
from glyphs.pages import page, svg
from glyphs.pages.text import Text

SHOWN = 24  # pictures of a finding, and of other things it is about
ENDS = 60  # classes with samples: so many of the most frequent ones, and of the rarest
SAMPLES = 10  # of a class
OPEN = 300  # up to so many classes are listed at once, more behind a click
SIDE = 48  # pixels of a thumbnail
GAP = 4  # pixels between two


def render(audit, found, advice, *, workers=None):
    """Return the HTML page of an audit.

    Args:
        audit: an audit.Audit, whose samples can still be decoded.
        found: its findings.Findings.
        advice: its advice.Advice.
        workers: number of processes; None: one per core. The page does not depend on it.
    """
    report = _Report(audit, found, workers)
    return page.render(
        "inspection/report.html",
        title=f"{audit.index.source}: inspected",
        text=report.text,
        source=audit.index.source,
        counts={s: sum(finding.severity == s for finding in found) for s in SEVERITIES},
        tiles=_tiles(audit),
        findings=[report.finding(finding) for finding in found],
        classes=report.classes(),
        sizes=_sizes(audit, advice),
        samples=report.samples(),
        remarks=_remarks(audit),
    )


class _Report:
    """The parts of the report that need its thumbnails or know how to name a class."""

    def __init__(self, audit, found, workers):
        self.audit = audit
        self.text = Text()
        self.order = np.argsort(-audit.pictures_per_class, kind="stable").tolist()
        ends = self.order
        if len(ends) > 2 * ENDS:
            ends = ends[:ENDS] + ends[-ENDS:]
        self.samples_of = {
            label: np.flatnonzero((audit.labels == label) & audit.readable)[:SAMPLES].tolist()
            for label in ends
        }
        needed = [*self.samples_of.values()]
        for finding in found:
            needed.append(finding.samples[:SHOWN])
            if finding.partners is not None:
                needed.append(finding.partners[:SHOWN])
        positions = itertools.chain.from_iterable(needed)
        self.thumbnails = thumbnails(audit, positions, SIDE, workers=workers)
        # The polarity of pictures that do not show it themselves.
        self.majority = next((p for p, _ in audit.polarities().most_common(1)), None)

    def finding(self, finding):
        shown = min(SHOWN, len(finding.samples))
        lines = [(f"{name}: {reason}", None) for name, reason in finding.records[:SHOWN]]
        lines += [
            (" and ".join(map(self.class_name, labels)), detail)
            for labels, detail in finding.classes[:SHOWN]
        ]
        lines += [(group, None) for group in finding.groups[:SHOWN]]
        things = (finding.samples, finding.records, finding.classes, finding.groups)
        return {
            "severity": finding.severity,
            "title": finding.title,
            "advice": finding.advice,
            "count": finding.count,
            "are_pairs": finding.partners is not None,
            "pictures": [self._shown(finding, i) for i in range(shown)],
            "lines": lines,
            "more": sum(map(len, things)) - shown - len(lines),
        }

    def _shown(self, finding, i):
        """Return a picture of a finding, with the partner that it is a copy of, and its detail."""
        position = int(finding.samples[i])
        pictures = [self._captioned(position)]
        if finding.partners is not None:
            pictures.append(self._captioned(int(finding.partners[i])))
        return pictures, finding.detail and finding.detail(position)

    def _captioned(self, position):
        """Return a picture in the polarity it is stored in; its class, split and name."""
        return {
            "picture": self.thumbnails.get(position),
            "class_name": self.class_name(int(self.audit.labels[position])),
            "split": self.audit.split(position),
            "name": self.audit.name(position).replace("\\", "/").rpartition("/")[2],
        }

    def class_name(self, label):
        """Return a class's name, and before it the character it stands for if that says more."""
        name, character = self.audit.index.class_names[label], self.audit.characters[label]
        if character in (None, name) or not self.text.can_show(character):
            return name
        return f"{character} {name}"

    def classes(self):
        audit = self.audit
        counts = audit.pictures_per_class
        k, n = audit.covering(), len(counts)
        share = f"{100 * audit.coverage:g} %"
        return {
            "k": k,
            "n": n,
            "share": share,
            "most_left_out": int(counts[self.order[k]]) if k < n else None,
            "curve": svg.frequency_curve(counts[self.order], k, share),
            "are_open": n <= OPEN,
            "all": [
                (self._short_name(label), int(counts[label]), i >= k)
                for i, label in enumerate(self.order)
            ],
        }

    def _short_name(self, label):
        character = self.audit.characters[label]
        if character and self.text.can_show(character):
            return character
        return self.audit.index.class_names[label]

    def samples(self):
        return {
            "per_class": SAMPLES,
            "ends": ENDS,
            "n_classes": len(self.order),
            "rows": [
                {
                    "class_name": self.class_name(label),
                    "count": int(self.audit.pictures_per_class[label]),
                    "picture": self._strip(positions),
                }
                for label, positions in self.samples_of.items()
            ],
        }

    def _strip(self, positions):
        """Return pictures side by side in one, dark on white; None where there are none."""
        if not positions:
            return None
        return page.strip([self._dark_on_light(p) for p in positions], SIDE, GAP)

    def _dark_on_light(self, position):
        from PIL import ImageChops

        picture = self.thumbnails.get(position)
        own = audit_worker.POLARITIES[self.audit.facts["polarity"][position]]
        is_light = (self.audit.index.polarity or own or self.majority) == "light-on-dark"
        return ImageChops.invert(picture) if picture and is_light else picture


def _tiles(audit):
    """Yield `(number, name)` of the figures at the top."""
    yield int(audit.pictures_per_class.sum()), "pictures"
    yield len(audit.index.class_names), "classes"
    for split in filter(None, audit.split_names):
        yield int(audit.counts_of(split).sum()), f"in {split}"
    if audit.groups is not None:
        yield audit.n_groups(), f"{audit.index.group_kind}s"


def _sizes(audit, advice):
    """Return quartiles, histograms and advice; None where there is nothing to say of sizes."""
    quartiles = audit.quartiles()
    if not quartiles:
        return None
    facts = audit.facts[audit.readable]
    values = {
        "height in pixels": facts["height"],
        "width in pixels": facts["width"],
        "width / height": facts["width"] / facts["height"],
    }
    return {
        "advice": advice,
        "histograms": [(k, svg.histogram(v)) for k, v in values.items() if v.min() < v.max()],
        "rows": {name: [f"{q:g}" for q in row] for name, row in quartiles.items()},
    }


def _remarks(audit):
    """Yield `(title, text)` of what else there is to say."""
    index = audit.index
    if not audit.is_dataset:
        yield "Stored as", _counted(audit.modes())
        yield "Polarity", _counted(audit.polarities())
        if audit.groups is None:
            yield "Writers", "not known; a split in file order or at random may mix them"
    if index.skipped:
        yield "Skipped", _counted(index.skipped)
    for note in index.notes:
        yield "Note", note


def _counted(counter):
    return ", ".join(f"{count:,} {name}" for name, count in counter.most_common())
