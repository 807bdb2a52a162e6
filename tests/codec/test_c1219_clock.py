"""Time fields in every TM_FORMAT, and device clocks of three kinds over days of 23 and 25 hours."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headend.c1219.clock import ClockKind, NonexistentTimeError, TimeBase
from headend.c1219.clock_tables import ClockQualifier, ClockState, MeterClock
from headend.c1219.fields import Formats
from headend.c1219.tables import TableError
from headend.c1219.times import CALENDAR_END, CALENDAR_START, TimeFieldError, time_format
from headend.errors import TruncatedError, WireError

CHICAGO, DUBLIN, HOWE = ZoneInfo("America/Chicago"), ZoneInfo("Europe/Dublin"), ZoneInfo("Australia/Lord_Howe")
ZONES = st.sampled_from((CHICAGO, DUBLIN, HOWE, ZoneInfo("America/Phoenix"), ZoneInfo("Asia/Kolkata")))
INSTANTS = st.integers(1_104_624_000, 2_145_744_000).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))
STAMPS = st.integers(CALENDAR_START, CALENDAR_END - 1)


@given(st.integers(1, 4), st.booleans(), STAMPS)
def test_stamps_survive(code: int, little: bool, seconds: int) -> None:
    form = time_format(code, little)
    long, short = form.pack_ltime(seconds), form.pack_stime(seconds)
    assert (len(long), len(short)) == (form.ltime_size, form.stime_size)
    assert form.read_ltime(long) == seconds
    assert form.read_stime(short) == (seconds if code == 4 else seconds - seconds % 60)


@pytest.mark.parametrize("code", range(5))
def test_no_time(code: int) -> None:
    form = time_format(code, True)
    assert form.pack_ltime(None) == bytes(form.ltime_size)
    assert form.read_ltime(bytes(6)) is None
    assert form.read_stime(bytes(6)) is None


@given(st.integers(0, 4), st.booleans(), st.binary(max_size=7))
def test_any_octets_are_a_time_or_an_error(code: int, little: bool, octets: bytes) -> None:
    form = time_format(code, little)
    for read in (form.read_ltime, form.read_stime):
        try:
            seconds = read(octets)
        except WireError:
            continue
        assert seconds is None or TimeBase(ClockKind.UTC, CHICAGO).to_utc(seconds) >= datetime(1970, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("code", "octets"),
    [
        (1, "260230120000"),
        (1, "2602281a0000"),
        (2, "1a0d01000000"),
        (2, "1a0101180000"),
        (2, "64010100003b"),
        (3, "0100003c3c"),
        (3, "ffffffff00"),
    ],
)
def test_no_date(code: int, octets: str) -> None:
    with pytest.raises(TimeFieldError):
        time_format(code, True).read_ltime(bytes.fromhex(octets))


def test_times_as_they_stand() -> None:
    noon = int(datetime(2026, 2, 28, 12, 34, 56, tzinfo=UTC).timestamp())
    assert time_format(1, True).pack_ltime(noon).hex() == "260228123456"
    assert time_format(2, True).pack_ltime(noon).hex() == "1a021c0c2238"
    assert time_format(3, False).pack_ltime(noon).hex() == f"{noon // 60:08x}38"
    assert time_format(4, True).pack_stime(noon) == noon.to_bytes(4, "little")
    assert time_format(1, True).read_stime(bytes.fromhex("9906010000")) == int(datetime(1999, 6, 1, tzinfo=UTC).timestamp())


@pytest.mark.parametrize(("code", "seconds"), [(1, 0), (2, CALENDAR_END), (3, -60), (4, 2**32)])
def test_a_time_that_does_not_fit(code: int, seconds: int) -> None:
    with pytest.raises(TimeFieldError):
        time_format(code, True).pack_ltime(seconds)


def test_truncated_time() -> None:
    with pytest.raises(TruncatedError):
        time_format(1, True).read_ltime(bytes(5))


@given(ZONES, st.sampled_from(ClockKind), INSTANTS)
def test_every_instant_comes_back(zone: ZoneInfo, kind: ClockKind, instant: datetime) -> None:
    base = TimeBase(kind, zone)
    stamp, dst = base.from_utc(instant)
    assert base.to_utc(stamp, dst) == instant
    qualifier = ClockQualifier.from_bits(base.qualifier(instant).to_bits())
    assert TimeBase.of(qualifier, zone) == base
    assert qualifier.dst == dst


@pytest.mark.parametrize(("day", "hours"), [(date(2026, 3, 9), 23), (date(2026, 11, 2), 25), (date(2026, 6, 2), 24)])
@pytest.mark.parametrize("kind", ClockKind)
def test_days_of_every_length(day: date, hours: int, kind: ClockKind) -> None:
    """A block that ends at local midnight, counted back over the day, ends where the day began."""
    midnight = datetime.combine(day, time(), CHICAGO).astimezone(UTC)
    before = datetime.combine(day - timedelta(days=1), time(), CHICAGO).astimezone(UTC)
    base = TimeBase(kind, CHICAGO)
    instants = [before + timedelta(hours=h) for h in range(1, hours + 1)]
    stamps = [base.from_utc(t) for t in instants]
    assert [base.to_utc(*stamp) for stamp in stamps] == instants
    assert base.to_utc(*stamps[-1]) == midnight
    assert midnight - timedelta(hours=hours) == before
    shown = datetime.fromtimestamp(stamps[-1][0], UTC).time()
    assert (shown == time()) == (kind is ClockKind.WALL or (kind is ClockKind.STANDARD and hours == 25))


def test_the_doubled_hour() -> None:
    base = TimeBase(ClockKind.WALL, CHICAGO)
    stamp = int(datetime(2026, 11, 1, 1, 30, tzinfo=UTC).timestamp())
    first, second = datetime(2026, 11, 1, 6, 30, tzinfo=UTC), datetime(2026, 11, 1, 7, 30, tzinfo=UTC)
    assert (base.to_utc(stamp, True), base.to_utc(stamp, False)) == (first, second)
    assert (base.to_utc(stamp), base.to_utc(stamp, fold=1)) == (first, second)


def test_the_hour_that_is_not() -> None:
    base = TimeBase(ClockKind.WALL, CHICAGO)
    stamp = int(datetime(2026, 3, 8, 2, 30, tzinfo=UTC).timestamp())
    with pytest.raises(NonexistentTimeError, match="2026-03-08 02:30:00 does not exist in America/Chicago"):
        base.to_utc(stamp)
    assert base.resolve(stamp) == (datetime(2026, 3, 8, 8, 30, tzinfo=UTC), True)


def test_a_clock_cannot_be_both() -> None:
    with pytest.raises(TableError, match=r"^ST52: "):
        TimeBase.of(ClockQualifier(gmt=True, zone_applied=True), CHICAGO)


@given(st.integers(1, 4), st.booleans(), st.one_of(st.none(), STAMPS), st.integers(0, 255), st.integers(0, 65535))
def test_clock_tables(code: int, little: bool, seconds: int | None, bits: int, status: int) -> None:
    formats = Formats(little, code, 0, 0, 8)
    state = ClockState(MeterClock(seconds, ClockQualifier.from_bits(bits)), status)
    octets = state.encode(formats)
    assert ClockState.decode(octets, formats) == state
    assert MeterClock.decode(octets[:-2], formats) == state.clock
    assert state.summation_tier == status & 7
    with pytest.raises(TruncatedError, match=r"^ST55: "):
        ClockState.decode(octets[:-1], formats)
