"""What one conversation brought, octets by what they are of, not decoded yet; and what is to be said of it beside its data."""

from datetime import datetime
from typing import NamedTuple

from headend.c1219.clock import TimeBase
from headend.c1219.event_log_tables import LogStatus
from headend.c1219.load_profile_tables import SetStatus
from headend.c1219.program import MeterProgram
from headend.collection.device_checks import Notice
from headend.collection.due import DueBlock, Since
from headend.model.collection import MeterProgramRecord
from headend.model.endpoint import EndpointId
from headend.model.events import ExceptionKind, ExceptionRecord
from headend.model.readings import IntervalFlag

REASON_CHARACTERS_MAX = 500
"""Longest reason kept."""


class Source(NamedTuple):
    """Whose tables they are and how to read them. `drift_seconds` is how far the device's clock is ahead, where that is doubtful."""

    endpoint_id: EndpointId
    program: MeterProgram
    base: TimeBase
    since: Since
    drift_seconds: float = 0.0

    @property
    def doubt(self) -> int:
        """The flag of readings on a doubtful clock."""
        return doubt_flag(self.drift_seconds)


def doubt_flag(drift_seconds: float) -> int:
    """What is flagged on readings of a clock that is ahead (or behind, where negative); 0 where it is right."""
    if not drift_seconds:
        return 0
    return int(IntervalFlag.CLOCK_FORWARD if drift_seconds > 0 else IntervalFlag.CLOCK_BACK)


class SetOctets(NamedTuple):
    """The blocks due of one set with their octets, as many of them, from the oldest on, as are known."""

    status: SetStatus
    blocks: tuple[DueBlock, ...]
    octets: tuple[bytes, ...]

    @property
    def complete(self) -> bool:
        return len(self.octets) == len(self.blocks)

    @property
    def known(self) -> tuple[DueBlock, ...]:
        """The blocks that have octets."""
        return self.blocks if self.complete else self.blocks[: len(self.octets)]


class EntryOctets(NamedTuple):
    """The `entries` due of a list, the newest it has, with their octets, as many of them, from the oldest on, as are known."""

    status: LogStatus
    entries: int
    octets: tuple[bytes, ...]

    @property
    def complete(self) -> bool:
        return len(self.octets) == self.entries


class Gathered(NamedTuple):
    """All that is due of one meter, as far as it is known; None for what the meter has told nothing of.

    `registers` is ST23 where it is wanted, `stamp` the device seconds of the meter's clock beside it. `complete` says whether all that
    is due is there.
    """

    source: Source
    sets: tuple[SetOctets | None, ...]
    self_reads: EntryOctets | None
    events: EntryOctets | None
    registers: bytes | None
    stamp: int | None
    complete: bool


class Remarks(NamedTuple):
    """What is to be said of a conversation: how it ended where that was no good end, what was refused, not understood, or doubtful."""

    kind: ExceptionKind | None = None
    reason: str = ""
    refusals: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    clock: str | None = None
    notices: tuple[Notice, ...] = ()

    def notice_records(self, endpoint_id: EndpointId, now: datetime) -> tuple[ExceptionRecord, ...]:
        """Each notice as a record of its own."""
        return tuple([ExceptionRecord(endpoint_id, one.kind, now, one.reason[:REASON_CHARACTERS_MAX]) for one in self.notices])

    def exception(self, endpoint_id: EndpointId, now: datetime, more_problems: list[str] | tuple[str, ...] = ()) -> ExceptionRecord | None:
        """All of it as one exception, whose kind is that of the gravest; None where there is nothing to say."""
        kind = self.kind
        reasons = [self.reason] if self.reason else []
        for given, texts in (
            (ExceptionKind.REFUSED, self.refusals),
            (ExceptionKind.MALFORMED, (*self.problems, *more_problems)),
            (ExceptionKind.CLOCK, (self.clock,) if self.clock else ()),
        ):
            if texts:
                kind = kind or given
                reasons += texts
        return None if kind is None else ExceptionRecord(endpoint_id, kind, now, "; ".join(reasons)[:REASON_CHARACTERS_MAX])


NO_REMARKS = Remarks()


class Transcript(NamedTuple):
    """One conversation at its end.

    `heard` is when the meter was last heard, None where it was not. `reply_octets_max` is what it was found to be able to answer, 0 where
    that is as much as we ask for.
    """

    endpoint_id: EndpointId
    lease_id: int | None
    heard: datetime | None
    ended: datetime
    remarks: Remarks = NO_REMARKS
    gathered: Gathered | None = None
    program: MeterProgramRecord | None = None
    reply_octets_max: int = 0
    octets_sent: int = 0
    octets_received: int = 0
