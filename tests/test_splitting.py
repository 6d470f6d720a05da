import numpy as np
import pytest

from glyphs import splitting

SHARES = (0.8, 0.1, 0.1)


@pytest.mark.parametrize(
    ("count", "expected"),
    [(0, [0, 0, 0]), (1, [1, 0, 0]), (2, [2, 0, 0]), (3, [1, 1, 1]), (5, [3, 1, 1]),
     (10, [8, 1, 1]), (500, [400, 50, 50]), (237, [189, 24, 24])],
)  # fmt: skip
def test_split_sizes(count, expected):
    assert splitting.split_sizes(count, SHARES) == expected


def test_split_sizes_lose_nothing_and_leave_no_split_empty():
    for count in range(3, 300):
        sizes = splitting.split_sizes(count, SHARES)
        assert sum(sizes) == count
        assert min(sizes) >= 1
        assert all(abs(size - count * share) < 2 for size, share in zip(sizes, SHARES, strict=True))


def test_a_share_of_zero_gets_nothing():
    assert splitting.split_sizes(100, (0.9, 0.1, 0)) == [90, 10, 0]


def test_split_by_class_keeps_file_order():
    y = np.repeat([0, 1], [10, 20])
    splits = splitting.split_by_class(y, SHARES)
    assert splits.tolist() == [0] * 8 + [1, 2] + [0] * 16 + [1, 1, 2, 2]


def test_shuffled_split_has_the_same_sizes_and_depends_on_the_seed_only():
    y = np.repeat([0, 1], [10, 20])
    one, again, other = (splitting.split_by_class(y, SHARES, shuffle_seed=s) for s in (1, 1, 2))
    assert np.bincount(one).tolist() == [24, 3, 3]
    assert (one == again).all()
    assert (one != other).any()


def test_last_tenth_of_train_becomes_val():
    y = np.repeat([0, 1, 2, 0], [20, 3, 1, 5])
    splits = np.repeat(np.array([0, 0, 0, 2], np.int8), [20, 3, 1, 5])
    moved = splitting.last_tenth_to_val(y, splits)
    assert np.flatnonzero(moved == 1).tolist() == [18, 19, 22]
    assert (moved == 2).sum() == 5


def test_interleave_takes_one_of_each_class_in_turn():
    y = np.array([0, 0, 0, 1, 2, 2])
    assert y[splitting.interleave(y)].tolist() == [0, 1, 2, 0, 2, 0]
