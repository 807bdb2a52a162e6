"""A directory as a target: copied under a temporary name, synchronized, read back, renamed. On pool threads."""

import errno
import hashlib
import os
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

from adapters.delivery.spool import sha256_of, sync_directory
from adapters.delivery.threads import OnThread
from headend.model.delivery import DeliveryError, FinishedFile, TargetUnreachableError

_ABSENT = {errno.ENOENT, errno.ENOTDIR, errno.ESTALE, errno.EHOSTDOWN, errno.ENOTCONN, errno.EIO}
"""What a mount says that is gone."""


class DirectoryTarget:
    """A FileTarget. `must_exist` is for mounts: what is mounted elsewhere is not to be filled up in its place."""

    def __init__(self, directory: Path, on_thread: OnThread, *, must_exist: bool = True) -> None:
        self._directory = directory
        self._on_thread = on_thread
        self._must_exist = must_exist

    async def deliver(self, file: FinishedFile, on_sent: Callable[[], Awaitable[None]]) -> None:
        """See FileTarget."""
        if await self._on_thread(self._is_there, file):
            return
        await self._on_thread(self._copy, file)
        await on_sent()
        await self._on_thread(self._publish, file)

    def _is_there(self, file: FinishedFile) -> bool:
        """Whether an earlier try came to its end without anybody knowing."""
        try:
            if not self._must_exist:
                self._directory.mkdir(parents=True, exist_ok=True)
            if not self._directory.is_dir():
                raise TargetUnreachableError(f"there is no directory {self._directory}")
            final = self._directory / file.name
            return final.is_file() and final.stat().st_size == file.size and sha256_of(final) == file.sha256
        except OSError as error:
            raise self._problem(error) from None

    def _copy(self, file: FinishedFile) -> None:
        temporary = self._directory / file.temporary_name
        try:
            with file.path.open("rb") as source, temporary.open("wb") as copy:
                shutil.copyfileobj(source, copy, 1 << 20)
                copy.flush()
                os.fsync(copy.fileno())
        except OSError as error:
            _remove(temporary)
            raise self._problem(error) from None

    def _publish(self, file: FinishedFile) -> None:
        temporary = self._directory / file.temporary_name
        try:
            with temporary.open("rb") as copy:
                found = hashlib.file_digest(copy, "sha256").digest()
            if found != file.sha256:
                _remove(temporary)
                raise DeliveryError(f"{file.name} was read back from {self._directory} with other contents")
            temporary.replace(self._directory / file.name)
            sync_directory(self._directory)
        except OSError as error:
            raise self._problem(error) from None

    def _problem(self, error: OSError) -> DeliveryError:
        words = f"{error.filename or self._directory}: {error.strerror or error}"
        gone = error.errno in _ABSENT and not self._directory.is_dir()
        return TargetUnreachableError(words) if gone else DeliveryError(words)


def _remove(temporary: Path) -> None:
    try:
        temporary.unlink(missing_ok=True)
    except OSError:
        # The directory is gone with it, or says why at the next try.
        return
