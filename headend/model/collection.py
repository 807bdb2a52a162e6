"""What passes between the collection engine and its store: assignments out, what a conversation brought in."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from headend.model.endpoint import EndpointId, NativeAddress
from headend.model.events import DeviceEvent, EarlyEvent, ExceptionRecord
from headend.model.readings import IntervalBlock, RegisterRead


class SetProgress(NamedTuple):
    """How far one load-profile set has been collected: the newest block seen, and how many of its intervals were valid.

    `block_seq` is ST63's LAST_BLOCK_SEQ of that block, `element` its place in the ring, `end` its end in UTC.
    """

    block_seq: int
    element: int
    valid_intervals: int
    end: datetime


class Progress(NamedTuple):
    """How far an endpoint has been collected; persisted with the data it describes.

    `self_read_seq` and `event_seq` are the last sequence numbers taken from ST26 and ST76; -1 for none.
    `reply_octets_max` is what the endpoint was found to be able to answer (0: not known), `device` the serial number of the device that
    all this is of (empty: it has not said one), `wake_ups` when that wakes, in minutes of its clock's day (empty: it has not said).
    """

    sets: tuple[SetProgress, ...] = ()
    self_read_seq: int = -1
    event_seq: int = -1
    reply_octets_max: int = 0
    device: str = ""
    wake_ups: tuple[int, ...] = ()


Gap = tuple[datetime, datetime]
"""From when until when intervals are missing that the meter may still have."""


class Assignment(NamedTuple):
    """One endpoint handed out for one interrogation, with all that the conversation needs.

    Invocation ids `first_invocation_id` … + `invocation_ids` - 1 (wrapping within 1..32767) are this lease's own: they were
    reserved in the transaction that handed it out, so no crash can make one serve twice under the same key and second.
    `collect_from` bounds how far back a first contact reads; `gaps` are read again beside what is news. `program` is the fingerprint of
    the program last seen, None for none.
    """

    lease_id: int
    endpoint_id: EndpointId
    meter_no: str
    ap_title: bytes
    address: NativeAddress
    router: str | None
    configuration: str
    key_id: int
    key: bytes
    program: bytes | None
    progress: Progress
    collect_from: datetime
    first_invocation_id: int
    invocation_ids: int
    gaps: tuple[Gap, ...] = ()

    def __repr__(self) -> str:
        return f"Assignment({self.meter_no}, lease {self.lease_id})"


@dataclass(frozen=True, slots=True)
class EndpointSecurity:
    """What is needed to accept what an endpoint sends on its own: identity, keys and the packed replay window.

    `address` is None for one that has never said where it is.
    """

    endpoint_id: EndpointId
    meter_no: str
    ap_title: bytes
    configuration: str
    active: bool
    keys: tuple[tuple[int, bytes], ...] = field(repr=False)
    program: bytes | None
    progress: Progress
    replay_window: bytes
    address: NativeAddress | None


@dataclass(frozen=True, slots=True)
class MeterProgramRecord:
    """The raw octets of the tables that make a meter program, to be decoded again after a restart."""

    fingerprint: bytes
    tables: tuple[tuple[int, bytes], ...]


@dataclass(frozen=True, slots=True)
class OutgoingMessage:
    """A message that follows from what is recorded; goes into the outbox in the same transaction."""

    subscriber: str
    kind: str
    payload: bytes
    endpoint_id: EndpointId | None = None


@dataclass(frozen=True, slots=True)
class Collected:
    """All that one conversation or push brought, to be recorded in one transaction, idempotently.

    `lease_id` is None for a push. `exception` may stand beside data: what was good is kept; `notices` took nothing away. `replay_window`
    and `address` are given where they changed. `octets_sent` and `octets_received` count the endpoint's traffic. `early_events` are kept
    until the endpoint's program is known; `early_understood` are those of them that need not be kept any longer.
    """

    endpoint_id: EndpointId
    heard: datetime | None
    lease_id: int | None = None
    register_reads: tuple[RegisterRead, ...] = ()
    interval_blocks: tuple[IntervalBlock, ...] = ()
    events: tuple[DeviceEvent, ...] = ()
    program: MeterProgramRecord | None = None
    progress: Progress | None = None
    exception: ExceptionRecord | None = None
    notices: tuple[ExceptionRecord, ...] = ()
    replay_window: bytes | None = None
    address: NativeAddress | None = None
    messages: tuple[OutgoingMessage, ...] = ()
    octets_sent: int = 0
    octets_received: int = 0
    early_events: tuple[EarlyEvent, ...] = ()
    early_understood: tuple[EarlyEvent, ...] = ()


@dataclass(frozen=True, slots=True)
class CollectionSummary:
    """What a collection has come to, for progress bars and summaries."""

    endpoints: int
    due: int
    done: int
    failed: int
    register_reads: int
    intervals: int
    events: int
