"""Spoilt text: the dose that was asked for, from the same seed the same bytes, and held-out text as it was."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kleiber.errors import InputError
from kleiber.lab.corpus import Corpus, corpus_of
from kleiber.lab.corruption import Data, mixed, noisy, spoil
from kleiber.lab.windows import Windows

CLEAN = corpus_of([f"document number {n} ".encode() * (n + 1) for n in range(60)], source="clean")
OTHER = corpus_of([f"another text, {n}; ".encode() * 30 for n in range(40)], source="other")
SEED = st.integers(0, 2**31)
SHARE = st.floats(0, 1)


def spoilt(**settings: object) -> Corpus:
    return spoil(CLEAN, Data.read(settings), read={"other": OTHER}.__getitem__)


@settings(max_examples=30, deadline=None)
@given(share=SHARE, seed=SEED)
def test_the_share_of_noise_is_binomial_and_its_bytes_uniform(share: float, seed: int) -> None:
    text = np.zeros(20_000, dtype=np.uint8)
    changed = int((noisy(text, share, seed=seed) != text).sum())
    # A replaced byte is what it was once in 256. Six standard deviations: one false alarm in 5e8.
    chance = share * 255 / 256
    assert abs(changed - chance * text.size) <= 6 * np.sqrt(text.size * chance * (1 - chance)) + 1e-9


def test_noise_is_uniform_over_all_bytes() -> None:
    counts = np.bincount(noisy(np.zeros(256_000, dtype=np.uint8), 1.0, seed=0), minlength=256)
    # Chi-squared with 255 degrees of freedom: mean 255, standard deviation 22.6.
    assert ((counts - 1000) ** 2 / 1000).sum() < 255 + 5 * 22.6


@settings(max_examples=30, deadline=None)
@given(less=SHARE, more=SHARE, seed=SEED)
def test_a_larger_dose_spoils_the_same_bytes_in_the_same_way(less: float, more: float, seed: int) -> None:
    less, more = sorted((less, more))
    a, b = noisy(CLEAN.train, less, seed=seed), noisy(CLEAN.train, more, seed=seed)
    changed = a != CLEAN.train
    assert np.array_equal(a[changed], b[changed])


@settings(max_examples=20, deadline=None)
@given(noise=SHARE, labels=SHARE, duplicate=SHARE, times=st.integers(2, 5), longest=st.floats(0.1, 1), seed=SEED)
def test_the_same_settings_give_the_same_bytes_and_leave_held_out_text(
    noise: float, labels: float, duplicate: float, times: int, longest: float, seed: int
) -> None:
    told = {"noise": noise, "label_noise": labels, "longest": longest, "seed": seed}
    told |= {"duplicate": duplicate, "times": times}
    one, other = spoilt(**told), spoilt(**told)
    assert np.array_equal(one.train, other.train)
    assert one.held_out is CLEAN.held_out
    assert one.train.size == sum(one.train_sizes) + len(one.train_sizes) - 1
    if labels:
        assert one.labels is not None
        assert other.labels is not None
        assert np.array_equal(one.labels, other.labels)


def test_label_noise_leaves_what_is_read() -> None:
    corpus = spoilt(label_noise=0.3)
    assert np.array_equal(corpus.train, CLEAN.train)
    assert corpus.labels is not None
    assert np.mean(corpus.labels != corpus.train) == pytest.approx(0.3 * 255 / 256, abs=0.02)
    windows = Windows(corpus.train, context=32, batch_windows=4, seed=0, labels=corpus.labels)
    plain = Windows(corpus.train, context=32, batch_windows=4, seed=0)
    assert np.array_equal(windows.batch(5), plain.batch(5))
    assert np.array_equal(plain.targets(5), plain.batch(5)[:, 1:])
    # Labels are those of the same places: noise apart they agree.
    assert np.mean(windows.targets(5) != plain.targets(5)) == pytest.approx(0.3, abs=0.15)


def test_noise_on_labels_and_on_bytes_are_drawn_apart() -> None:
    both = spoilt(noise=0.5, label_noise=0.5)
    assert both.labels is not None
    wrong, told_wrong = both.train != CLEAN.train, both.labels != both.train
    assert np.mean(wrong & told_wrong) == pytest.approx(0.25, abs=0.02)


@pytest.mark.parametrize(("share", "times"), [(0.5, 4), (1.0, 2), (0.25, 3)])
def test_duplicates_stand_as_often_as_asked(share: float, times: int) -> None:
    corpus = spoilt(duplicate=share, times=times)
    met: dict[bytes, int] = {}
    for text in corpus.train_documents:
        met[text.tobytes()] = met.get(text.tobytes(), 0) + 1
    assert met.keys() == {text.tobytes() for text in CLEAN.train_documents}
    assert sorted(met.values()).count(times) == round(share * len(CLEAN.train_sizes))
    assert set(met.values()) <= {1, times}
    assert corpus.unique_train_tokens == CLEAN.unique_train_tokens


def test_unique_bytes_seen_closed_form_and_by_drawing() -> None:
    assert CLEAN.unique_seen(100) == 100
    assert CLEAN.unique_seen(10**9) == CLEAN.unique_train_tokens
    twice = spoilt(duplicate=1.0, times=2)
    # Half of a text that stands there twice: 1 - (1 - 1/2)^2 of it, to the byte that parts the copies.
    assert twice.unique_seen(twice.train.size // 2) == pytest.approx(0.75 * CLEAN.unique_train_tokens, abs=2)
    assert twice.unique_seen(10**9) == CLEAN.unique_train_tokens
    size = CLEAN.unique_train_tokens + 1
    positions = np.tile(np.arange(size), 2)[:-1]
    source = Windows(positions, context=8, batch_windows=16, seed=0)
    steps = source.steps_per_epoch // 2
    seen = np.unique([source.batch(step)[:, :-1] for step in range(steps)]).size
    assert twice.unique_seen(steps * 16 * 8) == pytest.approx(seen, rel=0.03)


def test_copies_carry_the_same_noise() -> None:
    corpus = spoilt(noise=0.2, label_noise=0.2, duplicate=1.0, times=2)
    half = len(CLEAN.train_sizes)
    texts = [text.tobytes() for text in corpus.train_documents]
    assert texts[:half] == texts[half:]
    assert corpus.labels is not None
    size = CLEAN.train.size
    assert np.array_equal(corpus.labels[:size], corpus.labels[size + 1 :])


@pytest.mark.parametrize("kept", ["shortest", "longest"])
def test_a_biased_choice(kept: str) -> None:
    sizes = sorted(CLEAN.train_sizes, reverse=kept == "longest")
    assert sorted(spoilt(**{kept: 0.2}).train_sizes, reverse=kept == "longest") == sizes[: round(0.2 * len(sizes))]


def test_documents_kept_at_random_are_nested_and_their_share_is_right() -> None:
    found = [spoilt(keep=share, seed=3) for share in (0.25, 0.5, 1.0)]
    kept = [{text.tobytes() for text in part.train_documents} for part in found]
    assert kept[0] < kept[1] < kept[2]
    assert [len(texts) for texts in kept] == [round(share * len(kept[2])) for share in (0.25, 0.5, 1.0)]
    assert found[0].unique_seen(10**9) == found[0].train.size
    assert {text.tobytes() for text in spoilt(keep=0.25, seed=4).train_documents} != kept[0]


@pytest.mark.parametrize("share", [0.1, 0.3, 0.7])
def test_a_mixture_has_its_shares_and_repeats_nothing(share: float) -> None:
    mine = spoilt(mixture={"clean": 1 - share, "other": share})
    texts = [text.tobytes() for text in mine.train_documents]
    others = sum(len(text) for text in texts if text.startswith(b"another"))
    assert others / sum(map(len, texts)) == pytest.approx(share, abs=1e-3)
    assert len(set(texts)) == len(texts)
    # One of the two is used up.
    assert max(others / sum(OTHER.train_sizes), (sum(map(len, texts)) - others) / sum(CLEAN.train_sizes)) > 0.999


def test_a_mixture_never_trains_on_what_is_held_out() -> None:
    held_out = [text.tobytes() for text in CLEAN.held_out]
    leaky = corpus_of([*held_out, *(text.tobytes() for text in OTHER.train_documents)], source="leaky")
    assert {text.tobytes() for text in leaky.train_documents} & set(held_out)
    spoilt = spoil(CLEAN, Data.read({"mixture": {"leaky": 1}}), read=lambda _: leaky)
    assert not {text.tobytes() for text in spoilt.train_documents} & set(held_out)


def test_weights_count_relative_to_their_sum() -> None:
    sides = [CLEAN.train_documents, OTHER.train_documents]
    tenths, whole = mixed(sides, [7, 3], seed=1), mixed(sides, [0.7, 0.3], seed=1)
    assert [text.tobytes() for text in tenths] == [text.tobytes() for text in whole]


def test_nothing_asked_is_the_corpus_itself_and_has_no_facts() -> None:
    assert spoil(CLEAN, Data()) is CLEAN
    assert Data.read({"noise": 0, "seed": 3}).facts() == {}
    assert Data.read({"noise": 1}).facts() == Data.read({"noise": 1.0}).facts() == {"noise": 1.0}
    assert Data.read({"duplicate": 0.5}).facts() == Data.read({"duplicate": 0.5, "times": 2}).facts()
    assert replace(Data(), noise=0.1).facts() != replace(Data(), noise=0.1, seed=1).facts()


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ({"nois": 0.1}, "did you mean 'noise'"),
        ({"noise": 1.5}, "a share from 0 to 1"),
        ({"noise": True}, "a share from 0 to 1"),
        ({"noise": "a lot"}, "a share from 0 to 1"),
        ({"shortest": 0}, "a share above 0"),
        ({"times": 3}, "name `duplicate`"),
        ({"duplicate": 0.5, "times": 1}, "2 or more"),
        ({"duplicate": 0.5, "times": 2.5}, "2 or more"),
        ({"mixture": {}}, "sources and their shares"),
        ({"mixture": {"sotu": -1}}, "sources and their shares"),
        ({"seed": -1}, "a whole number"),
    ],
)
def test_data_that_makes_no_sense(told: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Data.read(told)


def test_a_choice_that_leaves_nothing() -> None:
    with pytest.raises(InputError, match="no document is left"):
        spoilt(shortest=0.3, longest=0.3)
