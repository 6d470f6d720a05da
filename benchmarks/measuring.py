"""What the benchmarks share: drawn characters, alternating rounds, ratios, and a file for them."""

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, ROOT)
# Without chatter, and without a look for newer versions.
os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", NO_ALBUMENTATIONS_UPDATE="1")


def on_the_processor():
    """Let everything be computed on the processor, even where there is a GPU."""
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"


def parse_args(docstring):
    on_the_processor()
    options = argparse.ArgumentParser(
        description=docstring, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument(
        "folder", nargs="?", metavar="FOLDER", help="class folders (default: characters drawn now)"
    )
    options.add_argument("--ratios", metavar="FILE", help="write the ratios to this JSON file")
    return options.parse_args()


@contextlib.contextmanager
def characters(folder):
    """Give the folder, or where there is none 10,000 drawn pictures of 100 characters."""
    with tempfile.TemporaryDirectory() as scratch:
        if folder is None:
            folder = os.path.join(scratch, "characters")
            run_script("draw_samples.py", folder)
        yield folder


def index_of(folder):
    """Return the index.Index of a folder of class folders."""
    from glyphs.sources import folders, opening
    from glyphs.sources.index import Options

    return folders.index(opening.open_listing(folder, scratch=None), Options())


def run_script(name, *arguments, cwd=None):
    """Run a script of this project, and return what it printed; stop the benchmark if it fails."""
    command = [sys.executable, os.path.join(ROOT, name), *arguments]
    run = subprocess.run(command, cwd=cwd, capture_output=True, text=True)
    if run.returncode:
        sys.exit(f"{name}: {run.stderr.strip()}")
    return run.stdout


def in_rounds(peers, rounds):
    """Take turns: each round measures every peer once.

    Args:
        peers: dict of name -> function that returns seconds.
        rounds: how many.

    Returns:
        dict of name -> list of seconds, one per round.
    """
    times = {name: [] for name in peers}
    for _ in range(rounds):
        for name, measure in peers.items():
            times[name].append(measure())
    return times


def ratios(times, ours="glyphs"):
    """Return how many times as long as ours each peer takes: the median of the rounds' ratios."""
    return {
        name: statistics.median(t / o for t, o in zip(found, times[ours], strict=True))
        for name, found in times.items()
        if name != ours
    }


def show(times, unit, ours="glyphs"):
    """Print the median time of each peer (`unit(seconds)` is text), its ratio and their range."""
    medians = ratios(times, ours)
    for name, found in times.items():
        line = f"  {name:<15}{unit(statistics.median(found)):>18}"
        if name != ours:
            each = [t / o for t, o in zip(found, times[ours], strict=True)]
            line += f"   x {medians[name]:.2f}   ({min(each):.2f} to {max(each):.2f})"
        print(line, flush=True)


def write(path, found):
    """Write ratios to a JSON file, if there is to be one."""
    if path:
        with open(path, "w") as file:
            json.dump(found, file)
