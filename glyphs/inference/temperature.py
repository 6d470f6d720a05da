"""Probabilities that mean what they say: softmax at another temperature.

Source: Guo et al. (2017), On calibration of modern neural networks, section 4.2.
"""

import numpy as np


def with_temperature(probabilities, temperature):
    """Return the probabilities that a network would give at another temperature.

    The order of a picture's classes stays as it is. Above 1 they come nearer to each other, below 1
    the best moves away from the others.

    >>> with_temperature(np.float32([[0.5, 0.25, 0.25, 0]]), 0.5).round(4)
    array([[0.6667, 0.1667, 0.1667, 0.    ]], dtype=float32)

    Args:
        probabilities: float `(n, n_classes)`, 0..1, rows add up to 1.
        temperature: above 0; 1 returns the probabilities unchanged.

    Returns:
        float32 `(n, n_classes)`, rows add up to 1; what was 0 stays 0.
    """
    if temperature == 1:
        return probabilities
    with np.errstate(divide="ignore"):
        logs = np.log(np.asarray(probabilities, np.float64))
    shares = np.exp((logs - logs.max(axis=1, keepdims=True)) / temperature)
    return (shares / shares.sum(axis=1, keepdims=True)).astype(np.float32)
