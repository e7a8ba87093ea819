"""A byte-pair vocabulary learnt from the training text: bytes -> tokens, and back to the very same bytes.

One idea: the library is handed every byte as the character of the same number (Latin-1). So any bytes come back as they were,
noise and what is no UTF-8 too; token b is byte b for all 256; and the zero byte that parts documents is token 0.
Text is first cut into words (letters, digits or signs with the space before them, or white space): no token crosses their bounds.

Source: Sennrich, Haddow & Birch 2016 (arXiv:1508.07909); by bytes: Radford et al. 2019, "Language Models are Unsupervised
Multitask Learners", section 2.2. Training and merges are those of Hugging Face `tokenizers`.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kleiber.errors import InputError, KleiberError
from kleiber.lab.corpus import SEPARATOR, Corpus
from kleiber.lab.shape import VOCABULARY
from kleiber.quantity import show

BYTES, BPE = "bytes", "bpe:"
WORD = r"\x00+| ?[A-Za-z\x80-\xff]+| ?[0-9]+| ?[^ \t\n\r\f\x0b\x00A-Za-z0-9\x80-\xff]+|[ \t\n\r\f\x0b]+"
"""A byte above 127 is part of a letter in UTF-8."""
SEEN_AT_LEAST = 2
"""A pair that stands in the text once is not worth a token."""

Text = NDArray[np.integer]


def vocabulary_of(name: Any, *, where: str = "") -> int:
    """How many tokens `"bytes"` or `"bpe:2048"` has. Raises `InputError` for another name and for 256 or fewer.

    >>> vocabulary_of("bpe:2048")
    2048
    """
    if name == BYTES:
        return VOCABULARY
    count = name.removeprefix(BPE) if isinstance(name, str) else ""
    if not (isinstance(name, str) and name.startswith(BPE) and re.fullmatch("[1-9][0-9]*", count)):
        raise InputError(
            "there is no such tokenizer",
            found=repr(name),
            expected='"bytes", or "bpe:2048" for 2048 tokens',
            where=where,
        )
    if int(count) <= VOCABULARY:
        raise InputError(
            "a vocabulary holds all 256 bytes and what was learnt",
            found=name,
            expected=f"{BPE}{VOCABULARY + 1} or more",
            remedy='or tokenizer = "bytes"',
            where=where,
        )
    return int(count)


class Tokenizer:
    """A trained vocabulary of V tokens; `token_bytes_V` are the bytes of each, `sha256` is over its JSON."""

    def __init__(self, name: str, json: str) -> None:
        self.name = name
        self.sha256 = hashlib.sha256(json.encode()).hexdigest()
        self._library = _library().Tokenizer.from_str(json)
        number_of = self._library.get_vocab()
        self._spelt = [spelling.encode("latin-1") for spelling in sorted(number_of, key=number_of.__getitem__)]
        self.token_bytes_V = np.array([len(spelling) for spelling in self._spelt])
        self._kind = np.dtype(np.uint16 if len(self._spelt) <= 1 << 16 else np.uint32)
        self._last: tuple[Corpus, Corpus] | None = None

    @property
    def column(self) -> str:
        """What a run table says: `bpe:2048:` and the first 16 digits of `sha256`."""
        return f"{self.name}:{self.sha256[:16]}"

    def encode(self, documents: Sequence[bytes]) -> list[Text]:
        """The tokens of each document, uint16 where the vocabulary allows."""
        word = re.compile(WORD)
        texts = [document.decode("latin-1") for document in documents]
        # Words come again and again: each is merged once.
        words = list(dict.fromkeys(found for text in texts for found in word.findall(text)))
        merged = self._library.encode_batch(words)
        tokens = {found: np.array(one.ids, self._kind).tobytes() for found, one in zip(words, merged, strict=True)}
        return [np.frombuffer(b"".join([tokens[found] for found in word.findall(text)]), self._kind) for text in texts]

    def decode(self, tokens: Text) -> bytes:
        """The bytes that were encoded."""
        return b"".join(self._spelt[token] for token in tokens)

    def encoded(self, corpus: Corpus) -> Corpus:
        """A corpus of bytes as one of tokens: the same documents on the same sides, joined by token 0."""
        if self._last is None or self._last[0] is not corpus:
            self._last = corpus, self._encoded(corpus)
        return self._last[1]

    def _encoded(self, corpus: Corpus) -> Corpus:
        train = self.encode([text.tobytes() for text in corpus.train_documents])
        held_out = self.encode([text.tobytes() for text in corpus.held_out])
        if all(text.size < 2 for text in held_out):
            raise InputError(
                "no held-out document is longer than one token, so there is nothing to predict",
                found=f"{len(held_out)} of one token",
                remedy="read longer documents, or a smaller vocabulary",
                where=corpus.source,
            )
        gap = np.frombuffer(SEPARATOR, np.uint8).astype(self._kind)
        joined = [part for text in train for part in (gap, text)][1:]
        return replace(
            corpus,
            train=np.concatenate(joined),
            train_sizes=tuple(text.size for text in train),
            held_out=tuple(held_out),
            token_bytes_V=self.token_bytes_V,
        )


def tokenized(corpus: Corpus, name: str, results: Path) -> Corpus:
    """The corpus with the tokenizer that its text is cut by once it is spoilt; as it is where tokens are bytes.

    The tokenizer is learnt from the corpus's training documents and kept in `results/tokenizers`, as the `tokenizer.json` that
    Hugging Face reads. Raises `InputError` where the text supports fewer tokens, where it is a task, whose answers are
    bytes, and where the folder holds a tokenizer learnt from another text.
    """
    vocabulary = vocabulary_of(name)
    if name == BYTES:
        return corpus
    if corpus.answers is not None:
        raise InputError(
            "a task is written in bytes, and its answers are bytes",
            found=f"tokenizer = {name!r}",
            remedy='tokenizer = "bytes"',
            where=corpus.source,
        )
    stem = name.replace(":", "-")
    path = results / "tokenizers" / f"{stem}-{corpus.sha256[:16]}.json"
    if others := [other for other in path.parent.glob(f"{stem}-*.json") if other != path]:
        raise InputError(
            "the finished runs there were cut by a tokenizer of another text",
            found=f"{others[0].name}, and a corpus of sha256 {corpus.sha256[:16]}...",
            remedy="bring that text back, or start another results folder",
            where=str(results),
        )
    if not path.exists():
        _keep(path, learnt(corpus, vocabulary))
    return replace(corpus, tokenizer=Tokenizer(name, path.read_text(encoding="utf-8")))


def learnt(corpus: Corpus, vocabulary: int) -> str:
    """The JSON of a tokenizer of that many tokens, learnt from the training documents alone: the same text, the same JSON."""
    library = _library()
    supported = VOCABULARY + corpus.train.size // SEEN_AT_LEAST
    if vocabulary <= supported:
        found = library.Tokenizer(library.models.BPE())
        found.pre_tokenizer = library.pre_tokenizers.Split(library.Regex(WORD), behavior="isolated")
        trainer = library.trainers.BpeTrainer(
            vocab_size=vocabulary,
            min_frequency=SEEN_AT_LEAST,
            initial_alphabet=[chr(byte) for byte in range(VOCABULARY)],
            show_progress=False,
        )
        found.train_from_iterator((text.tobytes().decode("latin-1") for text in corpus.train_documents), trainer)
        supported = found.get_vocab_size()
        if supported == vocabulary:
            return found.to_str()
    raise InputError(
        "the text does not support a vocabulary so large",
        found=f"{vocabulary} tokens asked, {show(corpus.train.size)} bytes to train on",
        expected=f"at most {supported} (a pair of tokens has to come twice)",
        remedy=f'tokenizer = "{BPE}{supported}"' if supported > VOCABULARY else 'tokenizer = "bytes"',
        where=corpus.source,
    )


def _keep(path: Path, json: str) -> None:
    """Atomically; workers that learn at the same time write the same bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(json, encoding="utf-8")
    temporary.replace(path)


def _library() -> Any:
    try:
        import tokenizers
    except ImportError as error:
        raise KleiberError(
            "a byte-pair tokenizer needs the package tokenizers, which is not installed: pip install 'kleiber[lab]'"
        ) from error
    return tokenizers
