"""Batches, held against both databases and the store in memory: pace, quiet times, the protected list, cancellation."""

from collections import Counter
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from headend.commands.staggering import CATCH_UP_SECONDS
from headend.model.command import CommandUpdate, FailureCode, Hindrance, Told
from headend.model.command_rules import CommandRules, QuietTimes
from headend.model.deferred import DeferredKind, SwitchAction, TargetState
from headend.model.protection import Protection, ProtectionKind
from tests.contract.commands import MANY, NOW, CommandStoreUnderTest, request
from tests.store.world import UTILITY

PACE = CommandRules(per_router_per_minute=10, per_minute=15)
NIGHT = QuietTimes(UTILITY.time_zone, ((21 * 60, 8 * 60),))
"""NOW is one in the morning in Chicago."""
MORNING = NOW + timedelta(hours=7)
READ = DeferredKind.READ
KINDS = ["memory", "sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)]
MANY_MORE = tuple(n for n in range(1, 42) if n != 4)
"""Endpoints that can be reached, more than a person waits for."""


@pytest.fixture(params=KINDS)
def paced(request: pytest.FixtureRequest) -> CommandStoreUnderTest:
    """A store of a utility with a slow pace."""
    return CommandStoreUnderTest.of(request, replace(UTILITY, commands=PACE), 41)


@pytest.fixture(params=KINDS)
def quiet(request: pytest.FixtureRequest) -> CommandStoreUnderTest:
    """A store of a utility that disconnects nobody at night."""
    return CommandStoreUnderTest.of(request, replace(UTILITY, commands=CommandRules(quiet=NIGHT)))


def begun(store: CommandStoreUnderTest, at: Any) -> list[Any]:
    """What is handed out at an instant."""
    return store.take("me", 100, 100, at, at + timedelta(minutes=2))


def carried_out(store: CommandStoreUnderTest, since: datetime, seconds: int) -> Counter[tuple[int, str | None]]:
    """How many are begun, by minute and router, while whatever is handed out is done at once."""
    found: Counter[tuple[int, str | None]] = Counter()
    for half in range(2 * seconds):
        at = since + timedelta(seconds=half / 2)
        for one in begun(store, at):
            found[half // 120, one.router] += 1
            done = CommandUpdate(replace(one.command, state=TargetState.SUCCEEDED), one.lease_no, None)
            assert store.record([done], at) == [True]
    return found


def by_minute(begun_then: Counter[tuple[int, str | None]]) -> list[int]:
    """How many are begun in each minute."""
    totals: Counter[int] = Counter()
    for (minute, _), count in begun_then.items():
        totals[minute] += count
    return [totals[minute] for minute in sorted(totals)]


def test_many_are_handed_out_one_after_the_other(paced: CommandStoreUnderTest) -> None:
    paced.accept(request(*MANY_MORE, kind=READ, action=None))
    found = carried_out(paced, NOW, 200)
    assert by_minute(found) == [15, 15, 10]
    assert max(found.values()) <= 10


def test_after_a_time_in_which_nobody_carried_them_out_they_are_not_begun_all_at_once(paced: CommandStoreUnderTest) -> None:
    paced.accept(request(*MANY_MORE, kind=READ, action=None))
    found = carried_out(paced, NOW + timedelta(minutes=30, seconds=7), 260)
    assert sum(by_minute(found)) == 40
    assert max(by_minute(found)) <= 15 * (1 + CATCH_UP_SECONDS / 60) + 1
    assert max(found.values()) <= 10 * (1 + CATCH_UP_SECONDS / 60) + 1


def test_a_second_batch_has_its_turns_beside_the_first(paced: CommandStoreUnderTest) -> None:
    for name in ("first", "second"):
        paced.accept(request(*MANY_MORE, kind=READ, action=None, transaction=name))
    found = carried_out(paced, NOW, 400)
    assert by_minute(found)[:5] == [15] * 5
    assert sum(found.values()) == 80


def test_one_that_has_no_turn_before_it_expires_is_refused_at_once_and_by_name(paced: CommandStoreUnderTest) -> None:
    refused = paced.accept(request(*MANY_MORE, kind=READ, action=None, expires=timedelta(minutes=3)))
    assert len(refused) == 10, "none is begun in the last minute"
    assert refused[0].reason.startswith("meter 'M0000")
    assert "no turn before the request expires at 2026-07-02 01:03" in refused[0].reason
    assert len(paced.views("cis", "t-1")) == 30


def test_a_person_goes_before_thousands_that_are_due(paced: CommandStoreUnderTest) -> None:
    for name in range(50):
        paced.accept(request(*MANY_MORE, kind=READ, action=None, transaction=f"t-{name}", expires=timedelta(days=3)))
    late = NOW + timedelta(days=2)
    paced.accept(request(2, kind=DeferredKind.PING, action=None, transaction="person", now=late))
    first, *_ = paced.take("me", 5, 4, late, late + timedelta(minutes=2))
    assert first.command.kind is DeferredKind.PING


def test_at_night_nobody_is_disconnected_but_connected(quiet: CommandStoreUnderTest) -> None:
    quiet.accept(request(1, transaction="off", expires=timedelta(days=1)))
    quiet.accept(request(2, transaction="on", action=SwitchAction.CONNECT))
    quiet.accept(request(3, transaction="fire", parameters={"override": "the fire brigade asks"}))
    assert [one.command.action for one in begun(quiet, NOW)] == [SwitchAction.CONNECT, SwitchAction.DISCONNECT]
    assert 1 not in [one.endpoint_id for one in begun(quiet, MORNING - timedelta(seconds=1))]
    (waited,) = begun(quiet, MORNING)
    assert waited.hindrance == Hindrance()


def test_one_that_expires_before_the_morning_is_refused(quiet: CommandStoreUnderTest) -> None:
    (refused,) = quiet.accept(request(1, expires=timedelta(hours=2)))
    assert "quiet times, which last until 2026-07-02 08:00; the request expires at 2026-07-02 03:00" in refused.reason


def test_one_that_is_handed_out_in_quiet_times_is_told_how_long_they_last(quiet: CommandStoreUnderTest) -> None:
    noon, night = NOW + timedelta(hours=11), NOW + timedelta(hours=20, minutes=30)
    quiet.accept(request(1, now=noon, expires=timedelta(days=1)))
    (one,) = begun(quiet, night)
    assert one.hindrance.quiet_until == MORNING + timedelta(days=1)


def protection(last: date | None = None, first: date = date(2026, 7, 1), kind: ProtectionKind = ProtectionKind.MEDICAL) -> Protection:
    return Protection("M000001", "", kind, first, last, "")


def test_a_protected_meter_is_not_disconnected_and_the_others_are(quiet: CommandStoreUnderTest) -> None:
    quiet.protect(1, protection(date(2026, 7, 31)))
    (refused,) = quiet.accept(request(*MANY, expires=timedelta(days=1)))
    assert (refused.object_id, refused.reason) == ("M000001", "meter 'M000001' is not disconnected: protected (medical) until 2026-07-31")
    assert len(quiet.views("cis", "t-1")) == len(MANY) - 1
    assert quiet.accept(request(1, transaction="connect", action=SwitchAction.CONNECT)) == []
    assert quiet.accept(request(1, transaction="judge", parameters={"override": "by order of the court"})) == []


def test_one_whose_protection_is_over_or_not_yet_begun_is_disconnected(quiet: CommandStoreUnderTest) -> None:
    quiet.protect(1, protection(date(2026, 7, 1)))
    assert quiet.accept(request(1, expires=timedelta(days=1))) == [], "it is the second, in Chicago too"
    quiet.protect(1, protection(None, date(2026, 7, 3), ProtectionKind.WEATHER))
    assert quiet.accept(request(1, transaction="two", expires=timedelta(days=1))) == []


def test_one_that_is_protected_while_it_waits_is_told_nothing(quiet: CommandStoreUnderTest) -> None:
    quiet.accept(request(1, expires=timedelta(days=1)))
    quiet.protect(1, protection())
    (one,) = begun(quiet, MORNING)
    assert one.hindrance.protection == "protected (medical)"


def test_what_is_cancelled_half_way_ends_once_and_what_was_told_goes_on(paced: CommandStoreUnderTest) -> None:
    paced.accept(request(*MANY_MORE))
    first, second = begun(paced, NOW + timedelta(seconds=4))[:2]
    told = replace(first.command, state=TargetState.SENT, told=Told(2_049, 9, NOW))
    paced.record([CommandUpdate(told, first.lease_no, NOW + timedelta(minutes=2), keeps_lease=True)], NOW)
    paced.cancel(1, "cancelled by ann: they have paid")
    states = {view.meter_no: view for view in paced.views("cis", "t-1")}
    assert states[first.meter_no].state is TargetState.SENT
    others = [view for name, view in states.items() if name != first.meter_no]
    assert {(view.state, view.code, view.reason) for view in others} == {
        (TargetState.CANCELLED, FailureCode.CANCELLED, "cancelled by ann: they have paid")
    }
    messages = paced.told()
    assert len(messages) == 39
    assert {message["outcome"]["reason"] for message in messages} == {"cancelled by ann: they have paid"}
    begins = replace(second.command, state=TargetState.SENT, told=Told(2_049, 9, NOW))
    assert paced.record([CommandUpdate(begins, second.lease_no, NOW, keeps_lease=True)], NOW) == [False], "it is not told any more"
    done = replace(told, state=TargetState.SUCCEEDED)
    assert paced.record([CommandUpdate(done, first.lease_no, None)], NOW) == [True]
    assert begun(paced, NOW + timedelta(minutes=50)) == []


def test_whoever_is_protected_all_along_takes_nobodys_turn(paced: CommandStoreUnderTest) -> None:
    for endpoint in range(1, 16):
        paced.protect(endpoint, Protection(f"M{endpoint:06}", "", ProtectionKind.WEATHER, date(2026, 7, 1), None, ""))
    refused = paced.accept(request(*MANY_MORE, expires=timedelta(minutes=3)))
    assert {one.reason.partition(": ")[2] for one in refused} == {"protected (weather)"}
    assert len(paced.views("cis", "t-1")) == 26, "the other 26 have their turns within two minutes"
