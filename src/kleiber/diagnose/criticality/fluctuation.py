"""How far a series wanders within windows of one length, about the trend of each window: the engine of fluctuation analysis.

The way the data takes: series -> profile (running sum of the deviations from the mean) -> windows of every scale, side by
side from the start -> mean squared residual of each about its own line or parabola. C where there is a compiler, NumPy
otherwise: the same steps in the same order, equal to about 1e-13.

Legend: n samples of the series, S scales, w windows of one scale, s samples of a window.
"""

from __future__ import annotations

import ctypes
import functools
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kleiber import compiled
from kleiber.compiled import pointer
from kleiber.errors import InputError

Array = NDArray[np.float64]
Scales = NDArray[np.int64]
ORDERS = (1, 2)
SMALLEST, MOST, WINDOWS = 16, 30, 10
MOST_NUMBERS = 1 << 20  # of one block of windows in NumPy: memory stays small however long the series


def usual_scales(length: int) -> Scales:
    """Up to 30 window lengths, spread evenly in log, from 16 samples to a tenth of the series.

    >>> usual_scales(1000)[[0, -1]].tolist()
    [16, 100]
    """
    largest = max(SMALLEST, length // WINDOWS)
    return np.unique(np.rint(np.geomspace(SMALLEST, largest, MOST)).astype(np.int64))


def profile(series_n: ArrayLike) -> Array:
    """The running sum of the deviations from the mean, `(n,)`."""
    values_n = np.asarray(series_n, dtype=np.float64)
    away_n = values_n - values_n.mean()
    return np.cumsum(away_n, out=away_n)


def window_squares(profile_n: Array, scales_S: ArrayLike, order: int = 1) -> tuple[Array, Scales]:
    """The mean squared residual of every window, scale after scale, and the windows of each scale `(S,)`.

    Raises `InputError` where a scale is shorter than `order` + 2 samples or longer than the series.
    """
    scales = np.asarray(scales_S, dtype=np.int64)
    if order not in ORDERS:
        raise InputError("windows are detrended by a line or a parabola", found=f"order {order}", expected="1 or 2")
    if scales.ndim != 1 or not scales.size or scales.min() < order + 2 or scales.max() > profile_n.size:
        raise InputError(
            "a scale does not suit the series",
            found=f"{scales.min()} to {scales.max()} samples" if scales.size else "no scale",
            expected=f"{order + 2} to {profile_n.size} samples",
        )
    counts = profile_n.size // scales
    squares = _compiled(np.ascontiguousarray(profile_n), scales, counts, order)
    if squares is None:
        squares = np.concatenate([_by_numpy(profile_n, int(scale), order) for scale in scales])
    return squares, counts


def starts(counts_S: Scales) -> Scales:
    """Where the windows of each scale start in the list of all."""
    return np.cumsum(counts_S) - counts_S


def fluctuations(series_n: ArrayLike, scales_S: ArrayLike, order: int = 1) -> Array:
    """F(s), `(S,)`: the root of the mean over windows of the mean squared residual; DFA as Peng et al. 1994 state it.

    F(s)^2 = mean over windows and samples of (profile - polynomial of the window)^2

    >>> import numpy as np
    >>> walk = np.tile([1.0, -1.0], 50)
    >>> np.round(fluctuations(walk, [10, 20]), 3)
    array([0.492, 0.498])
    """
    squares, counts = window_squares(profile(series_n), scales_S, order)
    return np.sqrt(np.add.reduceat(squares, starts(counts)) / counts)


def slope(scales_S: ArrayLike, fluctuations_S: Array) -> float:
    """The exponent: the least-squares slope of log F over log s."""
    times = np.log(scales_S)
    times = times - times.mean()
    return float(np.log(fluctuations_S) @ times / (times @ times))


def _compiled(profile_n: Array, scales: Scales, counts: Scales, order: int) -> Array | None:
    library = compiled.load(_text())
    if library is None:
        return None
    squares, lengths = np.empty(int(counts.sum())), np.ascontiguousarray(scales, dtype=np.int_)
    library.fluctuation.restype = None
    library.fluctuation(
        pointer(profile_n), ctypes.c_long(profile_n.size), pointer(lengths), ctypes.c_long(scales.size),
        ctypes.c_int(order), pointer(squares),
    )  # fmt: skip
    return squares


@functools.cache
def _text() -> str:
    return Path(__file__).with_name("fluctuation.c").read_text("utf-8")


def _by_numpy(profile_n: Array, scale: int, order: int) -> Array:
    centred_s = np.arange(scale) - 0.5 * (scale - 1)
    basis_sP = np.stack([centred_s**0, centred_s, centred_s**2 - (scale**2 - 1) / 12][: order + 1], axis=1)
    norms_P = (basis_sP**2).sum(axis=0)
    windows_ws = profile_n[: profile_n.size // scale * scale].reshape(-1, scale)
    step = max(1, MOST_NUMBERS // scale)
    found = []
    for first in range(0, len(windows_ws), step):
        block_ws = windows_ws[first : first + step]
        slope_w = (block_ws[:, -1] - block_ws[:, 0]) / (scale - 1)
        middle_w = 0.5 * (block_ws[:, -1] + block_ws[:, 0])
        left_ws = block_ws - middle_w[:, None] - slope_w[:, None] * centred_s
        if order == 2:
            place = scale // 2
            arch_s = centred_s**2 - centred_s[0] ** 2
            left_ws = left_ws - left_ws[:, place, None] / arch_s[place] * arch_s
        taken_w = ((left_ws @ basis_sP) ** 2 / norms_P).sum(axis=1)
        found.append(np.maximum((left_ws**2).sum(axis=1) - taken_w, 0.0) / scale)
    return np.concatenate(found)
