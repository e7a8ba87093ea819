"""Counterfactual memorisation where it is known: 1-nearest neighbour on random labels, and ridge regression in closed form."""

from __future__ import annotations

import numpy as np
import pytest

from kleiber.diagnose.memorisation import counterfactual
from kleiber.errors import InputError


def halves(random: np.random.Generator, models: int, documents: int) -> np.ndarray:
    return random.permuted(np.tile(np.arange(documents) < documents // 2, (models, 1)), axis=1)


def test_nearest_neighbour_with_random_labels_remembers_all_but_a_guess() -> None:
    """In: its own label, always right. Out: the label of its neighbour, right with probability 1 / K. The value is 1 - 1 / K."""
    random = np.random.default_rng(0)
    labels, models, documents = 4, 40, 80
    point_D2, label_D = random.random((documents, 2)), random.integers(labels, size=documents)
    distance_DD = ((point_D2[:, None] - point_D2) ** 2).sum(axis=2)
    member_MD = halves(random, models, documents)
    score_MD = np.empty((models, documents))
    for m, member_D in enumerate(member_MD):
        nearest_D = np.where(member_D, distance_DD, np.inf).argmin(axis=1)
        score_MD[m] = label_D[nearest_D] == label_D
    found = counterfactual(score_MD, member_MD)
    finding = found.evidence.finding
    low, high = finding.interval or (0, 0)
    assert low < 1 - 1 / labels < high
    assert finding.verdict == "warning"


def test_ridge_regression_in_closed_form() -> None:
    """Leaving document i out of S moves its residual from e to e / (1 - h_i), h the leverage: the same by hand and by halves."""
    random = np.random.default_rng(1)
    documents, models, penalty = 12, 300, 0.5
    feature_DX, target_D = random.normal(size=(documents, 3)), random.normal(size=documents)
    member_MD = halves(random, models, documents)
    score_MD, closed_MD = np.empty((2, models, documents))
    for m, member_D in enumerate(member_MD):
        for i in range(documents):
            within = member_D.copy()
            within[i] = True
            x_SX, y_S = feature_DX[within], target_D[within]
            inverse_XX = np.linalg.inv(x_SX.T @ x_SX + penalty * np.eye(3))
            error = target_D[i] - feature_DX[i] @ inverse_XX @ x_SX.T @ y_S
            leverage = feature_DX[i] @ inverse_XX @ feature_DX[i]
            closed_MD[m, i] = (error / (1 - leverage)) ** 2 - error**2
        x_SX, y_S = feature_DX[member_D], target_D[member_D]
        weight_X = np.linalg.solve(x_SX.T @ x_SX + penalty * np.eye(3), x_SX.T @ y_S)
        score_MD[m] = -((target_D - feature_DX @ weight_X) ** 2)
    found = counterfactual(score_MD, member_MD)
    # Two expectations over different halves of the others: equal within their errors.
    standard_D = (found.value_D - closed_MD.mean(axis=0)) / (found.error_D + closed_MD.std(axis=0) / np.sqrt(models))
    assert np.abs(standard_D).max() < 4
    assert np.corrcoef(found.value_D, closed_MD.mean(axis=0))[0, 1] > 0.95


def test_what_was_never_left_out_has_no_value() -> None:
    random = np.random.default_rng(2)
    member_MD = halves(random, 8, 20)
    member_MD[:, 0] = True
    found = counterfactual(random.normal(size=(8, 20)), member_MD)
    assert np.isnan(found.value_D[0])
    assert np.isfinite(found.evidence.finding.value or np.nan)


def test_a_better_model_alone_is_no_memory() -> None:
    """Models differ, documents differ, memberships do not matter: the p-value is exact."""
    random = np.random.default_rng(3)
    loud = 0
    for n in range(100):
        score_MD = random.normal(size=(6, 1)) + random.normal(size=20) + 0.1 * random.normal(size=(6, 20))
        loud += counterfactual(score_MD, halves(random, 6, 20), seed=n).evidence.finding.verdict == "warning"
    assert loud / 100 < 0.05 + 4 * np.sqrt(0.05 * 0.95 / 100)


@pytest.mark.parametrize(
    ("score", "member", "says"),
    [
        (np.zeros((4, 5)), np.zeros((4, 6)), "one shape"),
        (np.full((4, 5), np.nan), np.zeros((4, 5)), "not a finite number"),
        (np.zeros((4, 5)), np.full((4, 5), 0.5), "0 or 1"),
        (np.zeros(5), np.zeros(5), "one shape"),
    ],
)
def test_bad_input_is_refused(score: np.ndarray, member: np.ndarray, says: str) -> None:
    with pytest.raises(InputError, match=says):
        counterfactual(score, member)


def test_too_little_cannot_tell() -> None:
    random = np.random.default_rng(4)
    for score_MD, member_MD in (
        (random.normal(size=(3, 20)), halves(random, 3, 20)),
        (random.normal(size=(8, 20)), np.ones((8, 20))),
        (np.ones((8, 20)), halves(random, 8, 20)),
    ):
        assert counterfactual(score_MD, member_MD).evidence.finding.verdict == "cannot tell"
