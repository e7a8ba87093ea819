"""Series that share some of a series and none of the rest: what an exponent is held against.

A shuffled series keeps the values and loses their order. A phase-randomised one keeps spectrum and distribution and loses
whatever else the order carries (amplitude-adjusted Fourier transform, Theiler et al. 1992): what it reproduces is linear
correlation.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def shuffled(series_n: Array, rng: np.random.Generator) -> Array:
    """The same values in another order."""
    return rng.permutation(series_n)


def phase_randomised(series_n: Array, rng: np.random.Generator) -> Array:
    """The same values, ordered so that the spectrum is about the same and the phases are drawn anew.

    >>> import numpy as np
    >>> series = np.cumsum([1.0, -2.0, 3.0, 1.0])
    >>> bool(np.array_equal(np.sort(phase_randomised(series, np.random.default_rng(0))), np.sort(series)))
    True
    """
    ordered_n = np.sort(series_n)
    # Ties are ranked by lot: by place they would each rise through the series.
    ranks_n = np.argsort(np.lexsort((rng.random(series_n.size), series_n)))
    gaussian_n = np.sort(rng.standard_normal(series_n.size))[ranks_n]
    spectrum = np.fft.rfft(gaussian_n)
    turned = np.abs(spectrum) * np.exp(2j * np.pi * rng.random(spectrum.size))
    turned[0] = spectrum[0]
    drawn_n = np.fft.irfft(turned, series_n.size)
    return ordered_n[np.argsort(np.argsort(drawn_n))]
