"""The benchmark of trainings works where there is no GPU, at a tiny size."""

import re
import subprocess
import sys

import pytest
from conftest import ROOT

sys.path.insert(0, str(ROOT / "benchmarks"))
import gpu

FIGURES = (
    r"{}: [1-9] epochs of at most [\d,]+ steps of \d+\n"
    r"  [\d,.]+ s in all, [\d.]+ s an epoch with its validation\n"
    r"  learning: first epoch [\d.]+ s, median of the others [\d.]+ s\n"
    r"  [\d,]+ pictures/s\n"
    r"  a step: [\d.]+ ms to make its batch, [\d.]+ ms with a ready one, [\d.]+ ms of many "
    r"at a time\n"
    r"  a usual epoch: [\d.]+ s in steps, [\d.]+ s waiting for input\n"
    r"  limit: (input|host|kernels)\n"
)


@pytest.mark.parametrize(
    "trainings",
    [("glyphnet",), pytest.param(gpu.TRAININGS, marks=pytest.mark.slow)],
    ids=("glyphnet", "all"),
)
def test_a_tiny_run_prints_device_backend_and_figures(toy_folder, trainings):
    command = [sys.executable, ROOT / "benchmarks", "gpu", toy_folder, "--pictures", "100"]
    command += ["--epochs", "1", "--steps", "4", "--trainings", *trainings]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    first, _, rest = run.stdout.partition("\n")
    assert re.fullmatch(r"device .+, (tensorflow|jax|torch) \S+, keras \S+", first)
    assert re.fullmatch("".join(FIGURES.format(name) for name in trainings), rest), rest


@pytest.mark.parametrize(
    ("seconds", "limit"),
    [((3, 2, 1.9), "input"), ((1, 5, 1), "host"), ((1, 5, 4), "kernels")],
)
def test_what_limits_follows_from_the_times_of_a_step(seconds, limit):
    assert gpu.limit_of(dict(zip(("input", "ready", "many"), seconds, strict=True))) == limit
