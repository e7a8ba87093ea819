"""A headless Chromium and a server in a process of its own, for tests that look at the page as a visitor does."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

WAIT_MS = 120_000
PATHS = ("chromium", "chromium-browser", "google-chrome")


def chromium() -> str:
    """The browser; skips by name where there is none."""
    pytest.importorskip("playwright", reason="Playwright is not installed: pip install playwright")
    found = next((path for name in PATHS if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip("Chromium is not installed (Debian: apt-get install chromium)")
    return found


@contextmanager
def serving(*options: str) -> Iterator[str]:
    """The address of `kleiber app`, while the block lasts."""
    command = [sys.executable, "-m", "kleiber", "app", "--port", "0", "--workers", "2", *options]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"}
    ) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().split()[-1]
        finally:
            process.terminate()
            process.wait(30)


@contextmanager
def browsing() -> Iterator[Any]:
    """A browser."""
    path = chromium()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-dev-shm-usage"])
        try:
            yield browser
        finally:
            browser.close()


class Visitor:
    """A window of its own session, which remembers what went wrong in it."""

    def __init__(self, browser: Any, address: str, *, width: int = 1280, height: int = 900, dark: bool = False) -> None:
        scheme = "dark" if dark else "light"
        self.context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=scheme, reduced_motion="reduce"
        )
        self.context.set_default_timeout(WAIT_MS)
        self.context.grant_permissions(["clipboard-read", "clipboard-write"])
        self.page, self.address = self.context.new_page(), address
        self.wrong: list[str] = []
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("console", lambda line: self.wrong.append(line.text) if line.type == "error" else None)
        self.page.on("request", lambda request: self._note(request.url))

    def _note(self, url: str) -> None:
        if not url.startswith((self.address, "data:", "blob:")):
            self.wrong.append(f"a request left the machine: {url}")

    def open(self, rest: str = "") -> None:
        self.page.goto(self.address + rest)

    def drop(self, path: Path) -> None:
        self.page.locator("input[type=file]").first.set_input_files(str(path))

    def wait_for(self, selector: str) -> Any:
        found = self.page.locator(selector).first
        found.wait_for()
        return found

    def close(self) -> None:
        self.context.close()
