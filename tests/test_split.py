import numpy as np
import pytest

from glyphs.dataset.split import interleave, last_to_val, split_by_class, split_groups, split_sizes

SHARES = (0.8, 0.1, 0.1)


@pytest.mark.parametrize(
    ("count", "expected"),
    [(0, [0, 0, 0]), (1, [1, 0, 0]), (2, [2, 0, 0]), (3, [1, 1, 1]), (5, [3, 1, 1]),
     (10, [8, 1, 1]), (500, [400, 50, 50]), (237, [189, 24, 24])],
)  # fmt: skip
def test_split_sizes(count, expected):
    assert split_sizes(count, SHARES) == expected


def test_split_sizes_lose_nothing_and_leave_no_split_empty():
    for count in range(3, 300):
        sizes = split_sizes(count, SHARES)
        assert sum(sizes) == count
        assert min(sizes) >= 1
        assert all(abs(size - count * share) < 2 for size, share in zip(sizes, SHARES, strict=True))


def test_a_share_of_zero_gets_nothing():
    assert split_sizes(100, (0.9, 0.1, 0)) == [90, 10, 0]


def test_split_by_class_keeps_file_order():
    y = np.repeat([0, 1], [10, 20])
    splits = split_by_class(y, SHARES)
    assert splits.tolist() == [0] * 8 + [1, 2] + [0] * 16 + [1, 1, 2, 2]


def test_shuffled_split_has_the_same_sizes_and_depends_on_the_seed_only():
    y = np.repeat([0, 1], [10, 20])
    one, again, other = (split_by_class(y, SHARES, shuffle_seed=s) for s in (1, 1, 2))
    assert np.bincount(one).tolist() == [24, 3, 3]
    assert (one == again).all()
    assert (one != other).any()


def test_the_last_of_train_become_val():
    y = np.repeat([0, 1, 2, 0], [20, 3, 1, 5])
    splits = np.repeat(np.array([0, 0, 0, 2], np.int8), [20, 3, 1, 5])
    moved = last_to_val(y, splits, 0.1)
    assert np.flatnonzero(moved == 1).tolist() == [18, 19, 22]
    assert (moved == 2).sum() == 5
    moved = last_to_val(y, splits, 0.5)
    assert np.flatnonzero(moved == 1).tolist() == [*range(10, 20), 22]


def test_interleave_takes_one_of_each_class_in_turn():
    y = np.array([0, 0, 0, 1, 2, 2])
    assert y[interleave(y)].tolist() == [0, 1, 2, 0, 2, 0]


def writers(rng, sizes, n_classes=5):
    groups = np.repeat(np.arange(len(sizes)), sizes)
    return rng.integers(0, n_classes, len(groups)), groups


@pytest.mark.parametrize("sizes", [[20] * 10, [100, 50, 20, 10, 5, 5, 5, 5], [7, 9, 300]])
@pytest.mark.parametrize("shuffle_seed", [None, 3])
def test_no_group_is_in_two_splits_and_none_is_empty(sizes, shuffle_seed):
    y, groups = writers(np.random.default_rng(1), sizes)
    splits = split_groups(y, groups, SHARES, shuffle_seed=shuffle_seed)
    assert all(len(set(splits[groups == group])) == 1 for group in range(len(sizes)))
    assert set(splits) == {0, 1, 2}


def test_equal_groups_are_split_80_10_10():
    y, groups = np.tile(np.arange(5), 400), np.repeat(np.arange(20), 100)
    splits = split_groups(y, groups, SHARES)
    assert np.bincount(splits).tolist() == [1600, 200, 200]


def test_groups_are_spread_so_that_each_split_has_each_class():
    # Ten writers of class 0 only and ten of class 1 only.
    y, groups = np.repeat([0, 1], 1000), np.repeat(np.arange(20), 100)
    splits = split_groups(y, groups, SHARES)
    for label in (0, 1):
        assert np.bincount(splits[y == label]).tolist() == [800, 100, 100]


def test_a_shuffled_split_of_groups_differs_and_repeats():
    y, groups = writers(np.random.default_rng(2), [20] * 30)
    first, again, other = (split_groups(y, groups, SHARES, shuffle_seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_too_few_groups_cannot_be_split():
    y, groups = writers(np.random.default_rng(2), [20] * 2)
    assert split_groups(y, groups, SHARES) is None
    assert set(split_groups(y, groups, (0.9, 0, 0.1))) == {0, 2}
