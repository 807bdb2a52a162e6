"""Exchanges and installations that a partner waits for: answered once, when they are recorded or when they expire, in both databases."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from headend.model.deferred import IN_METER, IN_METER_CALLED_BY, DeferredKind, TargetState
from headend.model.partner import MeterIdentifier
from headend.provisioning import read_customers
from headend.provisioning_rows import FileFormat
from tests.conftest import RunningReactor
from tests.contract.commands import CommandStoreUnderTest, request
from tests.store.world import NOW, UTILITY, opened, shipment

MINUTE = timedelta(minutes=1)
EXCHANGE, INSTALLATION = DeferredKind.METER_EXCHANGE, DeferredKind.METER_INSTALLATION


@pytest.fixture
def store(running: RunningReactor, database_url: str, tmp_path: Path) -> Iterator[CommandStoreUnderTest]:
    """Meters M000001 … M000003, the first of which stands at SP-1."""
    store = opened(running, database_url, tmp_path / "keys", UTILITY)
    store.call("import_shipment", shipment(3), NOW)
    one = CommandStoreUnderTest(store, None)
    install(one, 1, "SP-1", "2026-01-01T00:00:00Z")
    yield one
    store.call("close")


def install(store: CommandStoreUnderTest, endpoint: int, place: str, started: str, minutes: float = 0) -> None:
    text = "account_no,name,service_point_no,commodity,meter_no,started\n"
    rows = f"A-1,Ann,{place},electric,M{endpoint:06},{started}\n"
    store._call("import_customers", read_customers((text + rows).encode(), FileFormat.CSV).items, NOW + minutes * MINUTE)


def look(store: CommandStoreUnderTest, minutes: float) -> list[tuple[int, str, str]]:
    """Have a driver come by, who has nothing to do; what has been told so far: endpoint, state, reason."""
    now = NOW + minutes * MINUTE
    assert store.take("me", 10, 10, now, now + MINUTE) == []
    return [(one["endpoint"], one["outcome"]["state"], one["outcome"].get("reason", "")) for one in store.told()]


def test_an_exchange_is_told_once_when_the_other_meter_stands_in_its_place(store: CommandStoreUnderTest) -> None:
    assert store.accept(request(1, kind=EXCHANGE, action=None, details={"inMeter": "M000002", "serviceLocationID": "SP-1"})) == []
    assert look(store, 0) == []
    assert not store.due(NOW + MINUTE / 2)
    install(store, 2, "SP-2", "2026-07-01T00:00:00Z")
    assert look(store, 1) == [], "it stands elsewhere"
    install(store, 2, "SP-1", "2026-07-02T00:00:00Z", minutes=1.5)
    assert look(store, 1.5) == [(1, "succeeded", "")], "what is recorded is looked at at once"
    assert look(store, 3) == [(1, "succeeded", "")]
    (view,) = store.views("cis", "t-1")
    assert view.state is TargetState.SUCCEEDED


@pytest.mark.parametrize(
    ("called_by", "name", "other"),
    [(MeterIdentifier.SERIAL_NO, "S2", "M000002"), (MeterIdentifier.AP_TITLE, ".100.2", "S2"), (MeterIdentifier.METER_NO, "M000002", "S2")],
)
def test_the_meter_that_comes_in_is_called_as_the_partner_calls_meters(
    store: CommandStoreUnderTest, called_by: MeterIdentifier, name: str, other: str
) -> None:
    for transaction, meter in (("t-1", name), ("t-2", other)):
        details = {IN_METER: meter, IN_METER_CALLED_BY: called_by.value}
        assert store.accept(request(1, kind=EXCHANGE, action=None, details=details, transaction=transaction, expires=5 * MINUTE)) == []
    install(store, 2, "SP-1", "2026-07-02T00:00:00Z")
    assert look(store, 1) == [(1, "succeeded", "")]
    assert [view.state for t in ("t-1", "t-2") for view in store.views("cis", t)] == [TargetState.SUCCEEDED, TargetState.ACCEPTED]


def test_an_installation_is_told_when_the_meter_stands_where_it_was_to(store: CommandStoreUnderTest) -> None:
    store.accept(request(2, kind=INSTALLATION, action=None, details={"serviceLocation": "SP-9"}))
    assert look(store, 0) == []
    install(store, 2, "SP-9", "2026-07-02T00:00:00Z")
    assert look(store, 1) == [(2, "succeeded", "")]


def test_what_is_not_recorded_in_time_is_told_too(store: CommandStoreUnderTest) -> None:
    store.accept(request(1, kind=EXCHANGE, action=None, details={"inMeter": "M000002"}, expires=5 * MINUTE))
    store.accept(request(3, kind=INSTALLATION, action=None, details={"serviceLocation": "SP-3"}, transaction="t-2"))
    assert look(store, 0) == []
    assert look(store, 5) == [(1, "expired", "no meter exchange was recorded until it expired")]
    store.cancel(2, "cancelled by the partner")
    assert look(store, 6)[1:] == [(3, "cancelled", "cancelled by the partner")]
