"""Do the runs that `kleiber next` asks for beat a uniform isoFLOP grid of equal cost? Simulated truths, true regrets.

Every truth is a law with exponents and weights of its own. A small ladder (3 sizes x 3 ratios) is trained on it with noise and
fitted; then one design after another is added to that ladder, at the cost of what `next_runs` chose, the law is fitted again,
and the size it picks for the target (100 to 1,000 times the budget of the experiments) is charged with its true regret:
its loss under the truth above the best there. All designs of a truth share the first ladder and the seed of their noise.

Worlds: `law` (the truth is of the form that is fitted); `coupled` (the two terms are raised to the power 0.85 together, so
the fitted law is wrong); `restless` (runs scatter more the smaller they are: 0.5 % at the whole budget, twice that at a
hundredth of it); `poor` (the first ladder spans 40M to 90M params only and scatters by 1 %, so that many fits are refused
as unidentified; those refused for another reason are left out).

Run: python benchmarks/next_runs.py [--truths 60] [--world law]
"""

from __future__ import annotations

import os

os.environ.update({"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"})

import argparse
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

import kleiber
from kleiber.plan.next import CURABLE, NextRuns

Array = NDArray[np.float64]
Runs = tuple[Array, Array]  # params, tokens

NOISE, BUDGET, DRAWS = 0.005, 3e19, 1000
TARGETS = (100.0, 1000.0)  # times the budget
SIZES, POOR_SIZES, RATIOS = (2e7, 6e7, 1.8e8), (4e7, 6e7, 9e7), (5.0, 20.0, 80.0)
SEARCHED = (1e7, 1e14)  # params
OPENING = 0.2  # of the budget
NARROW, WIDE = (5.0, 80.0), (1.0, 500.0)  # tokens per param
WORLDS = ("law", "coupled", "restless", "poor")


@dataclass(frozen=True, kw_only=True)
class Truth:
    """A world with its own law: `coupling` other than 1 is a law that the fit cannot express."""

    floor: float
    A: float
    alpha: float
    B: float
    beta: float
    coupling: float = 1.0
    restless: bool = False
    noise: float = NOISE

    def loss(self, params: Array | float, tokens: Array | float) -> Array:
        """The loss without noise."""
        return self.floor + (self.A / params**self.alpha + self.B / tokens**self.beta) ** self.coupling

    def observe(self, runs: Runs, rng: np.random.Generator) -> Array:
        """What training these runs would read."""
        params, tokens = runs
        scatter = np.full(params.size, self.noise)
        if self.restless:
            scatter = self.noise * (BUDGET / (6 * params * tokens)) ** (np.log(2) / np.log(100))
        return self.loss(params, tokens) * np.exp(scatter * rng.normal(size=params.size))

    def regret(self, params: float, flops: float) -> float:
        """What training `params` with `flops` costs above the best size."""
        size = np.exp(np.linspace(np.log(SEARCHED[0]), np.log(SEARCHED[1]), 40_001))
        least = float(self.loss(size, flops / (6 * size)).min())
        return max(0.0, float(self.loss(params, flops / (6 * params))) - least)


def truth(rng: np.random.Generator, world: str) -> Truth:
    """Exponents from 0.28 to 0.45 each, a floor of 1.5 to 2; at 1B params and 20B tokens each term is 0.25 to 0.5 nats."""
    alpha, beta = rng.uniform(0.28, 0.45, 2)
    size, data = rng.uniform(0.25, 0.5, 2)
    return Truth(
        floor=rng.uniform(1.5, 2.0),
        A=size * 1e9**alpha,
        alpha=alpha,
        B=data * 2e10**beta,
        beta=beta,
        coupling=0.85 if world == "coupled" else 1.0,
        restless=world == "restless",
        noise=2 * NOISE if world == "poor" else NOISE,
    )


def first_ladder(world: str) -> Runs:
    """The nine runs that every truth begins with."""
    params, ratio = (part.ravel() for part in np.meshgrid(POOR_SIZES if world == "poor" else SIZES, RATIOS))
    return params, params * ratio


def isoflop(flops: float, ratios: tuple[float, float], levels: int = 3, sizes: int = 5) -> Runs:
    """A uniform isoFLOP grid that costs `flops` in all: budgets evenly over a decade, ratios evenly in logs at each."""
    share = np.geomspace(0.1, 1.0, levels) if levels > 1 else np.ones(1)
    level = np.repeat(flops * share / (sizes * share.sum()), sizes)
    ratio = np.tile(np.geomspace(*ratios, sizes), levels)
    params = np.sqrt(level / 6 / ratio)
    return params, params * ratio


def one_run(flops: float) -> Runs:
    """Everything on one run at 20 tokens per param."""
    params = np.array([np.sqrt(flops / 6 / 20)])
    return params, 20 * params


def asked(found: NextRuns) -> Runs:
    """The runs that `next_runs` wants."""
    return np.array([run.params for run in found.runs]), np.array([run.tokens for run in found.runs])


def designs(wide: NextRuns, narrow: NextRuns) -> Mapping[str, Runs]:
    """All designs that are compared, each at the cost of the `next` of its ratios."""
    return {
        "next, 1-500": asked(wide),
        "isoFLOP, 1-500": isoflop(wide.flops, WIDE),
        "isoFLOP, 1-500, 4 x 4": isoflop(wide.flops, WIDE, 4, 4),
        "isoFLOP, 1-500, one level": isoflop(wide.flops, WIDE, 1, 5),
        "isoFLOP, 5-80": isoflop(wide.flops, NARROW),
        "one run": one_run(wide.flops),
        "next, 5-80": asked(narrow),
        "isoFLOP, 5-80, same cost": isoflop(narrow.flops, NARROW),
    }


def joined(first: Runs, second: Runs) -> Runs:
    """Two sets of runs as one."""
    return np.concatenate([first[0], second[0]]), np.concatenate([first[1], second[1]])


def fitted(runs: Runs, loss: Array, draws: int) -> kleiber.Fit:
    """The law fitted to these runs."""
    table = kleiber.RunTable.of({"params": runs[0], "tokens": runs[1], "loss": loss})
    return kleiber.fit(table, bootstrap=draws)


def decided(fit: kleiber.Fit, flops: float) -> float:
    """The params that a fit picks for `flops`; a fit is taken at its word even where Kleiber would refuse it."""
    from kleiber.plan.closed_form import two_power_terms

    value = fit.parameters
    params = two_power_terms(value["A"], value["alpha"], value["B"], value["beta"], flops)
    return float(np.clip(params, *SEARCHED))


def grid_first(real: Truth, ladder: Runs, loss: Array, target: float, seed: int) -> float:
    """The regret after a fifth of the budget on a small isoFLOP grid, a new fit, and `next` for the rest of the budget."""
    rng = np.random.default_rng([seed, 9])
    opening = isoflop(BUDGET * OPENING, WIDE, 3, 3)
    runs, seen = joined(ladder, opening), np.concatenate([loss, real.observe(opening, rng)])
    fit = fitted(runs, seen, DRAWS)
    if not fit.outcome.refused or fit.outcome in CURABLE:
        more = asked(kleiber.next_runs(fit, target=target, budget=BUDGET * (1 - OPENING)))
        runs, seen = joined(runs, more), np.concatenate([seen, real.observe(more, rng)])
    return real.regret(decided(fitted(runs, seen, 0), target), target)


def trial(seed: int, world: str) -> dict[str, float] | None:
    """The true regrets of all designs in one world, and what `next` foresaw; None where `next` refuses."""
    rng = np.random.default_rng([seed, 7])
    real, ladder = truth(rng, world), first_ladder(world)
    loss = real.observe(ladder, rng)
    target = BUDGET * float(np.exp(rng.uniform(*np.log(TARGETS))))
    fit = fitted(ladder, loss, DRAWS)
    if fit.outcome.refused and fit.outcome not in CURABLE:
        return None
    began = time.process_time()
    wide = kleiber.next_runs(fit, target=target, budget=BUDGET, tokens_per_param=WIDE)
    seconds = time.process_time() - began
    narrow = kleiber.next_runs(fit, target=target, budget=BUDGET, tokens_per_param=NARROW)
    found = {"no more runs": real.regret(decided(fit, target), target)}
    for name, runs in designs(wide, narrow).items():
        more = real.observe(runs, np.random.default_rng([seed, 9]))
        again = fitted(joined(ladder, runs), np.concatenate([loss, more]), 0)
        found[name] = real.regret(decided(again, target), target)
    if world == "poor":
        found["a fifth on a grid, then next"] = grid_first(real, ladder, loss, target, seed)
    return found | {
        "foreseen before": wide.before, "foreseen after": wide.after, "seconds": seconds, "runs": float(len(wide.runs)),
        "refused": float(fit.outcome.refused), "spent": wide.flops / BUDGET,
    }  # fmt: skip


def trials(count: int, world: str, say: Callable[[str], None] = lambda _: None) -> dict[str, Array]:
    """`count` worlds: name -> regrets."""
    rows = []
    for seed in range(count):
        if (row := trial(seed, world)) is not None:
            rows.append(row)
        say(f"{seed + 1} of {count}")
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}


def ratio_of_means(first: Array, second: Array, seed: int = 0) -> tuple[float, float, float]:
    """mean(first) / mean(second) with the 95 % interval of a bootstrap over pairs."""
    rows = np.random.default_rng(seed).integers(0, first.size, (10_000, first.size))
    draws = first[rows].mean(axis=1) / second[rows].mean(axis=1)
    low, high = np.quantile(draws, [0.025, 0.975])
    return float(first.mean() / second.mean()), float(low), float(high)


PAIRS = (
    ("next, 1-500", "isoFLOP, 1-500"),
    ("next, 1-500", "isoFLOP, 1-500, 4 x 4"),
    ("next, 1-500", "isoFLOP, 1-500, one level"),
    ("next, 1-500", "isoFLOP, 5-80"),
    ("next, 1-500", "one run"),
    ("next, 5-80", "isoFLOP, 5-80, same cost"),
    ("a fifth on a grid, then next", "isoFLOP, 1-500, 4 x 4"),
)


def show(found: Mapping[str, Array], world: str) -> None:
    """The regrets of a world, and the ratios in pairs."""
    aside = ("foreseen before", "foreseen after", "seconds", "runs", "refused", "spent")
    print(f"world: {world}, {found['runs'].size} truths; true regret in nats")
    for name in (*(key for key in found if key not in aside), *aside[:2]):
        value = found[name]
        print(f"  {name:30}mean {value.mean():.2e}  median {np.median(value):.2e}  p90 {np.quantile(value, 0.9):.2e}")
    for first, second in PAIRS:
        if first not in found:
            continue
        ratio, low, high = ratio_of_means(found[first], found[second])
        wins = float(np.mean(found[first] < found[second]))
        print(f"  {first} / {second}: mean regret x {ratio:.2f} ({low:.2f} - {high:.2f}), smaller in {wins:.0%}")
    print(
        f"  runs asked for {found['runs'].mean():.1f}, {found['spent'].mean():.0%} of the budget, "
        f"{np.median(found['seconds']):.2f} CPU s each; {found['refused'].mean():.0%} of the first fits refused"
    )


def main() -> None:
    """Print the table of each world that was asked for, or of the first."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--truths", type=int, default=30)
    parser.add_argument("--world", choices=WORLDS, action="append")
    options = parser.parse_args()
    for world in options.world or WORLDS[:1]:
        show(trials(options.truths, world), world)


if __name__ == "__main__":
    main()
