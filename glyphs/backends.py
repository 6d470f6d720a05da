"""What computes: the Keras backend, its device, and the versions that a result may depend on."""

import importlib.metadata
import os
import platform

import keras
import numpy as np


def versions():
    """Return the versions that a result may depend on."""
    return {
        "python": platform.python_version(),
        "numpy": np.__version__,
        "keras": keras.__version__,
        "backend": f"{keras.backend.backend()} {backend_version()}",
    }


def backend_version():
    try:
        return importlib.metadata.version(keras.backend.backend())
    except importlib.metadata.PackageNotFoundError:
        return "of unknown version"


def describe_device():
    """Return the device that the backend computes on, and the versions, for the log."""
    device = ", ".join(_gpus()) or f"CPU ({os.cpu_count()} cores)"
    return (
        f"device {device}, {keras.backend.backend()} {backend_version()}, keras {keras.__version__}"
    )


def _gpus():
    if keras.backend.backend() == "torch":
        import torch

        return [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    try:
        return keras.distribution.list_devices("gpu")
    except RuntimeError:  # JAX raises where there is none
        return []
