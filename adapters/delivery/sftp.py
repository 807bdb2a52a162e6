"""An SFTP server as a target: uploaded under a temporary name, gone on with where a try broke off, verified, renamed.

Source  draft-ietf-secsh-filexfer-02; OpenSSH's PROTOCOL for `posix-rename@openssh.com` and `fsync@openssh.com`
"""

import hashlib
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, BinaryIO

from twisted.conch.ssh.common import NS
from twisted.conch.ssh.filetransfer import FX_NO_SUCH_FILE, FXF_CREAT, FXF_READ, FXF_WRITE, SFTPError
from twisted.internet.defer import Deferred

from adapters.delivery.sftp_reading import ANSWER_SECONDS, CHUNK_OCTETS, CHUNKS_UNDER_WAY, LOST, WINDOW_OCTETS, leave, octets_of
from adapters.delivery.ssh_session import SftpLogin, SftpSession
from adapters.delivery.threads import OnThread
from adapters.delivery.verification import Verify
from headend.model.delivery import DeliveryError, FinishedFile, TargetUnreachableError

_POSIX_RENAME, _FSYNC = b"posix-rename@openssh.com", b"fsync@openssh.com"


class SftpTarget:
    """A FileTarget; every file has a session of its own."""

    def __init__(self, login: SftpLogin, directory: str, reactor: Any, on_thread: OnThread, verify: Verify = Verify.SHA256) -> None:
        self._login = login
        self._directory = directory.rstrip("/") or "/"
        self._reactor = reactor
        self._on_thread = on_thread
        self._verify = verify

    async def deliver(self, file: FinishedFile, on_sent: Callable[[], Awaitable[None]]) -> None:
        """See FileTarget."""
        session = await SftpSession.open(self._login, self._reactor)
        try:
            await _Upload(self, session, file).run(on_sent)
        except SFTPError as error:
            raise DeliveryError(f"{self._login.address} says of {file.name}: {error.message or error}") from None
        except LOST as error:
            raise TargetUnreachableError(f"{self._login.address} was lost in the middle of {file.name}: {error}") from None
        except OSError as error:
            raise DeliveryError(f"{file.path} cannot be read: {error.strerror}") from None
        finally:
            session.close()

    def place(self, name: str) -> bytes:
        """A path there."""
        return f"{self._directory}/{name}".encode()

    def answer(self, asked: "Deferred[Any]") -> "Deferred[Any]":
        """What comes to a request, or a timeout."""
        return asked.addTimeout(ANSWER_SECONDS, self._reactor)

    @property
    def verify(self) -> Verify:
        return self._verify

    @property
    def on_thread(self) -> OnThread:
        return self._on_thread


class _Upload:
    """One file in one session."""

    def __init__(self, target: SftpTarget, session: SftpSession, file: FinishedFile) -> None:
        self._target = target
        self._session = session
        self._files = session.files
        self._file = file
        self._temporary, self._final = target.place(file.temporary_name), target.place(file.name)

    async def run(self, on_sent: Callable[[], Awaitable[None]]) -> None:
        if await self._size(self._final) == self._file.size and await self._is_whole(self._final):
            return
        there = await self._size(self._temporary)
        if there is None or there < self._file.size:
            # Writes are answered in any order, so that the end of what is there may have holes.
            await self._send(max(0, (there or 0) - WINDOW_OCTETS))
        await on_sent()
        if not await self._is_whole(self._temporary):
            await self._ask(self._files.removeFile(self._temporary))
            raise DeliveryError(f"{self._file.name} did not arrive whole; it is sent anew")
        await self._rename()

    def _ask(self, asked: Any) -> "Deferred[Any]":
        return self._target.answer(asked)

    async def _size(self, path: bytes) -> int | None:
        try:
            attributes = await self._ask(self._files.getAttrs(path))
        except SFTPError as error:
            if error.code == FX_NO_SUCH_FILE:
                return None
            raise
        return int(attributes.get("size", 0))

    async def _send(self, begin: int) -> None:
        remote = await self._ask(self._files.openFile(self._temporary, FXF_WRITE | FXF_CREAT, {}))
        source: BinaryIO = await self._target.on_thread(self._file.path.open, "rb")
        try:
            await self._target.on_thread(source.seek, begin)
            await self._write_all(remote, source, begin)
            if _FSYNC in self._session.extensions:
                await self._ask(self._files.extendedRequest(_FSYNC, remote.handle))
        finally:
            source.close()
        await self._ask(remote.close())

    async def _write_all(self, remote: Any, source: BinaryIO, offset: int) -> None:
        under_way: deque[Deferred[Any]] = deque()
        try:
            while block := await self._target.on_thread(source.read, WINDOW_OCTETS):
                for start in range(0, len(block), CHUNK_OCTETS):
                    if len(under_way) >= CHUNKS_UNDER_WAY:
                        await under_way.popleft()
                    chunk = block[start : start + CHUNK_OCTETS]
                    under_way.append(self._ask(remote.writeChunk(offset, chunk)))
                    offset += len(chunk)
            while under_way:
                await under_way.popleft()
        finally:
            leave(under_way)

    async def _is_whole(self, path: bytes) -> bool:
        if await self._size(path) != self._file.size:
            return False
        return self._target.verify is not Verify.SHA256 or await self._read_hash(path) == self._file.sha256

    async def _read_hash(self, path: bytes) -> bytes:
        remote = await self._ask(self._files.openFile(path, FXF_READ, {}))
        sha256 = hashlib.sha256()
        try:
            async for octets in octets_of(remote, 0, self._file.size, self._ask):
                sha256.update(octets)
        except DeliveryError as error:
            raise DeliveryError(f"{self._file.name} {error} where it is read back") from None
        await self._ask(remote.close())
        return sha256.digest()

    async def _rename(self) -> None:
        if _POSIX_RENAME in self._session.extensions:
            await self._ask(self._files.extendedRequest(_POSIX_RENAME, NS(self._temporary) + NS(self._final)))
            return
        if await self._size(self._final) is not None:
            await self._ask(self._files.removeFile(self._final))
        await self._ask(self._files.renameFile(self._temporary, self._final))
