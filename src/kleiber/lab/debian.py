"""An installed Debian package -> its documents: `debian:python3.11-doc` without a network and without markup.

One idea: a package lists its own files (`dpkg -L`), and its prose is among those under /usr/share. gzip is opened; of HTML and
of a manual page whose source is there too (reStructuredText, Markdown, pod) the source is read; of HTML without one what a reader
sees. Sources and manual pages are read as they are written. Code, pictures, indices, licences and changelogs are left out, and so
is what is not UTF-8, but for a byte in a thousand, which becomes the replacement character.
"""

from __future__ import annotations

import gzip
import re
import subprocess
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

from kleiber.errors import InputError

PREFIX = "debian:"
SHARED = Path("/usr/share")
LEFT_OUT = {"applications", "bug", "doc-base", "icons", "lintian", "locale", "menu", "pixmaps"}
SOURCES = {".rst", ".txt", ".md", ".pod", ".dict", ""}
PAGES = {".html", ".htm", ".xhtml"}
MANUAL = re.compile(r"\.[1-9][a-z]*")
NO_PROSE = ("copyright", "changelog", "news", "todo", "genindex", "search")
BLOCKS = {"address", "article", "blockquote", "br", "dd", "div", "dl", "dt", "figure", "h1", "h2", "h3", "h4", "h5", "h6",
          "hr", "li", "main", "ol", "p", "pre", "section", "table", "td", "th", "tr", "ul"}  # fmt: skip
UNSEEN = {"script", "style", "head", "nav", "template", "noscript"}


def package_texts(package: str) -> list[bytes]:
    """The documents of an installed package, UTF-8, in the order of their paths.

    Raises `InputError` where there is no dpkg, where the package is not installed, and where it holds no text.
    """
    files = _files(package)
    found = [text for path in _wanted(files) if (text := _text(path))]
    if not found:
        present = sum(path.exists() for path in files)
        raise InputError(
            "the package holds no text",
            found=f"{len(files)} paths listed, {present} of them on disk",
            expected="documents under /usr/share",
            remedy="take another package; where dpkg leaves documents out (path-exclude in /etc/dpkg/dpkg.cfg.d), "
            f"apt-get install --reinstall -o Dpkg::Options::=--path-include='/usr/share/*' {package}",
            where=PREFIX + package,
        )
    return found


def _files(package: str) -> list[Path]:
    if not re.fullmatch(r"[a-z0-9][a-z0-9.+-]+(:[a-z0-9-]+)?", package):
        raise InputError(
            "that is not a package's name",
            found=repr(package),
            expected="debian:python3.11-doc",
            where=PREFIX + package,
        )
    try:
        answer = subprocess.run(["dpkg", "-L", package], capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise InputError(
            "packages of Debian are read where there is dpkg",
            found="no dpkg",
            remedy="give the text's folder by its path",
            where=PREFIX + package,
        ) from error
    if answer.returncode:
        raise InputError("the package is not installed", remedy=f"apt-get install {package}", where=PREFIX + package)
    return sorted(Path(line) for line in answer.stdout.splitlines() if line.startswith("/"))


def _wanted(files: list[Path]) -> Iterator[Path]:
    """Prose under /usr/share, each text in one form only."""
    prose = [path for path in files if _is_prose(path) and path.is_file() and not path.is_symlink()]
    sources = {_stem(path) for path in prose if _suffix(path) in SOURCES}
    for path in prose:
        if _suffix(path) in SOURCES or _stem(path) not in sources:
            yield path


def _is_prose(path: Path) -> bool:
    inside = path.is_relative_to(SHARED) and len(path.parts) > len(SHARED.parts) + 1
    if not inside or path.parts[len(SHARED.parts)] in LEFT_OUT:
        return False
    suffix = _suffix(path)
    known = suffix in SOURCES | PAGES or (MANUAL.fullmatch(suffix) is not None and "man" in path.parts)
    return known and not path.name.lower().startswith(NO_PROSE)


def _plain(path: Path) -> str:
    """The name without what compression adds (dictd's .dz is gzip too)."""
    return path.name.removesuffix(".gz").removesuffix(".dz")


def _suffix(path: Path) -> str:
    return Path(_plain(path)).suffix.lower()


def _stem(path: Path) -> str:
    """What the renderings of one text have in common: long.rst.txt, long.html -> long."""
    return _plain(path).removesuffix(".txt").rpartition(".")[0] or _plain(path)


def _text(path: Path) -> bytes:
    """What a reader reads; nothing where that is no text."""
    try:
        content = path.read_bytes()
        content = gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
    except (OSError, EOFError) as error:
        raise InputError("a document cannot be read", found=str(error), where=str(path)) from error
    text = content.decode("utf-8", errors="replace")
    if "\0" in text or text.count("\ufffd") > len(text) / 1000:
        return b""
    return (seen(text) if _suffix(path) in PAGES else text).strip().encode()


def seen(html: str) -> str:
    """The text of a page: blocks on lines of their own, white space collapsed but in preformatted text.

    >>> seen("<p>Less is <b>more</b>,<br>more &amp; less.</p><script>x = 1</script><pre>a\\n  b</pre>")
    'Less is more,\\nmore & less.\\na\\n  b'
    """
    page = _Page()
    page.feed(html)
    page.close()
    lines = (line.rstrip() for line in "".join(page.parts).split("\n"))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._unseen = self._preformatted = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._unseen += tag in UNSEEN
        self._preformatted += tag == "pre"
        self._break(tag)

    def handle_endtag(self, tag: str) -> None:
        # An end without a beginning must not hide the rest.
        self._unseen = max(0, self._unseen - (tag in UNSEEN))
        self._preformatted = max(0, self._preformatted - (tag == "pre"))
        self._break(tag)

    def handle_data(self, data: str) -> None:
        if not self._unseen and (text := data if self._preformatted else self._collapsed(data)):
            self.parts.append(text)

    def _collapsed(self, data: str) -> str:
        begun = not self.parts or self.parts[-1].endswith((" ", "\n"))
        data = re.sub(r"\s+", " ", data)
        return data.lstrip() if begun else data

    def _break(self, tag: str) -> None:
        if tag in BLOCKS and self.parts and not self.parts[-1].endswith("\n"):
            self.parts.append("\n")
