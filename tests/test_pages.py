"""The page that all reports stand on."""

import base64
import hashlib
import html.parser
import re

import jinja2
import numpy as np
import pytest

from glyphs.pages import page, svg
from glyphs.pages.text import Text

HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '" onmouseover="alert(1)',
    "' style='color: red",
    "two\nlines\r\x00",
    "\u202egnp.exe\u200f",
    "]]>",
    "-->",
    "javascript:alert(1)",
    "</style></title></main>",
    "{{ 7 * 7 }}{% endblock %}",
    "&amp;&#60;",
    "\udcff\u2028",
    "亜<b>",
]


class Tags(html.parser.HTMLParser):
    """Checks that every tag is closed, in order.

    Attributes:
        seen: the names of all tags.
        elements: `(tag, attributes)` of each, but of those that text is made of.
        texts: what stands between the tags.
    """

    def __init__(self, page):
        super().__init__()
        self.open, self.seen, self.elements, self.texts = [], set(), [], []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.handle_startendtag(tag, attributes)
        if tag not in ("meta", "img", "br", "wbr", "input"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_startendtag(self, tag, attributes):
        self.seen.add(tag)
        is_text = tag in ("wbr", "i") or (tag, attributes) == ("code", [("class", "point")])
        if not is_text:
            self.elements.append((tag, attributes))
        for name, _ in attributes:
            assert name != "style"
            assert not name.startswith("on")

    def handle_data(self, data):
        self.texts.append(data)


def check_page(page, scripts=False):
    """Check what holds for any page, with scripts or without; return its Tags."""
    tags = Tags(page)
    assert not {"link", "iframe", "object"} & tags.seen
    assert ("script" in tags.seen) == scripts
    assert "://" not in page
    assert "@import" not in page
    assert all(ord(character) < 0x180 for character in page)  # the rest is drawn
    return tags


def fill(body, script="", title="title", **values):
    """Return a page whose body and script are templates."""
    blocks = f"{{% block body %}}{body}{{% endblock %}}{{% block script %}}{script}{{% endblock %}}"
    template = page.environment().from_string('{% extends "pages/base.html" %}' + blocks)
    return template.render(title=title, text=Text(), **values)


def policy(page):
    """Return the Content-Security-Policy of a page."""
    return re.search('Content-Security-Policy" content="([^"]*)"', page)[1]


def sha256(tag, page):
    content = re.search(f"<{tag}>(.*)</{tag}>", page, re.DOTALL)[1]
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"


def test_the_policy_admits_the_style_of_the_page_and_nothing_else():
    plain = fill("<p>{{ text('亜_b') }}</p>")
    check_page(plain)
    assert policy(plain) == (
        f"default-src 'none'; img-src data:; style-src {sha256('style', plain)}; "
        "base-uri 'none'; form-action 'none'"
    )


def test_the_policy_admits_the_script_of_a_page_that_has_one():
    page = fill("<p></p>", script="\nlet a = 1 < 2 && '亜';\n")
    assert "let a = 1 < 2 && '亜';" in page
    assert f"; script-src {sha256('script', page)};" in policy(page)


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_stays_text(name):
    body = '<p title="{{ name }}">{{ name }}</p><p>{{ text(name) }}</p>'
    hostile, harmless = (Tags(fill(body, title=it, name=it)) for it in (name, "name"))
    assert [tag for tag, _ in hostile.elements] == [tag for tag, _ in harmless.elements]
    assert ("p", [("title", name)]) in hostile.elements
    assert name in hostile.texts


def test_text_says_what_it_is_made_of():
    text = Text()
    assert text("a_b/c & <d>") == "a_<wbr>b/<wbr>c &amp; &lt;d&gt;"
    assert text("a\nb\u202e") == r'a\nb<code class="point">U+202E</code>'
    assert text.plain("a\n亜") == "aU+000AU+4E9C"


def test_characters_are_drawn_and_others_shown_as_code_points():
    text = Text()
    drawn = text("亜 & α")
    assert drawn.count('class="character ') == 2
    assert " &amp; " in drawn
    assert text("\u0936\U0002f9ff").count('<code class="point">') == 2
    assert text.cells == {"亜": 0, "α": 1}
    assert "base64" in text.css()
    assert ".c1{background-position:-1.25em 0em}" in text.css()


def test_a_value_that_is_missing_is_an_error():
    with pytest.raises(jinja2.UndefinedError, match="nothing"):
        fill("{{ nothing }}")


@pytest.mark.parametrize("counts", [[7], [0], [5, 4, 4, 0], [90_000, *[3] * 5000]])
@pytest.mark.parametrize("k", [0, 1])
def test_curves_are_drawn_of_any_counts(counts, k):
    figure = svg.frequency_curve(np.array(counts), k, "<90 %")
    assert {"svg", "path", "text", "figcaption"} <= Tags(fill("{{ it }}", it=figure)).seen
    assert f"&lt;90 % of the pictures: {k} of {len(counts):,} classes" in figure
    assert ("logarithmic" in figure) == (max(counts) > 20)
    assert len(figure) < 20_000


@pytest.mark.parametrize("values", [[3.5], [1, 2, 2, 3], np.arange(1000)])
def test_histograms_are_drawn_of_any_values(values):
    figure = svg.histogram(np.array(values))
    tags = Tags(fill("{{ it }}", it=figure))
    assert {"svg", "rect"} <= tags.seen
    assert "nan" not in figure
