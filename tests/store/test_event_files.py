"""Events as files over real stores: by age and by count, daily, numbered without a gap, the same again; held against the XSD."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from adapters.delivery.threads import on_threads_of
from adapters.exports.event_xml import EventXmlFiles
from adapters.validation.files import problems_of
from headend.errors import StoreError
from headend.event_catalogue import THRESHOLD_REACHED, USAGE_SEEN
from headend.event_files import EventFeed, EventFileDriver, FeedContent
from headend.model.collection import Collected
from headend.model.endpoint import EndpointId
from headend.model.event_kinds import Severity
from headend.model.events import DeviceEvent, EventPath
from headend.model.partner import MeterIdentifier
from headend.model.retention import DataClass, Retention
from headend.model.selections import Period
from headend.model.subscription import EventFilter
from tests.store.world import UTILITY, OpenStore, shipment

OUT, BACK = 1, 2
START = datetime(2026, 7, 1, 12, tzinfo=UTC)
ALARMS = EventFeed("alarms", FeedContent.ALARMS, ("oms",), events_max=3, age_seconds=15)


class Feeds:
    """A store with a driver of feeds, on a clock set by hand."""

    def __init__(self, store: OpenStore, place: Path) -> None:
        self.store = store
        self.now = START
        self.files = EventXmlFiles(UTILITY, place, on_threads_of(store.running.reactor))
        store.call("import_shipment", shipment(6), START)

    def driver(self, *feeds: EventFeed, write: Any = None) -> EventFileDriver:
        return EventFileDriver(UTILITY, self.store.store, write or self.files.write, feeds, lambda: self.now, "one")

    def look(self, *feeds: EventFeed, seconds: float = 0.0, write: Any = None) -> None:
        self.now += timedelta(seconds=seconds)
        self.store.running.wait(self.driver(*feeds, write=write).look)

    def happen(self, endpoint: int, code: int, path: EventPath = EventPath.UNSOLICITED) -> None:
        event = DeviceEvent(EndpointId(endpoint), code, self.now, 7, b"\x05", path)
        self.store.call("record", [Collected(EndpointId(endpoint), self.now, events=(event,))], self.now)

    def made(self) -> dict[str, list[tuple[str, str]]]:
        """(meter, code) of each file that was handed over, in order of number; every one is valid."""
        found = {}
        for one in sorted(self.store.call("deliveries", 100), key=lambda each: each.delivery_id):
            assert problems_of(one.file.path) == []
            root = etree.parse(one.file.path).getroot()
            assert int(root.get("count")) == len(root)
            found[f"{one.batch}"] = [(event.get("meter"), event.get("code")) for event in root]
        return found


@pytest.fixture
def feeds(store: OpenStore, tmp_path: Path) -> Feeds:
    return Feeds(store, tmp_path / "spool")


def test_alarms_go_when_they_are_many_or_old_and_are_numbered_without_a_gap(feeds: Feeds) -> None:
    feeds.happen(1, OUT)
    feeds.look(ALARMS)  # whose first event is the next one
    for endpoint in (2, 3, 4, 5):
        feeds.happen(endpoint, OUT)
    feeds.happen(6, OUT, EventPath.LOG)
    feeds.look(ALARMS)
    feeds.look(ALARMS, seconds=14)
    assert feeds.made() == {"demo_alarms_00000001": [("M000002", "1"), ("M000003", "1"), ("M000004", "1")]}
    feeds.look(ALARMS, seconds=1)
    feeds.look(ALARMS, seconds=60)
    assert list(feeds.made().items())[1:] == [("demo_alarms_00000002", [("M000005", "1")])]


def test_what_is_not_wanted_costs_no_number(feeds: Feeds) -> None:
    wanted = EventFilter(severities=frozenset({Severity.CRITICAL}))
    critical = EventFeed("critical", FeedContent.ALARMS, ("oms",), age_seconds=0, filter=wanted)
    feeds.look(critical)
    for code in (BACK, OUT, BACK):
        feeds.happen(1, code)
        feeds.look(critical, seconds=5)
    assert feeds.made() == {"demo_critical_00000001": [("M000001", "1")]}


def test_a_file_that_was_broken_off_is_made_again_under_its_number(feeds: Feeds) -> None:
    async def broken(*_: Any) -> Any:
        raise StoreError("no space left on device")

    feeds.look(ALARMS)
    feeds.happen(1, OUT)
    feeds.look(ALARMS, seconds=15, write=broken)
    feeds.happen(2, OUT)
    assert feeds.made() == {}
    feeds.look(ALARMS, seconds=15)
    assert feeds.made() == {"demo_alarms_00000001": [("M000001", "1")], "demo_alarms_00000002": [("M000002", "1")]}


def test_which_events_an_old_file_held_is_forgotten_once_it_was_handed_over(feeds: Feeds) -> None:
    async def broken(*_: Any) -> Any:
        raise StoreError("no space left on device")

    feeds.look(ALARMS)
    for write in (None, broken):
        feeds.happen(1, OUT)
        feeds.look(ALARMS, seconds=15, write=write)
    days = Retention(dict.fromkeys(DataClass, 60))
    later = START + timedelta(days=62)
    step = feeds.store.call("purge_step", days, DataClass.DELIVERIES, later, (3, 0), 100)
    assert (step.rows, step.position) == (1, None)
    assert [one.number for one in feeds.store.call("event_files", "alarms", [1, 2])] == [2]
    feeds.look(ALARMS)
    assert list(feeds.made()) == ["demo_alarms_00000001", "demo_alarms_00000002"], "its number goes on"


def test_events_of_a_time_are_found_behind_the_days_before_it(feeds: Feeds) -> None:
    assert feeds.store.call("events_before", START) == (0, -1)
    for _ in range(3):
        feeds.store.call("make_room", feeds.now)
        feeds.happen(1, OUT)
        feeds.now += timedelta(days=1)
    since = START + timedelta(days=2)
    begin = feeds.store.call("events_before", since)
    found = feeds.store.call("events_after", {EventPath.UNSOLICITED}, begin, 10)
    assert [one.received for one in found] == [START + timedelta(days=1), since]


def test_logged_events_go_once_a_day_even_where_there_were_none(feeds: Feeds) -> None:
    daily = EventFeed("log", FeedContent.LOGGED, ("mdm",), at=8 * 60)  # 13:00 UTC in summer
    feeds.look(daily)
    feeds.happen(1, OUT, EventPath.LOG)
    feeds.happen(2, OUT)
    feeds.look(daily, seconds=3_599)
    assert feeds.made() == {}
    feeds.look(daily, seconds=1)
    feeds.look(daily, seconds=3_600)
    feeds.look(daily, seconds=23 * 3_600)
    assert feeds.made() == {"demo_log_00000001": [("M000001", "1")], "demo_log_00000002": []}


def test_a_file_is_delivered_once_more_with_the_same_octets(feeds: Feeds) -> None:
    feeds.look(ALARMS)
    feeds.happen(1, OUT)
    feeds.look(ALARMS, seconds=15)
    (first,) = feeds.store.call("deliveries", 10)
    feeds.now += timedelta(days=1)
    assert feeds.store.running.wait(feeds.driver(ALARMS).redeliver, ALARMS, [1, 2]) == 1
    again, _ = sorted(feeds.store.call("deliveries", 10), key=lambda one: -one.delivery_id)
    assert (again.file.name, again.file.sha256) == (first.file.name, first.file.sha256)
    assert again.batch == "demo_alarms_00000001_again_20260702T120015"


def test_what_one_partner_has_had_watched_is_in_nobodys_file_and_in_nobodys_log(feeds: Feeds) -> None:
    feeds.look(ALARMS)
    for code in (USAGE_SEEN, OUT, THRESHOLD_REACHED):
        feeds.happen(1, code, EventPath.FOUND if code != OUT else EventPath.UNSOLICITED)
    feeds.look(ALARMS)
    feeds.look(ALARMS, seconds=20)
    assert feeds.made() == {"demo_alarms_00000001": [("M000001", "1")]}
    period = Period(START - timedelta(hours=1), START + timedelta(hours=1))
    for codes, told in ((None, [OUT]), ({OUT, USAGE_SEEN}, [OUT]), ({USAGE_SEEN}, [])):
        (meter,) = feeds.store.call("meters_named", MeterIdentifier.METER_NO, ["M000001"])
        assert [one.code for one in feeds.store.call("log_of", meter, period, codes, 10).events] == told
        logs = feeds.store.call("logs", period, codes, EndpointId(0), EndpointId(9), 10)
        assert [one.code for log in logs for one in log.events] == told
