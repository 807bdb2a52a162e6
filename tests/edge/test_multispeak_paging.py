"""Pages cannot lie: whatever the page size and whatever arrives in between, all that was there is told once, and what remains is exact."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import count, islice
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from headend.model.collection import Collected
from headend.model.endpoint import Commodity, Customer, EndpointId, Installation, ServicePoint
from headend.model.events import DeviceEvent
from headend.model.readings import IntervalBlock, day_start
from headend.ports import CustomerItem
from tests.conftest import RunningReactor
from tests.fakes.reading_world import xml
from tests.fakes.store_site import StoreSite
from tests.store.world import DAY, OpenStore, one_store, register, shipment

NOW = day_start(DAY) + timedelta(days=2)
METERS = 9
"""Meters at the beginning; some examples bring more."""

Key = tuple[Any, ...]
"""Place of an object in the order of its list."""


@dataclass
class Utility:
    """A store and how many meters it has; each example lives on a day of its own."""

    store: OpenStore
    meters: int = 0
    days: Iterator[int] = field(default_factory=lambda: iter(count(1)))

    def more_meters(self, number: int) -> None:
        new = range(self.meters + 1, self.meters + 1 + number)
        self.store.call("import_shipment", shipment(number, first=new.start), NOW)
        self.store.call("import_customers", [customer(one) for one in new], NOW)
        self.meters += number

    def record(self, items: Sequence[Collected]) -> None:
        self.store.call("record", list(items), NOW)


def customer(endpoint: int) -> CustomerItem:
    point = ServicePoint(f"SP{endpoint}", Commodity.ELECTRIC, "1 Main St", "Ames", "IA", "50010", f"AC{endpoint}", "07")
    installation = Installation(f"M{endpoint:06}", point.service_point_no, NOW - timedelta(days=900))
    return CustomerItem(Customer(point.account_no, "Ann"), point, installation)


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def utility(request: pytest.FixtureRequest, running: RunningReactor, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Utility]:
    for store in one_store(request, running, tmp_path_factory, lambda store: None):
        found = Utility(store)
        found.more_meters(METERS)
        yield found


def pages(
    site: StoreSite, operation: str, size: int, told: dict[str, Any], between: Callable[[], None]
) -> Iterator[tuple[etree._Element, int]]:
    """Answers of a client that goes on while ObjectsRemaining is above 0, each with what it says remains."""
    site.partner = replace(site.partner, page_size=size)
    last, remaining = "", 1
    while remaining:
        answer = site.ask("4.1.6", "MR_Server", operation, xml(**told).replace("LAST", last))
        assert answer.find(".//{*}Fault") is None, etree.tostring(answer)
        header = answer.find("{*}Header")[0]
        last, remaining = header.get("LastSent"), int(header.get("ObjectsRemaining"))
        yield answer, remaining
        if remaining:
            between()


few = settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
reads = st.lists(st.tuples(st.integers(1, METERS), st.integers(0, 23), st.sampled_from([1, 2])), max_size=25)


def collected(day: int, found: Sequence[tuple[int, int, int]]) -> list[Collected]:
    return [Collected(EndpointId(e), NOW, register_reads=(register(e, h, instant=at(day, h), channel=c),)) for e, h, c in found]


def at(day: int, hour: int) -> datetime:
    return NOW - timedelta(days=day, hours=-hour)


@few
@given(first=reads, later=st.lists(reads, max_size=4), size=st.integers(1, 7))
def test_reads_by_date(
    utility: Utility, running: RunningReactor, first: list[Any], later: list[list[Any]], size: int
) -> None:
    site, day = StoreSite(utility.store, running), next(utility.days)
    model: set[Key] = {(e, h) for e, h, _ in first}
    there_at_first = set(model)
    utility.record(collected(day, first))
    arriving = iter(later)

    def arrive() -> None:
        if (more := next(arriving, None)) is not None:
            utility.record(collected(day, more))
            model.update((e, h) for e, h, _ in more)

    told = {"startDate": at(day, 0), "endDate": at(day, 23), "lastReceived": "LAST"}
    seen: list[Key] = []
    for answer, remaining in pages(site, "GetReadingsByDate", size, told, arrive):
        page = [object_key(reading.get("objectID"), day) for reading in answer.iter("{*}meterReading")]
        seen += page
        assert len(page) <= size
        assert remaining == len([key for key in model if not seen or key > seen[-1]])
    assert seen == sorted(set(seen)), "in order, and none twice"
    assert there_at_first <= set(seen) <= model


def object_key(object_id: str, day: int) -> Key:
    meter_no, _, instant = object_id.partition("@")
    return int(meter_no[1:]), round((datetime.fromisoformat(instant) - at(day, 0)) / timedelta(hours=1))


@few
@given(size=st.integers(1, 30), arriving=st.lists(st.integers(0, 2), max_size=5))
@pytest.mark.parametrize(
    ("operation", "by_cycle"),
    [
        ("GetReadingsByDateAndFieldName", False),
        ("GetReadingsByDateAndFieldNameIntervalData", False),
        ("GetReadingsByBillingCycle", True),
        ("GetReadingsByBillingCycleIntervalData", True),
        ("GetReadingsByUOMAndDate", False),
    ],
)
def test_meters(utility: Utility, running: RunningReactor, operation: str, by_cycle: bool, size: int, arriving: list[int]) -> None:
    """Lists of meters: none is split, none is lost, and those that come in between come at the end."""
    site, day = StoreSite(utility.store, running), next(utility.days)
    at_first = utility.meters
    with_values = [Collected(EndpointId(e), NOW, interval_blocks=(hours(e, day),)) for e in range(1, at_first + 1, 2)]
    utility.record([*with_values, *collected(day, [(e, 0, 1) for e in range(2, at_first + 1, 2)])])
    new = iter(arriving)
    told: dict[str, Any] = {"startDate": at(day, 0), "endDate": at(day, 23), "lastReceived": "LAST"}
    if by_cycle:
        looks = {"kWhLookBack": 1, "kWLookBack": 0, "kWLookForward": 0}
        told = {"billingCycle": "07", "billingDate": at(day, 12), **looks, "lastReceived": "LAST"}
    if operation == "GetReadingsByUOMAndDate":
        told = {"uomData": "V", **told}
    seen: list[int] = []
    for answer, remaining in pages(site, operation, size, told, lambda: utility.more_meters(next(new, 0))):
        page = meters_of(answer)
        assert len(page) <= size
        seen += page
        assert remaining == utility.meters - len(seen)
    assert seen == list(range(1, len(seen) + 1))
    assert len(seen) >= at_first


def hours(endpoint: int, day: int) -> IntervalBlock:
    begin = at(day, 0).date()
    return IntervalBlock(EndpointId(endpoint), 1, begin, 3600, 0, [endpoint] * 24, [0] * 24)  # type: ignore[arg-type]


def meters_of(answer: etree._Element) -> list[int]:
    """Numbers of the meters that an answer tells of, in order, each once however many rows or blocks it has."""
    names = [val.text.split(",")[0] for val in answer.iter("{*}val")]
    names += [data.find(".//{*}meterID").text for data in answer.iter("{*}intervalData", "{*}meterReading")]
    return [int(name[1:]) for name in dict.fromkeys(names)]


@few
@given(size=st.integers(1, 12), names=st.lists(st.integers(1, METERS + 5), min_size=1, max_size=20), known=st.integers(0, METERS))
def test_named_meters(utility: Utility, running: RunningReactor, size: int, names: list[int], known: int) -> None:
    site, day = StoreSite(utility.store, running), next(utility.days)
    utility.record(collected(day, [(e, 1, 1) for e in range(1, known + 1)]))
    listed = [f"M{number:06}" if number <= METERS else f"X{number}" for number in names]
    told = {"meterIDs": listed, "startDate": at(day, 0), "endDate": at(day, 23), "lastReceived": "LAST"}
    seen: list[str] = []
    for answer, remaining in pages(site, "GetLatestReadingsByMeterIDList", size, told, lambda: None):
        page = [val.text.split(",")[0] for val in answer.iter("{*}val")]
        assert len(page) <= size
        seen += page
        assert remaining == len(set(listed)) - len(seen)
    assert sorted(seen) == sorted(set(listed)), "each once, known or not"


@few
@given(size=st.integers(1, 7), first=st.sets(st.integers(1, METERS)), later=st.lists(st.integers(1, METERS), max_size=5))
def test_history_logs(utility: Utility, running: RunningReactor, size: int, first: set[int], later: list[int]) -> None:
    site, day = StoreSite(utility.store, running), next(utility.days)
    model: set[int] = set()

    def log(endpoints: Sequence[int]) -> None:
        model.update(endpoints)
        utility.record([Collected(EndpointId(e), NOW, events=(DeviceEvent(EndpointId(e), 1, at(day, 5), 1),)) for e in endpoints])

    log(sorted(first))
    arriving = iter(later)
    told = {"startDate": at(day, 0), "endDate": at(day, 23), "lastReceived": "LAST"}
    seen: list[int] = []
    for answer, remaining in pages(site, "GetHistoryLogsByDate", size, told, lambda: log([*islice(arriving, 1)])):
        page = [int(one.get("objectID")[1:]) for one in answer.iter("{*}historyLog")]
        assert len(page) <= size
        seen += page
        assert remaining == len([e for e in model if not seen or e > seen[-1]])
    assert seen == sorted(set(seen))
    assert first <= set(seen) <= model


def test_the_latest_readings_of_all(utility: Utility, running: RunningReactor) -> None:
    site = StoreSite(utility.store, running)
    for size in (1, 2, 3, 100):
        seen: list[str] = []
        for answer, remaining in pages(site, "GetLatestReadings", size, {"lastReceived": "LAST"}, lambda: None):
            seen += [reading.get("objectID") for reading in answer.iter("{*}meterReading")]
            assert len(seen) + remaining == int(site.store.sql("SELECT count(*) FROM endpoint_state WHERE last_read_us IS NOT NULL")[0][0])
        assert len({one.partition("@")[0] for one in seen}) == len(seen), "one a meter"


@pytest.mark.parametrize("operation", ["GetReadingsByDate", "GetLatestReadings", "GetLatestReadingByFieldName", "GetHistoryLogsByDate"])
@pytest.mark.parametrize("token", ["page 2", "M000001@", "@2026-07-01T00:00:00Z", "nobody", "nobody@2026-07-01T00:00:00Z"])
def test_a_place_that_is_none_is_refused(utility: Utility, running: RunningReactor, operation: str, token: str) -> None:
    dates = {"startDate": at(1, 0), "endDate": at(1, 1)} if "Date" in operation else {}
    fields = {"fieldName": ["posKWh"]} if "Field" in operation else {}
    answer = StoreSite(utility.store, running).ask("4.1.6", "MR_Server", operation, xml(**dates, **fields, lastReceived=token))
    assert answer.findtext(".//faultcode") == "soap:Client.InvalidLastReceived"
