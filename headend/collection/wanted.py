"""What is still to be read of a meter whose program is known, in the order it is to be asked for."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from headend.c1219.clock import TimeBase
from headend.c1219.program import MeterProgram
from headend.c1219.tables import (
    MT_PROFILE_MEANING,
    ST_CLOCK,
    ST_CURRENT_REGISTERS,
    ST_EVENT_LOG,
    ST_PROFILE_STATUS,
    ST_SELF_READS,
)
from headend.collection.due import Since, block_spans, due_blocks, due_events, due_self_reads
from headend.collection.images import Span, TableImages
from headend.collection.list_state import CLOCK_SPAN, COUNTER_SPAN, EVENT_HEAD, SELF_READ_HEAD, STATUS_SPAN, ListStates, expected_states

CURRENT_REGISTERS = Span(ST_CURRENT_REGISTERS, 0, 0)


@dataclass(frozen=True, slots=True)
class Aim:
    """What one conversation is after: news since last time, and the present registers where `registers_too` or nothing else dates them."""

    since: Since
    zone: ZoneInfo
    registers_too: bool = False


def wanted_spans(
    program: MeterProgram, images: TableImages, told: ListStates, base: TimeBase | None, aim: Aim, now: datetime
) -> list[Span]:
    """Spans not known yet; [] when everything due is there. Before the meter has said how far its lists reach, what is expected."""
    expected = expected_states(program, aim.since.progress, now, aim.zone)
    blocks = _profile_spans(program, images, told, expected, base, aim, now)
    spans = _heads(program, images, bool(blocks), aim) + blocks
    self_reads, events = told.self_reads or expected.self_reads, told.events or expected.events
    if self_reads is not None:
        spans += [span for _, span in due_self_reads(program, self_reads, aim.since, now)]
    if events is not None:
        spans += [span for _, span in due_events(program, events, aim.since)]
    return _joined([span for span in spans if span == STATUS_SPAN or not images.has(span)], images)


def _heads(program: MeterProgram, images: TableImages, blocks_too: bool, aim: Aim) -> list[Span]:
    """Small tables that say how things stand; ST63 goes with every message that has blocks, so that it speaks of them as they are."""
    uses, spans = program.uses, []
    if uses(MT_PROFILE_MEANING) and MT_PROFILE_MEANING in program.tables:
        spans.append(COUNTER_SPAN)
    if uses(ST_CLOCK):
        spans.append(CLOCK_SPAN)
    if program.sets and uses(ST_PROFILE_STATUS) and (blocks_too or images.whole(ST_PROFILE_STATUS) is None):
        spans.append(STATUS_SPAN)
    if uses(ST_SELF_READS) and program.registers.self_reads:
        spans.append(SELF_READ_HEAD)
    if uses(ST_EVENT_LOG) and program.event_log.entries():
        spans.append(EVENT_HEAD)
    if reads_current_registers(program, aim):
        spans.append(CURRENT_REGISTERS)
    return spans


def reads_current_registers(program: MeterProgram, aim: Aim) -> bool:
    """Whether ST23 is read: always as asked, else only where the meter keeps no self-reads."""
    keeps_self_reads = program.uses(ST_SELF_READS) and program.registers.self_reads > 0
    return program.uses(ST_CURRENT_REGISTERS) and bool(program.registers.summations) and (aim.registers_too or not keeps_self_reads)


def _profile_spans(
    program: MeterProgram,
    images: TableImages,
    told: ListStates,
    expected: ListStates,
    base: TimeBase | None,
    aim: Aim,
    now: datetime,
) -> list[Span]:
    spans: list[Span] = []
    for profile_set, said, likely in zip(program.sets, told.sets, expected.sets, strict=True):
        status = said or likely
        if status is not None and program.uses(profile_set.table_id):
            for block in due_blocks(profile_set, status, aim.since, now, images, base):
                spans += [span for span in block_spans(profile_set, status, block) if not images.has(span)]
    return spans


def _joined(spans: Iterable[Span], images: TableImages) -> list[Span]:
    """Neighbours as one, each once."""
    joined: list[Span] = []
    for span in spans:
        last = joined[-1] if joined else None
        if last is not None and span.length and last.table == span.table and last.length and last.offset + last.length == span.offset:
            joined[-1] = Span(last.table, last.offset, last.length + span.length)
        elif span not in joined:
            joined.append(span)
    return [span for span in joined if span == STATUS_SPAN or not images.has(span)]
