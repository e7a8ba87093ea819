"""How often the 95 % intervals of a forecast hold on small ladders: that of the law, and that of one run.

Ladders of sizes by budgets are simulated from the law of `ladders/sotu-dense` with 0.5 % of noise, fitted and resampled. At three
places, two within the ladder and one beyond it, the interval of the law is held against the law, and that of one run, with the
residuals as they are and as `Fit.scatter_R` widens them, against 200 runs. Grids of two budgets are refused
(`kleiber.fit.indistinct`); what their intervals would have been worth is shown.

Run: python benchmarks/few_runs.py [repeats, default 10]
"""

from __future__ import annotations

import sys

import numpy as np

import kleiber
from kleiber.runs import RunTable

E, A, B, ALPHA, BETA = 0.94, 24.3, 903.0, 0.44, 0.556
NOISE, DRAWS, STARTS, SCATTERS, NEW = 0.005, 200, 16, 20, 200
PLACES = ((5e4, 1e7), (4e5, 3.2e7), (1e6, 6e7))
DESIGNS = ((4, 2), (3, 3), (5, 2), (4, 3))


def law(params: np.ndarray | float, tokens: np.ndarray | float) -> np.ndarray | float:
    return E + A / params**ALPHA + B / tokens**BETA


def held(sizes: int, budgets: int, seed: int) -> np.ndarray:
    """Of the law, of one run by bare residuals, of one run as stated: what the interval holds at each place, (3, places)."""
    rng = np.random.default_rng([sizes, budgets, seed])
    params, tokens = map(np.ravel, np.meshgrid(np.geomspace(6e3, 4e5, sizes), np.geomspace(4e6, 3.2e7, budgets)))
    loss = law(params, tokens) * np.exp(NOISE * rng.standard_normal(params.size))
    runs = RunTable.of({"params": params, "tokens": tokens, "loss": loss})
    fit = kleiber.fit(runs, bootstrap=DRAWS, starts=STARTS, seed=seed)
    found = np.empty((3, len(PLACES)))
    for place, (size, budget) in enumerate(PLACES):
        draws_B, truth = fit.predict_draws({"params": size, "tokens": budget})[:, 0], law(size, budget)
        low, high = np.quantile(draws_B, [0.025, 0.975])
        found[0, place] = low <= truth <= high
        new_N = truth * np.exp(NOISE * rng.standard_normal(NEW))
        for row, scatter_R in ((1, fit.residuals_R), (2, fit.scatter_R)):
            one_SB = draws_B * np.exp(-rng.choice(scatter_R, size=(SCATTERS, DRAWS)))
            low, high = np.quantile(one_SB, [0.025, 0.975])
            found[row, place] = ((low <= new_N) & (new_N <= high)).mean()
    return found


def main() -> None:
    repeats = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    print(f"{repeats} ladders each; at {', '.join(f'{size:.0e} on {budget:.1e}' for size, budget in PLACES)}")
    print("| sizes x budgets | the law | one run, residuals | one run, as stated |\n|---|---|---|---|")
    for sizes, budgets in DESIGNS:
        found = np.mean([held(sizes, budgets, seed) for seed in range(repeats)], axis=0)
        print(
            f"| {sizes} x {budgets} | " + " | ".join(" ".join(f"{share:.2f}" for share in row) for row in found) + " |"
        )


if __name__ == "__main__":
    main()
