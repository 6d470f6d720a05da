import random

import pytest

from glyphs.sources import natural
from glyphs.sources.natural import natural_key, natural_sorted

PIECES = ("", "a", "b", "-", "~", "é", "0", "1", "9", "10", "00", "007", "٣", ".png", "²", "\udcff")


def some_names(count, seed):
    rng = random.Random(seed)
    names = {"".join(rng.choices(PIECES, k=rng.randrange(1, 6))) for _ in range(count)}
    return rng.sample(sorted(names), len(names))


@pytest.mark.parametrize("most_groups", [0, 10_000])
def test_the_order_is_that_of_the_key(monkeypatch, most_groups):
    monkeypatch.setattr(natural, "MOST_GROUPS", most_groups)
    for seed in range(100):
        names = some_names(3 * seed, seed)
        assert list(natural_sorted(names)) == sorted(names, key=natural_key)


def test_numbered_names_need_few_keys(monkeypatch):
    keys = []
    monkeypatch.setattr(natural, "natural_key", lambda name: keys.append(name) or natural_key(name))
    names = [f"{number}.png" for number in range(20_000)]
    assert list(natural_sorted(sorted(names))) == names
    assert len(keys) < 50
