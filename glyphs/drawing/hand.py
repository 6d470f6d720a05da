"""How a hand writes the strokes of a character: many trajectories of a pen at once.

A writer has traits (slant, proportions, speed, pen); every picture differs a little from what the
writer means. All pictures of one character are computed together: arrays have a row for each.
"""

import dataclasses

import numpy as np

POINTS = 14  # of a stroke as long as the character; shorter ones have fewer, by the square root
LEAST_POINTS = 4
GAP_POINTS = 9  # of the way from one stroke to the next, likewise
SMOOTHING = 1.5  # points: standard deviation of the smoothing of the fastest hand

# Standard deviations of what differs from one picture to the next.
TURN = np.radians(8)  # of a stroke
SCALE = 0.16  # of a stroke's length, as the logarithm
BOW = 0.06  # of a stroke, as a share of its length
SHIFT = 0.033  # of a stroke, as a share of the character
AXIS = 0.05  # uneven stretching of a whole character
WARP = 0.045  # smooth warping of a whole character
NODES = 4  # of the warp's grid, along each side
JOIN_LENGTH = 0.5  # how far a pen goes until it is e times less likely to stay down


@dataclasses.dataclass(frozen=True)
class Writers:
    """Traits of the writers of `n` pictures; each an array of floats `(n,)`.

    Attributes:
        speed: 0 for a careful hand to 1 for the fastest: rounds corners and joins strokes.
        slant: how far the top leans to the right, as a share of the height.
        rise: how much lines to the right go up (below 0) or down.
        aspect: width by height.
        unsteadiness: factor of all that differs from picture to picture.
        width: of the pen, as a share of the character.
        pressure: how much a fast pen gets thinner, 0..1.
    """

    speed: np.ndarray
    slant: np.ndarray
    rise: np.ndarray
    aspect: np.ndarray
    unsteadiness: np.ndarray
    width: np.ndarray
    pressure: np.ndarray

    @classmethod
    def drawn(cls, n, rng):
        """Return `n` writers; the first are the same ones however many there are."""
        normal, uniform = rng.spawn(2)
        z = normal.standard_normal((n, 4))
        u = uniform.random((n, 3))
        return cls(
            speed=u[:, 0],
            slant=0.12 * z[:, 0],
            rise=-0.12 + 0.09 * z[:, 1],
            aspect=0.84 * np.exp(0.2 * z[:, 2]),
            unsteadiness=1.2 * np.exp(0.4 * z[:, 3].clip(-2, 1.2)),
            width=np.exp(np.log(0.022) + u[:, 1] * np.log(0.075 / 0.022)),
            pressure=0.5 * u[:, 2],
        )


@dataclasses.dataclass(frozen=True)
class Trajectories:
    """Ways of a pen, all through the same number of points.

    Attributes:
        points: float `(n, points, 2)`; the character is about 1 large.
        pressure: float `(n, points)`: 0 where the pen is up, 1 where it writes, between where it
            drags along from one stroke to the next.
    """

    points: np.ndarray
    pressure: np.ndarray


def write(strokes, writers, rng):
    """Return how writers write a character.

    Args:
        strokes: list of float `(points, 2)`, in the unit box, as Strokes.of returns them.
        writers: Writers, one for each picture.
        rng: numpy Generator. The first pictures are the same ones however many there are.

    Returns:
        Trajectories.
    """
    n = len(writers.speed)
    normal, uniform = rng.spawn(2)
    strokes = [_resampled(stroke, POINTS, LEAST_POINTS) for stroke in strokes]
    z = normal.standard_normal((n, 5 * len(strokes) + 4 + 2 * NODES**2))
    u = uniform.random((n, 3 * len(strokes)))
    unsteadiness = writers.unsteadiness[:, None]
    changes = np.split(z, [5 * len(strokes), 5 * len(strokes) + 4], axis=1)
    written = [
        _rewritten(stroke, changes[0][:, 5 * i : 5 * i + 5] * unsteadiness)
        for i, stroke in enumerate(strokes)
    ]
    lengths = [stroke.shape[1] for stroke in written]
    points = np.concatenate(written, axis=1)
    points = _stretched(points, changes[1] * unsteadiness)
    points = _warped(
        points, changes[2].reshape(n, NODES, NODES, 2) * WARP * unsteadiness[..., None, None]
    )
    points = _in_proportion(points, writers)
    parts = np.split(points, np.cumsum(lengths)[:-1], axis=1)
    track, pressure = _with_gaps(parts, strokes, writers, u.reshape(n, -1, 3))
    return Trajectories(_smoothed(track, SMOOTHING * writers.speed), pressure)


def _resampled(stroke, points, least):
    """Return a polyline with points at even distances, more of them on a longer one."""
    way = np.r_[0, np.cumsum(np.hypot(*np.diff(stroke, axis=0).T))]
    if way[-1] < 1e-6:  # a dot
        return stroke[:1] + np.linspace(0, 0.02, least)[:, None]
    n = max(least, round(points * (way[-1] + 0.03) ** 0.5))
    t = np.linspace(0, way[-1], n)
    return np.stack([np.interp(t, way, stroke[:, i]) for i in (0, 1)], 1)


def _rewritten(stroke, change):
    """Return a stroke `(n, points, 2)`: turned, scaled, bowed and moved, each time otherwise."""
    middle = stroke.mean(0)
    chord = stroke[-1] - stroke[0]
    t = np.linspace(0, np.pi, len(stroke))
    across = np.array([-chord[1], chord[0]]) * np.sin(t)[:, None]
    around = stroke - middle + BOW * change[:, 0, None, None] * across
    scale = np.exp(SCALE * change[:, 1])
    angle = TURN * change[:, 2]
    cos, sin = (scale * np.cos(angle))[:, None], (scale * np.sin(angle))[:, None]
    x, y = around[..., 0], around[..., 1]
    turned = np.stack([cos * x - sin * y, sin * x + cos * y], 2)
    return turned + middle + SHIFT * change[:, None, 3:]


def _stretched(points, change):
    """Stretch width and height unevenly: one half more than the other, the middle or the ends."""
    inside = np.pi * points.clip(0, 1)
    once, twice = change[:, None, :2], change[:, None, 2:]
    return points + AXIS * (once * np.sin(inside) + twice / 1.5 * np.sin(2 * inside))


def _warped(points, nodes):
    """Move points by a smooth field, given at the nodes of a grid `(n, NODES, NODES, 2)`."""
    place = points.clip(0, 0.999) * (NODES - 1)
    node = place.astype(int)
    share = place - node
    share = share * share * (3 - 2 * share)
    rows = np.arange(len(points))[:, None]
    moved = points
    for right in (0, 1):
        for below in (0, 1):
            weight = np.abs(1 - right - share[..., 0]) * np.abs(1 - below - share[..., 1])
            moved = (
                moved + weight[..., None] * nodes[rows, node[..., 0] + right, node[..., 1] + below]
            )
    return moved


def _in_proportion(points, writers):
    """Give a character its writer's slant, rise and proportions; its middle becomes (0, 0)."""
    x, y = points[..., 0] - 0.5, points[..., 1] - 0.5
    slanted = x - writers.slant[:, None] * y
    risen = y + writers.rise[:, None] * x
    root = np.sqrt(writers.aspect)[:, None]
    return np.stack([slanted * root, risen / root], 2)


def _with_gaps(parts, strokes, writers, chances):
    """Return the way of the pen with the gaps between strokes, and its pressure.

    Fast hands leave the pen down over short gaps, all the way or only for its beginning: a hook.
    """
    n = len(parts[0])
    track, pressure = [parts[0]], [np.ones((n, parts[0].shape[1]))]
    for i in range(1, len(parts)):
        start, end = parts[i - 1][:, -1:], parts[i][:, :1]
        usual = np.hypot(*(strokes[i][0] - strokes[i - 1][-1]))
        steps = max(2, round(GAP_POINTS * usual**0.5))
        t = np.linspace(0, 1, steps + 2)[1:-1, None]
        track += [start + t * (end - start), parts[i]]
        likely = 1.1 * writers.speed**1.3 * np.exp(-usual / JOIN_LENGTH)
        chance, depth, far = chances[:, i].T
        is_joined = chance < likely
        is_hooked = ~is_joined & (chance < 2 * likely)
        reach = np.where(is_joined, 1, np.where(is_hooked, 0.5 * far, 0))[:, None]
        down = (0.3 + 0.65 * depth)[:, None] * np.where(is_joined, 1, 0.7)[:, None]
        pressure += [np.where(t[:, 0] <= reach, down, 0), np.ones((n, parts[i].shape[1]))]
    return np.concatenate(track, 1), np.concatenate(pressure, 1)


def _smoothed(track, sigma):
    """Smooth trajectories in time by Gaussians, each by its own; both ends stay in place."""
    reach = min(int(3 * SMOOTHING) + 1, track.shape[1] - 1)
    offsets = np.arange(-reach, reach + 1)
    kernel = np.exp(-0.5 * (offsets / np.maximum(sigma, 1e-3)[:, None]) ** 2)
    kernel /= kernel.sum(1, keepdims=True)
    before = 2 * track[:, :1] - track[:, reach:0:-1]
    after = 2 * track[:, -1:] - track[:, -2 : -reach - 2 : -1]
    padded = np.concatenate([before, track, after], 1)
    smooth = np.zeros_like(track)
    for i in range(len(offsets)):
        smooth += kernel[:, i, None, None] * padded[:, i : i + track.shape[1]]
    return smooth
