"""What is still to be read of a meter whose program is known, in the order it is to be asked for."""

from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from headend.c1219.program import MeterProgram
from headend.c1219.tables import (
    MT_PROFILE_MEANING,
    ST_CLOCK,
    ST_CURRENT_REGISTERS,
    ST_EVENT_LOG,
    ST_PROFILE_STATUS,
    ST_SELF_READS,
)
from headend.collection.due import Due, Since, joined
from headend.collection.images import Span, TableImages
from headend.collection.list_state import CLOCK_SPAN, COUNTER_SPAN, EVENT_HEAD, SELF_READ_HEAD, STATUS_SPAN
from headend.collection.programs import PROGRAMS_MAX

CURRENT_REGISTERS = Span(ST_CURRENT_REGISTERS, 0, 0)


class Aim(NamedTuple):
    """What one conversation is after: news since last time, and the present registers where `registers_too` or nothing else dates them."""

    since: Since
    zone: ZoneInfo
    registers_too: bool = False


def wanted_spans(program: MeterProgram, images: TableImages, due: Due, aim: Aim) -> list[Span]:
    """Spans not known yet; [] when everything due is there.

    ST63 goes with every message that has blocks, known or not, so that it speaks of them as they are.
    """
    heads = head_spans(program, aim.registers_too)
    entries = [one for one in (due.self_reads, due.events) if one is not None]
    if not images:
        spans = [*heads]
        for one in (*due.sets, *entries):
            if one is not None:
                spans += one.joined
        return spans
    has = images.has
    blocks = [span for one in due.sets if one is not None for block in one.blocks for span in block.spans if not has(span)]
    missing = [span for span in heads if not has(span) or (blocks and span is STATUS_SPAN)]
    return [*missing, *joined(blocks + [span for one in entries for span in one.spans if not has(span)])]


@lru_cache(maxsize=2 * PROGRAMS_MAX)
def head_spans(program: MeterProgram, registers_too: bool) -> tuple[Span, ...]:
    """Small tables, and heads of lists, that say how things stand."""
    tables = program.general.tables
    spans: list[Span] = []
    if MT_PROFILE_MEANING in program.tables:
        spans.append(COUNTER_SPAN)
    if ST_CLOCK in tables:
        spans.append(CLOCK_SPAN)
    if program.sets and ST_PROFILE_STATUS in tables:
        spans.append(STATUS_SPAN)
    if ST_SELF_READS in tables and program.registers.self_reads:
        spans.append(SELF_READ_HEAD)
    if ST_EVENT_LOG in tables and program.event_log.entries():
        spans.append(EVENT_HEAD)
    if reads_current_registers(program, registers_too):
        spans.append(CURRENT_REGISTERS)
    return tuple(spans)


def reads_current_registers(program: MeterProgram, registers_too: bool) -> bool:
    """Whether ST23 is read: always as asked, else only where the meter keeps no self-reads."""
    tables = program.general.tables
    keeps_self_reads = ST_SELF_READS in tables and program.registers.self_reads > 0
    return (registers_too or not keeps_self_reads) and ST_CURRENT_REGISTERS in tables and bool(program.registers.summations)
