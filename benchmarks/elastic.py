"""Measure the elastic distortion against its peers, side by side in one process on one core.

    python benchmarks/elastic.py

First checks that `distort` equals a slow loop to the byte. Then takes turns with each peer and
prints the median time per picture of each, and how many times slower than glyphs it is. Peers:
SciPy per image, the function of 2016 (made again from its description; its fields are of 31x31
noise at any size), and, where they are installed, OpenCV per image and albumentations. Last, the
whole way from file to file.
"""

import importlib.metadata
import os
import platform
import statistics
import sys
import tempfile
import time

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

import numpy as np

from glyphs import augmenting, datasets, elastic, images

ALPHA, SIGMA = 47.0, 6.0
SIDES = (32, 64, 96)
ROUNDS = 7
SECONDS = 0.2  # of each peer in each round


# --- The slow reference ---


def slow_distort(pictures, fields):
    distorted = np.zeros_like(pictures)
    padded = np.pad(pictures.astype(int), ((0, 0), (1, 2), (1, 2)))
    n, height, width = pictures.shape
    for i, row, column in np.ndindex(n, height, width):
        y = 256 * row + round(256 * float(fields[i, 0, row, column]))
        x = 256 * column + round(256 * float(fields[i, 1, row, column]))
        y, x = min(max(y, -256), 256 * height) + 256, min(max(x, -256), 256 * width) + 256
        (top, down), (left, right) = divmod(y, 256), divmod(x, 256)
        a, b = padded[i, top, left : left + 2], padded[i, top + 1, left : left + 2]
        upper, lower = a @ (256 - right, right), b @ (256 - right, right)
        distorted[i, row, column] = (upper * (256 - down) + lower * down + 32768) >> 16
    return distorted


def check():
    """Exit unless `distort` equals the slow reference."""
    rng = np.random.default_rng(1)
    for size in ((32, 32), (24, 40), (96, 96)):
        pictures = rng.integers(0, 256, (4, *size), dtype=np.uint8)
        fields = elastic.displacement_fields(4, size, ALPHA, SIGMA, rng=rng) * 3
        if not (elastic.distort(pictures, fields) == slow_distort(pictures, fields)).all():
            sys.exit(f"distort differs from the slow reference at {size}")
    print("distort equals the slow reference")


# --- The peers: functions from pictures (n, h, w) to a list or an array of distorted ones ---


def in_pixels(side):
    """Return alpha and sigma in pixels of a picture of this side."""
    return ALPHA * (side / 32) ** 2, SIGMA * side / 32


def make_glyphs(side):
    preset = elastic.PRESETS["seed"]
    turns = iter(range(1 << 40))
    length = elastic.block_length((side, side))

    def run(pictures):
        for start in range(0, len(pictures), length):
            part = pictures[start : start + length]
            elastic.distort_block(part, preset, None, (1, 0, next(turns)))

    return run


def make_scipy(side):
    from scipy import ndimage

    alpha, sigma = in_pixels(side)
    rng = np.random.default_rng(1)
    grid = np.mgrid[:side, :side]

    def run(pictures):
        for picture in pictures:
            noise = rng.uniform(-1, 1, (2, side, side))
            # sigma 0 on the first axis: dy and dx must not leak into one another.
            field = ndimage.gaussian_filter(noise, (0, sigma, sigma), mode="constant") * alpha
            ndimage.map_coordinates(picture, grid + field, order=1)

    return run


def make_2016(side):
    from scipy import signal

    rng = np.random.default_rng(1)
    distances = np.arange(31) - 15.5
    kernel = np.exp(-(distances[:, None] ** 2 + distances**2) / (2 * 6**2)) / (2 * np.pi * 6**2)
    grid = np.mgrid[:side, :side].astype(float)

    def run(pictures):
        for picture in pictures:
            picture = picture / 255
            noise = rng.uniform(-1, 1, (2, side, side))
            dy, dx = (47 * signal.convolve2d(axis, kernel, mode="same") for axis in noise)
            y, x = (grid + np.stack((dy, dx))).clip(0, side - 1)
            y0, x0 = np.floor(y).astype(int), np.floor(x).astype(int)
            y1, x1 = np.ceil(y).astype(int), np.ceil(x).astype(int)
            with np.errstate(invalid="ignore", divide="ignore"):
                right = (x - x0) / (x1 - x0)
                upper = picture[y0, x0] * (1 - right) + picture[y0, x1] * right
                lower = picture[y1, x0] * (1 - right) + picture[y1, x1] * right
                down = (y - y0) / (y1 - y0)
                upper * (1 - down) + lower * down

    return run


def make_opencv(side):
    import cv2

    cv2.setNumThreads(1)
    alpha, sigma = in_pixels(side)
    rng = np.random.default_rng(1)
    grid_y, grid_x = np.mgrid[:side, :side].astype(np.float32)

    def run(pictures):
        for picture in pictures:
            noise = rng.uniform(-1, 1, (2, side, side)).astype(np.float32)
            dy, dx = (alpha * cv2.GaussianBlur(axis, (0, 0), sigma) for axis in noise)
            cv2.remap(picture, grid_x + dx, grid_y + dy, cv2.INTER_LINEAR)

    return run


def make_albumentations(side):
    import albumentations

    alpha, sigma = in_pixels(side)
    transform = albumentations.ElasticTransform(alpha=alpha, sigma=sigma, p=1)

    def run(pictures):
        for picture in pictures:
            transform(image=picture)

    return run


PEERS = {
    "glyphs": make_glyphs,
    "scipy": make_scipy,
    "2016": make_2016,
    "opencv": make_opencv,
    "albumentations": make_albumentations,
}


# --- Measuring ---


def seconds_per_picture(run, pictures):
    started = time.perf_counter()
    run(pictures)
    return (time.perf_counter() - started) / len(pictures)


def compare(side):
    """Print the time per picture of every peer, and its ratio to ours."""
    pictures = np.random.default_rng(1).integers(0, 256, (4096, side, side), dtype=np.uint8)
    runs, counts = {}, {}
    for name, make in PEERS.items():
        try:
            runs[name] = make(side)
        except ImportError:
            print(f"  {name}: not installed")
            continue
        few = pictures[: elastic.block_length((side, side))] if name == "glyphs" else pictures[:5]
        seconds_per_picture(runs[name], few)  # caches, imports
        count = int(SECONDS / seconds_per_picture(runs[name], few))
        counts[name] = min(max(count, 5), len(pictures))
    times = {name: [] for name in runs}
    for _ in range(ROUNDS):
        for name, run in runs.items():
            times[name].append(seconds_per_picture(run, pictures[: counts[name]]))
    ours = statistics.median(times["glyphs"])
    for name, found in times.items():
        median = statistics.median(found)
        ratios = sorted(t / o for t, o in zip(found, times["glyphs"], strict=True))
        print(
            f"  {name:<15}{1e6 * median:10.1f} us   x {median / ours:7.1f}"
            f"   ({ratios[0]:.1f} to {ratios[-1]:.1f})"
        )


def compare_end_to_end(side=32, count=16384, copies=9):
    """Print what files, checksums and processes add to the arithmetic."""
    pool = np.random.default_rng(1).integers(0, 256, (count, side, side), dtype=np.uint8)
    numbers = np.arange(count)
    nothing = (pool, numbers[:0], numbers[:0])
    splits = {"train": (pool, numbers, numbers % 10), "val": nothing, "test": nothing}
    arithmetic = make_glyphs(side)
    with tempfile.TemporaryDirectory() as folder:
        source, output = os.path.join(folder, "dataset"), os.path.join(folder, "elastic")
        preprocessing = images.Preprocessing(((side, side),))
        datasets.write(source, splits, [f"{i}" for i in range(10)], preprocessing, {})
        alone, whole = [], {1: [], 2: []}
        for _ in range(ROUNDS):
            alone.append(seconds_per_picture(arithmetic, pool))
            for workers, found in whole.items():
                started = time.perf_counter()
                augmenting.build(
                    datasets.open_dataset(source),
                    output,
                    elastic.PRESETS["seed"],
                    copies=copies,
                    workers=workers,
                )
                found.append((time.perf_counter() - started) / (count * copies))
    median = statistics.median(alone)
    print(f"from file to file, {count * copies:,} pictures of {side}x{side}")
    print(f"  arithmetic alone     {1e6 * median:6.1f} us")
    for workers, found in whole.items():
        time_each = statistics.median(found)
        print(
            f"  with {workers} worker{'s' * (workers > 1):<8}{1e6 * time_each:8.1f} us   "
            f"x {time_each / median:.2f}"
        )


def main():
    check()
    versions = [f"python {platform.python_version()}"]
    for package in ("numpy", "scipy", "opencv-python-headless", "opencv-python", "albumentations"):
        try:
            versions.append(f"{package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            continue
    print(f"{platform.machine()}, {os.cpu_count()} cores; {', '.join(versions)}")
    for side in SIDES:
        print(f"{side}x{side}: median per picture, ratio (lowest to highest of {ROUNDS} rounds)")
        compare(side)
    compare_end_to_end()


if __name__ == "__main__":
    main()
