"""An audit as an HTML page."""

import os

import numpy as np
import pytest
from conftest import run_script
from test_pages import HOSTILE, check_page
from toy_audits import inspect, make_faulty, make_splits, measure

from glyphs import fonts
from glyphs.inspection import audit_worker, findings
from glyphs.inspection import report as page_report
from glyphs.inspection.advice import advise
from glyphs.sources.index import Index, Samples


@pytest.fixture
def faulty(tmp_path):
    return make_faulty(make_splits(tmp_path / "split"))


def test_page_is_whole_and_shows_the_faults(faulty, tmp_path):
    pages_of = []
    for workers in (1, 2):
        path = tmp_path / f"{workers}.html"
        run_script("inspect_dataset.py", faulty, "--html", path, "--workers", workers, expect=5)
        pages_of.append(path.read_text())
    assert pages_of[0] == pages_of[1]
    tags = check_page(pages_of[0])
    for text in ("<script>", "leak.png", "U+DCFF", "empty file", "Blank pictures", "--fit stretch"):
        assert any(text in found for found in tags.texts), text
    assert pages_of[0].count('class="character ') > 5
    assert "svg" in tags.seen
    assert sorted(os.listdir(tmp_path)) == ["1.html", "2.html", "split"]


def test_page_shows_code_points_without_the_font(faulty, monkeypatch):
    monkeypatch.setattr(fonts, "bundled_font", lambda: None)
    audit, found = inspect(faulty)
    page = page_report.render(audit, list(found.values()), advise(audit), workers=1)
    check_page(page)
    assert '<code class="point">U+4E9C</code>' in page


class Memory(Samples):
    """Samples in memory: noise in which no two are alike."""

    def __init__(self, count, names=None):
        self.count = count
        self.names = names

    def __len__(self):
        return self.count

    def name(self, number):
        return self.names[number % len(self.names)] if self.names else f"record {number}"

    def chunk(self, numbers):
        rng = np.random.default_rng(numbers[0])
        noise = [rng.bytes(256) for _ in numbers]
        return audit_worker.DatasetImages((16, 16), [("noise", 0, noise)])


def test_pages_of_many_classes_stay_small():
    names = [f"U+{0x4E00 + i:04X}" for i in range(900)]
    y = np.sort(np.arange(5000) % 900)
    index = Index("many", "records", names, Memory(len(y)), y, numbers=np.arange(len(y))[::-1])
    audit = measure(index)
    page = page_report.render(audit, findings.find(audit), advise(audit), workers=1)
    check_page(page)
    assert len(page) < 1_500_000
    assert "the 60 most frequent and the 60 rarest of 900 classes" in page
    assert audit.name(0) == "record 4999"


def page_of(names):
    """Return the page of an audit where everything that is text comes from `names`."""
    n = len(names)
    y = np.repeat(np.arange(n), 2)
    index = Index(names[0], "records", names, Memory(2 * n, names), y, polarity="dark-on-light")
    index.damaged.extend(zip(names, reversed(names), strict=True))
    index.notes.extend(names)
    index.skipped.update({name: 1 + i for i, name in enumerate(names)})
    index.group_kind = "writer"
    audit = measure(index)
    audit.reasons[0] = names[1]
    audit.facts["width"][0] = 0  # unreadable
    found = findings.find(audit)
    found += [
        findings.Finding(
            "id", "note", names[2], names[3], np.arange(4), np.arange(4)[::-1], lambda i: names[i],
            classes=[((0, 1), names[4])], groups=names,
        )
    ]  # fmt: skip
    return page_report.render(audit, found, advise(audit), workers=1)


def test_hostile_names_change_nothing_but_the_text():
    hostile, harmless = (
        check_page(page_of(names))
        for names in (HOSTILE, [f"name {i}" for i in range(len(HOSTILE))])
    )
    of_text = {"content", "src"}  # the policy's hash; noise
    shapes = [
        [(tag, [a for a in attributes if a[0] not in of_text]) for tag, attributes in tags.elements]
        for tags in (hostile, harmless)
    ]
    assert shapes[0] == shapes[1]
    text = "".join(hostile.texts)
    for name in ("<script>alert(1)</script>", "U+202Egnp.exe", "]]>", "two\\nlines", "{{ 7 * 7 }}"):
        assert text.count(name) > 5, name


def test_a_class_without_a_picture_has_none_to_show(tmp_path):
    (tmp_path / "split" / "train" / "empty").mkdir(parents=True)
    audit, found = inspect(make_splits(tmp_path / "split"))
    page = page_report.render(audit, list(found.values()), advise(audit), workers=1)
    assert "no picture" in check_page(page).texts
