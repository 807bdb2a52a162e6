"""A directory of an SFTP server whose files are fetched into one of ours: each once, when it no longer changes.

A file is first moved into `working` there, fetched under a temporary name that a lost connection leaves to be gone on with, held against
its size, renamed, and then moved into `done` or removed. Who is killed between the last two fetches it once more.

Source  draft-ietf-secsh-filexfer-02
"""

import fcntl
import os
import re
import stat
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from twisted.conch.ssh.filetransfer import FX_NO_SUCH_FILE, FXF_READ, SFTPError
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from adapters.delivery.sftp_reading import ANSWER_SECONDS, LOST, WINDOW_OCTETS, octets_of
from adapters.delivery.ssh_session import SftpLogin, SftpSession
from adapters.delivery.threads import OnThread
from headend.model.delivery import DeliveryError

OCTETS_MAX = 2_000_000_000
"""Largest file fetched, in octets."""

FILES_PER_LOOK = 100
"""Files fetched at one look."""

NAMES_PER_LOOK = 10_000
"""Names read of a directory at one look."""

LOOK_SECONDS_MAX = 3_600.0
"""How long a look may take; what it was at is gone on with at the next."""

_NAME = re.compile(r"[^./\0][^/\0]*\.xml", re.IGNORECASE)
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")
_NAME_CHARACTERS_MAX = 120


class _Entry(NamedTuple):
    """A file there; as long as nothing of it changes, nobody writes it."""

    name: str
    size: int
    modified: int

    @property
    def local_name(self) -> str:
        """What it is called here."""
        return _UNSAFE.sub("_", self.name[:-4])[:_NAME_CHARACTERS_MAX] + ".xml"

    @property
    def temporary_name(self) -> str:
        """What it is called here until it is whole; another one's is another."""
        return f".{self.local_name}.{self.size}.{self.modified}.part"


class SftpInbox:
    """One directory of one server. Never raises for a server or a file that cannot be used."""

    log = Logger()

    def __init__(
        self,
        login: SftpLogin,
        directory: str,
        fetched: Path,
        reactor: Any,
        on_thread: OnThread,
        now: Callable[[], datetime],
        *,
        is_kept: bool = True,
    ) -> None:
        """Files come into `fetched`; there they are kept if `is_kept`, else removed."""
        self.directory = directory.rstrip("/") or "/"
        self.fetched = fetched
        self.on_thread = on_thread
        self.is_kept = is_kept
        self.now = now
        self._login = login
        self._reactor = reactor
        self._seen: set[_Entry] = set()
        self._too_large: set[_Entry] = set()
        self._trouble = ""

    async def look(self) -> None:
        """Fetch what is there and was the same at the look before; nothing while another process of this machine is at it."""
        try:
            await Deferred.fromCoroutine(self._look()).addTimeout(LOOK_SECONDS_MAX, self._reactor)
        except SFTPError as error:
            self._tell(f"says: {error.message or error}")
        except LOST as error:
            self._tell(f"was lost in the middle: {error}")
        except OSError as error:
            self._tell(f"sends what cannot be kept in {self.fetched}: {error.strerror}")
        except DeliveryError as error:
            self._tell(str(error))
        else:
            self._trouble = ""

    def ask(self, asked: "Deferred[Any]") -> "Deferred[Any]":
        """What comes to a request, or a timeout."""
        return asked.addTimeout(ANSWER_SECONDS, self._reactor)

    def settled(self, found: set[_Entry]) -> list[_Entry]:
        """Which of what is there now have not changed since the look before."""
        large = {one for one in found if one.size > OCTETS_MAX}
        for one in large - self._too_large:
            self.log.warn("{file} has more than {most} octets and is left alone", file=one.name, most=OCTETS_MAX)
        settled, self._seen, self._too_large = found & self._seen - large, found, large
        return sorted(settled)

    async def _look(self) -> None:
        lock = await self.on_thread(_locked, self.fetched)
        if lock is None:
            return
        try:
            await self._look_alone()
        finally:
            os.close(lock)

    async def _look_alone(self) -> None:
        session = await SftpSession.open(self._login, self._reactor)
        try:
            await _Look(self, session.files).run()
        finally:
            session.close()

    def _tell(self, trouble: str) -> None:
        """Say what is wrong, once for as long as it is the same."""
        if trouble != self._trouble:
            self.log.warn("SFTP inbox {server} {trouble}", server=f"{self._login.address}:{self.directory}", trouble=trouble)
        self._trouble = trouble


class _Look:
    """One look, in one session."""

    def __init__(self, inbox: SftpInbox, files: Any) -> None:
        self._inbox = inbox
        self._files = files

    async def run(self) -> None:
        inbox = self._inbox
        claimed = await self._entries("working")
        await inbox.on_thread(_tidy, inbox.fetched, {one.temporary_name for one in claimed})
        for one in inbox.settled(await self._entries("")):
            if len(claimed) >= FILES_PER_LOOK:
                break
            if one.name not in {other.name for other in claimed}:
                if not claimed:
                    await self._make("working")
                await self._ask(self._files.renameFile(self._path(one.name), self._path("working", one.name)))
                claimed.add(one)
        for one in sorted(claimed)[:FILES_PER_LOOK]:
            try:
                if await self._fetch(one):
                    await self._put_away(one)
            except SFTPError as error:
                if error.code != FX_NO_SUCH_FILE:  # else another machine that looks here has put it away
                    raise

    async def _fetch(self, entry: _Entry) -> bool:
        """Whether it is here now, whole."""
        inbox = self._inbox
        if await inbox.on_thread((inbox.fetched / entry.local_name).exists):
            return False  # One that is called the same; whoever takes files has yet to take it.
        path = self._path("working", entry.name)
        part = await inbox.on_thread(_opened, inbox.fetched / entry.temporary_name)
        try:
            await self._read(entry, path, part)
        except OSError:
            await inbox.on_thread(_drop, inbox.fetched, entry)
            raise
        finally:
            with suppress(OSError):  # Told of already: what a full disk did not take is tried once more by this.
                part.close()
        is_same = _entry(entry.name, await self._ask(self._files.getAttrs(path))) == entry
        await inbox.on_thread(_keep if is_same else _drop, inbox.fetched, entry)
        return is_same

    async def _read(self, entry: _Entry, path: bytes, part: BinaryIO) -> None:
        remote = await self._ask(self._files.openFile(path, FXF_READ, {}))
        piece = bytearray()
        try:
            async for octets in octets_of(remote, part.tell(), entry.size, self._ask):
                piece += octets
                if len(piece) >= WINDOW_OCTETS:
                    await self._inbox.on_thread(_write, part, bytes(piece))
                    piece.clear()
        except DeliveryError as error:
            raise DeliveryError(f"sends {entry.name} not whole: it {error}") from None
        finally:
            # What has come need not come again.
            await self._inbox.on_thread(_write, part, bytes(piece))
        await self._ask(remote.close())

    async def _put_away(self, entry: _Entry) -> None:
        path = self._path("working", entry.name)
        if not self._inbox.is_kept:
            await self._ask(self._files.removeFile(path))
            return
        await self._make("done")
        await self._ask(self._files.renameFile(path, self._path("done", f"{self._inbox.now():%Y%m%dT%H%M%S}_{entry.name}")))

    async def _entries(self, directory: str) -> set[_Entry]:
        """Files with names that are meant; none where there is no such directory below the inbox."""
        try:
            opened = await self._ask(self._files.openDirectory(self._path(directory)))
        except SFTPError as error:
            if directory and error.code == FX_NO_SUCH_FILE:
                return set()
            raise
        found: set[_Entry] = set()
        count = 0
        try:
            while count < NAMES_PER_LOOK and (names := await self._ask(opened.read())):
                count += len(names)
                found |= {one for name, _, attributes in names if (one := _entry(name.decode("utf-8", "replace"), attributes))}
        except EOFError:
            pass
        await self._ask(opened.close())
        return found

    async def _make(self, directory: str) -> None:
        # Most servers say no more than "failure" of one that is there; what is wrong shows at the next request.
        with suppress(SFTPError):
            await self._ask(self._files.makeDirectory(self._path(directory), {}))

    def _path(self, *names: str) -> bytes:
        return "/".join([self._inbox.directory, *names]).encode()

    def _ask(self, asked: "Deferred[Any]") -> "Deferred[Any]":
        return self._inbox.ask(asked)


def _entry(name: str, attributes: dict[str, int]) -> _Entry | None:
    """A file that may be meant; None of anything else."""
    is_file = stat.S_ISREG(attributes.get("permissions", stat.S_IFREG))
    if not is_file or not _NAME.fullmatch(name) or "\ufffd" in name:
        return None
    return _Entry(name, attributes.get("size", 0), attributes.get("mtime", 0))


def _locked(directory: Path) -> int | None:
    """The directory, made and locked until what is returned is closed; None while another has it."""
    directory.mkdir(parents=True, exist_ok=True)
    lock = os.open(directory / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    return lock


def _tidy(directory: Path, wanted: set[str]) -> None:
    """Remove beginnings of files that are no longer there."""
    for one in directory.glob(".*.part"):
        if one.name not in wanted:
            one.unlink(missing_ok=True)


def _opened(part: Path) -> BinaryIO:
    """Where an earlier look broke off, or at the beginning."""
    return part.open("ab")


def _write(part: BinaryIO, octets: bytes) -> None:
    part.write(octets)
    part.flush()


def _keep(directory: Path, entry: _Entry) -> None:
    part = directory / entry.temporary_name
    with part.open("rb") as written:
        os.fsync(written.fileno())
    part.rename(directory / entry.local_name)


def _drop(directory: Path, entry: _Entry) -> None:
    (directory / entry.temporary_name).unlink(missing_ok=True)
