"""Batches and the protected list in both databases: kept, listed, reported, previewed; turns of several requests together."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest
from twisted.internet.defer import gatherResults

from headend.command_settings import CommandSettings
from headend.commands.batch_file import BatchItem
from headend.commands.batching import BatchWish, batch_requests
from headend.commands.staggering import minute_of
from headend.deferred_requests import TransactionReusedError
from headend.model.command import CommandAssignment
from headend.model.deferred import DeferredKind, SwitchAction, TargetKey, TargetState
from headend.model.protection import Protection, ProtectionKind
from headend.model.refusal import Refusal
from headend.ports import CustomerItem
from headend.provisioning import read_customers
from headend.provisioning_rows import FileFormat
from tests.conftest import RunningReactor
from tests.contract.commands import request
from tests.store.world import NOW, UTILITY, OpenStore, opened, shipment

DAY = date(2026, 7, 2)
READ = DeferredKind.READ
METERS = 60


@pytest.fixture
def store(running: RunningReactor, database_url: str, tmp_path: Path) -> Iterator[OpenStore]:
    """A utility that begins ten commands a minute behind each of its two routers; the first two meters are of account A-1."""
    rules = CommandSettings(per_router_per_minute=10, per_minute=15).rules(UTILITY.time_zone)
    store = opened(running, database_url, tmp_path / "keys", replace(UTILITY, commands=rules))
    store.call("import_shipment", shipment(METERS), NOW)
    rows = "".join(f"A-1,Ann,SP-{n},electric,M{n:06},2026-01-01T00:00:00Z\n" for n in (1, 2))
    text = "account_no,name,service_point_no,commodity,meter_no,started\n" + rows
    customers: tuple[CustomerItem, ...] = read_customers(text.encode(), FileFormat.CSV).items
    store.call("import_customers", customers, NOW)
    yield store
    store.call("close")


def wish(store: OpenStore, items: list[BatchItem], salt: str = "") -> list:
    known = store.call("known_meters", {(TargetKey.METER_NO, item.meter_no) for item in items})
    return batch_requests(items, known, UTILITY, BatchWish("ann", "cut.csv", NOW, None, timedelta(hours=24), salt))[0]


def mixed() -> list[BatchItem]:
    return [
        BatchItem(f"M{n:06}", DeferredKind.SWITCH, SwitchAction.DISCONNECT) if n % 2 else BatchItem(f"M{n:06}", READ, None)
        for n in range(1, METERS + 1)
    ]


def test_a_file_with_several_commands_is_one_batch(store: OpenStore) -> None:
    requests = wish(store, [*mixed(), BatchItem("M0", READ, None)])
    previewed = store.call("preview_batch", requests)
    accepted = store.call("accept_batch", requests)
    assert (accepted.batch_id, accepted.again) == (1, False)
    assert accepted.refusals == (Refusal("M0", "meter 'M0' is not known"),)
    (summary,) = store.call("batches", 10)
    assert (summary.what, summary.title, summary.requester) == (("disconnect", "read"), "cut.csv", "person:ann")
    assert (summary.counts, summary.refused, summary.state) == ({TargetState.ACCEPTED: METERS}, 1, "under way")
    report = store.call("batch", 1)
    dues = {line.view.meter_no: line.due for line in report.lines}
    assert dues == {one.target.meter_no: one.due for arrangement in previewed for one in arrangement.targets}
    minutes = [sum(minute_of(due) == minute for due in dues.values()) for minute in sorted(set(map(minute_of, dues.values())))]
    assert minutes == [15, 15, 15, 10, 5], "both commands together keep the pace; each is behind a router of its own"
    again = store.call("accept_batch", requests)
    assert (again.batch_id, again.again) == (1, True)
    assert store.call("accept_batch", wish(store, mixed(), "salt")).batch_id == 3


def test_requests_of_partners_for_many_are_batches_too_and_few_are_not(store: OpenStore) -> None:
    store.call("accept_deferred", request(*range(1, 31), transaction="many"))
    store.call("accept_deferred", request(1, 2, transaction="few"))
    (summary,) = store.call("batches", 10)
    assert (summary.requester, summary.title, summary.total) == ("cis", "InitiateConnectDisconnect", 30)
    with pytest.raises(TransactionReusedError):
        store.call("accept_deferred", replace(request(*range(1, 31), transaction="many"), fingerprint=b"other"))


def test_cancelling_some_meters_leaves_the_others(store: OpenStore) -> None:
    store.call("accept_batch", wish(store, mixed()))
    assert store.call("cancel_batch", 1, "paid", NOW, ["M000001", "M000003", "M0"]) == 2
    assert store.call("batch", 1).summary.counts == {TargetState.ACCEPTED: METERS - 2, TargetState.CANCELLED: 2}
    assert store.call("cancel_batch", 1, "all paid", NOW) == METERS - 2
    summary = store.call("batch", 1).summary
    assert (summary.state, summary.cancelled, summary.open) == ("cancelled", "all paid", 0)
    assert store.call("cancel_batch", 9, "none", NOW) is None
    assert store.call("batch", 9) is None


def test_a_cancellation_that_did_not_get_through_is_carried_out_by_whoever_hands_out(store: OpenStore) -> None:
    store.call("accept_batch", wish(store, mixed()))
    store.sql("UPDATE deferred_request SET cancelled = 'cancelled by ann' WHERE batch_id = 1")
    taken = store.call("take_commands", "me", 100, 100, NOW + timedelta(hours=1), NOW + timedelta(hours=2))
    assert {one.hindrance.cancelled for one in taken} == {"cancelled by ann"}
    assert len(taken) == METERS, "there is no pace for what is not begun"


def test_two_who_hand_out_at_the_same_time_keep_one_pace(store: OpenStore) -> None:
    store.call("accept_batch", wish(store, mixed()))
    late = NOW + timedelta(hours=1)

    async def both() -> list[list[CommandAssignment]]:
        taking = [store.store.take_commands(owner, 100, 100, late, late + timedelta(minutes=2)) for owner in ("one", "two", "three")]
        taken: list[list[CommandAssignment]] = await gatherResults(taking)
        return taken

    found = store.running.wait(both)
    commands = [one.command.command_id for taken in found for one in taken]
    assert len(commands) == len(set(commands))
    # Ten behind each of two routers is one each six seconds: two at once, as five seconds may be made up for.
    assert 2 <= len(commands) <= 4
    assert store.call("take_commands", "four", 100, 100, late, late + timedelta(minutes=2)) == []


def entry(meter_no: str = "", account_no: str = "", last: date | None = None, note: str = "") -> Protection:
    return Protection(meter_no, account_no, ProtectionKind.MEDICAL, DAY, last, note)


def test_the_protected_list_is_kept_changed_and_asked_about(store: OpenStore) -> None:
    assert store.call("keep_protections", [entry("M000005"), entry(account_no="A-1")], "ann", NOW) == 2
    longer = entry("M000005", last=date(2026, 7, 9), note="oxygen")
    assert store.call("keep_protections", [longer, entry(account_no="A-1")], "bob", NOW) == 1
    assert store.call("unknown_protected", [entry("M0"), entry("M000005"), entry(account_no="A-9")]) == {("M0", ""), ("", "A-9")}
    of = store.call("protections_of", [1, 2, 3, 5])
    assert {endpoint: [one.subject for one in held] for endpoint, held in of.items()} == {
        1: ["account A-1"],
        2: ["account A-1"],
        5: ["meter M000005"],
    }
    account, meter = sorted(store.call("protections", 10), key=lambda one: one.protection.meter_no)
    assert (meter.entered_by, meter.protection.note, meter.protection.last_day) == ("bob", "oxygen", date(2026, 7, 9))
    assert [one.protection.subject for one in store.call("protections", 10, day=date(2026, 7, 10))] == ["account A-1"]
    assert [one.protection.subject for one in store.call("protections", 10, meter_no="M000002")] == ["account A-1"]
    assert store.call("end_protection", account.protection_id, DAY, "ann", NOW)
    assert store.call("remove_protection", meter.protection_id, "ann", NOW)
    assert not store.call("remove_protection", meter.protection_id, "ann", NOW)
    assert not store.call("end_protection", 99, DAY, "ann", NOW)
    assert store.call("protections", 10, day=DAY + timedelta(days=1)) == []
    assert {one.removed_by for one in store.call("protections", 10, removed=True)} == {"", "ann"}


def test_when_the_weather_protects_everyone_nobody_is_disconnected(store: OpenStore) -> None:
    heat = Protection("", "", ProtectionKind.WEATHER, DAY, DAY)
    store.call("keep_protections", [heat], "ann", NOW)
    refused = store.call("accept_deferred", request(7))
    assert [one.reason for one in refused] == ["meter 'M000007' is not disconnected: protected as everyone is (weather) until 2026-07-02"]
