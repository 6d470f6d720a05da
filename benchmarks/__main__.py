"""Run all benchmarks, and append a row of their ratios to benchmarks/README.md: `make bench`.

    python benchmarks
    python benchmarks FOLDER
    python benchmarks gpu --help

Without FOLDER (one folder per class), 10,000 pictures of 100 characters are drawn. A mismatch in
any benchmark stops all, and no row is written. `gpu` measures trainings instead, see gpu.py.
"""

import datetime
import importlib.metadata
import json
import os
import platform
import subprocess
import sys
import tempfile

import measuring

SCRIPTS = ("elastic.py", "building.py", "classification.py")
PACKAGES = (
    "numpy", "pillow", "onnxruntime", "tensorflow", "keras", "albumentations",
    "opencv-python-headless", "scipy",
)  # fmt: skip
HERE = os.path.dirname(os.path.abspath(__file__))


def row(found):
    """Return the line of the table for a dict of all ratios."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    versions = [f"{package} {importlib.metadata.version(package)}" for package in PACKAGES]
    cells = [
        datetime.date.today().isoformat(),
        f"{platform.system()} {platform.machine()}, {cores} cores",
        ", ".join([f"python {platform.python_version()}", *versions]),
    ]
    for side in (32, 64, 96):
        ratios = found[f"elastic_{side}"]
        names = ("albumentations", "opencv", "scipy", "2016")
        cells.append(" / ".join(f"{ratios[name]:.1f}" for name in names))
    for name in ("elastic_end_to_end", "building", "classification_bulk", "classification_cold"):
        cells.append(f"{found[name]:.2f}")
    return f"| {' | '.join(cells)} |\n"


def main():
    if sys.argv[1:2] == ["gpu"]:
        import gpu

        return gpu.main(sys.argv[2:])
    args = measuring.parse_args(__doc__)
    found = {}
    with measuring.characters(args.folder) as folder, tempfile.TemporaryDirectory() as scratch:
        for script in SCRIPTS:
            print(f"--- {script} ---", flush=True)
            path = os.path.join(scratch, "ratios.json")
            command = [sys.executable, os.path.join(HERE, script), folder, "--ratios", path]
            if code := subprocess.run(command).returncode:
                sys.exit(code)
            with open(path) as file:
                found.update(json.load(file))
    if args.ratios:
        measuring.write(args.ratios, found)
    with open(os.path.join(HERE, "README.md"), "a") as file:
        file.write(row(found))
    print(f"appended to benchmarks/README.md:\n{row(found)}", end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
