"""What computes: the Keras backend, its device, and the versions that a result may depend on."""

import contextlib
import importlib.metadata
import os
import platform
import sys
import tempfile

from glyphs.errors import UsageError


@contextlib.contextmanager
def without_chatter():
    """Silence what TensorFlow prints while it is imported; show it if the import fails."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    sys.stderr.flush()
    saved = os.dup(2)
    with tempfile.TemporaryFile() as chatter:
        os.dup2(chatter.fileno(), 2)
        try:
            yield
        except Exception:
            chatter.seek(0)
            os.write(saved, chatter.read())
            raise
        finally:
            os.dup2(saved, 2)
            os.close(saved)


def import_keras():
    """Import Keras with the backend that KERAS_BACKEND names, TensorFlow if none.

    Raises:
        UsageError: that backend is not installed, or there is none of that name.
    """
    # TensorFlow by itself uses oneDNN only where there is AVX-512; with AVX2 it trains 1.6 times as
    # fast with it.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    try:
        import keras  # noqa: F401
    except (ImportError, ValueError) as error:
        backend = os.environ.get("KERAS_BACKEND", "tensorflow")
        raise UsageError(
            f"KERAS_BACKEND={backend}: cannot be used ({error}); install it, or choose tensorflow"
        ) from None
    with contextlib.suppress(ImportError):
        import tensorflow  # noqa: F401  Keras does in its first epoch, whatever the backend


def choose_jax():
    """Let Keras compute by JAX, by which alone it distributes a training.

    Raises:
        UsageError: KERAS_BACKEND names another backend.
    """
    name = os.environ.setdefault("KERAS_BACKEND", "jax")
    if name != "jax":
        raise UsageError(f"--distribute wants KERAS_BACKEND=jax. Received: KERAS_BACKEND={name}")


def versions():
    """Return the versions that a result may depend on."""
    import keras
    import numpy as np

    return {
        "python": platform.python_version(),
        "numpy": np.__version__,
        "keras": keras.__version__,
        "backend": f"{keras.backend.backend()} {_backend_version()}",
    }


def _backend_version():
    import keras

    try:
        return importlib.metadata.version(keras.backend.backend())
    except importlib.metadata.PackageNotFoundError:
        return "of unknown version"


def describe_device():
    """Return the device that the backend computes on, and the versions, for the log."""
    import keras

    device = ", ".join(_gpus()) or f"CPU ({os.cpu_count()} cores)"
    backend = f"{keras.backend.backend()} {_backend_version()}"
    return f"device {device}, {backend}, keras {keras.__version__}"


def _gpus():
    import keras

    if keras.backend.backend() == "torch":
        import torch

        return [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    try:
        return keras.distribution.list_devices("gpu")
    except RuntimeError:  # JAX raises where there is none
        return []
