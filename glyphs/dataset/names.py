"""What the pictures of a dataset are called, and which belong together: kept where it is wanted."""

import numpy as np

KEYS = ("names", "group_numbers")  # of the manifest


def rows_of(index, splits):
    """Return what the manifest of a dataset keeps of each of its pictures.

    Args:
        index: the index.Index that it is made from.
        splits: dict, split -> int `(n,)`: positions in the index, in the order of the dataset.

    Returns:
        dict: "names", what each picture is called within the source, see index.Index.name; and
        where groups are known "group_numbers", a number that the pictures of a group share. Each is
        a dict, split -> list.
    """
    numbers = index.sample_numbers
    names = {s: [index.name(int(numbers[i])) for i in rows] for s, rows in splits.items()}
    if index.groups is None:
        return {"names": names}
    groups = np.asarray(index.groups)
    return {
        "names": names,
        "group_numbers": {split: groups[rows].tolist() for split, rows in splits.items()},
    }


def fit(manifest, counts):
    """Return whether what a manifest keeps of each picture is of so many pictures.

    Args:
        manifest: dict.
        counts: dict, split -> pictures in it.
    """
    kept = [manifest[key] for key in KEYS if key in manifest]
    return all(len(rows[split]) == n for rows in kept for split, n in counts.items())
