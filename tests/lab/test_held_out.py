"""Loss per token and per byte from sums over documents, and their standard errors."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kleiber.lab.held_out import HeldOut

SIZES = st.lists(st.tuples(st.floats(0.1, 1e4), st.integers(1, 500), st.integers(1, 4)), min_size=2, max_size=30)


def held_out(documents: list[tuple[float, int, int]]) -> HeldOut:
    """Of (nats, tokens, bytes a token)."""
    nats_D, tokens_D, each_D = (np.array(column) for column in zip(*documents, strict=True))
    return HeldOut(nats_D=nats_D, tokens_D=tokens_D, bytes_D=tokens_D * each_D)


@given(SIZES)
def test_a_loss_per_byte_does_not_ask_what_a_token_is(documents: list[tuple[float, int, int]]) -> None:
    found = held_out(documents)
    as_bytes = HeldOut(nats_D=found.nats_D, tokens_D=found.bytes_D, bytes_D=found.bytes_D)
    assert found.bits_per_byte == as_bytes.bits_per_byte == as_bytes.loss / math.log(2)
    assert found.bits_per_byte_se == as_bytes.bits_per_byte_se == as_bytes.loss_se / math.log(2)
    assert found.bits_per_byte == pytest.approx(found.loss / found.bytes_per_token / math.log(2))


@given(SIZES, st.integers(1, 4))
def test_where_all_tokens_are_alike_one_error_is_the_other(documents: list[tuple[float, int, int]], each: int) -> None:
    found = held_out([(nats, tokens, each) for nats, tokens, _ in documents])
    assert found.bits_per_byte_se == pytest.approx(found.loss_se / each / math.log(2), rel=1e-6, abs=1e-9)


def test_the_standard_error_is_the_spread_over_draws_of_documents() -> None:
    """Documents drawn anew 4000 times: both losses scatter by as much as a single draw says, to a tenth."""
    random = np.random.default_rng(0)

    def drawn() -> HeldOut:
        tokens_D = random.integers(50, 500, size=80)
        hard_D = random.gamma(9.0, 1 / 9.0, size=80)
        # Hard documents have short tokens: the two errors are not one in two units.
        bytes_D = np.round(tokens_D * 4 / hard_D).astype(int)
        return HeldOut(nats_D=5 * hard_D * tokens_D, tokens_D=tokens_D, bytes_D=bytes_D)

    draws = [drawn() for _ in range(4000)]
    for loss, error in (("loss", "loss_se"), ("bits_per_byte", "bits_per_byte_se")):
        scatter = np.std([getattr(draw, loss) for draw in draws])
        assert np.mean([getattr(draw, error) for draw in draws]) == pytest.approx(scatter, rel=0.1)
    one = draws[0]
    assert one.bits_per_byte_se / one.bits_per_byte > 1.3 * one.loss_se / one.loss


def test_one_document_has_no_error() -> None:
    found = held_out([(3.0, 2, 4)])
    assert (found.loss, found.bytes_per_token) == (1.5, 4.0)
    assert math.isnan(found.loss_se)
    assert math.isnan(found.bits_per_byte_se)
