import numpy as np
import pytest

from glyphs.dataset.select import at_least, at_most, most_frequent, only_classes, regroup
from glyphs.errors import UsageError
from glyphs.sources.index import Index
from glyphs.sources.listing import Files


def make_index(counts, **fields):
    labels = [label for label, count in enumerate(counts.values()) for _ in range(count)]
    names = [f"root/w{i % 3}_{i}.png" for i in range(len(labels))]
    return Index("toy", "folders", list(counts), Files(names), labels, root="root", **fields)


def counts_of(index):
    counts = np.bincount(index.labels, minlength=len(index.class_names)).tolist()
    return dict(zip(index.class_names, counts, strict=True))


def test_most_frequent_keeps_the_classes_within_the_share_and_gathers_the_rest():
    index, share = most_frequent(make_index({"a": 5, "b": 50, "c": 30, "z": 15}), 0.8)
    assert share == 0.8
    assert counts_of(index) == {"b": 50, "c": 30, "rare": 20}
    assert index.class_names == sorted(index.class_names)


def test_coverage_of_one_keeps_all_classes():
    index, share = most_frequent(make_index({"a": 5, "b": 50}), 1)
    assert counts_of(index) == {"a": 5, "b": 50}
    assert share == 1


def test_coverage_below_the_most_frequent_class_is_an_error():
    with pytest.raises(UsageError, match=r"alone is more than --coverage 0\.5"):
        most_frequent(make_index({"a": 5, "b": 50}), 0.5)


def test_a_class_called_rare_is_not_mixed_up():
    with pytest.raises(UsageError, match="a class is called rare"):
        most_frequent(make_index({"rare": 5, "b": 50}), 0.9)


def test_at_least_leaves_out_small_classes():
    index = at_least(make_index({"a": 5, "b": 50, "c": 30}), 30)
    assert counts_of(index) == {"b": 50, "c": 30}
    assert index.numbers[0] == 5
    with pytest.raises(UsageError, match="1 classes have 40 or more"):
        at_least(index, 40)


def test_only_classes_takes_names_and_characters_in_any_normal_form():
    index = make_index({"U+4E00": 3, "U+4E01": 4, "が": 5})
    assert counts_of(only_classes(index, ["一", "か\u3099"], "list")) == {
        "U+4E00": 3,
        "が": 5,
    }
    with pytest.raises(UsageError, match="list: 二 is no class of toy"):
        only_classes(index, ["二"], "list")


def test_only_classes_takes_every_class_of_a_character():
    index = make_index({"0x4e00": 3, "U+4E00": 4, "丁": 5})
    assert counts_of(only_classes(index, ["一"], "list")) == {"0x4e00": 3, "U+4E00": 4}
    assert counts_of(only_classes(index, ["U+4E00"], "list")) == {"U+4E00": 4}


def test_at_most_takes_the_first_ones_of_each_class_and_split():
    splits = [0, 0, 0, 2, 2] + [0] * 4
    index = at_most(make_index({"a": 5, "b": 4}, splits=splits), 2)
    assert index.numbers.tolist() == [0, 1, 3, 4, 5, 6]
    assert index.splits.tolist() == [0, 0, 2, 2, 0, 0]


def test_at_most_with_a_seed_takes_others():
    index = make_index({"a": 500, "b": 4})
    chosen = at_most(index, 10, shuffle_seed=1)
    assert counts_of(chosen) == {"a": 10, "b": 4}
    assert chosen.numbers[:10].tolist() != list(range(10))
    assert chosen.numbers.tolist() == at_most(index, 10, shuffle_seed=1).numbers.tolist()


def test_selections_follow_one_another():
    index = at_least(make_index({"a": 2, "b": 50, "c": 30}), 3)
    index = at_most(index, 1)
    assert counts_of(index) == {"b": 1, "c": 1}
    assert index.numbers.tolist() == [2, 52]


def test_regroup_by_regex_takes_the_group_from_the_relative_name():
    index = regroup(make_index({"a": 5, "b": 5}), r"^w(\d)_")
    assert index.group_names == ["0", "1", "2"]
    assert index.groups.tolist() == [i % 3 for i in range(10)]
    named = regroup(index, r"(w)(?P<group>\d)")
    assert named.group_names == ["0", "1", "2"]
    with pytest.raises(UsageError, match=r"finds nothing .* such as w0_9.png"):
        regroup(index, "root")


def test_regroup_says_in_how_many_names_it_finds_nothing():
    index = regroup(make_index({"a": 5, "b": 5}), r"^(w1)_")
    assert index.notes == [
        "--groups '^(w1)_' finds nothing in 7 of 10 names; each of these pictures is a group of "
        "its own"
    ]
    assert len(index.group_names) == 8


def test_regroup_none_forgets_the_groups():
    index = make_index({"a": 2, "b": 1}, groups=[0, 0, 1], group_names=["x", "y"])
    assert regroup(index, "auto").groups == [0, 0, 1]
    assert regroup(index, "none").groups is None
