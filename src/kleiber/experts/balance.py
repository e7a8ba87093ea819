"""How uneven a routing trace is, and how uneven a perfectly uniform router would look at as many tokens.

One idea: counts of a uniform router are multinomial, so even perfect routing leaves some experts busier than others. Each
measure comes with its value at that noise floor, from draws; a layer whose balancedness lies above the floor's low quantile
has nothing to repair. (A token chooses k different experts, which makes real counts a little more even than independent
draws.)

Measures of loads x with mean m and largest M: violation M / m - 1 (MaxVio), balancedness m / M, idle fraction 1 - m / M,
coefficient of variation. For devices and nodes the loads are those of the experts there.

Shapes: S steps, L layers, E experts, G devices or nodes, D draws.

Sources: Wang et al. 2024, arXiv 2408.15664 (MaxVio); deepseek-ai/EPLB (balancedness).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from kleiber.experts.trace import Floats, Ints, RoutingTrace

DRAWS = 400
LOW, HIGH = 0.05, 0.95
SIGNIFICANT = 0.01
SCHEMA = "kleiber/experts-stats/1"


@dataclass(frozen=True, kw_only=True)
class Balance:
    """The balance of one kind of thing (experts, devices, nodes): measures per layer, and the floor's quantiles.

    `floor_L3`: balancedness of a uniform router, at 5 %, 50 % and 95 %; `chance_L`: how often a uniform router is as uneven as
    seen; both None where loads are no counts.
    """

    of: str
    violation_L: Floats
    balancedness_L: Floats
    variation_L: Floats
    floor_L3: Floats | None
    chance_L: Floats | None

    @property
    def idle_L(self) -> Floats:
        """The part of the time in which the average device waits for the busiest."""
        return 1 - self.balancedness_L

    @property
    def within_noise(self) -> bool | None:
        """Whether noise explains all layers together (Fisher's combined test at 1 %); None where that cannot be told.

        -2 sum ln p is chi-squared with 2 L degrees of freedom where every layer is uniform.
        """
        if self.chance_L is None:
            return None
        from scipy.stats import chi2

        return bool(chi2.sf(-2 * np.log(self.chance_L).sum(), 2 * len(self.chance_L)) > SIGNIFICANT)

    @property
    def uneven_L(self) -> np.ndarray | None:
        """Whether a layer is less even than noise explains; None where that cannot be told."""
        return None if self.floor_L3 is None else self.balancedness_L < self.floor_L3[:, 0]

    def to_json(self) -> dict[str, Any]:
        """Means over layers, the worst layer, and the floor."""
        uneven_L = self.uneven_L
        return {
            "max_violation": float(self.violation_L.mean()),
            "balancedness": float(self.balancedness_L.mean()),
            "variation": float(self.variation_L.mean()),
            "idle_fraction": float(self.idle_L.mean()),
            "worst_layer": int(self.balancedness_L.argmin()),
            "worst_balancedness": float(self.balancedness_L.min()),
            "noise_floor": None if self.floor_L3 is None else [float(value) for value in self.floor_L3.mean(axis=0)],
            "layers_beyond_noise": None if uneven_L is None else int(uneven_L.sum()),
        }


@dataclass(frozen=True, kw_only=True)
class Statistics:
    """What a trace says: balance by kind, drift between its two halves, the experts that are chosen together."""

    trace: RoutingTrace
    balance: Mapping[str, Balance]
    drift: float | None
    drift_of_noise: float | None
    pairs: tuple[tuple[int, int, int, float], ...]

    @property
    def within_noise(self) -> bool | None:
        """Whether a uniform router explains the experts' loads; None where they are no counts."""
        return self.balance["experts"].within_noise

    def to_json(self) -> dict[str, Any]:
        """The statistics as `kleiber/experts-stats/1`."""
        trace = self.trace
        return {
            "schema": SCHEMA,
            "source": trace.source,
            "steps": trace.steps,
            "layers": trace.layers,
            "experts": trace.experts,
            "assignments_per_layer": float(trace.load_LE.sum(axis=1).mean()),
            "balance": {name: found.to_json() for name, found in self.balance.items()},
            "within_noise": self.within_noise,
            "drift": {"total_variation": self.drift, "of_noise": self.drift_of_noise},
            "chosen_together": [
                {"layer": layer, "experts": [one, other], "lift": lift} for layer, one, other, lift in self.pairs
            ],
        }


def statistics(trace: RoutingTrace, *, places: Mapping[str, Ints] | None = None, seed: int = 0) -> Statistics:
    """The statistics of a trace; `places` names the device (or node) of each expert, as `{"devices": device_E}`.

    >>> even = RoutingTrace.from_counts(np.full((2, 1, 8), 100))
    >>> statistics(even).within_noise
    True
    """
    load_LE = trace.load_LE
    own_E = np.arange(trace.experts)
    balance = {
        name: balance_of(name, load_LE, place_E, seed) for name, place_E in {"experts": own_E, **(places or {})}.items()
    }
    drift = noise = None
    if trace.steps > 1:
        halves = list(trace.windows(2))
        drift, noise = drift_between(halves[0].load_LE, halves[1].load_LE)
    return Statistics(trace=trace, balance=balance, drift=drift, drift_of_noise=noise, pairs=together(trace))


def balance_of(name: str, load_LE: Floats, place_E: Ints, seed: int = 0) -> Balance:
    """The balance of places that experts are put in, with the floor of a uniform router."""
    into_EG = np.zeros((len(place_E), int(place_E.max()) + 1))
    into_EG[np.arange(len(place_E)), place_E] = 1.0
    load_LG = load_LE @ into_EG
    mean_L, largest_L = load_LG.mean(axis=1), load_LG.max(axis=1)
    something_L = largest_L > 0
    balancedness_L = np.divide(mean_L, largest_L, out=np.ones(len(load_LE)), where=something_L)
    floor = None
    if (load_LE == np.round(load_LE)).all():
        floor = noise_floor(load_LE.sum(axis=1), into_EG, balancedness_L, seed)
    even_L = np.ones(len(load_LE))
    return Balance(
        of=name,
        violation_L=np.divide(largest_L, mean_L, out=even_L.copy(), where=something_L) - 1,
        balancedness_L=balancedness_L,
        variation_L=np.divide(load_LG.std(axis=1), mean_L, out=0 * even_L, where=something_L),
        floor_L3=floor[0] if floor else None,
        chance_L=floor[1] if floor else None,
    )


def noise_floor(total_L: Floats, into_EG: Floats, seen_L: Floats, seed: int = 0) -> tuple[Floats, Floats]:
    """Balancedness of a uniform router at 5 %, 50 % and 95 %, and how often it is as low as `seen_L`, per layer.

    Multinomial draws of `total_L` assignments, the same for layers of the same total.

    >>> floor, chance = noise_floor(np.array([32768.0]), np.eye(32), np.array([0.5]))
    >>> bool(0.90 < floor[0, 0] < floor[0, 1] < floor[0, 2] < 0.97)
    True
    """
    totals, layer_of = np.unique(np.round(total_L).astype(np.int64), return_inverse=True)
    rng = np.random.default_rng(seed)
    experts = len(into_EG)
    chance_E = np.full(experts, 1 / experts)
    floor_L3, chance_L = np.ones((len(total_L), 3)), np.ones(len(total_L))
    for place, total in enumerate(totals):
        if total > 0:
            load_DG = rng.multinomial(total, chance_E, size=DRAWS) @ into_EG
            even_D = load_DG.mean(axis=1) / load_DG.max(axis=1)
            same_L = layer_of == place
            floor_L3[same_L] = np.quantile(even_D, (LOW, 0.5, HIGH))
            chance_L[same_L] = (1 + (even_D[None] <= seen_L[same_L, None]).sum(axis=1)) / (1 + DRAWS)
    return floor_L3, chance_L


def drift_between(before_LE: Floats, after_LE: Floats) -> tuple[float, float]:
    """How far the loads of two windows lie apart (total variation, mean over layers), and what noise alone would show.

    Of n and m draws from one distribution p the expected distance is about
    (1/2) sum_e sqrt(2/pi p_e (1 - p_e) (1/n + 1/m)), each difference being nearly normal.
    """
    totals = before_LE.sum(axis=1, keepdims=True), after_LE.sum(axis=1, keepdims=True)
    before_L1, after_L1 = (np.maximum(total, 1.0) for total in totals)
    distance_L = np.abs(before_LE / before_L1 - after_LE / after_L1).sum(axis=1) / 2
    pooled_LE = (before_LE + after_LE) / (before_L1 + after_L1)
    spread_LE = np.sqrt(2 / np.pi * pooled_LE * (1 - pooled_LE) * (1 / before_L1 + 1 / after_L1))
    return float(distance_L.mean()), float(spread_LE.sum(axis=1).mean() / 2)


def together(trace: RoutingTrace, most: int = 5) -> tuple[tuple[int, int, int, float], ...]:
    """The pairs of experts chosen together most beyond chance: (layer, expert, expert, lift), the highest lift first.

    lift = tokens with both x tokens / (tokens with one x tokens with the other); only pairs seen 20 times or more.
    """
    if trace.together_LEE is None or not trace.choices:
        return ()
    single_LE = np.einsum("lee->le", trace.together_LEE)
    tokens_L = single_LE.sum(axis=1) / trace.choices
    expected_LEE = single_LE[:, :, None] * single_LE[:, None, :] / np.maximum(tokens_L, 1.0)[:, None, None]
    seen_LEE = np.triu(np.where(trace.together_LEE >= 20, trace.together_LEE, 0.0), k=1)
    lift_LEE = np.divide(seen_LEE, expected_LEE, out=np.zeros_like(expected_LEE), where=expected_LEE > 0)
    order = np.argsort(-lift_LEE, axis=None, kind="stable")[:most]
    found = [
        (*(int(at) for at in np.unravel_index(flat, lift_LEE.shape)), float(lift_LEE.flat[flat])) for flat in order
    ]
    return tuple((trace.layer_L[layer], one, other, lift) for layer, one, other, lift in found if lift > 0)
