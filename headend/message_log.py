"""The message log: every exchange with a partner as a value, and the port that keeps them.

Envelopes are kept without secrets, packed, and for as long as the utility wants.
"""

from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol


class Direction(StrEnum):
    """Who began an exchange: a partner, or we."""

    IN = "in"
    OUT = "out"


ANSWERED, REFUSED, CUT_OFF = "answered", "refused", "cut off"
"""Verdicts beside the codes of faults: all went well; no SOAP message at all; the connection ended before the answer did."""


@dataclass(frozen=True, slots=True)
class MessageEntry:
    """One exchange without its envelopes; text is empty and a count 0 where there was none.

    `soap` is the SOAP version. `objects_in` and `objects_out` count the objects of request and answer. `verdict` is one of the three
    above or the code of a fault.
    """

    direction: Direction
    began: datetime
    duration_us: int
    partner: str
    address: str
    server: str
    version: str
    soap: str
    operation: str
    transaction_id: str
    registration_id: str
    objects_in: int
    objects_out: int
    octets_in: int
    octets_out: int
    verdict: str


@dataclass(frozen=True, slots=True)
class MessagePack:
    """Exchanges, and their envelopes packed as one: octets that hold no secrets. Envelopes may be heads of longer ones."""

    entries: Sequence[MessageEntry]
    octets: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class PackedEnvelopes:
    """Where the request and answer of one exchange are: a pack, and its place among the entries of it."""

    octets: bytes = field(repr=False)
    place: int


@dataclass(frozen=True, slots=True)
class MessageFilter:
    """Which exchanges are meant; patterns have `*`. `after` is the number of the last one seen."""

    partner: str = ""
    operation: str = ""
    transaction_id: str = ""
    verdict: str = ""
    since: datetime | None = None
    after: int | None = None


@dataclass(frozen=True, slots=True)
class TransactionProgress:
    """How far a deferred request of a transaction has come: targets by state."""

    request_id: int
    partner: str
    operation: str
    accepted: datetime
    expires: datetime
    states: Mapping[str, int]


class MessageStore(Protocol):
    """Exchanges of a utility, numbered in the order in which they were stored."""

    def add_messages(self, packs: Sequence[MessagePack]) -> Awaitable[None]:
        """Store exchanges, all or none."""

    def messages(self, wanted: MessageFilter, limit: int) -> Awaitable[list[tuple[int, MessageEntry]]]:
        """The newest exchanges that are meant, or the oldest after `after`, with their numbers in ascending order."""

    def message(self, number: int) -> Awaitable[tuple[MessageEntry, PackedEnvelopes] | None]:
        """One exchange whole."""

    def purge_messages(self, before: datetime, octets_max: int) -> Awaitable[int]:
        """Forget exchanges that began before an instant, and the oldest until the others fit; how many were forgotten, some at a time.

        0 when there is nothing left to forget.
        """

    def transaction_progress(self, transaction_id: str) -> Awaitable[list[TransactionProgress]]:
        """Deferred requests under a transaction id, of any partner."""
