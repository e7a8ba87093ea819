"""Noise whose long memory is known: what the instruments are held against, and what their nulls are drawn from.

Fractional Gaussian noise has autocovariance (|k+1|^2H - 2|k|^2H + |k-1|^2H) / 2, drawn exactly by circulant embedding; its DFA
exponent is H, and that of its running sum is H + 1. Power-law noise has a spectral density f^-beta; its DFA exponent is (beta
+ 1) / 2.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kleiber.errors import InputError

Array = NDArray[np.float64]


def fractional_gaussian_noise(length: int, hurst: float, rng: np.random.Generator) -> Array:
    """`length` samples of unit variance with Hurst exponent 0 < `hurst` < 1 (Davies & Harte 1987).

    >>> import numpy as np
    >>> draw = fractional_gaussian_noise(4096, 0.8, np.random.default_rng(0))
    >>> bool(abs(np.corrcoef(draw[1:], draw[:-1])[0, 1] - (2**1.6 / 2 - 1)) < 0.05)
    True
    """
    if not 0 < hurst < 1:
        raise InputError("a Hurst exponent lies between 0 and 1", found=hurst)
    lags = np.arange(length + 1, dtype=np.float64)
    covariance = 0.5 * (np.abs(lags - 1) ** (2 * hurst) + (lags + 1) ** (2 * hurst)) - lags ** (2 * hurst)
    spectrum = np.maximum(np.fft.hfft(covariance), 0.0)  # of the circle of 2 length places, real and non-negative
    size = spectrum.size
    white = rng.standard_normal(size // 2 + 1) + 1j * rng.standard_normal(size // 2 + 1)
    white[[0, -1]] = white[[0, -1]].real * np.sqrt(2)
    return np.fft.irfft(white * np.sqrt(spectrum[: size // 2 + 1] * size / 2), size)[:length]


def noise_with_exponent(length: int, exponent: float, rng: np.random.Generator) -> Array:
    """Gaussian noise whose DFA exponent is `exponent`, between 0 and 2: fractional noise, or from 1 on its running sum.

    On the border, at 1, the exponent is moved by 0.01.
    """
    if exponent < 1:
        return fractional_gaussian_noise(length, float(np.clip(exponent, 0.01, 0.99)), rng)
    return np.cumsum(fractional_gaussian_noise(length, float(np.clip(exponent - 1, 0.01, 0.99)), rng))


def power_law_noise(length: int, beta: float, rng: np.random.Generator) -> Array:
    """Gaussian noise with spectral density f^-`beta`, of unit variance: 0 is white, 1 pink, 2 brown."""
    frequency = np.fft.rfftfreq(length)
    shape = np.zeros_like(frequency)
    shape[1:] = frequency[1:] ** (-beta / 2)
    white = rng.standard_normal(shape.size) + 1j * rng.standard_normal(shape.size)
    series = np.fft.irfft(shape * white, length)
    return series / series.std()
