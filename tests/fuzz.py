"""Damage files of every kind that is read: each is read or refused, in little time and memory.

    python tests/fuzz.py --count 1000
    python tests/fuzz.py --count 50 --kinds TIFF WebP --seed 1

Prints for each kind how many damaged copies were read and how many refused, the most time of the
processor and memory that one took, and what should not have happened: any other error, the death
of the process, more than 2 s or 500 MB, something printed past Python. `count` is of each kind.
"""

import argparse
import contextlib
import io
import json
import os
import pathlib
import random
import select
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
import warnings

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

import kinds  # noqa: E402
from mutants import damaged  # noqa: E402

SECONDS, KILOBYTES = 2, 500_000
HANGS = 60  # seconds without a word
MODEL = ROOT / "pretrained" / "devanagari" / "model"
ALL = [*kinds.PICTURES, *kinds.SOURCES, *kinds.DATASETS, *kinds.MODEL_FILES]


class UnexpectedError(Exception):
    """What should not have happened."""


def picture(kind, folder):
    """Return the whole file, and a function that says whether a damaged one can be read."""
    from glyphs.errors import PictureError
    from glyphs.images.preprocessing import Preprocessing, see

    ways = [Preprocessing.usual((32, 32), crop=crop) for crop in ("ink", "none")]

    def is_read(data, number):
        try:
            found = see("a.png", ways[number % 2], data=data)
        except PictureError as error:
            if "\n" in error.reason or "not enough memory" in error.reason:
                raise UnexpectedError(error.reason) from None
            return False
        if found.image.shape != (32, 32):
            raise UnexpectedError(f"has the shape {found.image.shape}")
        return True

    return kinds.PICTURES[kind](), is_read


def source(kind, folder):
    import create_dataset

    files = kinds.SOURCES[kind]()
    data = folder / "data"
    for name, content in files.items():
        (data / name).parent.mkdir(parents=True, exist_ok=True)
        (data / name).write_bytes(content)
    first = data / next(iter(files))
    options = [word.format(first) for word in kinds.OPTIONS.get(kind, ())]
    is_beside = any("{}" in word for word in kinds.OPTIONS.get(kind, ()))
    lists = folder / first.name
    if is_beside:
        options[1] = str(lists)
        os.rename(first, lists)
        first = lists
    is_named = len(files) == 1 or kind.startswith("table")
    given = first if is_named and not is_beside else data
    output = folder / "made"
    arguments = [str(given), "--output", str(output), "--workers", "1", *options]

    def is_read(content, number):
        first.write_bytes(content)
        code, errors = run(create_dataset.main, arguments)
        if left := {path.name for path in folder.iterdir()} - {"data", "made", lists.name}:
            raise UnexpectedError(f"left {left}")
        if code not in (0, 2) or (code and not errors.strip()):
            raise UnexpectedError(f"exit code {code}: {errors[:300]}")
        return code == 0

    return files[next(iter(files))], is_read


def dataset(kind, folder):
    from glyphs.dataset.open import open_dataset

    def is_read(content, number):
        (folder / "d").write_bytes(content)
        code, errors = run(lambda path: open_dataset(path) and 0, folder / "d")
        if code not in (0, 3):
            raise UnexpectedError(f"exit code {code}: {errors[:300]}")
        return code == 0

    return kinds.DATASETS[kind](), is_read


def model(kind, folder):
    import classify

    for suffix in kinds.MODEL_FILES.values():
        if os.path.exists(f"{MODEL}{suffix}"):
            shutil.copy(f"{MODEL}{suffix}", folder / f"model{suffix}")
    (folder / "a.png").write_bytes(kinds.PICTURES["PNG, type 0, 8 bits"]())
    path = folder / f"model{kinds.MODEL_FILES[kind]}"
    arguments = ["--model", str(folder / "model"), str(folder / "a.png")]
    if not path.exists():
        run(classify.main, arguments)

    def is_read(content, number):
        path.unlink()
        path.write_bytes(content)
        code, errors = run(classify.main, arguments)
        if code not in (0, 1, 3):
            raise UnexpectedError(f"exit code {code}: {errors[:300]}")
        return code in (0, 1)

    return path.read_bytes(), is_read


def run(main, arguments):
    """Run a script in this process; return its exit code and what it said on stderr."""
    from glyphs import console

    errors = io.StringIO()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(errors):
        code = console.run(lambda: main(arguments))
    return code, errors.getvalue()


def room_of(kind):
    rooms = ((kinds.PICTURES, picture), (kinds.SOURCES, source), (kinds.DATASETS, dataset),
             (kinds.MODEL_FILES, model))  # fmt: skip
    return next(room for names, room in rooms if kind in names)


def peak():
    with open("/proc/self/status") as file:
        return int(next(line for line in file if line.startswith("VmHWM")).split()[1])


def try_all(kind, start, stop, seed):
    """Try the mutants of a kind; say a line of JSON before and after each."""
    lines = os.fdopen(os.dup(1), "w", buffering=1)
    with tempfile.TemporaryDirectory(dir="/dev/shm") as name:
        folder = pathlib.Path(name)
        warnings.simplefilter("ignore")  # as console.run does
        printed = open(folder.parent / f"{folder.name}.printed", "ab+")  # noqa: SIM115
        os.remove(printed.name)
        os.dup2(printed.fileno(), 2)
        whole, is_read = room_of(kind)(kind, folder)
        if not is_read(whole, 1):
            raise SystemExit(f"{kind}: the whole file cannot be read")
        for number in range(start, stop):
            data = damaged(whole, random.Random(f"{kind} {seed} {number}"))
            lines.write(f"{number}\n")
            with open("/proc/self/clear_refs", "w") as file:
                file.write("5")  # the peak counts from here
            printed.truncate(0)
            started, finding, result = time.process_time(), None, None
            try:
                result = is_read(data, number)
            except UnexpectedError as found:
                finding = str(found)
            except BaseException:
                finding = traceback.format_exc()
            seconds, kilobytes = time.process_time() - started, peak()
            if os.fstat(printed.fileno()).st_size:
                printed.seek(0)
                finding = f"printed {printed.read(200)}"
            if seconds > SECONDS or kilobytes > KILOBYTES:
                finding = f"{seconds:.1f} s, {kilobytes / 1000:.0f} MB"
            lines.write(json.dumps([result, seconds, kilobytes, finding]) + "\n")


def watch(kind, count, seed):
    """Try `count` mutants of a kind in processes that may die; print what came of them."""
    read = refused = start = 0
    slowest, most, findings = 0, 0, []
    while start < count:
        command = [sys.executable, __file__, "--child", kind, str(start), str(count), str(seed)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        number = None
        while select.select([process.stdout], [], [], HANGS)[0]:
            if not (line := process.stdout.readline()):
                break
            value = json.loads(line)
            if isinstance(value, int):
                number = value
                continue
            result, seconds, kilobytes, finding = value
            read, refused = read + (result is True), refused + (result is False)
            slowest, most = max(slowest, seconds), max(most, kilobytes)
            if finding:
                findings.append((number, finding))
            start = number + 1
        process.kill()
        said = process.stderr.read()[-500:].decode("utf-8", "replace")
        code = process.wait()
        if start < count:
            findings.append((number, f"the process hung or died ({code}) {said}"))
            if number is None:
                break
            start = number + 1
    print(
        f"{kind}: {read:,} read, {refused:,} refused, {len(findings)} findings; "
        f"at most {slowest:.2f} s, {most / 1000:.0f} MB",
        flush=True,
    )
    for number, finding in findings:
        print(f"    {number}: {finding[-1500:]}", flush=True)
    return len(findings)


def main():
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--count", type=int, default=100, help="mutants of each kind")
    options.add_argument(
        "--kinds", nargs="+", default=[""], help="words that their names begin with"
    )
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--child", nargs=4, help=argparse.SUPPRESS)
    args = options.parse_args()
    if args.child:
        kind, start, stop, seed = args.child
        try_all(kind, int(start), int(stop), int(seed))
        return 0
    chosen = [kind for kind in ALL if kind.startswith(tuple(args.kinds))]
    count = sum(watch(kind, args.count, args.seed) for kind in chosen)
    print(f"{len(chosen) * args.count:,} mutants of {len(chosen)} kinds, {count} findings")
    return count > 0


if __name__ == "__main__":
    sys.exit(main())
