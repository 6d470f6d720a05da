"""What the command lines share: names of outputs, and what a terminal shows while one waits."""

import argparse
import io

import pytest

from glyphs import console, options


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (99.4, "99 s"), (100, "2 min"), (5400, "90 min"), (6000, "1.7 h")],
)
def test_durations_are_as_exact_as_one_wants_to_know(seconds, words):
    assert console.duration(seconds) == words


def shown(monkeypatch, *, columns="80", **options):
    """Return what a progress of 10 shows when 4 are done after 2 seconds."""
    terminal, times = Terminal(), iter((100, 102))
    monkeypatch.setattr(console.sys, "stderr", terminal)
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setattr(console.time, "monotonic", lambda: next(times))
    console.Progress("batches").update(4, 10, note="epoch 1", **options)
    return terminal.getvalue().split("\x1b[K")[1]


def test_progress_says_how_much_is_done_how_fast_and_how_long_it_takes_yet(monkeypatch):
    assert shown(monkeypatch) == "4/10 batches  2/s  3 s left  epoch 1"


def test_time_left_counts_what_comes_afterwards(monkeypatch):
    assert "  2 min left  " in shown(monkeypatch, more=234)
    assert "  at most 2 min left  " in shown(monkeypatch, more=234, left="at most {} left")


def test_progress_fits_the_terminal(monkeypatch):
    assert shown(monkeypatch, columns="20") == "4/10 batches  2/s  "


def test_nothing_is_shown_where_nobody_looks(monkeypatch):
    monkeypatch.setattr(console.sys, "stderr", file := io.StringIO())
    with console.Progress("batches") as progress:
        progress.update(10, 10)
    assert not file.getvalue()


def test_a_model_is_written_into_a_folder_only_where_one_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("folder", "model"):
        (tmp_path / name).mkdir()
    prefix = options.model_prefix("model")
    assert [prefix(text) for text in ("new", "new/", "folder", "model", "model/")] == [
        "new", "new/model", "folder/model", "model", "model/model",
    ]  # fmt: skip
    with pytest.raises(argparse.ArgumentTypeError, match="empty"):
        prefix("")
