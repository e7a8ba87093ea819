"""Pages of the manual that live elsewhere in the repository: READMEs of ladders, how to contribute, what changed.

One idea: a page has one home. Links that work in the repository (`../ladders/sotu-dense/README.md`) are turned into links to
the copy that the site carries, so that nothing is written twice.
"""

from __future__ import annotations

import os
import re
from pathlib import Path, PurePosixPath

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[2]
PREFIX = "repository/"
CARRIED = ("CONTRIBUTING.md", "VISION.md", "CHANGELOG.md", "ladders/*/README.md", "examples/traces/README.md")
LINK = re.compile(r"\]\((?!https?:|#|mailto:|/)([^)#\s]+)((?:#[^)\s]*)?)\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """The site also has what `CARRIED` names."""
    for pattern in CARRIED:
        for path in sorted(ROOT.glob(pattern)):
            name = path.relative_to(ROOT).as_posix()
            files.append(File.generated(config, PREFIX + name, abs_src_path=str(path)))
    return files


def home(source: str) -> PurePosixPath:
    """Where a page of the site lies in the repository, from its root."""
    return PurePosixPath(source.removeprefix(PREFIX)) if source.startswith(PREFIX) else PurePosixPath("docs", source)


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Every relative link leads to the same file as in the repository, or, if the site has it not, is plain text."""
    here = home(page.file.src_uri)

    def renew(link: re.Match[str]) -> str:
        target = os.path.normpath(here.parent / link.group(1))
        inside = target.removeprefix("docs/") if target.startswith("docs/") else PREFIX + target
        known = files.get_file_from_path(inside)
        if known is None and (ROOT / target).exists():
            return f"] (`{target}`)"
        there = os.path.relpath(inside, os.path.dirname(page.file.src_uri) or ".")
        return f"]({there}{link.group(2)})"

    return LINK.sub(renew, markdown)
