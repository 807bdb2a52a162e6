"""Lists of reads are counted once for all their pages, and anew as soon as a read is recorded or purged."""

from datetime import timedelta
from typing import Any

from sqlalchemy import event

from adapters.store.counted_lists import CountedLists
from adapters.store.limits import PLACES_COUNTED_MAX
from headend.model.readings import day_start
from headend.model.retention import DataClass, Retention
from headend.model.selections import Period
from headend.reading_queries import RegisterPage
from tests.store.world import DAY, NOW, OpenStore, endpoint_day, shipment

ENDPOINTS = 6
PERIOD = Period(day_start(DAY) - timedelta(days=2), day_start(DAY) + timedelta(days=2))
MUCH_LATER = NOW + timedelta(days=402)


def test_what_was_counted_holds_for_its_change_sequence_and_is_bounded() -> None:
    counted = CountedLists()
    first, second = ("list", (0,)), ("list", (1,))
    assert counted.count(5, first) is None
    counted.keep(5, {first: 10, second: 8})
    assert (counted.count(5, first), counted.count(5, second)) == (10, 8)
    assert counted.count(6, first) is None
    counted.keep(6, {second: 9})
    assert (counted.count(6, first), counted.count(6, second), counted.count(5, second)) == (None, 9, None)
    for number in range(PLACES_COUNTED_MAX):
        counted.keep(6, {("list", (number, 1)): number})
    assert counted.count(6, second) is None
    assert counted.count(6, ("list", (PLACES_COUNTED_MAX - 1, 1))) == PLACES_COUNTED_MAX - 1


def test_pages_are_counted_once_and_stay_true(store: OpenStore) -> None:
    store.call("import_shipment", shipment(ENDPOINTS), NOW)
    store.call("make_room", NOW)
    store.call("record", [endpoint_day(n) for n in range(1, ENDPOINTS)], NOW)
    counts: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith("SELECT count(*) FROM (SELECT DISTINCT"):
            counts.append(statement)

    event.listen(store.store._database._read_engine, "before_cursor_execute", note)

    def page(after: Any = None, limit: int = 2) -> RegisterPage:
        found: RegisterPage = store.call("register_page", PERIOD, None, after, limit)
        return found

    one = page()
    instants = one.remaining + 2
    two = page(one.last)
    assert (instants, two.remaining, len(counts)) == (ENDPOINTS - 1, instants - 4, 1)
    whole = page(limit=100)
    assert (whole.remaining, whole.last_meter_no, len(counts)) == (0, page(two.last, 100).last_meter_no, 1)
    assert page(whole.last) == RegisterPage(None, "", 0)

    store.call("record", [endpoint_day(ENDPOINTS)], NOW)
    assert (page(one.last).remaining, len(counts)) == (instants - 3, 2)
    assert page(limit=100).last != whole.last

    retention, position = Retention(dict.fromkeys(DataClass, 400)), ()
    while position is not None:
        position = store.call("purge_step", retention, DataClass.REGISTERS, MUCH_LATER, position, 1_000).position
    assert page() == RegisterPage(None, "", 0)
