"""What every ReadingQueries and EventQueries must do, as functions over one that holds the fleet made here; fakes and stores pass the same.

The fleet: M1 with two midnights of two channels and hourly intervals, M2 with one midnight, M3 never read, and ten more of one read each.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from headend.model.channels import ChannelId
from headend.model.endpoint import Commodity, EndpointId
from headend.model.events import DeviceEvent
from headend.model.instants import to_us
from headend.model.partner import MeterIdentifier
from headend.model.readings import IntervalBlock, IntervalFlag, ReadSource, RegisterRead, RegisterRow
from headend.model.selections import Fleet, Period, quantities
from headend.reading_queries import ListedRow, MeterPage, Position, RegisterPage, Values

DAY = date(2026, 7, 1)
MIDNIGHT = datetime(2026, 7, 1, 5, tzinfo=UTC)
NEXT = MIDNIGHT + timedelta(days=1)
HOUR = timedelta(hours=1)

METERS = ["M01", "M02", "M03", *(f"X{n:02}" for n in range(10))]

Wait = Callable[..., Any]
"""Calls a method of the queries by name and waits for its answer."""


def register(endpoint: int, instant: datetime, value: int, channel: int = 1) -> RegisterRead:
    return RegisterRead(EndpointId(endpoint), ChannelId(channel), instant, ReadSource.SELF_READ, value, 0)


def row(endpoint: int, instant: datetime, value: int, channel: int = 1) -> RegisterRow:
    return RegisterRow(endpoint, to_us(instant), ChannelId(channel), ReadSource.SELF_READ.value, 0, 0, value)


@dataclass(frozen=True)
class Content:
    """What the queries hold: endpoint i has meter number METERS[i - 1]."""

    registers: tuple[RegisterRead, ...]
    blocks: tuple[IntervalBlock, ...]
    events: tuple[DeviceEvent, ...]


def fleet() -> Content:
    """Reads and blocks to fill a ReadingQueries with."""
    both = tuple(register(1, instant, value, channel) for instant, value in ((MIDNIGHT, 100), (NEXT, 124)) for channel in (1, 2))
    one = (register(2, MIDNIGHT, 7), *(register(4 + n, NEXT + n * HOUR, n) for n in range(10)))
    skipped = [0] * 22 + [int(IntervalFlag.SKIPPED), 0]
    hours = IntervalBlock(EndpointId(1), ChannelId(1), DAY, 3_600, -3, [*range(22), None, None], skipped)
    quarters = IntervalBlock(EndpointId(1), ChannelId(11), DAY, 900, -1, [2_400] * 96, [0] * 96)
    outage = (DeviceEvent(EndpointId(1), 1, MIDNIGHT, 1), DeviceEvent(EndpointId(1), 2, MIDNIGHT + HOUR, 2, b"\x07"))
    return Content(both + one, (hours, quarters), (*outage, DeviceEvent(EndpointId(4), 47, NEXT, 1)))


def knows_its_meters(wait: Wait) -> None:
    assert wait("meter", "M03").endpoint.meter_no == "M03"
    assert wait("meter", "nobody") is None
    first = wait("meters", None, 5)
    assert [entry.endpoint.meter_no for entry in first.items] == METERS[:5]
    assert first.remaining == 8
    rest = wait("meters", METERS[4], 100)
    assert [entry.endpoint.meter_no for entry in rest.items] == METERS[5:]
    assert rest.remaining == 0
    assert wait("meters", METERS[7], 5).remaining == 0
    assert wait("meters", "Z", 5).items == []


def finds_meters_by_each_identifier(wait: Wait) -> None:
    by_number = wait("meters_named", MeterIdentifier.METER_NO, ["M01", "nobody", "M03"])
    assert [(meter.meter_no, meter.newest_us) for meter in by_number] == [("M01", to_us(NEXT)), ("M03", None)]
    assert [meter.meter_no for meter in wait("meters_named", MeterIdentifier.SERIAL_NO, ["S2"])] == ["M02"]
    assert [meter.meter_no for meter in wait("meters_named", MeterIdentifier.AP_TITLE, [".100.4"])] == ["X00"]
    assert wait("meters_named", MeterIdentifier.METER_NO, []) == []


def pages_sets_of_meters(wait: Wait) -> None:
    electric, gas = Fleet(frozenset({Commodity.ELECTRIC})), Fleet(frozenset({Commodity.GAS}))
    page = wait("meter_page", electric, 0, 5)
    assert (page.last.meter_no, page.remaining) == (METERS[4], 8)
    assert [meter.meter_no for meter in wait("meters_in", electric, 2, page.last.endpoint_id, 2)] == METERS[2:4]
    rest = wait("meter_page", electric, page.last.endpoint_id, 8)
    assert (rest.last.meter_no, rest.remaining) == (METERS[-1], 0)
    assert wait("meter_page", gas, 0, 5) == MeterPage(None, 0)


def reads_what_meters_read_in_a_period(wait: Wait) -> None:
    ids = [EndpointId(one) for one in (1, 2, 3)]
    found = wait("values_of", ids, Period(MIDNIGHT, MIDNIGHT + HOUR), quantities((1, 2), (1,)))
    assert list(found.registers) == [row(1, MIDNIGHT, 100), row(1, MIDNIGHT, 100, 2), row(2, MIDNIGHT, 7)]
    assert list(found.blocks) == [fleet().blocks[0]]
    assert list(wait("values_of", ids, Period(MIDNIGHT, NEXT), quantities((2,))).registers) == [
        row(1, MIDNIGHT, 100, 2),
        row(1, NEXT, 124, 2),
    ]
    of_length = replace(quantities((), (1, 11)), interval_seconds=900)
    assert list(wait("values_of", ids, Period(MIDNIGHT, NEXT), of_length).blocks) == [fleet().blocks[1]]
    assert wait("values_of", [], Period(MIDNIGHT, NEXT), quantities((1,), (1,))) == Values([], [])


def reads_what_meters_read_last(wait: Wait) -> None:
    meters = wait("meters_named", MeterIdentifier.METER_NO, ["M01", "M02", "M03"])
    now = NEXT + HOUR
    found = wait("latest_of", meters, quantities((1, 2), (1,)), None, now)
    assert list(found.registers) == [row(1, NEXT, 124), row(1, NEXT, 124, 2), row(2, MIDNIGHT, 7)]
    assert list(found.blocks) == [fleet().blocks[0]]
    before = wait("latest_of", meters, quantities((2,)), Period(MIDNIGHT - HOUR, NEXT - HOUR), now)
    assert list(before.registers) == [row(1, MIDNIGHT, 100, 2)]
    assert wait("latest_of", meters, quantities((5,), (5,)), None, now) == Values([], [])


def finds_the_newest_registers_of_what_a_name_means(wait: Wait) -> None:
    ((meter, rows),) = wait("newest_registers", MeterIdentifier.METER_NO, "M01")
    assert (meter.meter_no, rows) == ("M01", [row(1, NEXT, 124), row(1, NEXT, 124, 2)])
    assert wait("newest_registers", MeterIdentifier.METER_NO, "nobody") == []
    for identifier in MeterIdentifier:
        for meter in wait("meters_named", MeterIdentifier.METER_NO, ["M01", "M03"]):
            name = meter.called(identifier)
            found = wait("newest_registers", identifier, name)
            assert [one for one, _ in found] == wait("meters_named", identifier, [name])
            for one, rows in found:
                assert rows == list(wait("latest_of", [one], quantities(registers=range(1, 40)), None, NEXT + HOUR).registers)


def pages_the_latest_reads_of_meters_that_have_any(wait: Wait) -> None:
    page = wait("latest_page", 0, 3)
    assert (page.last, page.last_meter_no, page.remaining) == (Position(EndpointId(4), to_us(NEXT)), "X00", 9)
    rows = wait("latest_rows", 0, 4, 100)
    assert [(one[7], one[2]) for one in rows] == [("M01", 1), ("M01", 2), ("M02", 1), ("X00", 1)]
    assert len(wait("latest_rows", 1, 4, 1)) == 1
    rest = wait("latest_page", 4, 9)
    assert (rest.last_meter_no, rest.remaining) == (METERS[-1], 0)
    assert wait("latest_page", 99, 9) == RegisterPage(None, "", 0)


def pages_reads_by_date_without_losing_or_repeating_any(wait: Wait) -> None:
    seen: list[tuple[str, int]] = []
    after, remaining = None, 13
    period = Period(MIDNIGHT, NEXT + 9 * HOUR)
    while remaining:
        page = wait("register_page", period, None, after, 4)
        rows = wait("register_rows", period, None, after, page.last, 1_000)
        told = list(dict.fromkeys((one[7], one[1]) for one in rows))
        assert len(told) == min(4, remaining)
        remaining -= len(told)
        assert (page.remaining, page.last_meter_no) == (remaining, told[-1][0])
        seen += told
        after = page.last
    expected = [("M01", MIDNIGHT), ("M01", NEXT), ("M02", MIDNIGHT), *((f"X{n:02}", NEXT + n * HOUR) for n in range(10))]
    assert seen == [(meter_no, to_us(instant)) for meter_no, instant in expected]
    assert wait("register_page", Period(MIDNIGHT - HOUR, MIDNIGHT - HOUR), None, None, 4) == RegisterPage(None, "", 0)
    assert wait("register_page", Period(MIDNIGHT, MIDNIGHT), None, None, 9).remaining == 0
    rows = wait("register_rows", Period(MIDNIGHT, MIDNIGHT), None, None, Position(EndpointId(99), 0), 1_000)
    assert [one[7] for one in rows] == ["M01", "M01", "M02"]


def pages_reads_of_some_channels(wait: Wait) -> None:
    period = Period(MIDNIGHT, NEXT)
    page = wait("register_page", period, {2}, None, 9)
    assert (page.last, page.remaining) == (Position(EndpointId(1), to_us(NEXT)), 0)
    assert [one[2] for one in wait("register_rows", period, {2}, None, page.last, 1_000)] == [2, 2]


def cuts_lists_of_reads_at_whole_instants(wait: Wait) -> None:
    period, last = Period(MIDNIGHT, NEXT + 9 * HOUR), Position(EndpointId(99), 0)
    pieces: list[list[ListedRow]] = []
    after = None
    while rows := wait("register_rows", period, None, after, last, 60):
        pieces.append(rows)
        after = Position(*rows[-1][:2])
    assert sum(len(piece) for piece in pieces) == 15
    ends = [{one[:2] for one in piece} for piece in pieces]
    assert all(not one & other for i, one in enumerate(ends) for other in ends[:i])


def gives_blocks_that_touch_a_half_open_period(wait: Wait) -> None:
    blocks = list(fleet().blocks)
    day, after = datetime(2026, 7, 1, tzinfo=UTC), datetime(2026, 7, 2, tzinfo=UTC)
    assert wait("interval_blocks", "M01", day, after) == blocks
    assert wait("interval_blocks", "M01", after - HOUR, after + HOUR) == blocks
    assert wait("interval_blocks", "M01", after, after + HOUR) == []
    assert wait("interval_blocks", "M01", day - HOUR, day) == []
    assert wait("interval_blocks", "nobody", day, after) == []


def gives_logs_of_one_meter_and_of_all(wait: Wait) -> None:
    period = Period(MIDNIGHT, NEXT)
    page = wait("log_page", period, None, 0, 1)
    assert (page.last.meter_no, page.remaining) == ("M01", 1)
    both = wait("logs", period, None, 0, 99, 10)
    assert [(log.meter.meter_no, [event.code for event in log.events], log.more) for log in both] == [
        ("M01", [1, 2], False),
        ("X00", [47], False),
    ]
    assert [log.meter.meter_no for log in wait("logs", period, {47}, 0, 99, 10)] == ["X00"]
    assert wait("logs", period, None, 0, 99, 1)[0].more
    assert wait("log_page", period, set(), 0, 9) == MeterPage(None, 0)
    (meter,) = wait("meters_named", MeterIdentifier.METER_NO, ["M01"])
    log = wait("log_of", meter, period, {2}, 10)
    assert [(event.code, event.argument, event.sequence) for event in log.events] == [(2, b"\x07", 2)]
    assert wait("log_of", meter, Period(NEXT + HOUR, NEXT + HOUR), None, 10).events == []


CONTRACT: tuple[Callable[[Wait], None], ...] = (
    knows_its_meters,
    finds_meters_by_each_identifier,
    pages_sets_of_meters,
    reads_what_meters_read_in_a_period,
    reads_what_meters_read_last,
    finds_the_newest_registers_of_what_a_name_means,
    pages_the_latest_reads_of_meters_that_have_any,
    pages_reads_by_date_without_losing_or_repeating_any,
    pages_reads_of_some_channels,
    cuts_lists_of_reads_at_whole_instants,
    gives_blocks_that_touch_a_half_open_period,
    gives_logs_of_one_meter_and_of_all,
)
