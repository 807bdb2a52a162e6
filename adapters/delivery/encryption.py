"""Encrypts what goes to a target with age, for whoever has the key to one of its recipients.

Encrypting is never the same twice, so the encrypted copy is made once and kept beside the file until it has arrived: every try sends
the same octets, goes on where the last one was, and can be verified.
"""

import hashlib
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import pyrage

from adapters.delivery.spool import FileInTheMaking, SpoolError, sha256_of
from adapters.delivery.threads import OnThread
from headend.errors import RequestError
from headend.model.delivery import DeliveryError, FileTarget, FinishedFile

SUFFIX = ".age"


def recipient_of(text: str) -> Any:
    """A recipient: `age1…`, or the public half of an SSH key (ed25519 or RSA). Raises RequestError."""
    kind = pyrage.ssh.Recipient if text.startswith("ssh-") else pyrage.x25519.Recipient
    try:
        return kind.from_str(text)
    except pyrage.RecipientError:
        raise RequestError(f"{text[:20]!r}… is no age recipient: age1… or an SSH public key") from None


class EncryptedTarget:
    """A FileTarget behind which another gets encrypted files, by the name with `.age` behind it."""

    def __init__(self, target: FileTarget, recipients: Sequence[str], on_thread: OnThread) -> None:
        self._target = target
        self._recipients = [recipient_of(one) for one in recipients]
        # Those of other recipients are other files.
        self._mark = hashlib.sha256("\n".join(recipients).encode()).hexdigest()[:8]
        self._on_thread = on_thread

    async def deliver(self, file: FinishedFile, on_sent: Callable[[], Awaitable[None]]) -> None:
        """See FileTarget."""
        encrypted: FinishedFile = await self._on_thread(self._encrypted, file)
        await self._target.deliver(encrypted, on_sent)
        await self._on_thread(encrypted.path.unlink, True)

    def _encrypted(self, file: FinishedFile) -> FinishedFile:
        name = f"{file.name}{SUFFIX}"
        copy = file.path.with_name(f"{file.path.name}.{self._mark}{SUFFIX}")
        try:
            if not copy.exists():
                self._encrypt(file.path, copy)
            return FinishedFile(copy, name, copy.stat().st_size, sha256_of(copy))
        except (OSError, SpoolError, pyrage.EncryptError) as error:
            raise DeliveryError(f"{file.name} cannot be encrypted: {error}") from None

    def _encrypt(self, plain: Path, copy: Path) -> None:
        with plain.open("rb") as source, FileInTheMaking(copy.parent, copy.name) as made:
            pyrage.encrypt_io(source, _Written(made), self._recipients)
            made.finish()


class _Written:
    """What the library writes to."""

    def __init__(self, file: FileInTheMaking) -> None:
        self._file = file

    def write(self, octets: bytes) -> int:
        self._file.write(bytes(octets))
        return len(octets)

    def flush(self) -> None:
        """Nothing is held back."""
