"""The same decision as a geometric program: what size would be best if every size could be built, and what each limit is worth.

The way the data takes: option + brief -> posynomials of width, depth and tokens (exact: see `cost.grid`) -> `program.solve` ->
optimum, certificate, shadow prices; and, where nothing is feasible, the limits that conflict and how far each must give way.
The one idea: at fixed ratios every cost is a posynomial of width and depth, so only the loss resists, through the params it
counts: tables and blocks add up to no monomial. There ln(params) is replaced by its tangent at the last optimum and the
program is solved again; each is a geometric program, and where they settle the conditions of the true optimum hold.

A step of decoding takes the longer of two times; the program has its own variable for it, above both.

Source: Boyd, Kim, Vandenberghe, Hassibi (2007), "A tutorial on geometric programming", sections 3.3 and 9.1 (tangents).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kleiber.cost.grid import Polynomial
from kleiber.laws.posynomial import Posynomial
from kleiber.plan.architecture.brief import Brief
from kleiber.plan.architecture.budgets import BOUNDS, DAY, HOUR, JOULES_PER_KWH
from kleiber.plan.architecture.candidates import LEAST_RATIO, OBJECTIVE_USE
from kleiber.plan.architecture.quality import Quality
from kleiber.plan.architecture.serving import STATE_BYTES, USABLE, memory_limit, shared, touched
from kleiber.plan.architecture.shapes import Shapes
from kleiber.plan.program import Solution, conflict, solve
from kleiber.plan.question import Limit, Question

Array = NDArray[np.float64]
VARIABLES = ("width", "depth", "tokens", "step_s")
ROUNDS = 40
SETTLED = 1e-7  # in the logarithms of the variables
REMEMBERED = 8  # touches: older ones belong to another width and depth
STRUCTURE = ("wide enough", "deep enough", "smallest width", "smallest depth", "fewest tokens")
STEPS = ("step, reading", "step, computing")


@dataclass(frozen=True, kw_only=True)
class Serving:
    """The replica that the program takes as given: `devices` and sequences at once."""

    devices: float
    batch: float


@dataclass(frozen=True, kw_only=True)
class Relaxed:
    """The optimum if every size could be built: `values` of the variables, `objective`, `prices` (d ln objective / d ln bound)
    and `limits` by name; `residual` is the certificate of the last program, `rounds` how many there were, `serving` what it took
    as given."""

    values: Mapping[str, float]
    objective: float
    prices: Mapping[str, float]
    limits: tuple[Limit, ...]
    residual: float
    rounds: int
    serving: Serving


class Sum:
    """A posynomial under construction, in `VARIABLES`."""

    def __init__(self) -> None:
        self.coefficients: list[float] = []
        self.exponents: list[tuple[float, float, float, float]] = []

    def add(self, coefficient: float, width: float = 0, depth: float = 0, tokens: float = 0, step: float = 0) -> Sum:
        """One more term."""
        if coefficient > 0:
            self.coefficients.append(float(coefficient))
            self.exponents.append((width, depth, tokens, step))
        return self

    def count(self, found: Polynomial, factor: float = 1.0, *, tokens: float = 0, step: float = 0) -> Sum:
        """A count of the shape times `factor` and powers of the other variables."""
        for coefficient, width, depth in found.terms():
            self.add(factor * coefficient, width, depth, tokens, step)
        return self

    def done(self) -> Posynomial:
        """The posynomial, in the variables that are in it."""
        exponents_TV = np.array(self.exponents, dtype=float).reshape(-1, len(VARIABLES))
        there = np.any(exponents_TV != 0, axis=0)
        return Posynomial(
            inputs=tuple(name for name, used in zip(VARIABLES, there, strict=True) if used),
            coefficients_T=np.array(self.coefficients),
            exponents_TI=exponents_TV[:, there],
        )

    def limit(self, name: str, bound: float, unit: str, words: str) -> Limit:
        """The posynomial, limited."""
        return Limit(name=name, usage=self.done(), bound=bound, unit=unit, words=words)


def relax(
    shapes: Shapes, brief: Brief, quality: Quality, serving: Serving, start: tuple[float, float, float]
) -> Relaxed | None:
    """The optimum of the point estimate over continuous width, depth and tokens, from a start near it; None where the law is no
    sum of powers, so that no program can certify it."""
    surface = quality.surfaces[0].point
    if len(quality.surfaces) > 1 or surface.terms is None:
        return None
    limits = limits_of(shapes, brief, serving)
    at, found, rounds, moved = np.log(start), None, 0, np.inf
    history: list[tuple[float, float]] = []
    while moved > SETTLED and rounds < ROUNDS:
        loss = tangent_loss(shapes, quality, np.exp(at))
        found = _solved(loss, shapes, brief, serving, limits)
        if found is None:
            return None
        new = np.log([found.values[name] for name in VARIABLES[:3]])
        moved, rounds = float(np.abs(new - at).max()), rounds + 1
        history.append((float(at[2]), float(new[2])))
        at = np.append(new[:2], _meeting(history) if quality.supply is not None else new[2])
    assert found is not None
    return Relaxed(
        values=found.values,
        objective=found.objective,
        prices=found.prices,
        limits=limits,
        residual=found.residual,
        rounds=rounds,
        serving=serving,
    )


def _meeting(history: list[tuple[float, float]]) -> float:
    """Where the next tangent should touch, in ln(tokens), from where the last ones did and the optimum that each led to.

    Tokens that repeat are worth less the more there are: a tangent far out asks for few, one nearby for many, and taking the
    optimum as it comes may swing between the two for ever. It is the root of optimum - touch, which falls: a secant in a bracket.

    >>> _meeting([(0.0, 3.0), (3.0, 1.0)])  # gaps of 3 and -2
    1.8
    """
    last = history[-REMEMBERED:]
    below, above = [at for at, to in last if to > at], [at for at, to in last if to <= at]
    if not below or not above:
        return history[-1][1]
    (one, first), (two, second) = last[-2:]
    first, second = first - one, second - two
    root = (one * second - two * first) / (second - first) if first != second else np.nan
    inside = max(below) < root < min(above)
    return root if inside else (max(below) + min(above)) / 2


def _solved(
    loss: Posynomial, shapes: Shapes, brief: Brief, serving: Serving, limits: tuple[Limit, ...]
) -> Solution | None:
    """The program with the loss as its objective, or as one more limit; None where it has no optimum."""
    objective = loss
    if brief.objective != "loss":
        assert brief.loss_target is not None
        target = limit_loss(loss, brief.loss_target)
        if target is None:
            return None
        objective, limits = use(OBJECTIVE_USE[brief.objective], shapes, brief, serving).done(), (*limits, target)
    found = solve(objective, Question(limits=limits))
    return found if found.status == "optimal" else None


def tangent_loss(shapes: Shapes, quality: Quality, at: Array) -> Posynomial:
    """The loss of the point estimate with ln(params) and ln(effective tokens) replaced by their tangents at (width, depth,
    tokens)."""
    width, depth, tokens = at
    count = shapes.polynomials["params"]
    params = float(count.at(width, depth))
    terms = count.terms()
    size = [coefficient * width**p * depth**q / params for coefficient, p, q in terms]
    to_width = sum(share * p for share, (_, p, _) in zip(size, terms, strict=True))
    to_depth = sum(share * q for share, (_, _, q) in zip(size, terms, strict=True))
    seen = np.array([tokens, tokens * (1 + 1e-6)])
    effective = quality.effective(seen)
    to_tokens = float(np.log(effective[1] / effective[0]) / np.log1p(1e-6))
    params_worth = float(quality.transfer.params(np.array(params)))
    tokens_worth = float(quality.transfer.tokens(np.array(effective[0])))
    power_params, power_tokens = quality.transfer.params_power, quality.transfer.tokens_power * to_tokens
    surface = quality.surfaces[0].point
    assert surface.terms is not None
    coefficients_T, exponents_T2 = surface.terms[0][0], surface.terms[1][0]
    found, varying = Sum(), 0.0
    for coefficient, (p, q) in zip(coefficients_T, exponents_T2, strict=True):
        there = coefficient * params_worth**p * tokens_worth**q
        by_params, by_tokens = p * power_params, q * power_tokens
        scale = width ** (-by_params * to_width) * depth ** (-by_params * to_depth) * tokens ** (-by_tokens)
        found.add(there * scale, by_params * to_width, by_params * to_depth, by_tokens)
        varying += there
    floor = float(surface.loss(params_worth, tokens_worth)[0, 0]) - varying
    if quality.rounding is not None:
        by_params, by_tokens = -quality.rounding.by_params, quality.rounding.by_tokens
        level = float(quality.rounding.level_K[0]) * params**by_params
        scale = width ** (-by_params * to_width) * depth ** (-by_params * to_depth)
        found.add(level * scale, by_params * to_width, by_params * to_depth, by_tokens)
    return found.add(floor + float(quality.offset_K[0])).done()


def limit_loss(loss: Posynomial, target: float) -> Limit | None:
    """loss <= target without the floor on either side; None where the floor is above the target."""
    varying = np.any(loss.exponents_TI != 0, axis=1)
    left = target - float(loss.coefficients_T[~varying].sum())
    if left <= 0:
        return None
    usage = Posynomial(
        inputs=loss.inputs, coefficients_T=loss.coefficients_T[varying], exponents_TI=loss.exponents_TI[varying]
    )
    return Limit(name="loss", usage=usage, bound=left, unit="nats above the floor", words=f"a loss of {target:g}")


def limits_of(shapes: Shapes, brief: Brief, serving: Serving) -> tuple[Limit, ...]:
    """Every limit of the brief, and those that keep a shape a shape."""
    found = [
        use(name, shapes, brief, serving).limit(name, float(getattr(brief, asked)), *WORDS[name])
        for name, asked in BOUNDS.items()
        if getattr(brief, asked) is not None
    ]
    found += _device_limits(shapes, brief, serving)
    least, most = shapes.option.aspect
    found += [
        Sum().add(1.0, 1, -1).limit("wide enough", most, "", "width to depth"),
        Sum().add(least, -1, 1).limit("deep enough", 1.0, "", "width to depth"),
        Sum().add(float(shapes.option.widths[0]), -1).limit("smallest width", 1.0, "", "the narrowest shape"),
        Sum().add(float(shapes.depth_M.min()), 0, -1).limit("smallest depth", 1.0, "", "the shallowest shape"),
        Sum()
        .count(shapes.polynomials["params"], LEAST_RATIO, tokens=-1)
        .limit("fewest tokens", 1.0, "", "the fewest tokens"),
    ]
    return tuple(found)


WORDS = {
    "flops": ("FLOP", "compute"),
    "gpu_hours": ("device-hours", "device-hours of training"),
    "cost": ("USD", "money"),
    "days": ("days", "days of training"),
}


def use(name: str, shapes: Shapes, brief: Brief, serving: Serving) -> Sum:
    """What training and serving use up of something, as a posynomial."""
    counted = shapes.polynomials
    demand, share = brief.serve_tokens.median, brief.output_share
    if name == "flops":
        found = Sum().count(counted["train_flops"], tokens=1)
        if demand:
            found.count(counted["prefill_flops"], demand * (1 - share)).count(counted["decode_flops"], demand * share)
        return found
    device = brief.hardware
    assert device is not None
    factor = {
        "gpu_hours": 1 / HOUR,
        "cost": (brief.price_now or 0.0) / HOUR,
        "energy": device.power / JOULES_PER_KWH,
        "days": 1 / ((brief.devices or 1) * DAY),
    }[name]
    peak = brief.serving_peak * shared(serving.devices)
    found = Sum().count(
        counted["train_flops"], factor / (brief.training_peak * brief.mfu(shapes.option.family)), tokens=1
    )
    if demand and name in ("cost", "energy"):
        found.count(counted["prefill_flops"], factor * demand * (1 - share) / (peak * brief.prefill_efficiency))
        found.add(factor * demand * share, step=1)
    return found


def _device_limits(shapes: Shapes, brief: Brief, serving: Serving) -> list[Limit]:
    """Memory and latency of the replica, and the time of a step that serving pays for."""
    device, counted = brief.hardware, shapes.polynomials
    memory = memory_limit(brief)
    found = []
    if np.isfinite(memory):
        held = Sum().count(counted["weight_bytes"]).count(counted["cache_bytes"], serving.batch)
        found.append(held.limit("memory", memory * serving.devices, "bytes", "memory of the serving devices"))
    if device is None:
        return found
    if brief.devices is not None:
        states = Sum().count(counted["total"], STATE_BYTES)
        room = USABLE * device.memory * brief.devices
        found.append(states.limit("training memory", room, "bytes", "memory of the training devices"))
    together = shared(serving.devices)
    arithmetic = 1 / (brief.serving_peak * brief.prefill_efficiency * together)
    reading = 1 / (device.bandwidth * brief.bandwidth_efficiency * together)
    routed = touched(shapes.option.expansion, int(serving.batch))

    def step(cache: str, decode: str, *, factor: float, power: float) -> tuple[Sum, Sum]:
        """Both times of a step, in units of a variable or a bound: reading, computing."""
        read = Sum().count(counted["resident_bytes"], factor * reading, step=power)
        read.count(counted["routed_bytes"], factor * reading * routed, step=power)
        read.count(counted[cache], factor * reading * serving.batch, step=power)
        return read, Sum().count(counted[decode], factor * arithmetic * serving.batch, step=power)

    if brief.max_tpot_ms is not None:
        read, computed = step("cache_bytes", "last_flops", factor=1 / serving.devices, power=0)
        bound = brief.max_tpot_ms / 1e3
        found.append(read.limit("tpot, reading", bound, "s", "time per token, memory"))
        found.append(computed.limit("tpot, computing", bound, "s", "time per token, arithmetic"))
    if brief.max_ttft_ms is not None:
        prompt = Sum().count(counted["prompt_flops"], arithmetic / serving.devices)
        found.append(prompt.limit("ttft", brief.max_ttft_ms / 1e3, "s", "time to the first token"))
    if brief.serve_tokens.median:
        read, computed = step("mean_cache_bytes", "decode_flops", factor=1 / serving.batch, power=-1)
        found.append(read.limit("step, reading", 1.0, "", "a step of decoding"))
        found.append(computed.limit("step, computing", 1.0, "", "a step of decoding"))
    return found


def conflicts(shapes: Shapes, brief: Brief, quality: Quality, serving: Serving) -> Solution | None:
    """Which of the brief's limits cannot hold together for this option, and by what factor each alone must give way; None where
    they can, or where a target lies below the floor."""
    limits = limits_of(shapes, brief, serving)
    if brief.loss_target is not None and brief.objective != "loss":
        middle = len(shapes) // 2
        at = np.array([shapes.width_M[middle], shapes.depth_M[middle], 20 * shapes["params"][middle]])
        if quality.surfaces[0].point.terms is None:
            return None
        target = limit_loss(tangent_loss(shapes, quality, at), brief.loss_target)
        if target is None:
            return None
        limits = (*limits, target)
    return conflict(Question(limits=limits), fixed=(*STRUCTURE, *STEPS))
