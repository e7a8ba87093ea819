"""Experts in words: what a trace's balance, a placement and a replay say to a person."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kleiber.quantity import show

if TYPE_CHECKING:
    from kleiber.experts.balance import Statistics
    from kleiber.experts.placement import Placement
    from kleiber.experts.replay import Replay


def of_statistics(found: Statistics) -> tuple[str, ...]:
    """The verdict first, then what it rests on."""
    trace, experts = found.trace, found.balance["experts"]
    size = f"{trace.experts} experts in {trace.layers} layers, {trace.steps} steps"
    load = f"{show(float(trace.load_LE.sum(axis=1).mean()))} assignments a layer"
    lines = [f"{_verdict(found)} ({size}, {load})"]
    if experts.floor_L3 is not None:
        low, middle, high = (float(value) for value in experts.floor_L3.mean(axis=0))
        lines.append(
            f"a perfectly uniform router would show {middle:.3f} ({low:.3f} - {high:.3f}) at this many tokens; "
            f"layer {int(experts.balancedness_L.argmin())} is the worst, with {experts.balancedness_L.min():.3f}"
        )
    else:
        lines.append("the loads are no counts, so what noise alone would show is not known")
    if found.drift is not None and found.drift_of_noise is not None:
        lines.append(
            f"drift: {100 * found.drift:.2g} % of the load moved between the halves of the trace; "
            f"noise alone would move {100 * found.drift_of_noise:.2g} %"
        )
    for layer, one, other, lift in found.pairs[:3]:
        lines.append(
            f"layer {layer}: experts {one} and {other} are chosen together {lift:.3g} times as often as by chance"
        )
    return tuple(lines)


def _verdict(found: Statistics) -> str:
    value = f"balancedness {found.balance['experts'].balancedness_L.mean():.3f}"
    if found.within_noise is None:
        return f"Experts: {value}"
    if found.within_noise:
        return f"Within noise: nothing to repair, {value}"
    uneven_L = found.balance["experts"].uneven_L
    count = 0 if uneven_L is None else int(uneven_L.sum())
    return f"Uneven beyond noise in {count} of {found.trace.layers} layers: {value}"


def of_placement(found: Placement, groups: int | None) -> tuple[str, ...]:
    """How balanced the placement is, and how far from the best it can be at most."""
    even_L, gap_L = found.balancedness_L(), found.gap_L
    slots = int((found.expert_LN[0] >= 0).sum())
    where = f"{slots} replicas of {found.experts} experts on {int((found.cluster.slots_G > 0).sum())} devices"
    lines = [f"Balancedness {found.balancedness:.4f} over {found.layers} layers by {found.policy}: {where}"]
    worst = int(even_L.argmin())
    lines.append(
        f"the busiest device sets the pace: the others wait {100 * (1 - found.balancedness):.2g} % of the time"
    )
    lines.append(f"worst layer {worst}: {even_L[worst]:.4f}, where nothing can exceed {found.bound_L[worst]:.4f}")
    largest = float(gap_L.max())
    close = "no layer can be placed better" if largest < 1e-6 else f"no layer can be better by more than {largest:.2g}"
    lines.append(close)
    if groups is not None:
        size = found.experts // groups
        kept = "the replicas of an expert" if size == 1 else f"each of {groups} groups of {size} consecutive experts"
        lines.append(f"{kept} {'stay' if size == 1 else 'stays'} in one node")
    return tuple(lines)


def of_replay(found: Replay) -> tuple[str, ...]:
    """Which rule costs least, and what the costs are made of."""
    best = found.best
    return (
        f"Cheapest on this trace: {best.rule.name} ({best.rule.title}), {100 * (best.cost / found.ideal - 1):.3g} % above "
        "perfect balance",
        f"planned by {found.policy} on one window and judged on the next, {found.windows} windows; cost is the time of the "
        "busiest devices and of moving, over that of perfect balance",
        f"receiving one replica is taken to cost a device the time of {show(found.move_tokens)} assignments (--move-tokens)",
    )


def replay_table(found: Replay) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """A row for each rule."""
    heads = ("rule", "balancedness", "re-plans", "replicas moved", "bytes moved", "cost")
    each = found.cluster.expert_bytes
    rows = []
    for rule in found.rules:
        moved = sum(rule.moved_W)
        size = "-" if each is None else f"{moved * each / 1e9:.3g} GB"
        replans = sum(count > 0 for count in rule.moved_W)
        cost = f"{rule.cost / found.ideal:.4f}"
        rows.append((rule.rule.name, f"{rule.balancedness:.4f}", str(replans), str(moved), size, cost))
    return heads, rows
