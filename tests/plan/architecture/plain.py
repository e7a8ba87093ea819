"""Random questions for the geometric program, and their answer by an exhaustive grid: plain NumPy, nothing shared but the counts.

The way the data takes: seed -> law, option, a point (width, depth, tokens) and limits that it keeps with some room -> grid over
width and width / depth, with the best tokens of every cell in closed form, refined around its best cell. The counts are the
polynomials of `kleiber.cost.grid`, which tests/cost/test_families.py holds against built shapes; every formula here is written
out anew.

Legend: G cells of the grid.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from kleiber.cost import FAMILIES, find_hardware
from kleiber.cost.families import Option, options
from kleiber.fit import Fit
from kleiber.laws.transfer import Transfer, dense_transfer, experts_transfer, hybrid_transfer, state_space_transfer
from kleiber.plan.architecture.brief import Brief
from kleiber.plan.architecture.loans import Laws, quality
from kleiber.plan.architecture.quality import Quality
from kleiber.plan.architecture.relaxation import Relaxed, Serving, relax
from kleiber.plan.architecture.shapes import Shapes, counts, shapes_of
from kleiber.plan.architecture.spread import Spread
from kleiber.plan.architecture.supply import Supply, Tier
from tests.plan.clouds import cloud

Array = NDArray[np.float64]
OPTIONS: tuple[Option, ...] = options(FAMILIES, vocabulary=32_768)
REPEATS = 15.387756
DEVICES = ("a100", "h100", "h200", "b200", "mi300x")
BUDGETS = ("flops", "max_gpu_hours", "max_cost", "deadline_days")
SERVED = ("max_memory_gb", "max_tpot_ms", "max_ttft_ms")
OBJECTIVES = ("loss", "loss", "loss", "money", "time", "energy")


@dataclass(frozen=True, kw_only=True, eq=False)
class Asked:
    """A question of the relaxed program with everything that answers it."""

    law: dict[str, float]
    option: Option
    brief: Brief
    serving: Serving
    point: tuple[float, float, float]

    @property
    def fit(self) -> Fit:
        return cloud(self.law)

    @property
    def shapes(self) -> Shapes:
        return shapes_of(self.option, counts(self.brief, "unknown"))

    def relaxed(self, **changed: object) -> Relaxed | None:
        """The answer of the geometric program, of the same question with some of the brief changed."""
        brief = replace(self.brief, **changed)  # type: ignore[arg-type]
        return relax(self.shapes, brief, self.quality(brief), self.serving, self.point)

    def quality(self, brief: Brief) -> Quality:
        return quality(self.option, Laws(fits=(self.fit,)), brief, np.random.default_rng(0))


def random_law(rng: np.random.Generator) -> dict[str, float]:
    """A floor of 1.2 to 2.2, exponents of .25 to .45; at 1B params and 20B tokens each term is .15 to .6 nats."""
    alpha, beta = rng.uniform(0.25, 0.45, 2)
    size, data = rng.uniform(0.15, 0.6, 2)
    return {"E": rng.uniform(1.2, 2.2), "A": size * 1e9**alpha, "B": data * 2e10**beta, "alpha": alpha, "beta": beta}


def ask(seed: int) -> Asked:
    """A question at random, feasible by how it is made."""
    rng = np.random.default_rng([seed, 31])
    option = OPTIONS[rng.integers(len(OPTIONS))]
    width = float(np.exp(rng.uniform(*np.log([option.widths[0] * 1.05, option.widths[-1]]))))
    depth = max(width / rng.uniform(*option.aspect), shallowest(option))
    context = int(rng.choice([2048, 8192, 32_768, 131_072]))
    served = rng.random() < 0.6
    brief = Brief(
        open_ended=True,
        families=(option.family,),
        serve_tokens=_certain(10 ** rng.uniform(10, 13.5)) if served else _certain(0.0),
        output_share=float(rng.uniform(0.05, 0.9)),
        context=context,
        train_context=min(8192, context),
        hardware=find_hardware(str(rng.choice(DEVICES))),
        devices=1_000_000,
        price=_certain(float(rng.uniform(1, 6))),
        vocabulary=32_768,
        training_efficiency=float(rng.uniform(0.2, 0.6)),
        prefill_efficiency=float(rng.uniform(0.3, 0.7)),
        bandwidth_efficiency=float(rng.uniform(0.4, 0.9)),
    )
    # Devices enough that neither training state nor serving memory of the point is too much.
    serving = Serving(devices=float(2 ** rng.integers(0, 14)), batch=float(2 ** rng.integers(0, 8)))
    asked = Asked(law=random_law(rng), option=option, brief=brief, serving=serving, point=(width, depth, 1.0))
    params = float(count(asked, "params", width, depth))
    point = (width, depth, params * 10 ** rng.uniform(0.3, 2.7))
    while used(replace(asked, point=point), *point)["memory_share"] > 0.95:
        serving = replace(serving, devices=2 * serving.devices)
        asked = replace(asked, serving=serving)
    return _limited(replace(asked, point=point), rng)


@functools.cache
def shallowest(option: Option) -> float:
    """The fewest layers of any shape of the option."""
    return float(min(min(option.depths(width), default=1_000_000) for width in option.widths))


def _certain(value: float) -> Spread:
    return Spread(low=value, high=value)


def _limited(asked: Asked, rng: np.random.Generator) -> Asked:
    """Limits that the point keeps, each with room of up to three times."""
    if rng.random() < 0.3:
        unique = float(asked.point[2] * 10 ** rng.uniform(-1.2, 0.3))
        asked = replace(asked, brief=replace(asked.brief, unique_tokens=Supply((Tier(unique_tokens=unique),))))
    use = used(asked, *asked.point)
    objective = str(rng.choice(OBJECTIVES))
    budgets = [name for name in BUDGETS if rng.random() < 0.4]
    if objective == "loss" and not budgets:
        budgets = [str(rng.choice(BUDGETS))]
    names = [*budgets, *(name for name in SERVED if rng.random() < 0.3)]
    found: dict[str, object] = {name: float(use[name]) * float(rng.uniform(1.0, 3.0)) for name in names}
    if objective != "loss":
        found |= {"objective": objective, "loss_target": float(use["loss"])}
    return replace(asked, brief=replace(asked.brief, **found))  # type: ignore[arg-type]


_POLYNOMIALS: dict[tuple[str, int, int, int], object] = {}


def count(asked: Asked, name: str, width: Array | float, depth: Array | float) -> Array:
    """A count of the option's shape at any width and depth."""
    key = (asked.option.name, asked.option.widths[0], asked.brief.context, asked.brief.train_context)
    if key not in _POLYNOMIALS:
        _POLYNOMIALS[key] = asked.shapes.polynomials
    return _POLYNOMIALS[key][name].at(width, depth)  # type: ignore[index]


def used(asked: Asked, width: Array | float, depth: Array | float, tokens: Array | float) -> dict[str, Array]:
    """What a size and its tokens use of everything that can be limited, in the units of the brief."""
    brief, serving = asked.brief, asked.serving
    device, demand, written = brief.hardware, brief.serve_tokens.low, brief.output_share
    assert device is not None
    assert brief.devices is not None
    assert brief.price is not None

    def counted(name: str) -> Array:
        return count(asked, name, width, depth)

    together = 0.9 ** np.log2(serving.devices)  # a tenth lost to talking with every doubling
    peak, bandwidth = device.flops[brief.precision], device.bandwidth * brief.bandwidth_efficiency * together
    chosen = 1 - (1 - 1 / asked.option.expansion) ** serving.batch
    read = counted("resident_bytes") + chosen * counted("routed_bytes")
    busy = peak * brief.prefill_efficiency * together
    last_s = np.maximum(
        serving.batch * counted("last_flops") / busy, (read + serving.batch * counted("cache_bytes")) / bandwidth
    )
    mean_s = np.maximum(
        serving.batch * counted("decode_flops") / busy, (read + serving.batch * counted("mean_cache_bytes")) / bandwidth
    )
    training_s = counted("train_flops") * tokens / (peak * brief.training_efficiency)
    serving_s = demand * ((1 - written) * counted("prefill_flops") / busy + written * mean_s / serving.batch)
    memory = (counted("weight_bytes") + serving.batch * counted("cache_bytes")) / serving.devices
    served_flops = demand * ((1 - written) * counted("prefill_flops") + written * counted("decode_flops"))
    return {
        "flops": counted("train_flops") * tokens + served_flops,
        "max_gpu_hours": training_s / 3600,
        "max_cost": (training_s + serving_s) / 3600 * brief.price.low,
        "deadline_days": training_s / 86400 / brief.devices,
        "energy": (training_s + serving_s) * device.power / 3.6e6,
        "max_memory_gb": memory / 1e9,
        "memory_share": np.maximum(
            memory / (0.9 * device.memory), 16 * counted("total") / (0.9 * device.memory * brief.devices)
        ),
        "max_tpot_ms": 1e3 * last_s / serving.devices,
        "max_ttft_ms": 1e3 * counted("prompt_flops") / busy / serving.devices,
        "loss": loss(asked, counted("params"), tokens),
    }


def effective(asked: Asked, tokens: Array | float) -> Array:
    """Muennighoff et al. 2023, equation 5."""
    if asked.brief.unique_tokens is None:
        return np.asarray(tokens)
    unique = asked.brief.unique_tokens.tiers[0].unique_tokens
    repeats = np.maximum(np.asarray(tokens) / unique - 1, 0)
    return np.minimum(tokens, unique) + unique * REPEATS * (1 - np.exp(-repeats / REPEATS))


def loss(asked: Asked, params: Array, tokens: Array | float) -> Array:
    """The law at what the shape is worth as a dense one."""
    law, known = asked.law, transfer(asked.option)
    as_dense = known.params_factor * params**known.params_power
    as_tokens = known.tokens_factor * effective(asked, tokens) ** known.tokens_power
    return law["E"] + known.loss_offset + law["A"] / as_dense ** law["alpha"] + law["B"] / as_tokens ** law["beta"]


@functools.cache
def transfer(option: Option) -> Transfer:
    """What the option's shapes are worth as dense ones."""
    if option.family == "experts":
        return experts_transfer(float(option.expansion))
    return {"dense": dense_transfer, "ssm": state_space_transfer, "hybrid": hybrid_transfer}[option.family]()


def tokens_for(asked: Asked, params: Array) -> Array:
    """Tokens that reach the target; infinite where none do."""
    law, known, target = asked.law, transfer(asked.option), asked.brief.loss_target
    assert target is not None
    as_dense = known.params_factor * params**known.params_power
    left = target - law["E"] - known.loss_offset - law["A"] / as_dense ** law["alpha"]
    with np.errstate(all="ignore"):
        fresh = ((law["B"] / left) ** (1 / law["beta"]) / known.tokens_factor) ** (1 / known.tokens_power)
        if asked.brief.unique_tokens is not None:
            unique = asked.brief.unique_tokens.tiers[0].unique_tokens
            beyond = unique * (1 - REPEATS * np.log(1 - (fresh / unique - 1) / REPEATS))
            fresh = np.where(fresh <= unique, fresh, np.where(np.isfinite(beyond), beyond, np.inf))
    return np.where((left > 0) & np.isfinite(fresh), fresh, np.inf)


OF_OBJECTIVE = {"money": "max_cost", "time": "deadline_days", "energy": "energy"}


def best_of_cells(asked: Asked, width: Array, depth: Array) -> Array:
    """The objective of every cell with the best tokens that its limits leave; infinite where none are left."""
    brief = asked.brief
    # What a limit is used up by grows along a straight line in tokens.
    with np.errstate(divide="ignore"):  # the loss of no tokens
        still, grown = used(asked, width, depth, 0.0), used(asked, width, depth, 1e12)
    params = count(asked, "params", width, depth)
    most = np.full(np.shape(width), np.inf)
    for name in BUDGETS:
        bound = getattr(brief, name)
        if bound is not None:
            most = np.minimum(most, (bound - still[name]) / (grown[name] - still[name]) * 1e12)
    fine = (still["memory_share"] <= 1) & (most >= 0.05 * params) & (depth >= shallowest(asked.option) * (1 - 1e-9))
    for name in SERVED:
        bound = getattr(brief, name)
        if bound is not None:
            fine &= still[name] <= bound
    with np.errstate(all="ignore"):
        if brief.objective == "loss":
            return np.where(fine, loss(asked, params, np.where(fine, most, 1.0)), np.inf)
        tokens = np.maximum(tokens_for(asked, params), 0.05 * params)
        value = used(asked, width, depth, np.where(np.isfinite(tokens), tokens, 1.0))[OF_OBJECTIVE[brief.objective]]
    return np.where(fine & np.isfinite(tokens) & (tokens <= most), value, np.inf)


def searched(asked: Asked, rounds: int = 9, across: int = 21) -> tuple[float, float, float]:
    """The least objective over the grid, with its width and depth: for every width / depth the best width, then closer."""
    outer = np.log(asked.option.aspect)
    low, high = outer
    best, at = np.inf, (np.nan, np.nan)
    for _ in range(rounds):
        aspect_G = np.linspace(low, high, across)
        value_G, width_G = _best_widths(asked, aspect_G)
        here = int(value_G.argmin())
        if value_G[here] < best:
            best, at = float(value_G[here]), (float(width_G[here]), float(aspect_G[here]))
        reach = (high - low) / 6
        low, high = max(at[1] - reach, outer[0]), min(at[1] + reach, outer[1])
    cells = best, float(np.exp(at[0])), float(np.exp(at[0] - at[1]))
    return min(cells, _shallowest_cell(asked))


def _shallowest_cell(asked: Asked, rounds: int = 12) -> tuple[float, float, float]:
    """The least objective over the width of the fewest layers, an edge where what the limits leave may end in a corner."""
    depth = shallowest(asked.option)
    outer = np.log(max(asked.option.widths[0], asked.option.aspect[0] * depth)), np.log(asked.option.aspect[1] * depth)
    (low, high), best = outer, (np.inf, np.nan, depth)
    for _ in range(rounds):
        width = np.exp(np.linspace(low, high, 401))
        value = np.asarray(best_of_cells(asked, width, np.full(401, depth)))
        here = int(value.argmin())
        best = min(best, (float(value[here]), float(width[here]), depth))
        reach = (high - low) / (20 if np.isfinite(best[0]) else 2)
        middle = float(np.log(best[1])) if np.isfinite(best[0]) else (low + high) / 2
        low, high = max(middle - reach, outer[0]), min(middle + reach, outer[1])
    return best


def _best_widths(asked: Asked, aspect_G: Array, rounds: int = 12, across: int = 25) -> tuple[Array, Array]:
    """For every ln(width / depth) the least objective over ln(width), and where: on a grid of its own, ever finer."""
    outer = np.log(asked.option.widths[0]), np.log(4.0 * asked.option.widths[-1])
    low_G, high_G = np.full(len(aspect_G), outer[0]), np.full(len(aspect_G), outer[1])
    best_G, at_G = np.full(len(aspect_G), np.inf), (low_G + high_G) / 2
    for turn in range(rounds):
        # What the limits leave may be a sliver, which the first look must not miss.
        width_GW = np.linspace(low_G, high_G, across if turn else 401, axis=1)
        value_GW = np.asarray(best_of_cells(asked, np.exp(width_GW), np.exp(width_GW - aspect_G[:, None])))
        here_G, every = value_GW.argmin(axis=1), np.arange(len(aspect_G))
        better_G = value_GW[every, here_G] < best_G
        best_G = np.where(better_G, value_GW[every, here_G], best_G)
        at_G = np.where(better_G, width_GW[every, here_G], at_G)
        reach_G = np.where(np.isfinite(best_G), (high_G - low_G) / (7 if turn else 150), (high_G - low_G) / 2)
        low_G, high_G = np.maximum(at_G - reach_G, outer[0]), np.minimum(at_G + reach_G, outer[1])
    return best_G, at_G
