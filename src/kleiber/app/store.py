"""Uploads: files that a visitor brought, each visible to the session that brought it and to whoever was handed its key.

The way the data takes: bytes in pieces -> a file in a folder of its own, counted and hashed on the way -> `Upload`. The one idea:
an upload's id cannot be guessed and is looked up together with the session, so another's upload and none at all look the same;
a key for sharing is made only when its owner asks for a link.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import shutil
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

from kleiber.app.limits import SUFFIXES, Limits
from kleiber.errors import InputError, did_you_mean

UNSAFE = re.compile(r"[^\w .()+=,@-]")
MOST_NAME = 120


class MissingError(InputError):
    """There is no such upload, for this visitor."""


class TooLargeError(InputError):
    """More bytes, rows or uploads than a visitor may use."""


@dataclass(kw_only=True)
class Upload:
    """One file: `sha256` is of its bytes, `folder` holds it and what was fitted to it, `sessions` are those that may see it.

    `served`: handed in when the server was started, and seen by all.
    """

    id: str
    name: str
    path: Path
    folder: Path
    sha256: str
    size_bytes: int
    served: bool = False
    sessions: set[str] = field(default_factory=set)
    key: str | None = None
    used_at: float = field(default_factory=time.monotonic)


class Store:
    """All uploads of a server; gone when it ends."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._folder = tempfile.TemporaryDirectory(prefix="kleiber-app-")
        self.root = Path(self._folder.name)
        self._uploads: dict[str, Upload] = {}

    def close(self) -> None:
        """Forget everything."""
        self._uploads.clear()
        self._folder.cleanup()

    def serve(self, path: Path) -> Upload:
        """A file of the server's own, visible to everyone."""
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        made = self._make(str(path), digest, path.stat().st_size)
        made.path, made.served = path, True
        return made

    async def keep(self, session: str, name: str, pieces: AsyncIterator[bytes]) -> Upload:
        """Write an upload down, piece by piece; raises `TooLargeError` as soon as there are too many bytes."""
        name = safe_name(name)
        self.forget_idle()
        digest, size = hashlib.sha256(), 0
        partial = self.root / f"{secrets.token_hex(16)}.partial"
        try:
            with partial.open("wb") as file:
                async for piece in pieces:
                    size += len(piece)
                    self._room_for(size)
                    digest.update(piece)
                    file.write(piece)
            if size == 0:
                raise InputError("the file is empty", where=name, expected="a table with one row per run")
            kept = self._again(session, name, digest.hexdigest()) or self._make(name, digest.hexdigest(), size)
            partial.replace(kept.path)
        finally:
            partial.unlink(missing_ok=True)
        kept.sessions.add(session)
        self._thin_out(session, keep=kept)
        return kept

    def find(self, session: str, id: str) -> Upload:
        """The upload of that id, or of that content hash, if the session may see it; raises `MissingError`."""
        found = self._uploads.get(id) or next((each for each in self.seen_by(session) if each.sha256 == id), None)
        if found is None or not (found.served or session in found.sessions):
            raise MissingError("there is no such upload", remedy="drop the file again")
        found.used_at = time.monotonic()
        return found

    def seen_by(self, session: str) -> list[Upload]:
        """What a session may see, the newest last."""
        return [each for each in self._uploads.values() if each.served or session in each.sessions]

    def drop(self, session: str, id: str) -> None:
        """Take an upload out of a session; it is gone when no session is left."""
        found = self.find(session, id)
        if found.served:
            raise InputError("this table belongs to the server and stays", where=found.name)
        found.sessions.discard(session)
        if not found.sessions:
            self._delete(found)

    def share(self, session: str, id: str) -> str:
        """The key that lets another session see an upload."""
        found = self.find(session, id)
        found.key = found.key or secrets.token_urlsafe(24)
        return found.key

    def open(self, session: str, key: str) -> Upload:
        """The upload of a key, from now on seen by this session too."""
        for each in self._uploads.values():
            if each.key is not None and secrets.compare_digest(each.key.encode(), key.encode()):
                each.sessions.add(session)
                return each
        raise MissingError("the server no longer has this table", remedy="drop the file here")

    def forget_idle(self) -> None:
        """Delete what nobody has asked about for long."""
        for each in list(self._uploads.values()):
            if not each.served and time.monotonic() - each.used_at > self.limits.idle_seconds:
                self._delete(each)

    def _again(self, session: str, name: str, digest: str) -> Upload | None:
        """The same file of the same session: brought twice, kept once."""
        same = (each for each in self.seen_by(session) if not each.served)
        return next((each for each in same if (each.sha256, each.name) == (digest, name)), None)

    def _make(self, name: str, digest: str, size: int) -> Upload:
        id = secrets.token_urlsafe(18)
        folder = self.root / id
        folder.mkdir()
        made = Upload(id=id, name=name, path=folder / name, folder=folder, sha256=digest, size_bytes=size)
        self._uploads[id] = made
        return made

    def _room_for(self, size: int) -> None:
        if size > self.limits.upload_bytes:
            most = f"{self.limits.upload_bytes >> 20} MiB"
            raise TooLargeError("the file is too large", expected=f"at most {most}", remedy="keep only the final runs")
        if size + sum(each.size_bytes for each in self._uploads.values() if not each.served) > self.limits.stored_bytes:
            raise TooLargeError("the server holds as many files as it may", remedy="try again later")

    def _thin_out(self, session: str, keep: Upload) -> None:
        """The oldest uploads make room: of a session, and of sessions that no longer count."""
        mine = [each for each in self.seen_by(session) if not each.served and each is not keep]
        for each in sorted(mine, key=lambda each: each.used_at)[
            : max(0, len(mine) + 1 - self.limits.uploads_per_session)
        ]:
            self.drop(session, each.id)

    def _delete(self, upload: Upload) -> None:
        self._uploads.pop(upload.id, None)
        shutil.rmtree(upload.folder, ignore_errors=True)


def safe_name(name: str) -> str:
    """A file's own name without folders and odd characters; raises `InputError` for what is never read.

    >>> safe_name("../../etc/my runs.csv")
    'my runs.csv'
    """
    own = UNSAFE.sub("_", name.replace("\\", "/").rsplit("/", 1)[-1]).strip(" .")
    if not own or own.startswith("-"):
        own = f"table{own}"
    suffix = Path(own).suffix.lower()
    if suffix not in SUFFIXES:
        pickled = suffix in (".pkl", ".pickle", ".pt", ".pth", ".ckpt")
        raise InputError(
            "pickles are never loaded, for they can run code" if pickled else "such files are not read here",
            found=suffix or "no ending",
            expected=", ".join(SUFFIXES),
            remedy="export the table as CSV" if pickled or not suffix else did_you_mean(suffix, SUFFIXES),
            where=own,
        )
    return own[-MOST_NAME:]
