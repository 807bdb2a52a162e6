"""What every ReadingQueries must do, as functions over one that holds the fleet made here; fakes and stores pass the same.

The fleet: M1 with two midnights of two channels and hourly intervals, M2 with one midnight, M3 never read, and ten more of one read each.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from headend.model.channels import ChannelId
from headend.model.endpoint import EndpointId
from headend.model.readings import IntervalBlock, IntervalFlag, ReadSource, RegisterRead
from headend.ports import PageEnd, ReadingKey

DAY = date(2026, 7, 1)
MIDNIGHT = datetime(2026, 7, 1, 5, tzinfo=UTC)
NEXT = MIDNIGHT + timedelta(days=1)
HOUR = timedelta(hours=1)

METERS = ["M01", "M02", "M03", *(f"X{n:02}" for n in range(10))]

Wait = Callable[..., Any]
"""Calls a method of the queries by name and waits for its answer."""


def register(endpoint: int, instant: datetime, value: int, channel: int = 1) -> RegisterRead:
    return RegisterRead(EndpointId(endpoint), ChannelId(channel), instant, ReadSource.SELF_READ, value, 0)


@dataclass(frozen=True)
class Fleet:
    """What the queries hold: endpoint i has meter number METERS[i - 1]."""

    registers: tuple[RegisterRead, ...]
    blocks: tuple[IntervalBlock, ...]


def fleet() -> Fleet:
    """Reads and blocks to fill a ReadingQueries with."""
    both = tuple(register(1, instant, value, channel) for instant, value in ((MIDNIGHT, 100), (NEXT, 124)) for channel in (1, 2))
    one = (register(2, MIDNIGHT, 7), *(register(4 + n, NEXT + n * HOUR, n) for n in range(10)))
    skipped = [0] * 22 + [int(IntervalFlag.SKIPPED), 0]
    hours = IntervalBlock(EndpointId(1), ChannelId(1), DAY, 3_600, -3, [*range(22), None, None], skipped)
    quarters = IntervalBlock(EndpointId(1), ChannelId(11), DAY, 900, -1, [2_400] * 96, [0] * 96)
    return Fleet(both + one, (hours, quarters))


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


def gives_all_channels_of_the_latest_instant(wait: Wait) -> None:
    assert list(wait("latest", "M01").registers) == [register(1, NEXT, 124), register(1, NEXT, 124, 2)]
    assert list(wait("latest", "M03").registers) == []
    assert wait("latest", "nobody") is None


def gives_reads_and_intervals_of_a_closed_period(wait: Wait) -> None:
    found = wait("readings", "M01", MIDNIGHT, MIDNIGHT + HOUR, 1_000)
    assert [read.quantity for read in found.registers] == [100, 100]
    ends = [(value.end, value.channel_id, value.quantity) for value in found.intervals]
    volts = Decimal("240.0")
    quarters = [(MIDNIGHT + i * HOUR / 4, 11, volts) for i in range(1, 4)]
    at_start = [(MIDNIGHT, 1, Decimal("0.004")), (MIDNIGHT, 11, volts)]
    assert ends == [*at_start, *quarters, (MIDNIGHT + HOUR, 1, Decimal("0.005")), (MIDNIGHT + HOUR, 11, volts)]
    assert wait("readings", "nobody", MIDNIGHT, NEXT, 10) is None
    assert len(wait("readings", "M01", MIDNIGHT, NEXT, 5).intervals) == 1


def tells_a_skipped_interval_from_an_unknown_one(wait: Wait) -> None:
    end_of_day = datetime(2026, 7, 2, tzinfo=UTC)
    found = wait("readings", "M01", end_of_day - 2 * HOUR, end_of_day, 1_000)
    hours = [(value.end, value.quantity, value.flags) for value in found.intervals if value.channel_id == 1]
    assert hours == [(end_of_day - 2 * HOUR, Decimal("0.021"), 0), (end_of_day - HOUR, None, IntervalFlag.SKIPPED)]


def pages_the_latest_reads_of_meters_that_have_any(wait: Wait) -> None:
    page = wait("latest_page", None, 3)
    assert [item.entry.endpoint.meter_no for item in page.items] == ["M01", "M02", "X00"]
    assert [len(item.registers) for item in page.items] == [2, 1, 1]
    assert page.remaining == 9
    rest = wait("latest_page", "X00", 9)
    assert (len(rest.items), rest.remaining) == (9, 0)


def pages_reads_by_date_without_losing_or_repeating_any(wait: Wait) -> None:
    seen: list[tuple[str, datetime]] = []
    after, remaining = None, 13
    while remaining:
        end = wait("readings_page_end", MIDNIGHT, NEXT + 9 * HOUR, after, 4)
        page = wait("readings_page", MIDNIGHT, NEXT + 9 * HOUR, after, 4)
        assert len(page.items) == min(4, remaining)
        remaining -= len(page.items)
        assert page.remaining == remaining
        seen += [(item.entry.endpoint.meter_no, item.registers[0].instant) for item in page.items]
        assert all(len({read.instant for read in item.registers}) == 1 for item in page.items)
        after = ReadingKey(*seen[-1])
        assert end == PageEnd(after, len(page.items), remaining)
    expected = [("M01", MIDNIGHT), ("M01", NEXT), ("M02", MIDNIGHT), *((f"X{n:02}", NEXT + n * HOUR) for n in range(10))]
    assert seen == expected
    assert wait("readings_page_end", MIDNIGHT - HOUR, MIDNIGHT - HOUR, None, 4) == PageEnd(None, 0, 0)
    assert wait("readings_page", MIDNIGHT, MIDNIGHT, None, 9).remaining == 0
    assert [len(item.registers) for item in wait("readings_page", MIDNIGHT, MIDNIGHT, None, 9).items] == [2, 1]


def gives_blocks_that_touch_a_half_open_period(wait: Wait) -> None:
    blocks = list(fleet().blocks)
    day, after = datetime(2026, 7, 1, tzinfo=UTC), datetime(2026, 7, 2, tzinfo=UTC)
    assert wait("interval_blocks", "M01", day, after) == blocks
    assert wait("interval_blocks", "M01", after - HOUR, after + HOUR) == blocks
    assert wait("interval_blocks", "M01", after, after + HOUR) == []
    assert wait("interval_blocks", "M01", day - HOUR, day) == []
    assert wait("interval_blocks", "nobody", day, after) == []


CONTRACT: tuple[Callable[[Wait], None], ...] = (
    knows_its_meters,
    gives_all_channels_of_the_latest_instant,
    gives_reads_and_intervals_of_a_closed_period,
    tells_a_skipped_interval_from_an_unknown_one,
    pages_the_latest_reads_of_meters_that_have_any,
    pages_reads_by_date_without_losing_or_repeating_any,
    gives_blocks_that_touch_a_half_open_period,
)
EXCEPT_BLOCKS = CONTRACT[:-1]
"""For implementations that keep interval values and no blocks."""
