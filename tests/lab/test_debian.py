"""Debian's packages as text: one form of each document, no markup, no network; what is missing is named with its remedy."""

from __future__ import annotations

import gzip
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kleiber.errors import InputError
from kleiber.lab import debian
from kleiber.lab.corpus import read_corpus
from kleiber.lab.debian import package_texts, seen

needs_dpkg = pytest.mark.skipif(shutil.which("dpkg") is None, reason="packages are read where there is dpkg")

FILES = {
    "doc/x/html/intro.html": b"<html><head><title>no</title></head><body><p>Of   two\n<i>pages</i></p></body></html>",
    "doc/x/html/long.html": b"<p>rendered</p>",
    "doc/x/html/_sources/long.rst.txt": b"Long\n====\n",
    "doc/x/html/genindex.html": b"<p>a, b, c</p>",
    "doc/x/NOTES.gz": gzip.compress(b"notes, once compressed"),
    "doc/x/copyright": b"GPL",
    "doc/x/changelog.Debian.gz": gzip.compress(b"x (1) unstable"),
    "man/man1/x.1.gz": gzip.compress(b".TH X 1\nwhat x does"),
    "x/data": b"\x7fELF\x00\x01",
    "x/latin1.txt": b"caf\xe9 noir",
    "x/cut.txt": "don\N{RIGHT SINGLE QUOTATION MARK}t ".encode() * 600 + b"drop\x92s",
    "x/script.js": b"var x = 1",
    "doc-base/x": b"Document: x",
}
EXPECTED = {b"Of two pages", b"Long\n====", b"notes, once compressed", b".TH X 1\nwhat x does"}


@pytest.fixture
def shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tree that a dpkg of its own lists as the package prose."""
    share = tmp_path / "share"
    for name, content in FILES.items():
        path = share / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    (share / "doc/x/twice.rst").symlink_to(share / "doc/x/NOTES.gz")
    listed = [*sorted(share.rglob("*")), Path("/usr/bin/x"), share / "gone.txt"]
    program = tmp_path / "bin" / "dpkg"
    program.parent.mkdir()
    (tmp_path / "list").write_text("\n".join(map(str, listed)))
    program.write_text(f'#!/bin/sh\n[ "$2" = prose ] || exit 1\n/bin/cat {tmp_path}/list\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent))
    monkeypatch.setattr(debian, "SHARED", share)
    return share


def test_one_form_of_each_document_and_nothing_that_is_no_text(shared: Path) -> None:
    texts = package_texts("prose")
    # One stray byte in 3600 is marked; one in nine means another encoding, and the file is left out.
    (cut,) = [text for text in texts if text.endswith("drop\N{REPLACEMENT CHARACTER}s".encode())]
    assert {*texts} == EXPECTED | {cut}
    assert len(texts) == len(EXPECTED) + 1
    assert read_corpus("debian:prose").documents == len(texts)


def test_a_long_file_is_cut_and_a_broken_one_is_named(shared: Path) -> None:
    (shared / "x/data").write_bytes(b"".join(b"line %d\n" % number for number in range(150_000)))
    corpus = read_corpus("debian:prose")
    assert max(corpus.train_sizes) < 8300
    assert corpus.documents > 150
    (shared / "doc/x/NOTES.gz").write_bytes(FILES["doc/x/NOTES.gz"][:-9])
    with pytest.raises(InputError, match=r"NOTES\.gz: a document cannot be read"):
        read_corpus("debian:prose")


def test_what_is_missing_is_named_with_its_remedy(
    shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputError, match=r"debian:y1: .*not installed.*apt-get install y1"):
        read_corpus("debian:y1")
    with pytest.raises(InputError, match=r"not a package's name.*'--help'"):
        read_corpus("debian:--help")
    (tmp_path / "list").write_text(str(shared / "gone.txt"))
    with pytest.raises(InputError, match=r"holds no text.*1 paths listed, 0 of them on disk.*--path-include"):
        read_corpus("debian:prose")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match=r"no dpkg.*by its path"):
        read_corpus("debian:prose")


def test_a_file_of_such_a_name_is_read_instead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("debian:prose").mkdir()
    for number in range(3):
        Path("debian:prose", str(number)).write_text(f"text {number}")
    assert read_corpus("debian:prose").documents == 3


def test_what_a_reader_sees_of_a_page() -> None:
    page = "<style>p {}</style><nav>up</nav></nav><h1>On  &eacute;</h1><ul><li>one<li>two</ul><p>a<span>b</span> c"
    assert seen(page) == "On é\none\ntwo\nab c"
    assert seen("<pre>if x:\n    y\n</pre>after") == "if x:\n    y\nafter"
    assert seen("<p>one</p>\n\n\n<p>two</p>") == "one\ntwo"


@given(st.text(alphabet="ab<>/&;! p\n", max_size=60))
def test_any_page_is_read_to_its_end(page: str) -> None:
    assert "  " not in seen(page)
    assert seen(page + "<p>the end</p>").endswith("the end") or page.rfind("<") > page.rfind(">")


@needs_dpkg
def test_an_installed_package() -> None:
    """The licences that every Debian has: text without a suffix, one file to a licence."""
    texts = package_texts("base-files")
    assert any(b"GNU GENERAL PUBLIC LICENSE" in text for text in texts)
    assert read_corpus("debian:base-files").sha256 == read_corpus("debian:base-files").sha256


@needs_dpkg
def test_fortunes() -> None:
    if shutil.which("dpkg") and not Path("/usr/share/games/fortunes/riddles").exists():
        pytest.skip("needs apt-get install fortunes-min")
    corpus = read_corpus("debian:fortunes-min")
    texts = [text.tobytes() for text in (*corpus.train_documents, *corpus.held_out)]
    assert Path("/usr/share/games/fortunes/riddles").read_bytes().strip() in texts
    assert corpus.documents >= 3
