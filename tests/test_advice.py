import numpy as np
import pytest

from glyphs.inspection import audit as audits
from glyphs.inspection.advice import advise
from glyphs.sources.index import Index


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ([(28, 28)] * 3, ("28", "stretch")),
        ([(64, 63)] * 3, ("64x63", "stretch")),
        ([(60, 60), (62, 62), (59, 59)], ("32", "stretch")),
        ([(70, 72), (60, 62), (90, 89)], ("48", "stretch")),
        ([(105, 105)] * 3, ("64", "stretch")),
        ([(400, 300), (500, 370)], ("96", "stretch")),
        ([(20, 60), (60, 20), (40, 40)], ("32", "pad")),
    ],
)
def test_advice_follows_the_sizes(sizes, expected):
    facts = np.zeros(len(sizes), audits.FACTS)
    facts["height"], facts["width"] = np.transpose(sizes)
    index = Index("name", "folders", ["a"], None, [0] * len(sizes))
    audit = audits.Audit(
        index,
        facts,
        {},
        np.zeros(len(sizes), np.int32),
        None,
        np.ones((1, 1), int),
        [None],
        None,
        0.9,
    )
    advice = advise(audit)
    assert [a.option for a in advice] == ["--image-size", "--fit"]
    assert tuple(a.value for a in advice) == expected
