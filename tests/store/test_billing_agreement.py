"""Billing-cycle reads of MultiSpeak, both versions and both shapes, and answers of the billing export: the same to the digit."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from headend.model.collection import Collected
from headend.model.endpoint import Commodity, EndpointId
from headend.model.readings import IntervalFlag
from tests.store.billing_world import MADE, NS, STOP, World, june
from tests.store.test_exports import hours
from tests.store.world import OpenStore, register, shipment

Told = dict[tuple[str, str], tuple[Decimal, str]]
"""By meter and field name of MultiSpeak the value and its local time."""

FIELDS = {
    "energy_delivered": ("posKWh", 1_000),
    "energy_received": ("negKWh", 1_000),
    "energy_delivered_a": ("posKWhTOUA", 1_000),
    "energy_delivered_b": ("posKWhTOUB", 1_000),
    "reactive_delivered": ("posKVArh", 1_000),
    "gas_volume": ("gasVolume", 1),
    "water_volume": ("waterVolume", 1),
}
"""What our registers are called there, and how many of ours make one of theirs."""

INSIDE = (
    f"<billingCycle>07</billingCycle><billingDate>{STOP.isoformat()}</billingDate>"
    "<kWhLookBack>3</kWhLookBack><kWLookBack>30</kWLookBack><kWLookForward>0</kWLookForward>"
)


def told_in_blocks(site: Any, version: str) -> Told:
    """The rates of time of use have a template of their own: most meters have none."""
    rates = INSIDE + "<formattedBlockTemplateName>ElectricTimeOfUse</formattedBlockTemplateName>"
    return told_in_block(site, version, INSIDE) | told_in_block(site, version, rates)


def told_in_block(site: Any, version: str, inside: str) -> Told:
    answer = site.ask(version, "MR_Server", "GetReadingsByBillingCycle", inside)
    found: Told = {}
    for block in answer.iter("{*}formattedBlock"):
        names = [one.text or "" for one in block.iter("{*}fieldName")]
        for val in block.iter("{*}val"):
            row = dict(zip(names, (val.text or "").split(block.findtext("{*}separator")), strict=True))
            meter = row.get("meterNo") or row["meterID"]
            told = {name for name in row if row.get(f"{name}DateTime")}
            found |= {(meter, name): (Decimal(row[name]), row[f"{name}DateTime"]) for name in told}
    return found


def told_in_intervals(site: Any, version: str) -> Told:
    answer = site.ask(version, "MR_Server", "GetReadingsByBillingCycleIntervalData", INSIDE)
    found: Told = {}
    for data in answer.iter("{*}intervalData"):
        profiles = {}
        for profile in data.iter("{*}profile"):
            channels = profile.iter("{*}channel")
            profiles[profile.get("profileID")] = {one.findtext("{*}index"): one.findtext("{*}fieldName") for one in channels}
        for block in data.iter("{*}block"):
            for reading in block.iter("{*}endReading"):
                field = profiles[block.findtext("{*}profileID")][reading.findtext("{*}channelIndex")]
                value = Decimal(reading.findtext("{*}reading"))
                found[block.findtext("{*}meterNo") or block.findtext("{*}meterID"), field] = value, reading.findtext("{*}readingDate")
    return found


def told_by_export(world: World) -> Told:
    """What is answered at once and by the deadline. A MultiSpeak billing date's window is its whole local day, so the lead is a day."""
    cycle = '<Cycle cycleId="07" billDate="2026-07-01" deadline="2026-07-04T00:00:00Z"/>'
    defaults = '<Defaults windowLagMinutes="4320" windowLeadMinutes="1439" priors="false" demand="true"/>'
    found: Told = {}
    taken = world.take(world.request("", cycle=cycle, defaults=defaults))
    assert taken.first is not None
    at_once = world.document(taken.first)
    world.look(STOP + timedelta(days=3))
    for item in (*at_once, *world.later(taken, 2)):
        for one in item.iter(f"{{{NS}}}Read"):
            name, ratio = FIELDS[one.get("registerId")]
            assert one.get("multiplier") == "1"
            found[one.getparent().get("meterId"), name] = Decimal(one.get("value")) / ratio, one.get("readTimeLocal")
        for one in item.iter(f"{{{NS}}}Demand"):
            local = datetime.fromisoformat(one.get("occurred")).astimezone(world.zone).isoformat()
            found[one.getparent().get("meterId"), "peakDemand"] = Decimal(one.get("value")) / 1_000, local
    return found


def read(world: World, number: int, channel: int, value: int, instant: datetime) -> None:
    one = register(number, value, instant=instant, channel=channel)
    world.store.call("record", [Collected(EndpointId(number), instant, register_reads=(one,))], max(world.now, instant))


@pytest.fixture
def filled(store: OpenStore, store_site: Any, tmp_path: Path) -> World:
    """Meters 1 to 3 as they are; reads to choose among, net metering, reactive energy, demand, gas, water, and meters exchanged in June."""
    world = june(store, tmp_path)
    for number, reads in {
        4: ((600, -10, 0), (605, 0, int(IntervalFlag.ESTIMATED)), (610, 5, 0)),
        5: ((700, -50, 0), (701, -80, 0)),
        6: ((800, 23, 0), (801, 24, 0)),
        7: ((12_345_678, -5, 0), (12_345_679, 5, 0)),
    }.items():
        world.install(number, f"SP{number}", f"A{number}")
        for wh, offset, flags in reads:
            world.read(number, wh, STOP + timedelta(hours=offset), flags=flags)
    read(world, 1, 2, 77_001, STOP - timedelta(minutes=1))
    read(world, 1, 4, 5, STOP + timedelta(hours=3))
    read(world, 2, 2, 88_002, STOP)
    values = [100] * 24
    values[7] = values[9] = 4_200
    world.store.call("record", [Collected(EndpointId(1), STOP, interval_blocks=hours(1, -10 * 24 + 5, values))], world.now)
    world.install(9, "SP9", "A9")
    world.read(9, 12_345, STOP - timedelta(hours=30))
    exchanged = datetime(2026, 6, 15, 15, tzinfo=UTC)
    world.install(8, "SP8", "A8", ended=exchanged)
    world.store.call("import_shipment", [*shipment(1, first=10), *shipment(1, configuration="water", first=11)], MADE)
    world.install(10, "SP8", "A8", started=exchanged)
    world.read(8, 170_000, exchanged - timedelta(hours=10))
    world.read(8, 999_999, STOP)
    world.read(10, 80_000, STOP)
    world.install(11, "SP11", "A11", commodity=Commodity.WATER)
    read(world, 11, 41, 4_321, STOP)
    world.store.call("import_shipment", shipment(1, configuration="residential-tou", first=12), MADE)
    world.install(12, "SP12", "A12")
    for channel, wh in ((1, 9_700), (21, 2_301), (22, 7_399)):
        read(world, 12, channel, wh, STOP - timedelta(days=1))
    store_site.now = world.now = STOP + timedelta(hours=25)
    return world


def test_every_face_tells_the_same_reads_to_the_digit(filled: World, store_site: Any) -> None:
    ours = told_by_export(filled)
    for version in ("3.0", "4.1.6"):
        assert told_in_blocks(store_site, version) == ours, version
        in_intervals = {key: told for key, told in ours.items() if key[1] != "peakDemand"}
        assert told_in_intervals(store_site, version) == in_intervals, version
    assert {meter for meter, _ in ours} == {f"M{number:06}" for number in range(1, 13)}
    assert ours["M000007", "posKWh"] == (Decimal("12345.679"), "2026-07-01T05:00:00-05:00")
    assert ours["M000001", "negKWh"] == (Decimal("77.001"), "2026-06-30T23:59:00-05:00")
    assert ours["M000001", "peakDemand"] == (Decimal("4.2"), "2026-06-21T08:00:00-05:00"), "of two that are equal the first"
    assert ours["M000008", "posKWh"] == (Decimal(170), "2026-06-15T00:00:00-05:00"), "not what it showed after its removal"
    assert ours["M000010", "posKWh"] == (Decimal(80), "2026-07-01T00:00:00-05:00")
    assert ours["M000009", "gasVolume"] == (Decimal(12345), "2026-06-29T18:00:00-05:00")
    assert ours["M000012", "posKWhTOUB"] == (Decimal("7.399"), "2026-06-30T00:00:00-05:00")
    assert ours["M000011", "waterVolume"] == (Decimal(4321), "2026-07-01T00:00:00-05:00")
