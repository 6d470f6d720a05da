"""What a training did: its history as CSV, its curves as a picture, its test as text."""

import csv
import importlib.util
import io
import os

from glyphs import files
from glyphs.errors import UsageError
from glyphs.training import backend

WIDTH, HEIGHT, DPI = 9, 3.6, 150  # inches, and pixels per inch


def write_history(path, history):
    """Write a CSV with a line per epoch.

    Args:
        path: the file.
        history: list of dicts, as cycles.State.history.

    Raises:
        StorageError: no space or no permission.
    """
    columns = dict.fromkeys(key for epoch in history for key in epoch)
    rows = ({"epoch": number, **epoch} for number, epoch in enumerate(history, 1))
    files.write_csv(path, ["epoch", *columns], rows)


def read_history(path):
    """Return what write_history wrote: a list of dicts of floats and text, an epoch each.

    Raises:
        OSError, ValueError: the file cannot be read, or is no history.
    """
    with open(path, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    epochs = []
    for row in rows:
        texts = {key: row.pop(key, "") for key in ("phase", "cycle")}
        epochs.append({**texts, **{key: float(value) for key, value in row.items() if value}})
    return epochs


def write_curves(path, history):
    """Draw accuracy and loss over the epochs into a PNG file.

    Args:
        path: the file.
        history: list of dicts, as cycles.State.history.

    Raises:
        StorageError: no space or no permission.
    """
    import matplotlib.figure

    figure = matplotlib.figure.Figure((WIDTH, HEIGHT), dpi=DPI, layout="constrained")
    for axes, name in zip(figure.subplots(1, 2), ("accuracy", "loss"), strict=True):
        for key, label in ((name, "train"), (f"val_{name}", "val")):
            points = [(i, epoch[key]) for i, epoch in enumerate(history, 1) if key in epoch]
            if points:
                axes.plot(*zip(*points, strict=True), label=label, marker=".", markersize=4)
        starts = [i for i in range(1, len(history)) if _part(history[i]) != _part(history[i - 1])]
        for start in starts:  # of a new cycle, or of the refit
            axes.axvline(start + 0.5, color="0.8", linewidth=0.8, zorder=0)
        axes.set(xlabel="epoch", ylabel=name)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False)
    data = io.BytesIO()
    figure.savefig(data, format="png")
    _write(path, data.getvalue())


def _part(epoch):
    return epoch["phase"], epoch["cycle"]


class TensorBoard:
    """Tells TensorBoard of each epoch, in the folders and under the names that Keras gives them.

    Args:
        folder: to write to; `train` and `validation` in it.

    Raises:
        UsageError: TensorBoard is not installed.
        StorageError: no permission.
    """

    def __init__(self, folder):
        if not importlib.util.find_spec("tensorboard"):
            raise UsageError("--tensorboard wants the package tensorboard: pip install tensorboard")
        self.paths = {name: os.path.join(folder, name) for name in ("train", "validation")}
        for path in self.paths.values():
            files.make_folder(path)
        self.writers = None
        self.written = 0

    def write(self, history):
        """Write the epochs of a cycles.State.history that are not written yet."""
        if not self.writers:
            with backend.without_chatter():  # it imports TensorFlow where there is one
                from tensorboard.summary import Writer

                self.writers = {name: Writer(path) for name, path in self.paths.items()}
        for step, epoch in enumerate(history[self.written :], self.written + 1):
            for key, value in epoch.items():
                name, tag = ("validation", key[4:]) if key.startswith("val_") else ("train", key)
                if isinstance(value, float):
                    self.writers[name].add_scalar(f"epoch_{tag}", value, step)
        self.written = len(history)
        for writer in self.writers.values():
            writer.flush()


def write_results(path, lines):
    """Write lines of text.

    Raises:
        StorageError: no space or no permission.
    """
    _write(path, "".join(f"{line}\n" for line in lines).encode())


def _write(path, data):
    with files.replacing(path, len(data)) as file:
        file.write(data)
