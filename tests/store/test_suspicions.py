"""Suspicions of theft from what is stored, on both databases: found once, told as work items and exceptions, again when they return."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from headend.event_catalogue import LOAD_SIDE_VOLTAGE
from headend.model.channels import CHANNEL_BY_NAME
from headend.model.collection import Collected
from headend.model.endpoint import EndpointId
from headend.model.events import DeviceEvent, ExceptionKind
from headend.model.work_item import Party, WorkItemChange, WorkItemEntry, WorkItemKind, WorkItemState
from headend.suspicion import SuspicionPolicy
from headend.suspicion_settings import SuspicionSettings
from headend.suspicion_watch import SuspicionWatch
from headend.switches import KnownBy, SwitchState
from tests.store.world import NOW, UTILITY, OpenStore, block, register, shipment

VOLTAGE = CHANNEL_BY_NAME["voltage_average_a"].channel_id
RECEIVED = CHANNEL_BY_NAME["energy_received"].channel_id
NO_USE_DAYS = 5
POLICY = SuspicionPolicy(no_use_days=NO_USE_DAYS)
DAY = date(2026, 7, 1)


class Watched:
    """A store with a watch over it."""

    def __init__(self, store: OpenStore) -> None:
        self.store = store
        self.now = NOW

    def look(self, days: int = 0) -> int:
        """Look so many days later, as a process does that has just begun."""
        self.now = NOW + timedelta(days=days)
        watch = SuspicionWatch(UTILITY, self.store.store, lambda: self.now, "test", POLICY)
        found: int = self.store.running.wait(watch.look)
        return found

    def record(self, *items: Collected) -> None:
        self.store.call("record", list(items), self.now)

    def event(self, number: int, code: int, minutes: int, argument: bytes = b"") -> None:
        occurred = NOW + timedelta(minutes=minutes)
        self.record(Collected(EndpointId(number), occurred, events=(DeviceEvent(EndpointId(number), code, occurred, minutes, argument),)))

    def lived(self, number: int, days: Sequence[int], use: int, volts: int = 120, fed: int = 0) -> None:
        """Days counted from DAY, each with a register at its end, and one at the beginning of the first."""
        first = midnight(days[0])
        registers = [register(number, 1_000 + use * (day - days[0] + 1), instant=midnight(day + 1)) for day in days]
        registers.append(register(number, 1_000, instant=first))
        blocks = [block(number, [volts] * 96, channel=VOLTAGE, day=DAY + timedelta(days=day)) for day in days]
        if fed:
            blocks += [block(number, [fed // 24] * 24, channel=RECEIVED, day=DAY + timedelta(days=day)) for day in days]
        self.record(Collected(EndpointId(number), self.now, register_reads=tuple(registers), interval_blocks=tuple(blocks)))

    def items(self, **named: Any) -> list[Any]:
        items: list[Any] = self.store.call("work_items", 100, kind=WorkItemKind.THEFT_SUSPICION, **named)
        return sorted(items, key=lambda item: item.subject)


def midnight(day: int) -> datetime:
    """The beginning of a local day counted from DAY."""
    return UTILITY.day_bounds(DAY + timedelta(days=day))[0]


@pytest.fixture
def watched(store: OpenStore) -> Watched:
    store.call("import_shipment", shipment(6), NOW)
    store.call("import_shipment", shipment(2, configuration="commercial", first=7), NOW)
    return Watched(store)


def test_an_event_of_tampering_is_a_work_item_as_soon_as_it_is_looked_at(watched: Watched) -> None:
    watched.event(1, 47, 1)
    watched.event(2, 1, 1)
    watched.event(3, LOAD_SIDE_VOLTAGE, 2, (1_200).to_bytes(2))
    assert watched.look() == 2
    assert watched.look() == 0
    first, third = watched.items()
    assert (first.subject, first.diagnosis, first.routed_to) == ("M000001", "tamper: the meter told of a tamper attempt", Party.UTILITY)
    assert third.diagnosis == "live load behind an open switch: 120 V were measured behind the open switch"
    told = [(meter, x.kind) for meter, x in watched.store.call("exceptions", 10)]
    assert sorted(told) == [("M000001", ExceptionKind.SUSPICION), ("M000003", ExceptionKind.SUSPICION)]
    watched.event(1, 47, 1)
    assert watched.look() == 0, "the same event, told once more, is not another"
    watched.event(1, 47, 5)
    assert watched.look() == 1
    assert len(watched.items()[0].history) == 2, "a second one joins the item that is open"


def test_no_use_with_voltage_is_found_once_while_it_lasts(watched: Watched) -> None:
    days = range(NO_USE_DAYS + 2)
    watched.lived(1, days, use=0)
    watched.lived(2, days, use=0, volts=0)
    watched.lived(3, days, use=400)
    watched.lived(4, days[:3], use=0)
    watched.lived(5, days, use=0)
    watched.store.call("note_switch_state", "M000005", SwitchState.DISCONNECTED, NOW - timedelta(days=30), KnownBy.COMMAND)
    last = NO_USE_DAYS - 1
    assert watched.look(last + 1) == 1
    (item,) = watched.items()
    assert item.subject == "M000001"
    assert item.diagnosis == "no use with voltage: 0 Wh from 2026-07-01 to 2026-07-06, with voltage in 100% of its intervals"
    assert watched.look(last + 1) == 0, "a day is looked at once"
    assert watched.look(last + 2) == 0, "it lasts: nothing new"
    close = WorkItemChange(item.kind, item.subject, watched.now, WorkItemState.CLOSED, (WorkItemEntry(watched.now, "ann", "vacant"),))
    watched.store.call("change_work_item", close)
    watched.lived(1, range(NO_USE_DAYS + 4), use=0)
    assert watched.look(last + 3) == 0, "nor once a person said what it is"
    assert watched.items() == []


def test_it_is_told_again_when_it_returns(watched: Watched) -> None:
    watched.lived(1, range(NO_USE_DAYS), use=0)
    last = NO_USE_DAYS - 1
    assert watched.look(last + 1) == 1
    later = range(20, 20 + NO_USE_DAYS)
    watched.now = NOW + timedelta(days=later[-1])
    watched.lived(1, later, use=0)
    assert watched.look(later[-1] + 1) == 1


def test_what_passes_an_open_switch_is_found(watched: Watched) -> None:
    for number, use in ((1, 300), (2, 0)):
        watched.lived(number, range(4), use=use)
        watched.store.call("note_switch_state", f"M{number:06}", SwitchState.DISCONNECTED, midnight(1), KnownBy.COMMAND)
    assert watched.look(5) == 1
    (item,) = watched.items()
    assert (item.subject, item.diagnosis.split(":")[0]) == ("M000001", "live load behind an open switch")
    assert "900 Wh passed the switch from 2026-07-02 to 2026-07-05" in item.diagnosis


def test_who_may_not_feed_in_and_does_is_found(watched: Watched) -> None:
    watched.lived(7, range(3), use=100, fed=2_400)
    watched.lived(8, range(3), use=100, fed=240)
    assert watched.look(3) == 1
    (item,) = watched.items()
    assert (item.subject, item.diagnosis) == ("M000007", "reverse flow: 2400 Wh were fed in on 2026-07-03")


def test_many_events_are_taken_a_few_at_a_time(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("headend.suspicion_watch.SUSPECT_EVENTS_PER_LOOK", 2)
    for number in range(1, 7):
        watched.event(number, 47, number)
    assert watched.look() == 6
    assert len(watched.items()) == 6
    assert watched.store.sql("SELECT count(*) FROM suspect_event") == [(0,)]


def test_another_process_that_looks_is_left_to_it(watched: Watched) -> None:
    watched.event(1, 47, 1)
    assert watched.store.call("claim_work", "suspicion", "another", NOW, NOW + timedelta(minutes=5), NOW)
    assert watched.look() == 0
    assert watched.look(1) == 1


def test_settings_name_the_thresholds() -> None:
    assert SuspicionSettings().policy == SuspicionPolicy()
    assert SuspicionSettings(no_use_days=0).policy == replace(SuspicionPolicy(), no_use_days=0)
