"""What a utility uses: octets stored and octets over cellular networks, by day or month and interval length."""

from collections.abc import Awaitable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol

from headend.c1219.profile_sets import ProfileChannel
from headend.c1219.program import MeterProgram
from headend.collection.channel_map import channel_of
from headend.errors import WireError
from headend.model.collection import MeterProgramRecord
from headend.model.retention import VOLTAGE_CHANNELS

UNKNOWN_LENGTH = 0
"""In place of an interval length: of endpoints that record none, or whose program was never read."""


@dataclass(frozen=True, slots=True)
class StorageUse:
    """Intervals of one length that are stored of one UTC day, of how many endpoints, in how many octets."""

    day: date
    interval_seconds: int
    endpoints: int
    intervals: int
    octets: int


@dataclass(frozen=True, slots=True)
class TrafficUse:
    """Octets of C12.22 messages to and from cellular endpoints of one program on one UTC day; an empty fingerprint for none."""

    day: date
    program: bytes
    sent: int
    received: int


@dataclass(frozen=True, slots=True)
class Usage:
    """Both of a day, or of a month, by interval length. `endpoint_days` counts each endpoint once a day."""

    period: str
    interval_seconds: int
    endpoint_days: int = 0
    intervals: int = 0
    stored_octets: int = 0
    cellular_sent: int = 0
    cellular_received: int = 0


class UsageStore(Protocol):
    """Keeps the accounts."""

    def account_traffic(self, day: date, after: int) -> Awaitable[int | None]:
        """Count what cellular endpoints have sent and received since they were last counted as of `day`, some after endpoint `after`.

        Where to go on, None at the end.
        """

    def days_to_account(self, today: date) -> Awaitable[list[date]]:
        """Days before today whose storage is to be counted, or once more because late data has come."""

    def account_storage(self, day: date) -> Awaitable[None]:
        """Count what is stored of a day."""

    def usage(self, first: date, last: date) -> Awaitable[tuple[list[StorageUse], list[TrafficUse]]]:
        """The accounts of days."""

    def program(self, fingerprint: bytes) -> Awaitable[MeterProgramRecord | None]:
        """A meter program."""


class Accounting:
    """Keeps one utility's accounts; whoever has claimed the work calls it."""

    def __init__(self, store: UsageStore) -> None:
        self._store = store

    async def account(self, now: datetime) -> None:
        """Count traffic since the last time, and what is stored of days that are over. Raises StoreError."""
        after: int | None = 0
        while after is not None:
            after = await self._store.account_traffic(now.date(), after)
        for day in await self._store.days_to_account(now.date()):
            await self._store.account_storage(day)

    async def usages(self, first: date, last: date, *, by_month: bool) -> list[Usage]:
        """The accounts of days. Raises StoreError."""
        storage, traffic = await self._store.usage(first, last)
        lengths = {one.program: interval_seconds_of(await self._store.program(one.program)) for one in traffic}
        return usages(storage, traffic, lengths, by_month=by_month)


def interval_seconds_of(record: MeterProgramRecord | None) -> int:
    """The length of the intervals that a meter so programmed records energy or volume in, of voltage where it records nothing else."""
    if record is None:
        return UNKNOWN_LENGTH
    try:
        sets = MeterProgram.decode(dict(record.tables)).sets
    except WireError:
        return UNKNOWN_LENGTH
    billed = [one for one in sets if any(_is_billed(channel) for channel in one.channels)]
    return min((one.interval_minutes * 60 for one in billed or sets), default=UNKNOWN_LENGTH)


def _is_billed(channel: ProfileChannel) -> bool:
    known = channel_of(channel.unit, channel.statistic, channel.phase)
    return known is not None and known.channel_id not in VOLTAGE_CHANNELS


def usages(
    storage: Iterable[StorageUse], traffic: Iterable[TrafficUse], lengths: Mapping[bytes, int], *, by_month: bool
) -> list[Usage]:
    """Accounts added up by period and interval length, in that order. `lengths` are the interval lengths of programs."""
    sums: dict[tuple[str, int], list[int]] = {}

    def add(day: date, seconds: int, *amounts: int) -> None:
        row = sums.setdefault((f"{day:%Y-%m}" if by_month else day.isoformat(), seconds), [0] * 5)
        for place, amount in enumerate(amounts):
            row[place] += amount

    for stored in storage:
        add(stored.day, stored.interval_seconds, stored.endpoints, stored.intervals, stored.octets)
    for one in traffic:
        add(one.day, lengths.get(one.program, UNKNOWN_LENGTH), 0, 0, 0, one.sent, one.received)
    return [Usage(*key, *row) for key, row in sorted(sums.items())]
