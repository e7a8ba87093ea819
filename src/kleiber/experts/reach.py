"""How many nodes (or devices) a token must be sent to: the part of all-to-all that routing decides.

A token with k experts goes once to each group of experts (node, device) that holds at least one of them. With

    q_g = P(a token needs group g) = 1 - e_k(odds outside g) / e_k(all odds),

e_k the elementary symmetric polynomial, the router is the one of greatest entropy that sends each expert its measured load: k
different experts a token, nothing else known. For equal loads this is the hypergeometric n (1 - C(E - E/n, k)/C(E, k)); a
trace with choices needs no model, its groups are counted.

A limit of M nodes (DeepSeek-V3: 4) is a router that first picks M nodes and then k experts there; with equal loads that is
M (1 - C((M - 1) E/n, k)/C(M E/n, k)), less than the M nodes that a bound would say.

Shapes: L layers, E experts, G groups, T tokens, K choices.

Source: DeepSeek-AI 2024, arXiv 2412.19437, sections 2.1.2 and 3.2.2 (a token crosses once to each of at most 4 nodes);
Chen, Dempster & Liu 1994, doi 10.1093/biomet/81.3.457 (the sampling of greatest entropy, its odds by iteration).
"""

from __future__ import annotations

from math import comb

import numpy as np
from numpy.typing import NDArray

from kleiber.errors import InputError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
ROUNDS, CLOSE, SURE = 100, 1e-6, 1 - 1e-9


def even_reach(experts: int, chosen: int, groups: int, limit: int | None = None) -> float:
    """Groups that a token needs when every expert is as likely, at most `limit` of them.

    n (1 - C(E - E/n, k)/C(E, k)) over the n = min(groups, limit) that may be used.

    >>> round(even_reach(256, 8, 8), 3), round(even_reach(256, 8, 8, limit=4), 3), even_reach(256, 8, 1)
    (5.295, 3.629, 1.0)
    """
    check_choice(experts, chosen)
    if not 1 <= groups <= experts or experts % groups:
        raise InputError("the experts do not fill the groups evenly", found=f"{experts} experts in {groups} groups")
    used = groups if limit is None else min(groups, limit)
    each = experts // groups
    if used < 1 or used * each < chosen:
        raise InputError(
            "the node limit leaves a token too few experts",
            found=f"{used} nodes of {each} experts",
            expected=f"at least {chosen} experts",
        )
    return used * (1 - comb((used - 1) * each, chosen) / comb(used * each, chosen))


def check_choice(experts: int, chosen: int) -> None:
    """Raise `InputError` unless `chosen` of `experts` can be different ones."""
    if not 1 <= chosen <= experts:
        raise InputError(
            "a token cannot go to so many experts", found=f"{chosen} of {experts}", expected=f"1 to {experts}"
        )


def inclusion(load_LE: Floats, chosen: int) -> Floats:
    """P(a token goes to the expert), (L, E): its share of the assignments times k, at most 1.

    Raises `InputError` where a layer has no load. What an expert would get beyond one assignment a token goes to the others in
    proportion, since no router can send it.

    >>> inclusion(np.array([[1.0, 1, 1, 1], [9.0, 1, 1, 1]]), 2)
    array([[0.5       , 0.5       , 0.5       , 0.5       ],
           [1.        , 0.33333333, 0.33333333, 0.33333333]])
    """
    check_choice(load_LE.shape[1], chosen)
    total_L = load_LE.sum(axis=1)
    if (total_L <= 0).any():
        raise InputError("a layer has no load", where=f"layer {int(np.flatnonzero(total_L <= 0)[0])}")
    found = load_LE / total_L[:, None] * chosen
    for _ in range(chosen):
        full = found >= 1.0
        if not (found > 1.0).any():
            break
        rest = np.where(full, 0.0, found)
        room = chosen - full.sum(axis=1, keepdims=True)
        total = rest.sum(axis=1, keepdims=True)
        others = np.maximum((~full).sum(axis=1, keepdims=True), 1)
        spread = np.where(total > 0, rest * room / np.where(total > 0, total, 1.0), room / others)
        found = np.where(full, 1.0, spread)
    return found


def odds(share_LE: Floats, chosen: int) -> Floats:
    """The odds w of the router of greatest entropy with these inclusions: w_e e_{k-1}(w without e)/e_k(w) = share_e."""
    wanted_LE = _as_odds(share_LE)
    found_LE = wanted_LE.copy()
    for _ in range(ROUNDS):
        found_LE = found_LE / found_LE.max(axis=1, keepdims=True)  # only their ratios count
        before, after = _prefixes(found_LE, chosen), _prefixes(found_LE[:, ::-1], chosen)[::-1]
        others_EL = np.einsum("elj,elj->el", before[:-1, :, :chosen], after[1:, :, chosen - 1 :: -1])
        reached_LE = found_LE * others_EL.T / before[-1][:, chosen, None]
        if np.abs(reached_LE - share_LE).max() < CLOSE:
            break
        # In odds, rather than in probabilities, a few rounds are enough.
        reached_LE = _as_odds(reached_LE)
        found_LE = found_LE * np.divide(wanted_LE, reached_LE, out=np.zeros_like(wanted_LE), where=reached_LE > 0)
    return found_LE


def _as_odds(share_LE: Floats) -> Floats:
    share_LE = np.clip(share_LE, 0.0, SURE)
    return share_LE / (1 - share_LE)


def _prefixes(weight_LE: Floats, chosen: int) -> Floats:
    """e_0 .. e_k of the first 0, 1, ..., E weights: (E + 1, L, k + 1)."""
    layers, experts = weight_LE.shape
    found = np.zeros((experts + 1, layers, chosen + 1))
    found[0, :, 0] = 1.0
    for place in range(experts):
        found[place + 1] = found[place]
        found[place + 1, :, 1:] += weight_LE[:, place, None] * found[place, :, :-1]
    return found


def reach(load_LE: Floats, chosen: int, group_E: Ints, groups: int) -> Floats:
    """P(a token needs each group), (L, G), from loads; `group_E` is the group of each expert, the same in all layers.

    >>> even = np.ones((1, 256))
    >>> float(reach(even, 8, np.arange(256) // 32, 8).sum().round(3))
    5.295
    """
    return needed(odds(inclusion(load_LE, chosen), chosen), chosen, group_E, groups)


def needed(weight_LE: Floats, chosen: int, group_E: Ints, groups: int, kept_LE: Floats | None = None) -> Floats:
    """The same from the odds of the experts, which serve any grouping.

    `kept_LE`: the part of an expert's tokens that is not dropped. A token does without a group where all its choices there
    are dropped, so the odds inside it become w (1 - kept) instead of 0.

    >>> even = np.ones((1, 4))
    >>> needed(even, 1, np.array([0, 0, 1, 1]), 2), needed(even, 1, np.array([0, 0, 1, 1]), 2, 0.5 * even)
    (array([[0.5, 0.5]]), array([[0.25, 0.25]]))
    """
    own = [_prefixes(weight_LE[:, group_E == group], chosen)[-1] for group in range(groups)]
    before, after = _products(own), _products(own[::-1])[::-1]
    left = [_times(before[group], after[group + 1]) for group in range(groups)]
    if kept_LE is not None:
        lost_LE = weight_LE * (1 - kept_LE)
        left = [
            _times(others, _prefixes(lost_LE[:, group_E == group], chosen)[-1]) for group, others in enumerate(left)
        ]
    left_LG = np.stack([others[:, chosen] for others in left], axis=1)
    return np.clip(1 - left_LG / before[-1][:, chosen, None], 0.0, 1.0)


def _products(polynomials: list[Floats]) -> list[Floats]:
    """The products of the first 0, 1, 2, ... polynomials, each (L, k + 1)."""
    one = np.zeros_like(polynomials[0])
    one[:, 0] = 1.0
    found = [one]
    for polynomial in polynomials:
        found.append(_times(found[-1], polynomial))
    return found


def _times(left: Floats, right: Floats) -> Floats:
    """The product of two polynomials, (L, k + 1) each, up to the same power."""
    found = np.zeros_like(left)
    for power in range(left.shape[1]):
        found[:, power:] += left[:, power, None] * right[:, : left.shape[1] - power]
    return found


def counted_reach(choice_TK: Ints, group_E: Ints, groups: int) -> Floats:
    """The part of the tokens that need each group, (G,), counted in choices.

    >>> counted_reach(np.array([[0, 1], [0, 2]]), np.array([0, 0, 1, 1]), 2)
    array([1. , 0.5])
    """
    needed_TG = np.zeros((len(choice_TK), groups), dtype=bool)
    np.put_along_axis(needed_TG, group_E[choice_TK], True, axis=1)
    return needed_TG.mean(axis=0)
