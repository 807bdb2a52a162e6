"""Files in the making: written under a temporary name, counted and hashed on the way, named once they are whole and on the disk."""

import hashlib
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from headend.errors import HeadEndError
from headend.model.delivery import FinishedFile

PIECE_OCTETS = 1 << 20
"""Octets read from a file at once."""


class SpoolError(HeadEndError):
    """A file cannot be written here: the disk is full, or the directory is not ours; says which and why."""

    def __init__(self, path: Path, error: OSError) -> None:
        self.path = path
        super().__init__(f"{path} cannot be written: {error.strerror or error}")


class FileInTheMaking:
    """One file that is being written; nothing stands under its name before `finish`. Leaving the context unfinished removes what there is.

    Raises  SpoolError
    """

    def __init__(self, directory: Path, name: str) -> None:
        self._final = directory / name
        self._temporary = directory / f".{name}.writing"
        self._sha256 = hashlib.sha256()
        self.size = 0
        try:
            directory.mkdir(parents=True, exist_ok=True)
            self._file = self._temporary.open("wb", buffering=PIECE_OCTETS)
        except OSError as error:
            raise SpoolError(self._final, error) from None

    def write(self, octets: bytes) -> None:
        """Add octets."""
        try:
            self._file.write(octets)
        except OSError as error:
            raise SpoolError(self._final, error) from None
        self._sha256.update(octets)
        self.size += len(octets)

    def finish(self) -> FinishedFile:
        """Give it its name, in place of an older one; then it survives a power cut."""
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            self._temporary.replace(self._final)
            sync_directory(self._final.parent)
        except OSError as error:
            raise SpoolError(self._final, error) from None
        return FinishedFile(self._final, self._final.name, self.size, self._sha256.digest())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        # What cannot be flushed is not wanted any more.
        with suppress(OSError):
            self._file.close()
        self._temporary.unlink(missing_ok=True)


def remove_files(paths: Iterable[Path]) -> None:
    """Remove files that lie in a spool, and directories that are empty then; those that are gone already are gone."""
    for path in paths:
        try:
            path.unlink(missing_ok=True)
            path.parent.rmdir()
        except OSError:
            continue


def sync_directory(directory: Path) -> None:
    """Have the names of a directory on the disk. Raises OSError."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sha256_of(path: Path) -> bytes:
    """The hash of a file. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()
