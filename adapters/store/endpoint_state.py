"""One endpoint's row of collection state, as a value that is read, changed and written back whole."""

from datetime import datetime
from enum import IntEnum
from typing import NamedTuple, Self

from adapters.store.instants import from_us, to_us
from adapters.store.progress_packing import pack_progress
from headend.model.collection import Collected
from headend.retries import NO_MISSES, Misses, RetryPolicy, is_missed, with_miss

_LEASE_SHIFT = 32


class Outcome(IntEnum):
    """Where an endpoint stands in the present collection."""

    NONE = 0
    DUE = 1
    DONE = 2
    FAILED = 3


class Ending(NamedTuple):
    """How an interrogation that is recorded `now` ended, and when one that was missed is tried again."""

    failed: bool
    now: datetime
    retries: RetryPolicy


class EndpointState(NamedTuple):
    """A row of `endpoint_state`, columns in the table's order.

    `due_us` is when the endpoint may be handed out next: while it is leased, the end of the lease. `missed` interrogations were missed in
    a row, since `missed_us`.
    """

    endpoint_id: int
    outcome: int
    due_us: int | None
    scheduled_us: int | None
    collect_from_us: int
    lease_owner: str | None
    lease_no: int
    attempts: int
    next_invocation_id: int
    program: bytes | None
    progress: bytes
    replay_window: bytes
    heard_us: int | None
    transport: str | None
    host: str | None
    port: int | None
    octets_sent: int
    octets_received: int
    last_read_us: int | None
    missed: int = 0
    missed_us: int | None = None

    @classmethod
    def new(cls, endpoint_id: int) -> Self:
        """Of an endpoint that was never collected."""
        return cls(endpoint_id, Outcome.NONE, None, None, 0, None, 0, 0, 1, None, b"", b"", None, None, None, None, 0, 0, None)

    def after(self, item: Collected, last_read_us: int | None, ending: Ending) -> "EndpointState":
        """The state once `item` is stored. A lease that is no longer the endpoint's current one changes nothing but the facts."""
        heard_us = None if item.heard is None else to_us(item.heard)
        is_news = heard_us is not None and (self.heard_us is None or heard_us > self.heard_us)
        holds_lease = self.lease_owner is not None and item.lease_id == lease_id(self.endpoint_id, self.lease_no)
        counted = is_news or holds_lease
        address = item.address
        misses = self._misses_after(item, ending) if holds_lease else self._misses
        retry = ending.retries.retry_at(self.endpoint_id, misses, ending.now) if holds_lease else None
        return EndpointState(
            self.endpoint_id,
            (Outcome.FAILED if ending.failed else Outcome.DONE).value if holds_lease else self.outcome,
            (None if retry is None else to_us(retry)) if holds_lease else self.due_us,
            self.scheduled_us,
            self.collect_from_us,
            None if holds_lease else self.lease_owner,
            self.lease_no,
            self.attempts,
            self.next_invocation_id,
            self.program if item.program is None else item.program.fingerprint,
            self.progress if item.progress is None else pack_progress(item.progress),
            self.replay_window if item.replay_window is None else item.replay_window,
            heard_us if is_news else self.heard_us,
            self.transport if address is None else address.transport.value,
            self.host if address is None else address.host,
            self.port if address is None else address.port,
            self.octets_sent + item.octets_sent * counted,
            self.octets_received + item.octets_received * counted,
            self.last_read_us if last_read_us is None else max(self.last_read_us or last_read_us, last_read_us),
            misses.in_a_row,
            None if misses.since is None else to_us(misses.since),
        )

    @property
    def _misses(self) -> Misses:
        return Misses(self.missed, None if self.missed_us is None else from_us(self.missed_us))

    def _misses_after(self, item: Collected, ending: Ending) -> Misses:
        if not is_missed(item, ending.failed):
            return NO_MISSES
        heard_before = None if self.heard_us is None else from_us(self.heard_us)
        return with_miss(self._misses, heard_before, item.heard, ending.now)


def lease_id(endpoint_id: int, lease_no: int) -> int:
    """A lease's own number, unlike that of any other lease of any endpoint."""
    return lease_no << _LEASE_SHIFT | endpoint_id
