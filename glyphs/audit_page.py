"""An audit as an HTML page: findings with their pictures, classes, sizes, samples."""

import functools
import itertools

import numpy as np

from glyphs import auditing, inspecting, pages, plots
from glyphs.findings import SEVERITIES

SHOWN = 24  # pictures of a finding, and of other things it is about
ENDS = 60  # classes with samples: so many of the most frequent ones, and of the rarest
SAMPLES = 10  # of a class
SIDE = 48  # pixels of a small picture
GAP = 4

MARKS = {"serious": "×", "warning": "!", "note": "i"}


def render(audit, found, advice, *, workers=None):
    """Return the HTML page of an audit.

    Args:
        audit: an auditing.Audit, whose samples can still be decoded.
        found: its findings.Findings.
        advice: its findings.Advice.
        workers: number of processes; None: one per core. The page does not depend on it.
    """
    samples = {label: _samples_of(audit, label) for label in _shown_classes(audit)}
    needed = [*samples.values()]
    for finding in found:
        needed.append(finding.samples[:SHOWN])
        if finding.partners is not None:
            needed.append(finding.partners[:SHOWN])
    thumbnails = auditing.thumbnails(
        audit, itertools.chain.from_iterable(needed), SIDE, workers=workers
    )
    page = _Page(audit, thumbnails)
    body = "\n".join(
        [
            page.header(found),
            page.findings(found),
            page.classes(),
            page.sizes(advice),
            page.samples(samples),
            page.remarks(),
        ]
    )
    return pages.page(
        f"{audit.index.source}: inspected", body, STYLE + plots.STYLE + page.characters.css()
    )


def _shown_classes(audit):
    """Return the labels of the classes of which samples are shown, the most frequent ones first."""
    order = _by_frequency(audit)
    if len(order) <= 2 * ENDS:
        return order.tolist()
    return [*order[:ENDS].tolist(), *order[-ENDS:].tolist()]


def _by_frequency(audit):
    return np.argsort(-audit.pictures_per_class, kind="stable")


def _samples_of(audit, label):
    return np.flatnonzero((audit.labels == label) & audit.readable)[:SAMPLES]


class _Page:
    """The parts of the page, as HTML."""

    def __init__(self, audit, thumbnails):
        self.audit = audit
        self.thumbnails = thumbnails
        self.characters = pages.Characters()
        self.text = self.characters.html

    @functools.cached_property
    def majority(self):
        """The polarity of pictures that do not show it themselves."""
        return self.audit.polarities().most_common(1)[0][0]

    def _polarity(self, position):
        own = inspecting.POLARITIES[self.audit.facts["polarity"][position]]
        return self.audit.index.polarity or own or self.majority

    def header(self, found):
        audit = self.audit
        counts = {s: sum(finding.severity == s for finding in found) for s in SEVERITIES}
        verdict = _number(counts["serious"], "serious finding")
        if counts["warning"]:
            verdict += f", {_number(counts['warning'], 'warning')}"
        tiles = [
            (f"{audit.pictures_per_class.sum():,}", "pictures"),
            (f"{len(audit.index.class_names):,}", "classes"),
            *(
                (f"{audit.counts_of(split).sum():,}", f"in {split}")
                for split in filter(None, audit.split_names)
            ),
        ]
        if audit.groups is not None:
            tiles.append((f"{audit.n_groups():,}", f"{audit.index.group_kind}s"))
        return (
            f'<header>\n<p class="soft">What inspect_dataset.py found in</p>\n'
            f"<h1>{self.text(audit.index.source)}</h1>\n"
            f'<p class="verdict {"serious" if counts["serious"] else "good"}">{verdict}</p>\n'
            '<ul class="tiles">'
            + "".join(f"<li><b>{value}</b><span>{name}</span></li>" for value, name in tiles)
            + "</ul>\n</header>"
        )

    def findings(self, found):
        if not found:
            return ""
        return "<h2>Findings</h2>\n" + "\n".join(self._finding(finding) for finding in found)

    def _finding(self, finding):
        text = self.text
        parts = [
            f'<section class="finding {finding.severity}">\n<h3>'
            f'<span class="mark" aria-hidden="true">{MARKS[finding.severity]}</span>'
            f"<span>{text(_capital(finding.title))}</span> <b>{finding.count:,}</b></h3>\n"
            f"<p>{text(_capital(finding.advice))}.</p>"
        ]
        shown = [self._shown(finding, i) for i in range(min(SHOWN, len(finding.samples)))]
        if shown:
            kind = "pictures" if finding.partners is None else "pictures pairs"
            parts.append(f'<ul class="{kind}">{"".join(shown)}</ul>')
        lines = [f"{text(name)}: {text(reason)}" for name, reason in finding.records[:SHOWN]]
        lines += [self._together(*classes) for classes in finding.classes[:SHOWN]]
        lines += [text(group) for group in finding.groups[:SHOWN]]
        if lines:
            items = "".join(f"<li>{line}</li>" for line in lines)
            parts.append(f'<ul class="lines">{items}</ul>')
        things = (finding.samples, finding.records, finding.classes, finding.groups)
        more = sum(map(len, things)) - len(shown) - len(lines)
        if more:
            parts.append(f'<p class="soft">and {more:,} more; --json lists them all</p>')
        return "\n".join([*parts, "</section>"])

    def _shown(self, finding, i):
        """Return a picture of a finding as a list item, with the partner it is a copy of."""
        position = int(finding.samples[i])
        both = [position]
        if finding.partners is not None:
            both.append(int(finding.partners[i]))
        parts = [
            f"<figure>{self._image(each)}<figcaption>{self._place(each)}</figcaption></figure>"
            for each in both
        ]
        detail = finding.detail and finding.detail(position)
        if detail:
            parts.append(f'<p class="soft">{self.text(detail)}</p>')
        return f"<li>{''.join(parts)}</li>"

    def _image(self, position):
        """Return a picture in the polarity it is stored in."""
        picture = self.thumbnails.get(position)
        if picture is None:
            return '<span class="absent" aria-hidden="true">×</span>'
        size = f'width="{picture.width}" height="{picture.height}"'
        return f'<img src="{pages.picture_uri(picture)}" {size} alt="">'

    def _place(self, position):
        """Return the class, split and name of a picture."""
        audit = self.audit
        split = audit.split(position)
        where = f" in {split}" if split else ""
        name = audit.name(position).replace("\\", "/").rpartition("/")[2]
        return (
            f"<b>{self._class(int(audit.labels[position]))}</b>{where}<br>"
            f'<span class="soft">{self.text(name)}</span>'
        )

    def _together(self, labels, detail):
        names = " and ".join(self._class(label) for label in labels)
        return names + (f' <span class="soft">{self.text(detail)}</span>' if detail else "")

    def _class(self, label):
        """Return a class's name, and before it the character it stands for if that says more."""
        name, character = self.audit.index.class_names[label], self.audit.characters[label]
        if character in (None, name) or not self.characters.can_show(character):
            return self.text(name)
        return f"{self.text(character)} {self.text(name)}"

    def classes(self):
        audit = self.audit
        counts = audit.pictures_per_class
        order = _by_frequency(audit)
        k, n = audit.covering(), len(counts)
        share = f"{100 * audit.coverage:g} %"
        if k == n:
            lead = f"All {n:,} classes are needed to make up {share} of the pictures."
        else:
            lead = (
                f"The {k:,} most frequent of {n:,} classes make up at most {share} of the "
                "pictures, as create_dataset.py --coverage counts. None of the others has more "
                f"than {counts[order[k]]:,}."
            )
        chips = "".join(
            f"<li{' class=rare' if i >= k else ''}>{self._short(label)} "
            f"<span>{counts[label]:,}</span></li>"
            for i, label in enumerate(order.tolist())
        )
        return (
            f"<h2>Classes</h2>\n<p>{lead}</p>\n{plots.frequency_curve(counts[order], k, share)}\n"
            f"<details{' open' if n <= 300 else ''}><summary>All classes, the most frequent first"
            f'</summary>\n<ul class="chips">{chips}</ul></details>'
        )

    def _short(self, label):
        character = self.audit.characters[label]
        if character and self.characters.can_show(character):
            return self.text(character)
        return self.text(self.audit.index.class_names[label])

    def sizes(self, advice):
        quartiles = self.audit.quartiles()
        if not quartiles:
            return ""
        heads = ("", "smallest", "a quarter below", "half below", "three quarters", "largest")
        rows = "".join(
            f"<tr><td>{name}</td>" + "".join(f"<td>{q:g}</td>" for q in values) + "</tr>"
            for name, values in quartiles.items()
        )
        facts = self.audit.facts[self.audit.readable]
        histograms = "".join(
            f"<figure>{plots.histogram(values)}<figcaption>{name}</figcaption></figure>"
            for name, values in (
                ("height in pixels", facts["height"]),
                ("width in pixels", facts["width"]),
                ("width / height", facts["width"] / facts["height"]),
            )
            if values.min() < values.max()
        )
        items = "".join(
            f"<li><code>{a.option} {a.value}</code><br>{self.text(_capital(a.reason))}.</li>"
            for a in advice
        )
        return (
            f'<h2>Sizes</h2>\n<ul class="advice">{items}</ul>\n'
            + (f'<div class="plots">{histograms}</div>\n' if histograms else "")
            + "<table><thead><tr>"
            + "".join(f"<th>{head}</th>" for head in heads)
            + f"</tr></thead><tbody>{rows}</tbody></table>"
        )

    def samples(self, samples):
        total = len(self.audit.index.class_names)
        note = "ink dark on white"
        if len(samples) < total:
            note = f"the {ENDS} most frequent and the {ENDS} rarest of {total:,} classes; {note}"
        rows = "".join(
            f'<li><div class="name">{self._class(label)}<br>'
            f'<span class="soft">{self.audit.pictures_per_class[label]:,}</span></div>'
            f"{self._strip(positions)}</li>"
            for label, positions in samples.items()
        )
        return (
            f'<h2>Samples</h2>\n<p class="soft">The first {SAMPLES} pictures of each class: {note}.'
            f'</p>\n<ul class="sheets">{rows}</ul>'
        )

    def _strip(self, positions):
        """Return some pictures side by side in one, dark on white."""
        from PIL import Image, ImageChops

        if not len(positions):
            return '<span class="soft">no picture</span>'
        pitch = SIDE + GAP
        strip = Image.new("L", (pitch * len(positions) - GAP, SIDE), 255)
        for i, position in enumerate(positions.tolist()):
            picture = self.thumbnails.get(position)
            if picture is None:
                continue
            if self._polarity(position) == "light-on-dark":
                picture = ImageChops.invert(picture)
            left = i * pitch + (SIDE - picture.width) // 2
            strip.paste(picture, (left, (SIDE - picture.height) // 2))
        size = f'width="{strip.width}" height="{strip.height}"'
        return f'<img src="{pages.picture_uri(strip)}" {size} alt="" loading="lazy">'

    def remarks(self):
        audit, index = self.audit, self.audit.index
        lines = []
        if not audit.is_dataset:
            lines += [("Stored as", _counted(audit.modes()))]
            lines += [("Polarity", _counted(audit.polarities()))]
            if audit.groups is None:
                lines += [("Writers", "not known; a split by file order or by chance may mix them")]
        if index.skipped:
            lines += [("Passed over", _counted(index.skipped))]
        lines += [("Note", note) for note in index.notes]
        items = "".join(f"<dt>{name}</dt><dd>{self.text(value)}</dd>" for name, value in lines)
        return f"<h2>Also</h2>\n<dl>{items}</dl>" if lines else ""


def _counted(counter):
    return ", ".join(f"{count:,} {name}" for name, count in counter.most_common())


def _number(count, noun):
    number = f"{count:,}" if count else "No"
    return f"{number} {noun}" + ("" if count == 1 else "s")


def _capital(text):
    return text[:1].upper() + text[1:]


STYLE = f"""
header > p:first-child {{ margin: 0 0 .2rem; }}
.verdict {{ font-size: 1.15rem; margin: .8rem 0 0; }}
.verdict.serious {{ color: var(--serious); }} .verdict.good {{ color: var(--good); }}
ul {{ list-style: none; padding: 0; margin: .8rem 0; }}
.tiles {{ display: flex; flex-wrap: wrap; gap: .5rem 3rem; margin: 1.6rem 0 0; }}
.tiles b {{ display: block; font-size: 1.7rem; line-height: 1.2; font-weight: 600; }}
.tiles span, figcaption {{ color: var(--soft); font-size: .85rem; }}
.finding {{
  background: var(--card); border: 1px solid var(--line); border-left: 4px solid var(--note);
  border-radius: 8px; padding: .9rem 1.2rem; margin: .9rem 0;
}}
.finding.serious {{ border-left-color: var(--serious); }}
.finding.warning {{ border-left-color: var(--warning); }}
h3 {{ display: flex; align-items: baseline; }}
h3 b {{ margin-left: auto; padding-left: 1rem; }}
.mark {{
  flex: none; width: 1.5em; height: 1.5em; margin-right: .6em; border-radius: 50%;
  font-size: .8rem; line-height: 1.5em; text-align: center; color: var(--card);
  background: var(--note);
}}
.serious .mark {{ background: var(--serious); }} .warning .mark {{ background: var(--warning); }}
figure {{ margin: 0; }}
.pictures {{
  display: grid; grid-template-columns: repeat(auto-fill, minmax(10.5rem, 1fr)); gap: .9rem;
}}
.pictures li {{ font-size: .85rem; line-height: 1.4; overflow-wrap: anywhere; }}
.pictures.pairs {{ grid-template-columns: repeat(auto-fill, minmax(min(100%, 23rem), 1fr)); }}
.pairs li {{ display: flex; gap: .8rem; }}
.pairs figure {{ flex: 1; }}
.pictures figure {{ display: flex; gap: .6rem; align-items: flex-start; }}
.pictures img, .absent {{ flex: none; border: 1px solid var(--line); border-radius: 3px; }}
.pictures p {{ margin: .2rem 0 0; }}
.absent {{
  width: {SIDE}px; height: {SIDE}px; line-height: {SIDE}px; text-align: center;
  color: var(--serious);
}}
.lines {{ columns: 18rem; column-gap: 2rem; font-size: .92rem; }}
summary {{ cursor: pointer; color: var(--soft); }}
.chips {{ display: flex; flex-wrap: wrap; gap: .3rem; }}
.chips li {{
  background: var(--card); border: 1px solid var(--line); border-radius: 5px; padding: .1rem .45rem;
}}
.chips span {{ color: var(--soft); font-size: .75rem; }}
.chips .rare {{ border-style: dashed; background: none; }}
.advice {{ display: grid; grid-template-columns: repeat(auto-fit, minmax(20rem, 1fr)); gap: 1rem; }}
.advice code {{ font-size: 1rem; font-weight: 600; }}
.plots {{ display: grid; grid-template-columns: repeat(auto-fit, minmax(15rem, 1fr)); gap: 2rem; }}
.sheets {{
  display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 31rem), 1fr));
  gap: .6rem 2rem;
}}
.sheets li {{ display: flex; gap: .8rem; align-items: center; min-width: 0; }}
.sheets .name {{ flex: 0 0 7rem; line-height: 1.3; overflow-wrap: anywhere; font-size: .9rem; }}
.sheets img {{
  min-width: 0; max-width: calc(100% - 7.8rem); height: auto; border-radius: 4px; padding: 2px;
}}
dl {{ display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1.5rem; }}
dt {{ color: var(--soft); }} dd {{ margin: 0; overflow-wrap: anywhere; }}
"""
