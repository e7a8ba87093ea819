"""The corpus: duplicates go, the split is by document and blind to names and order."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kleiber.errors import InputError
from kleiber.lab.corpus import corpus_of, read_corpus, unigram_entropy

DOCUMENTS = [f"document number {n}, of some length".encode() for n in range(48)]


def test_duplicates_are_dropped() -> None:
    once = corpus_of(DOCUMENTS, source="test")
    twice = corpus_of([*DOCUMENTS, *DOCUMENTS[:7]], source="test")
    assert (once.duplicates, twice.duplicates) == (0, 7)
    assert once.sha256 == twice.sha256
    assert np.array_equal(once.train, twice.train)


def test_one_document_in_twelve_is_held_out_and_none_is_in_both() -> None:
    corpus = corpus_of(DOCUMENTS, source="test")
    held_out = {document.tobytes() for document in corpus.held_out}
    train = set(corpus.train.tobytes().split(b"\x00"))
    assert len(held_out) == 4
    assert held_out | train == set(DOCUMENTS)
    assert not held_out & train


def test_the_split_is_blind_to_order() -> None:
    forwards, backwards = corpus_of(DOCUMENTS, source="a"), corpus_of(DOCUMENTS[::-1], source="b")
    assert forwards.sha256 == backwards.sha256
    assert np.array_equal(forwards.train, backwards.train)


def test_bytes_are_uint8_and_counted() -> None:
    corpus = corpus_of(DOCUMENTS, source="test")
    assert corpus.train.dtype == np.uint8
    assert corpus.unique_train_tokens + corpus.held_out_bytes == sum(map(len, DOCUMENTS)) + 43


def test_unigram_entropy_closed_form() -> None:
    assert unigram_entropy(np.frombuffer(b"abab", dtype=np.uint8)) == pytest.approx(np.log(2))
    assert unigram_entropy(np.frombuffer(b"aaaa", dtype=np.uint8)) == 0.0


def test_a_folder_and_a_missing_one(text_folder: Path, tmp_path: Path) -> None:
    assert read_corpus(text_folder).documents == 36
    with pytest.raises(InputError, match="no corpus there"):
        read_corpus(tmp_path / "nowhere")
    with pytest.raises(InputError, match="no text"):
        read_corpus(tmp_path)


def test_too_few_documents_and_bytes_that_are_no_text(tmp_path: Path) -> None:
    (tmp_path / "one.txt").write_bytes(b"alone")
    with pytest.raises(InputError, match="two different documents"):
        read_corpus(tmp_path)
    (tmp_path / "two.txt").write_bytes(b"caf\xe9 noir")
    with pytest.raises(InputError, match=r"two\.txt: a document is not UTF-8 text .*0xe9 at offset 3.*bytes:PATH"):
        read_corpus(tmp_path)
    assert read_corpus(f"bytes:{tmp_path}").documents == 2


def test_binary_and_empty_files_are_named(tmp_path: Path) -> None:
    (tmp_path / "one.c").write_bytes(b"int one;")
    (tmp_path / "two.o").write_bytes(b"\x7fELF\x00\x00\x00\x00")
    with pytest.raises(InputError, match=r"two\.o: a file is binary.*50\.0% zero bytes.*take it out.*bytes:PATH"):
        read_corpus(tmp_path)
    raw = read_corpus(f"bytes:{tmp_path}")
    assert [text.tobytes() for text in raw.train_documents + list(raw.held_out)].count(b"\x7fELF\0\0\0\0") == 1
    (tmp_path / "two.o").write_bytes(b" \n")
    with pytest.raises(InputError, match=r"two\.o: a document is empty"):
        read_corpus(tmp_path)


def test_a_folder_is_read_whatever_its_files_are_called_but_for_hidden_ones(tmp_path: Path) -> None:
    (tmp_path / "deep" / ".git").mkdir(parents=True)
    for name in ("a.rst", "deep/b", "deep/c.txt", ".hidden", "deep/.git/config"):
        (tmp_path / name).write_text(f"this is {name}")
    assert read_corpus(tmp_path).documents == 3


def test_one_file_is_cut_into_documents_at_line_ends(tmp_path: Path) -> None:
    path = tmp_path / "book.txt"
    text = "".join(f"line {number} of the book\n" for number in range(20_000)).encode()
    path.write_bytes(text)
    corpus = read_corpus(path)
    pieces = [piece.tobytes() for piece in (*corpus.held_out, *corpus.train_documents)]
    assert sum(map(len, pieces)) == len(text.strip())
    assert all(8192 <= len(piece) < 8300 for piece in pieces if not piece.endswith(b"19999 of the book"))
    assert all(piece.startswith(b"line ") for piece in pieces)


@given(st.lists(st.binary(min_size=2, max_size=6), min_size=1, max_size=40))
def test_dropping_duplicates_twice_is_dropping_them_once(documents: list[bytes]) -> None:
    first = corpus_of([*documents, b"this one", b"that one"], source="test")
    sides = [{text.tobytes() for text in side} for side in (first.train_documents, first.held_out)]
    assert not sides[0] & sides[1]
    assert sides[0] | sides[1] == {*documents, b"this one", b"that one"}
    again = corpus_of([text for side in sides for text in side], source="test")
    assert (again.duplicates, again.sha256) == (0, first.sha256)
    assert np.array_equal(again.train, first.train)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every file")
def test_a_file_that_may_not_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "one.txt").write_text("one")
    (tmp_path / "two.txt").write_text("two")
    (tmp_path / "two.txt").chmod(0)
    with pytest.raises(InputError, match=r"two\.txt: a document cannot be read.*Permission denied.*chmod"):
        read_corpus(tmp_path)


def test_a_file_that_goes_away_meanwhile_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a file that may not be read looks like to anyone, root too."""
    for name in ("one.txt", "two.txt"):
        (tmp_path / name).write_text(name)
    reads = Path.read_bytes

    def gone(path: Path) -> bytes:
        if path.name == "two.txt":
            path.unlink()
        return reads(path)

    monkeypatch.setattr(Path, "read_bytes", gone)
    with pytest.raises(InputError, match=r"two\.txt: a document cannot be read.*No such file"):
        read_corpus(tmp_path)
