"""How a utility's head-end is doing, as its database knows it: one value, for people, programs and metrics."""

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from headend.model.collection import CollectionSummary


@dataclass(frozen=True, slots=True)
class Reach:
    """Endpoints in service: how many, how many of them were heard in the last day, how many told their register of the last midnight."""

    active: int
    heard: int
    read: int


@dataclass(frozen=True, slots=True)
class Leases:
    """Endpoints handed out by owner, the end of the lease that ends first, and since when the longest waits that nobody has."""

    held: Mapping[str, int]
    first_ends: datetime | None
    waiting: int
    waiting_since: datetime | None


@dataclass(frozen=True, slots=True)
class Queue:
    """Things kept: how many, how large together in octets."""

    count: int
    octets: int


@dataclass(frozen=True, slots=True)
class RegularWork:
    """Work that one process at a time does: who has it now, if anybody, and when it was last done."""

    work: str
    owner: str | None
    done: datetime | None


@dataclass(frozen=True, slots=True)
class StoreStatus:
    """All of it at `at`; `exceptions` are of the last day by kind, `outbox` messages by state.

    `events` are of the last day by what was decided of them; `early` are those that wait for the program of their meter, however old.
    """

    at: datetime
    collection: CollectionSummary
    reach: Reach
    leases: Leases
    routers: Mapping[str, int]
    exceptions: Mapping[str, int]
    events: Mapping[str, int]
    work_items: Mapping[str, int]
    outbox: Mapping[str, int]
    messages: Queue
    octets: int
    regular_work: tuple[RegularWork, ...]
    schema_revision: str
    database_version: str


class StatusStore(Protocol):
    """Who knows."""

    def status(self, now: datetime, midnight: datetime) -> Awaitable[StoreStatus]:
        """How things stand at `now`; `midnight` is the last of the utility's."""
