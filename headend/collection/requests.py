"""Spans to read → the services of one message, within what the meter can answer at once."""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from headend.c1219.access import TABLE_DATA_OVERHEAD, ReadPiece, read_plan
from headend.c1219.general_tables import Access
from headend.c1219.program import MeterProgram
from headend.c1219.table_shapes import table_shape
from headend.c1219.tables import ST_CLOCK, ST_PROFILE_STATUS, table_name
from headend.c1222.epsem import join_services
from headend.c1222.services import FullRead, PartialReadOffset
from headend.c1222.table_data import decode_table_data
from headend.collection.images import Span
from headend.errors import WireError

APDU_OVERHEAD = 96
"""Octets of a reply beside its responses: titles, ids, authentication value, lengths, MAC; 70 to 90 in practice."""

RESPONSE_OVERHEAD = TABLE_DATA_OVERHEAD + 2
"""Octets of a response beside its data, its own length included."""

PART_OCTETS_MIN = 48
"""A span is divided to fill up a reply only where at least so much of it goes in."""

SERVICES_PER_MESSAGE_MAX = 48
"""Requests in one message: keeps requests under 600 octets."""

SMALL_TABLE_OCTETS = 64
"""What a table whose length is not known is taken to have."""

_SMALL_TABLES = {table: FullRead(table).encode() for table in (ST_CLOCK, ST_PROFILE_STATUS)}
"""Always read whole: dividing them would cost more octets than it saves."""


class Asked(NamedTuple):
    """One service, and the octets of the table that its answer will hold (`length` None: all from `offset` on)."""

    body: bytes
    table: int
    offset: int
    length: int | None


REQUESTS_MAX = 8_192
"""Requests kept encoded: endpoints with the same program ask for the same places, each at its own time."""

_BY_OFFSET = frozenset({Access.OFFSET, Access.BOTH})


def full_reads(tables: Iterable[int]) -> tuple[Asked, ...]:
    """Whole tables, whatever their length."""
    return tuple(Asked(FullRead(table).encode(), table, 0, None) for table in tables)


def one_message(program: MeterProgram, spans: Sequence[Span], reply_octets_max: int) -> tuple[Asked, ...]:
    """As many of the spans, in order, as one reply holds; always at least one request."""
    left = reply_octets_max - APDU_OVERHEAD
    chosen: list[Asked] = []
    by_offset = is_read_by_offset(program)
    seen: set[int] = set()
    for span in spans:
        if len(chosen) >= SERVICES_PER_MESSAGE_MAX or (chosen and left < RESPONSE_OVERHEAD + min(span.length or 1, PART_OCTETS_MIN)):
            break
        if by_offset and span.length:
            count = min(span.length, max(left - RESPONSE_OVERHEAD, 1))
            chosen.append(partial_read(Span(span.table, span.offset, count)))
            left -= count + RESPONSE_OVERHEAD
        elif span.table in _SMALL_TABLES and not span.length:
            chosen.append(_SMALL_READS[span.table])
            left -= SMALL_TABLE_OCTETS
        else:
            left = _add_planned(program, span, left, chosen, seen)
    return tuple(chosen)


def is_read_by_offset(program: MeterProgram) -> bool:
    """Whether any octets of a table can be asked for."""
    return program.general.access in _BY_OFFSET


@lru_cache(maxsize=REQUESTS_MAX)
def partial_read(span: Span) -> Asked:
    """The request for a span, whatever its length."""
    return Asked(PartialReadOffset(*span).encode(), *span)


def answer_length(program: MeterProgram, asked: Asked) -> int | None:
    """Octets of a table that the answer to a request holds; None where that is not known."""
    if asked.length is not None:
        return asked.length
    if asked.table == ST_CLOCK:
        return program.general.formats.time.ltime_size + 1
    shape = table_shape(program, asked.table)
    return None if shape is None else shape.size


def reply_octets(asked: Asked, length: int) -> int:
    """Octets of a reply that an answer of this length takes, or about as many."""
    return SMALL_TABLE_OCTETS if asked.table in _SMALL_TABLES else length + RESPONSE_OVERHEAD


def joined_requests(asked: Sequence[Asked]) -> bytes:
    """Requests one after another, as a message carries them."""
    return join_services([one.body for one in asked])


def answered_octets(asked: Asked, response: bytes) -> bytes:
    """The octets of a table that a response holds. Raises WireError where it is a refusal, or they are not those asked for."""
    if response[:1] != b"\x00":
        raise WireError(f"response {response[:1].hex() or 'without octets'} in place of {table_name(asked.table)}")
    octets = decode_table_data(response, 1)
    if asked.length is not None and len(octets) != asked.length:
        raise WireError(f"{len(octets)} octets at {asked.offset} where {asked.length} were asked for")
    return octets


_SMALL_READS = {table: Asked(body, table, 0, None) for table, body in _SMALL_TABLES.items()}


def _add_planned(program: MeterProgram, span: Span, left: int, chosen: list[Asked], seen: set[int]) -> int:
    """Requests for a span that cannot be read by offset, while there is room; the octets left then."""
    wanted = range(span.offset, span.offset + span.length) if span.length else None
    for piece in read_plan(program, span.table, wanted, max(left - RESPONSE_OVERHEAD, 1)).pieces:
        whole = isinstance(piece.request, FullRead)
        if whole and span.table in seen:
            continue
        octets = RESPONSE_OVERHEAD + _octets(program, span.table, piece)
        # A table that no reply holds and that cannot be divided has one to itself, but for the small ones that go with it.
        if octets > left and any(one.body not in _SMALL_TABLES.values() for one in chosen):
            return 0
        if whole:
            seen.add(span.table)
        chosen.append(Asked(piece.request.encode(), span.table, piece.offset, piece.count))
        left -= octets
    return left


def _octets(program: MeterProgram, table: int, piece: ReadPiece) -> int:
    if piece.count is not None:
        return piece.count
    shape = table_shape(program, table)
    if shape is not None:
        return shape.size
    raw: Mapping[int, bytes] = program.tables
    return len(raw[table]) if table in raw else SMALL_TABLE_OCTETS
