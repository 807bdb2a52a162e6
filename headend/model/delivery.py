"""Deliveries: finished files on their way to targets, in order, until they are verified there; what became of each is kept."""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import NewType, Protocol

from headend.errors import LinkError, RequestError, shown

DeliveryId = NewType("DeliveryId", int)

NAME_CHARACTERS_MAX = 200
"""Characters of a file's name: with the temporary name's own it stays below the 255 octets that file systems take."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class DeliveryError(LinkError):
    """A target did not take a file; says what happened. Worth another try."""


class TargetUnreachableError(DeliveryError):
    """Nobody can be spoken to at a target: nothing else would be taken either."""


class DeliveryState(StrEnum):
    """Queued; sent and not yet found whole at the destination; verified there under its name; given up, until a person says again."""

    QUEUED = "queued"
    SENT = "sent"
    VERIFIED = "verified"
    PARKED = "parked"


@dataclass(frozen=True, slots=True)
class FinishedFile:
    """A file that changes no more: where it lies, what it is called at its destination, its octets in number and as SHA-256.

    Raises  RequestError for a name that not every file system takes
    """

    path: Path
    name: str
    size: int
    sha256: bytes

    def __post_init__(self) -> None:
        if len(self.name) > NAME_CHARACTERS_MAX or not _NAME.fullmatch(self.name):
            raise RequestError(f"{shown(self.name)} is no file name of letters, digits, dots, dashes and underscores")

    @property
    def temporary_name(self) -> str:
        """What it is called until it is whole: the same at every try, another where the contents are other."""
        return f".{self.name}.{self.sha256.hex()[:12]}.part"


@dataclass(frozen=True, slots=True)
class Delivery:
    """One file to one target. Of a `batch`, a file goes once those of lower `position` are verified: so a manifest comes last.

    `tries` are those that were begun, `settled` is when it was verified or parked, `reason` what the last failure said.
    """

    delivery_id: DeliveryId
    target: str
    batch: str
    position: int
    file: FinishedFile
    state: DeliveryState
    tries: int
    created: datetime
    deadline: datetime | None
    next_try: datetime
    settled: datetime | None
    reason: str = ""

    @property
    def on_time(self) -> bool:
        """Whether it was verified by its deadline, where it has one."""
        return self.state is DeliveryState.VERIFIED and (self.deadline is None or (self.settled or self.created) <= self.deadline)


@dataclass(frozen=True, slots=True)
class DeliveryFigures:
    """What became of the files of a day (UTC, of their deadline, else of their making) for one target.

    `due` are all of them; `failed` were parked, `open` are neither verified nor given up.
    """

    target: str
    day: str
    due: int
    on_time: int
    late: int
    failed: int
    open: int


class FileTarget(Protocol):
    """Where files go."""

    def deliver(self, file: FinishedFile, on_sent: Callable[[], Awaitable[None]]) -> Awaitable[None]:
        """Bring a file there, call `on_sent` once all octets have been taken, end once it has been found whole under its name.

        Nothing partial is ever seen under the name. Tried again it goes on where it was, and does nothing for a file that is there.
        Raises  DeliveryError, TargetUnreachableError
        """


class DeliveryStore(Protocol):
    """Deliveries of a utility."""

    def queue_files(
        self, batch: str, files: Sequence[FinishedFile], targets: Sequence[str], now: datetime, deadline: datetime | None = None
    ) -> Awaitable[int]:
        """Queue files, in their order, for each target; how many deliveries are new. The same name in the same batch is the same one."""

    def due_targets(self, now: datetime) -> Awaitable[list[str]]:
        """Targets for which something is due."""

    def claim_delivery(self, target: str, now: datetime, until: datetime) -> Awaitable[Delivery | None]:
        """The next file for a target, its try counted; nobody else gets it until `until`."""

    def hold_delivery(self, delivery_id: DeliveryId, until: datetime) -> Awaitable[None]:
        """Nobody else gets it until then either."""

    def mark_delivery(
        self, delivery_id: DeliveryId, state: DeliveryState, now: datetime, *, reason: str = "", again: datetime | None = None
    ) -> Awaitable[None]:
        """What became of a file. Verified, it closes the work item of its batch and target where nothing else of that is late."""

    def alert_late(self, ahead: Mapping[str, timedelta], now: datetime) -> Awaitable[list[tuple[str, str]]]:
        """Open a work item for each (batch, target) whose deadline is nearer than the target's `ahead`; those that are new."""

    def deliveries(
        self, limit: int, *, state: DeliveryState | None = None, target: str | None = None, batch: str | None = None
    ) -> Awaitable[list[Delivery]]:
        """The newest so many."""

    def try_again(self, delivery_ids: Sequence[DeliveryId] | None, now: datetime) -> Awaitable[int]:
        """Queue parked files anew, all of them without ids, and let waiting ones wait no longer; how many."""

    def delivery_figures(self, since: datetime) -> Awaitable[list[DeliveryFigures]]:
        """By day and target, the oldest first."""

    def done_files(self, before: datetime, limit: int) -> Awaitable[list[Path]]:
        """Files that every target had before then, and that still lie here."""

    def forget_files(self, paths: Sequence[Path]) -> Awaitable[None]:
        """They lie here no more."""
