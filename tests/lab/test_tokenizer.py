"""Trained tokenizers: the same bytes back, learnt from training text alone, and every count in tokens."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kleiber.errors import InputError
from kleiber.lab.corpus import Corpus, corpus_of, read_corpus
from kleiber.lab.corruption import Data, spoil
from kleiber.lab.tokenizer import BYTES, Tokenizer, learnt, tokenized, vocabulary_of
from kleiber.lab.windows import Windows

pytest.importorskip("tokenizers", reason="byte-pair vocabularies are trained by Hugging Face tokenizers")

LEARN = """
import hashlib, sys
from kleiber.lab.corpus import read_corpus
from kleiber.lab.tokenizer import learnt
print(hashlib.sha256(learnt(read_corpus(sys.argv[1]), 300).encode()).hexdigest())
"""


@pytest.fixture(scope="module")
def prose(text_folder: Path) -> Corpus:
    return read_corpus(text_folder)


@pytest.fixture(scope="module")
def tokenizer(prose: Corpus) -> Tokenizer:
    return Tokenizer("bpe:300", learnt(prose, 300))


@pytest.fixture
def corpus(prose: Corpus, tmp_path: Path) -> Corpus:
    """The prose with its tokenizer, not cut yet."""
    return tokenized(prose, "bpe:300", tmp_path)


def texts(corpus: Corpus, tokenizer: Tokenizer) -> list[bytes]:
    return [tokenizer.decode(document) for document in corpus.train_documents]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.binary(max_size=60), max_size=6))
def test_any_bytes_come_back_as_they_were(tokenizer: Tokenizer, documents: list[bytes]) -> None:
    assert [tokenizer.decode(tokens) for tokens in tokenizer.encode(documents)] == documents


@settings(max_examples=60, deadline=None)
@given(st.one_of(st.binary(max_size=80), st.text(alphabet="theof nation\n\t19.,é", max_size=80).map(str.encode)))
def test_words_are_cut_as_the_library_cuts_them(tokenizer: Tokenizer, document: bytes) -> None:
    """The kept JSON stands alone: Hugging Face reads the very same tokens with it."""
    (tokens,) = tokenizer.encode([document])
    assert tokens.tolist() == tokenizer._library.encode(document.decode("latin-1")).ids


def test_the_first_256_tokens_are_the_bytes_and_lengths_are_counted(tokenizer: Tokenizer) -> None:
    assert [tokenizer.decode(np.array([token])) for token in range(256)] == [bytes([byte]) for byte in range(256)]
    assert tokenizer.token_bytes_V.tolist() == [len(tokenizer.decode(np.array([token]))) for token in range(300)]


def test_a_tokenizer_is_the_same_in_every_process(prose: Corpus, text_folder: Path) -> None:
    expected = hashlib.sha256(learnt(prose, 300).encode()).hexdigest()
    for threads in ("true", "false"):
        answer = subprocess.run(
            [sys.executable, "-c", LEARN, str(text_folder)],
            env={**os.environ, "TOKENIZERS_PARALLELISM": threads},
            capture_output=True,
            text=True,
            check=True,
        )
        assert answer.stdout.strip() == expected


def test_held_out_text_has_no_say() -> None:
    """A pair that stands in held-out text alone is never learnt, however often it stands there."""
    documents = [f"plain words number {n} of some text".encode() for n in range(48)]
    held_out = {text.tobytes() for text in corpus_of(documents, source="a").held_out}
    (one, *_) = sorted(held_out)
    # More text in a document may change its side: the first change that leaves it held out is taken.
    for tail in range(100):
        spoilt = one + b" zqzqzqzq" * (50 + tail)
        found = corpus_of([spoilt, *(text for text in documents if text != one)], source="b")
        if spoilt in {text.tobytes() for text in found.held_out}:
            break
    else:
        pytest.fail("no such text")
    spelt = json.loads(learnt(found, 280))["model"]["vocab"]
    assert not any("zq" in spelling for spelling in spelt)
    assert any("wor" in spelling for spelling in spelt)


def test_tokens_are_the_same_documents_on_the_same_sides(corpus: Corpus, prose: Corpus, tokenizer: Tokenizer) -> None:
    found = spoil(corpus, Data())
    assert texts(found, tokenizer) == [text.tobytes() for text in prose.train_documents]
    assert [tokenizer.decode(text) for text in found.held_out] == [text.tobytes() for text in prose.held_out]
    assert found.train.dtype == np.uint16
    assert found.vocabulary == 300
    assert found.train.size == sum(found.train_sizes) + len(found.train_sizes) - 1
    assert found.unique_train_tokens == found.train.size < prose.train.size / 2
    assert (found.sha256, found.documents, found.duplicates) == (prose.sha256, prose.documents, prose.duplicates)
    assert found.held_out_bytes == prose.held_out_bytes
    windows = Windows(found.train, context=16, batch_windows=4, seed=0).batch(0)
    assert tokenizer.decode(windows[0]) in b"\0".join(texts(found, tokenizer))


def test_noise_falls_on_bytes_before_they_are_cut(corpus: Corpus, prose: Corpus, tokenizer: Tokenizer) -> None:
    settings = {"noise": 0.1, "longest": 0.5}
    found, plain = spoil(corpus, Data.read(settings)), spoil(prose, Data.read(settings))
    assert texts(found, tokenizer) == [text.tobytes() for text in plain.train_documents]
    assert [tokenizer.decode(text) for text in found.held_out] == [text.tobytes() for text in prose.held_out]


def test_copies_are_copies_and_noise_on_labels_is_noise_on_tokens(corpus: Corpus) -> None:
    found = spoil(corpus, Data.read({"label_noise": 0.3, "noise": 0.02, "duplicate": 1.0, "times": 2}))
    half = len(found.train_sizes) // 2
    documents = [text.tolist() for text in found.train_documents]
    assert documents[:half] == documents[half:]
    assert found.labels is not None
    assert found.labels.dtype == found.train.dtype
    wrong = found.labels != found.train
    assert wrong.mean() == pytest.approx(0.3 * 299 / 300, abs=0.02)
    assert found.labels[wrong].max() > 290
    once = (found.train.size - 1) // 2
    assert np.array_equal(found.labels[:once], found.labels[once + 1 :])
    assert found.unique_train_tokens == once
    assert found.unique_seen(10**9) == once
    assert found.unique_seen(found.train.size // 2) == pytest.approx(0.75 * once, abs=2)


def test_a_tokenizer_is_kept_with_the_results_and_holds_them_to_its_text(prose: Corpus, tmp_path: Path) -> None:
    first = tokenized(prose, "bpe:300", tmp_path).tokenizer
    assert first is not None
    (kept,) = (tmp_path / "tokenizers").iterdir()
    assert hashlib.sha256(kept.read_bytes()).hexdigest() == first.sha256
    assert first.column == f"bpe:300:{first.sha256[:16]}"
    kept.write_text(kept.read_text() + " ")
    again = tokenized(prose, "bpe:300", tmp_path).tokenizer
    assert again is not None
    assert again.sha256 != first.sha256  # Read from the folder, not learnt anew.
    other = corpus_of([text.tobytes() * 2 for text in prose.train_documents], source="other")
    with pytest.raises(InputError, match=r"tokenizer of another text.*another results folder"):
        tokenized(other, "bpe:300", tmp_path)
    assert tokenized(prose, BYTES, tmp_path) is prose


@pytest.mark.parametrize(
    "name", ["bpe", "bpe:", "bpe:2k", "bpe:-300", "bpe:0300", "sentencepiece:300", 300, None, ["bpe:300"]]
)
def test_names_that_are_none(name: object) -> None:
    with pytest.raises(InputError, match=r'no such tokenizer.*"bpe:2048" for 2048'):
        vocabulary_of(name, where="ladder.toml")


def test_a_vocabulary_no_larger_than_bytes_or_larger_than_the_text_supports(prose: Corpus, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"ladder\.toml: .*all 256 bytes.*bpe:257 or more"):
        vocabulary_of("bpe:256", where="ladder.toml")
    with pytest.raises(InputError, match=r"does not support.*20000 tokens.*at most \d+ ") as refused:
        tokenized(prose, "bpe:20000", tmp_path)
    assert not (tmp_path / "tokenizers").exists()
    # What the remedy names does work, and nothing larger does.
    remedy = int(str(refused.value).rsplit("bpe:", 1)[1].split('"')[0])
    assert len(Tokenizer("", learnt(prose, remedy)).token_bytes_V) == remedy
    with pytest.raises(InputError, match=f"bpe:{remedy}"):
        learnt(prose, remedy + 1)
    with pytest.raises(InputError, match="does not support"):
        learnt(prose, 10**15)
    with pytest.raises(InputError, match=r'tokenizer = "bytes"'):
        learnt(corpus_of([b"ab", b"cd", b"ef"], source="short"), 257)


def test_text_that_holds_no_second_token_and_tasks_are_refused(tmp_path: Path) -> None:
    corpus = tokenized(corpus_of([b"ab", b"abab", b"ababab"], source="short"), "bpe:257", tmp_path)
    with pytest.raises(InputError, match="nothing to predict"):
        spoil(replace(corpus, held_out=(np.frombuffer(b"ab", dtype=np.uint8),)), Data())
    with pytest.raises(InputError, match=r'answers are bytes.*tokenizer = "bytes"'):
        tokenized(read_corpus("addition:modulus=13"), "bpe:300", tmp_path)
