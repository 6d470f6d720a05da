"""Measure the elastic distortion against its peers, with one process and with one per core.

    python benchmarks/py
    python benchmarks/py FOLDER

FOLDER holds one folder per class; without it, characters are drawn. First checks that `distort`
equals a slow loop to the byte. Then takes turns with each peer and prints the images/s of each, and
how many times slower than glyphs it is. Peers: albumentations, OpenCV per image, SciPy per image,
and the function of 2016 (made again from its description; its fields are of 31x31 noise at any
size). Each process uses one thread; starting and importing are not counted. Last, the whole way
from file to file, which is done in threads.
"""

import concurrent.futures
import functools
import multiprocessing
import os
import statistics
import sys
import tempfile
import time

import measuring
import numpy as np

from glyphs import parallel
from glyphs.augment import build
from glyphs.augment.elastic import displacement_fields
from glyphs.augment.presets import PRESETS, block_length, distort_block
from glyphs.augment.resample import distort
from glyphs.dataset.open import open_dataset
from glyphs.dataset.write import write_dataset
from glyphs.images.preprocessing import Preprocessing, read_image

ALPHA, SIGMA = 47.0, 6.0
SIDES = (32, 64, 96)
ROUNDS = 7
SECONDS = 0.2  # of each peer in each round
POOL = 4096  # pictures to distort
COPIES = 9


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
        fields = displacement_fields(4, size, ALPHA, SIGMA, rng=rng) * 3
        if not (distort(pictures, fields) == slow_distort(pictures, fields)).all():
            sys.exit(f"distort differs from the slow reference at {size}")
    print("distort equals the slow reference")


# --- The peers: functions from pictures (n, h, w) to a list or an array of distorted ones ---


def in_pixels(side):
    """Return alpha and sigma in pixels of a picture of this side."""
    return ALPHA * (side / 32) ** 2, SIGMA * side / 32


def make_glyphs(side):
    preset = PRESETS["classic"]
    turns = iter(range(1 << 40))
    length = block_length((side, side))

    def run(pictures):
        for start in range(0, len(pictures), length):
            part = pictures[start : start + length]
            distort_block(part, preset, None, (1, 0, next(turns)))

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
    import cv2

    cv2.setNumThreads(1)
    alpha, sigma = in_pixels(side)
    transform = albumentations.ElasticTransform(alpha=alpha, sigma=sigma, p=1)

    def run(pictures):
        for picture in pictures:
            transform(image=picture)

    return run


PEERS = {
    "glyphs": make_glyphs,
    "albumentations": make_albumentations,
    "opencv": make_opencv,
    "scipy": make_scipy,
    "2016": make_2016,
}


# --- Measuring ---


@functools.cache
def _peer(name, side):
    return PEERS[name](side)


@functools.cache
def _pictures(path):
    return np.load(path)


def seconds_per_picture(name, path, count):
    """In a process of its own: distort so many of the pictures stored at a path.

    `count` None: find out how many take SECONDS.
    """
    pictures = _pictures(path)
    run = _peer(name, pictures.shape[1])
    if count is None:
        few = pictures[: block_length(pictures.shape[1:]) if name == "glyphs" else 5]
        for _ in range(2):  # the first time imports and fills caches
            started = time.perf_counter()
            run(few)
            each = (time.perf_counter() - started) / len(few)
        return max(int(SECONDS / each), 5)
    started = time.perf_counter()
    for start in range(0, count, len(pictures)):
        run(pictures[: count - start])
    return (time.perf_counter() - started) / count


def compare(path, workers):
    """Print and return the seconds per picture of every peer in so many processes at once."""
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(workers, context) as executor:

        def all_at_once(name, count):
            tasks = [
                executor.submit(seconds_per_picture, name, path, count) for _ in range(workers)
            ]
            return [task.result() for task in tasks]

        counts = {name: min(all_at_once(name, None)) for name in PEERS}
        times = measuring.in_rounds(
            {
                name: lambda name=name: statistics.mean(all_at_once(name, counts[name])) / workers
                for name in PEERS
            },
            ROUNDS,
        )
    measuring.show(times, lambda seconds: f"{1 / seconds:,.0f} images/s")
    return times


def compare_end_to_end(pictures, path, workers):
    """Print and return how many times the arithmetic alone the way from file to file takes.

    The arithmetic is that of the other measurements: blocks in as many processes at once.
    """
    count, *size = pictures.shape
    numbers = np.arange(count)
    nothing = (pictures, numbers[:0], numbers[:0])
    splits = {"train": (pictures, numbers, numbers % 10), "val": nothing, "test": nothing}
    context = multiprocessing.get_context("spawn")
    with (
        tempfile.TemporaryDirectory() as folder,
        concurrent.futures.ProcessPoolExecutor(workers, context) as executor,
    ):
        source, output = os.path.join(folder, "dataset"), os.path.join(folder, "elastic")
        preprocessing = Preprocessing((tuple(size),))
        write_dataset(source, splits, [f"{i}" for i in range(10)], preprocessing, {})

        def arithmetic():
            tasks = [
                executor.submit(seconds_per_picture, "glyphs", path, POOL) for _ in range(workers)
            ]
            return statistics.mean(task.result() for task in tasks) / workers

        def from_file_to_file():
            started = time.perf_counter()
            build.augment_dataset(
                open_dataset(source),
                output,
                PRESETS["classic"],
                copies=COPIES,
                workers=workers,
            )
            return (time.perf_counter() - started) / (count * COPIES)

        arithmetic()
        times = measuring.in_rounds(
            {"arithmetic": arithmetic, "file to file": from_file_to_file}, ROUNDS
        )
    measuring.show(times, lambda seconds: f"{1 / seconds:,.0f} images/s", ours="arithmetic")
    return measuring.ratios(times, "arithmetic")["file to file"]


def read_pictures(folder, side):
    """Return POOL characters of a folder at a size, some of them repeated if it holds fewer."""
    paths = measuring.index_of(folder).samples.paths
    paths = paths[:: max(1, len(paths) // POOL)]
    preprocessing = Preprocessing(((side, side),))
    pictures = np.stack([read_image(path, preprocessing) for path in paths[:POOL]])
    return np.resize(pictures, (POOL, side, side))


def main():
    args = measuring.parse_args(__doc__)
    check()
    cores = parallel.default_workers()
    found = {}
    with measuring.characters(args.folder) as folder, tempfile.TemporaryDirectory() as scratch:
        for side in SIDES:
            pictures = read_pictures(folder, side)
            path = os.path.join(scratch, f"{side}.npy")
            np.save(path, pictures)
            for workers in sorted({1, cores}):
                print(f"{side}x{side}, processes: {workers}; ratio (lowest to highest)")
                times = compare(path, workers)
            found[f"elastic_{side}"] = measuring.ratios(times)
        path = os.path.join(scratch, f"{SIDES[0]}.npy")
        pictures = np.resize(np.load(path), (4 * POOL, SIDES[0], SIDES[0]))
        for workers in sorted({1, cores}):
            print(f"{len(pictures) * COPIES:,} of {SIDES[0]}x{SIDES[0]}, processes: {workers}")
            found["elastic_end_to_end"] = compare_end_to_end(pictures, path, workers)
    measuring.write(args.ratios, found)


if __name__ == "__main__":
    main()
