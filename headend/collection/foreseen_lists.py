"""What a list of a meter is expected to have that is new: what is asked for it, and where in the answers that stands.

This depends on the place in the ring and on what came since the last time, not on how often the ring has gone round. So it is found out,
by the functions that `Reading` uses, for a set whose block 0 ended at the epoch, and remembered for all that are alike.
"""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from functools import lru_cache
from typing import NamedTuple

from headend.c1219.clock import EPOCH_UTC
from headend.c1219.event_log_tables import LOG_HEADER_OCTETS, EventLogLayout
from headend.c1219.load_profile_tables import SetStatus
from headend.c1219.profile_sets import ProfileSet
from headend.c1219.register_layout import SELF_READ_HEADER_OCTETS, RegisterLayout
from headend.c1219.tables import ST_EVENT_LOG, ST_SELF_READS
from headend.collection.due import PLACES_MAX, DueBlock, Evidence, Ring, Since, due_blocks, due_entries
from headend.collection.images import Span, TableImages
from headend.collection.list_state import EVENTS_AHEAD, expected_set
from headend.collection.requests import RESPONSE_OVERHEAD, Asked, joined_requests, partial_read
from headend.model.collection import Progress, SetProgress

Cut = tuple[int, slice]
"""Which answer, and which of its octets."""


class Share(NamedTuple):
    """A list's share of a message: the requests, also joined, and the lengths of their answers; octets of the reply that these take.

    `cuts` say of what the octets of each block or entry are made.
    """

    asked: tuple[Asked, ...]
    joined: bytes
    lengths: tuple[int, ...]
    reply_octets: int
    cuts: tuple[tuple[Cut, ...], ...]

    def octets(self, answers: Sequence[bytes], start: int) -> tuple[bytes, ...]:
        """The octets of each block or entry, from the answers to the whole message, of which those to this share begin at `start`."""
        return tuple([b"".join([answers[start + at][part] for at, part in cuts]) for cuts in self.cuts])


class SetForeseen(NamedTuple):
    """How much `further` than the last time a set's newest block is expected, where, and with how many intervals; and what is due then.

    `blocks_needed` is how many blocks the set must hold, so that all of these are among them.
    """

    further: int
    newest_element: int
    newest_valid: int
    blocks_needed: int
    blocks: tuple[DueBlock, ...]
    share: Share

    def is_told(self, status: SetStatus, last_seq: int) -> bool:
        """Whether a meter says just this; `last_seq` is the block collected last."""
        return (
            status.last_seq == last_seq + self.further
            and status.last_element == self.newest_element
            and status.valid_intervals == self.newest_valid
            and status.valid_blocks >= self.blocks_needed
            and not status.blocks_descending
            and not status.intervals_descending
        )


@lru_cache(maxsize=PLACES_MAX)
def foreseen_set(profile_set: ProfileSet, element: int, valid_intervals: int, gone_by: int) -> SetForeseen:
    """After so many intervals have gone by since the block at `element` was collected with `valid_intervals`."""
    done = SetProgress(0, element, valid_intervals, EPOCH_UTC)
    now = EPOCH_UTC + timedelta(minutes=gone_by * profile_set.interval_minutes)
    status = expected_set(profile_set, done, now)
    assert status is not None
    since = Since(Progress((done,) * (profile_set.index + 1)), EPOCH_UTC)
    due = due_blocks(profile_set, status, since, now, Evidence(TableImages(), None))
    needed = min(status.last_seq + 1, profile_set.blocks)
    share = _share([block.spans for block in due.blocks], due.joined)
    return SetForeseen(status.last_seq, status.last_element, status.valid_intervals, needed, due.blocks, share)


@lru_cache(maxsize=PLACES_MAX)
def foreseen_self_reads(registers: RegisterLayout, newest_element: int, count: int) -> Share:
    """The newest `count` entries of ST26."""
    ring = Ring(newest_element, registers.self_reads, False)
    due = due_entries(ST_SELF_READS, SELF_READ_HEADER_OCTETS, registers.entry_size, ring, count)
    return _share([(span,) for span in due.spans], due.joined)


@lru_cache(maxsize=PLACES_MAX)
def foreseen_events(log: EventLogLayout, newest_element: int) -> Share:
    """The entries of ST76 up to the last that is asked for before it is known to be there."""
    ring = Ring(newest_element, log.entries(), False)
    due = due_entries(ST_EVENT_LOG, LOG_HEADER_OCTETS, log.entry_size, ring, min(EVENTS_AHEAD, log.entries()))
    return _share([(span,) for span in due.spans], due.joined)


def _share(items: Iterable[Sequence[Span]], joined: Sequence[Span]) -> Share:
    asked = tuple([partial_read(span) for span in joined])
    octets = sum([span.length + RESPONSE_OVERHEAD for span in joined])
    cuts = tuple([tuple([_cut(span, joined) for span in spans]) for spans in items])
    return Share(asked, joined_requests(asked), tuple([span.length for span in joined]), octets, cuts)


def _cut(span: Span, joined: Sequence[Span]) -> Cut:
    at = next(i for i, one in enumerate(joined) if one.offset <= span.offset and span.offset + span.length <= one.offset + one.length)
    start = span.offset - joined[at].offset
    return at, slice(start, start + span.length)
