"""Billing requests over a store: each item answered once, exchanges, late data, bad items, the same again."""

import io
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from adapters.billing.desk import HTTP, ConfirmationTaken
from adapters.validation.files import problems_of
from headend.billing_requests import BadRequestError, RequestReusedError
from headend.model.collection import Collected
from headend.model.delivery import DeliveryState, FinishedFile
from headend.model.endpoint import EndpointId
from headend.model.readings import IntervalFlag, ReadSource
from headend.model.retention import DataClass, Retention
from headend.model.work_item import WorkItemKind
from tests.store.billing_world import DEADLINE, MADE, NOW, NS, START, STOP, World, june
from tests.store.test_exports import hours
from tests.store.world import OpenStore, register, shipment


@pytest.fixture
def world(store: OpenStore, tmp_path: Path) -> World:
    return june(store, tmp_path)


def reads_of(item: Any) -> list[dict[str, str]]:
    return [dict(one.attrib) for one in item.iter(f"{{{NS}}}Read")]


def status_of(item: Any) -> tuple[str, str, str]:
    return item.get("itemId"), item.get("status"), item.get("reason", "")


def test_a_complete_item(world: World) -> None:
    (item,) = world.ask('<Item itemId="i1" accountId="A1" servicePointId="SP1"><PassThrough name="route">7 &amp; 8</PassThrough></Item>')
    assert status_of(item) == ("i1", "COMPLETE", "")
    assert reads_of(item) == [
        {
            "registerId": "energy_delivered",
            "uom": "Wh",
            "tou": "T",
            "flow": "D",
            "value": "1500",
            "multiplier": "1",
            "readTime": "2026-07-01T05:00:00Z",
            "readTimeLocal": "2026-07-01T00:00:00-05:00",
            "source": "SELF",
            "quality": "ACTUAL",
            "priorValue": "1000",
            "priorTime": "2026-06-01T05:00:00Z",
            "consumption": "500",
        }
    ]
    assert (item[-1].get("name"), item[-1].text) == ("route", "7 & 8")


def test_a_cycle_without_items_means_all_its_service_points(world: World) -> None:
    items = world.ask("")
    assert [status_of(one)[:2] for one in items] == [("SP1", "COMPLETE"), ("SP2", "COMPLETE"), ("SP3", "COMPLETE")]


_REJECTED = (
    ('accountId="A9"', "accountId 'A9' is not known"),
    ('servicePointId="SP99"', "servicePointId 'SP99' is not known"),
    ('meterId="M9"', "meterId 'M9' is not known"),
    ('servicePointId="SP1" meterId="M000002"', "meter 'M000002' was not at service point 'SP1' in the period"),
    ('servicePointId="SP1" accountId="A2"', "service point 'SP1' belongs to another account than 'A2'"),
    ('servicePointId="SP1" commodity="gas"', "service point 'SP1' has electric, not gas"),
    ('servicePointId="SP1" billStart="2026-07-01" billStop="2026-06-01"', "billStop 2026-06-01T05:00Z is not after billStart"),
    ('servicePointId="SP1" billStart="2020-07-01"', "the bill period is longer than 400 days"),
    ('servicePointId="SP1" windowLagMinutes="99999999999"', "the read window reaches further than 60 days"),
    ('servicePointId="SP1" billStop="2026-09-01"', "billStop 2026-09-01T05:00Z lies after the deadline"),
    ('servicePointId="SP1" billStop="12026-09-01"', "is no date of this calendar"),
    ("", "names no servicePointId, meterId or accountId"),
)


def test_an_item_that_cannot_be_answered_is_rejected_with_the_reason_and_the_others_are_answered(world: World) -> None:
    for attributes, reason in _REJECTED:
        items = world.ask(f'<Item itemId="bad" {attributes}/>\n<Item itemId="good" servicePointId="SP3"/>')
        assert [one.get("status") for one in items] == ["REJECTED", "COMPLETE"], attributes
        assert reason in items[0].get("reason")
        assert items[0].get("line") == "5"


def test_duplicates_overlaps_and_registers_that_there_are_not(world: World) -> None:
    items = world.ask(
        '<Item itemId="1" servicePointId="SP1"/>\n<Item itemId="1" servicePointId="SP2"/>\n<Item itemId="2" servicePointId="SP1"/>\n'
        '<Item itemId="3" servicePointId="SP3"><Channel registerId="steam"/></Item>'
        '<Item itemId="4" servicePointId="SP2"><Channel uom="Wh" flow="R" tou="A"/></Item>'
        '<Item itemId="5" servicePointId="SP2" billStart="2026-05-01" billStop="2026-06-01"><Channel uom="Wh" flow="D"/></Item>'
    )
    assert [status_of(one) for one in items[1:5]] == [
        ("1", "REJECTED", "itemId 1 stands in line 5 already"),
        ("2", "REJECTED", "its period overlaps that of another item of 'SP1'"),
        ("3", "REJECTED", "no register is called 'steam'"),
        ("4", "REJECTED", "no register has unit 'Wh', flow 'R' and rate 'A'"),
    ]
    assert items[0].get("status") == "COMPLETE"


def test_the_rest_is_answered_by_the_deadline_and_corrected_when_it_comes(world: World) -> None:
    world.install(4, "SP4", "A4")
    world.read(4, 100, START)
    taken = world.take(world.request('<Item itemId="1" servicePointId="SP1"/><Item itemId="4" servicePointId="SP4"/>'))
    assert taken.first is not None
    assert [one.get("itemId") for one in world.document(taken.first)] == ["1"]
    assert (taken.request.items, taken.request.open_items) == (2, 1)
    (exception,) = world.store.call("work_items", 10, kind=WorkItemKind.BILLING_EXCEPTION)
    assert exception.subject == "M000004"
    assert "the newest reading is older than the look-back" in exception.diagnosis
    assert world.store.sql("SELECT due_us FROM endpoint_state WHERE endpoint_id = 4")[0][0] is not None, "it is collected at once"
    world.look(DEADLINE - timedelta(minutes=2))
    assert world.later(taken, 2) is None
    world.look(DEADLINE - timedelta(minutes=1))
    rest = world.later(taken, 2)
    assert [status_of(one)[:2] for one in rest] == [("4", "CANT_READ")]
    assert (rest.get("unsolicited"), rest.get("items"), rest.get("cantRead")) == ("false", "1", "1")
    world.read(4, 700, STOP, source=ReadSource.SCHEDULED)
    world.look(DEADLINE + timedelta(hours=1))
    correction = world.later(taken, 3)
    assert (correction.get("unsolicited"), correction.get("inResponseTo")) == ("true", taken.request.request.request_id)
    assert [(status_of(one)[:2], reads_of(one)[0]["consumption"]) for one in correction] == [(("4", "COMPLETE"), "600")]
    assert world.store.call("work_items", 10, kind=WorkItemKind.BILLING_EXCEPTION) == []
    (delivery, manifest) = world.store.call("deliveries", 10)
    assert (delivery.target, delivery.file.name) == ("cis", f"demo-{taken.request.request_no}-3.xml")
    assert problems_of(manifest.file.path) == []
    world.read(4, 700, STOP, source=ReadSource.SCHEDULED)
    world.look(DEADLINE + timedelta(hours=2))
    assert world.later(taken, 4) is None, "what has not changed is not told again"


def test_the_rest_is_answered_as_soon_as_all_is_there(world: World) -> None:
    world.install(4, "SP4", "A4")
    world.read(4, 100, START)
    taken = world.take(world.request('<Item itemId="4" servicePointId="SP4"/>'))
    world.look(NOW + timedelta(minutes=1))
    assert world.later(taken, 2) is None
    world.read(4, 300, STOP)
    world.look(NOW + timedelta(minutes=2))
    assert [status_of(one)[:2] for one in world.later(taken, 2)] == [("4", "COMPLETE")]


def test_every_item_is_answered_exactly_once_whoever_looks_again(world: World) -> None:
    for number in (4, 5, 6):
        world.install(number, f"SP{number}", f"A{number}")
    items = "".join(f'<Item itemId="{n}" servicePointId="SP{n}"/>' for n in range(1, 8))
    taken = world.take(world.request(items))
    for minutes in (0, 1, 2):
        world.look(DEADLINE + timedelta(minutes=minutes))
    told = [one.get("itemId") for number in (1, 2) for one in world.later(taken, number)]
    assert sorted(told) == [str(n) for n in range(1, 8)]
    assert world.later(taken, 3) is None


def test_the_same_request_again_gives_the_same_response(world: World) -> None:
    octets = world.request('<Item itemId="1" servicePointId="SP1"/>', request_id="R1")
    first, again = world.take(octets), world.take(octets)
    assert (first.is_new, again.is_new) == (True, False)
    assert first.first is not None
    assert again.first is not None
    assert etree.tostring(world.document(first.first)) == etree.tostring(world.document(again.first))
    with pytest.raises(RequestReusedError):
        world.take(world.request('<Item itemId="2" servicePointId="SP2"/>', request_id="R1"))


def test_meters_exchanged_in_the_period_make_two_sets(world: World) -> None:
    exchanged = datetime(2026, 6, 15, 15, tzinfo=UTC)
    world.install(4, "SP4", "A4", ended=exchanged)
    world.install(5, "SP4", "A4", started=exchanged)
    for number, value, instant in ((4, 100, START), (4, 170, exchanged - timedelta(hours=10)), (4, 999, STOP)):
        world.read(number, value, instant)
    for number, value, instant in ((5, 3, exchanged + timedelta(hours=14)), (5, 80, STOP)):
        world.read(number, value, instant)
    (item,) = world.ask('<Item itemId="4" accountId="A4"/>')
    assert status_of(item)[:2] == ("4", "COMPLETE")
    assert [(one.get("meterId"), one.get("start")[:16], one.get("stop")[:16]) for one in item] == [
        ("M000004", "2026-06-01T05:00", "2026-06-15T15:00"),
        ("M000005", "2026-06-15T15:00", "2026-07-01T05:00"),
    ]
    assert [(one["priorValue"], one["value"], one["consumption"]) for one in reads_of(item)] == [("100", "170", "70"), ("3", "80", "77")]


_SELECTED = (("", "610"), ('selection="LATEST"', "620"), ('selection="EARLIEST"', "590"), ('windowLeadMinutes="0"', "600"))


def test_which_of_several_reads(world: World) -> None:
    world.install(4, "SP4", "A4")
    world.read(4, 100, START)
    for wh, offset, flags in ((590, -47, 0), (600, -10, 0), (605, -1, int(IntervalFlag.ESTIMATED)), (610, 5, 0), (620, 20, 0)):
        world.read(4, wh, STOP + timedelta(hours=offset), flags=flags)
    default = '<Defaults windowLagMinutes="4320" windowLeadMinutes="1440"/>'
    world.now = STOP + timedelta(hours=25)
    cycle = '<Cycle cycleId="07" billDate="2026-07-01" deadline="2026-07-04T00:00:00Z"/>'
    for attributes, value in _SELECTED:
        (item,) = world.ask(f'<Item itemId="4" servicePointId="SP4" {attributes}/>', defaults=default, cycle=cycle)
        assert [one["value"] for one in reads_of(item)] == [value], attributes


def test_only_a_doubtful_read_is_told_as_such_at_the_deadline(world: World) -> None:
    world.install(4, "SP4", "A4")
    world.read(4, 100, START)
    world.read(4, 600, STOP, flags=int(IntervalFlag.ESTIMATED))
    taken = world.take(world.request('<Item itemId="4" servicePointId="SP4"/>'))
    world.look(DEADLINE)
    (item,) = world.later(taken, 2)
    assert status_of(item) == ("4", "PARTIAL", "meter M000004: the only read of energy_delivered is doubtful")
    assert (reads_of(item)[0]["quality"], reads_of(item)[0]["flags"]) == ("ESTIMATED", "ESTIMATED")


def test_demand_with_its_time(world: World) -> None:
    values = [100] * 24
    values[7] = 4_200
    world.store.call("record", [Collected(EndpointId(1), NOW, interval_blocks=hours(1, -10 * 24 + 5, values))], NOW)
    (item,) = world.ask('<Item itemId="1" servicePointId="SP1" demand="true"/>')
    (demand,) = item.iter(f"{{{NS}}}Demand")
    assert dict(demand.attrib) == {
        "uom": "W",
        "value": "4200.000",
        "multiplier": "1",
        "occurred": "2026-06-21T13:00:00Z",
        "intervalSeconds": "3600",
        "gaps": "true",
    }


def test_net_metered_and_gas(world: World) -> None:
    store = world.store
    store.call("import_shipment", shipment(1, configuration="residential-net", first=10), MADE)
    world.install(10, "SP10", "A10")
    world.install(9, "SP9", "A9")
    for number in (9, 10):
        world.read(number, 100, START)
        world.read(number, 250, STOP)
    count = 30 * 24
    net = Collected(EndpointId(10), NOW, interval_blocks=hours(10, -30 * 24 + 5, [-2 if i % 2 else 1 for i in range(count)], channel=3))
    store.call("record", [net], NOW)
    items = world.ask('<Item itemId="10" accountId="A10"/><Item itemId="9" accountId="A9" commodity="gas"/>')
    assert [status_of(one) for one in items] == [("10", "COMPLETE", ""), ("9", "COMPLETE", "")]
    (usage,) = items[0].iter(f"{{{NS}}}Usage")
    assert (usage.get("registerId"), usage.get("flow"), usage.get("value")) == ("energy_net", "N", "-360")
    assert (usage.get("present"), usage.get("expected")) == ("720", "720")
    (gas,) = reads_of(items[1])
    assert (gas["registerId"], gas["uom"], gas["consumption"]) == ("gas_volume", "m3", "150")


def test_a_confirmation_is_kept(world: World) -> None:
    taken = world.take(world.request('<Item itemId="1" servicePointId="SP1"/>'))
    said = f'responseId="demo-{taken.request.request_no}-1" itemId="{{}}" billed="2026-07-02T00:00:00Z"'
    items = f"<Item {said.format(1)}/><Item {said.format(2)}/><Item {said.format(1).replace('demo-', 'demo-9')}/>"
    octets = f'<AmiBillingConfirmation xmlns="{NS}" version="1">{items}</AmiBillingConfirmation>'.encode()
    kept = world.store.running.wait(world.desk.take, io.BytesIO(octets), "cis", HTTP)
    assert isinstance(kept, ConfirmationTaken)
    assert (kept.items, len(kept.unknown)) == (1, 2)
    assert world.store.sql("SELECT billed_us FROM billing_item") == [(int(datetime(2026, 7, 2, tzinfo=UTC).timestamp() * 1e6),)]


_OPENING = f'<AmiBillingRequest xmlns="{NS}" version="1" requestId="x">\n'
_BAD = (
    ("nonsense", 1, "Start tag expected"),
    ("<a/>", 1, "the root is <a>"),
    (f"{_OPENING}<Item/>\n</AmiBillingRequest>", 2, "attribute 'itemId' is required"),
    (f'{_OPENING}<Item itemId="1"/>\n<I', 3, "Couldn't find end of Start Tag"),
    (f'{_OPENING}<Item itemId="1" billStart="soon"/></AmiBillingRequest>', 2, "'soon' is not a valid value"),
    (f'{_OPENING}<Cycle cycleId="7" billDate="12026-07-01"/></AmiBillingRequest>', 2, "is none of this calendar"),
    (f"{_OPENING}</AmiBillingRequest>", 0, "neither items nor a Cycle"),
    (f'<!DOCTYPE a [<!ENTITY a "b"><!ENTITY c "&a;&a;&a;">]>\n{_OPENING}</AmiBillingRequest>', 1, "DOCTYPE is not allowed"),
)


def test_what_cannot_be_taken_says_line_and_rule_and_nothing_of_it_is_kept(world: World) -> None:
    for text, line, words in _BAD:
        with pytest.raises(BadRequestError, match=words) as refused:
            world.take(text.encode())
        assert refused.value.line == line, text
        assert world.store.call("open_requests") == []
    assert world.ask('<Item itemId="1" servicePointId="SP1"/>', request_id="x")[0].get("status") == "COMPLETE"


def test_old_requests_are_forgotten_but_the_newest(world: World) -> None:
    store = world.store
    for _ in range(2):
        world.ask('<Item itemId="1" servicePointId="SP1"/>')
    store.call("queue_files", "batch", [FinishedFile(Path("/a"), "a", 1, b"")], ["cis"], world.now)
    (delivery,) = store.call("deliveries", 1)
    store.call("mark_delivery", delivery.delivery_id, DeliveryState.VERIFIED, world.now)
    retention = Retention(dict.fromkeys(DataClass, 400))
    for data_class in (DataClass.BILLING, DataClass.DELIVERIES):
        for now in (world.now + timedelta(days=399), world.now + timedelta(days=403)):
            position: Any = ()
            while position is not None:
                position = store.call("purge_step", retention, data_class, now, position, 100).position
    for table in ("request", "item", "answer", "response", "item_meter"):
        assert [row[0] for row in store.sql(f"SELECT request_no FROM billing_{table}")] == [2], table
    assert store.call("deliveries", 1) == []


def test_rates_of_time_of_use(world: World) -> None:
    """A meter with two rates tells the total and each; a rate is asked for by its letter; a meter without rates has none."""
    store = world.store
    store.call("import_shipment", shipment(1, configuration="residential-tou", first=10), MADE)
    world.install(10, "SP10", "A10")
    for instant, values in ((START, (9_000, 2_000, 7_000)), (STOP, (9_700, 2_300, 7_400))):
        reads = tuple(register(10, value, instant=instant, channel=channel) for channel, value in zip((1, 21, 22), values, strict=True))
        store.call("record", [Collected(EndpointId(10), instant, register_reads=reads)], instant)
    told = []
    for channel in ("", '<Channel tou="B" uom="Wh"/>', '<Channel uom="Wh" flow="D"/>', '<Channel registerId="energy_delivered_a"/>'):
        (item,) = world.ask(f'<Item itemId="1" servicePointId="SP10">{channel}</Item>')
        told.append([(one["tou"], one["value"], one["consumption"]) for one in reads_of(item)])
    total, peak, rest = ("T", "9700", "700"), ("A", "2300", "300"), ("B", "7400", "400")
    assert told == [[total, peak, rest], [rest], [total], [peak]]
    strange = '<Item itemId="{0}" servicePointId="{0}"><Channel tou="{1}"/></Item>'
    taken = world.take(world.request(strange.format("SP1", "A") + strange.format("SP10", "C")))
    world.look(DEADLINE)
    reasons = [one.get("reason") for one in world.later(taken, 2)]
    assert reasons == [
        "meter M000001: a residential meter has no register energy_delivered_a",
        "meter M000010: a residential-tou meter has no register energy_delivered_c",
    ]


def test_a_meter_with_rates_owes_each_of_them(world: World) -> None:
    store = world.store
    store.call("import_shipment", shipment(1, configuration="residential-tou", first=10), MADE)
    world.install(10, "SP10", "A10")
    for instant in (START, STOP):
        reads = tuple(register(10, 9_000, instant=instant, channel=channel) for channel in (1, 21))
        store.call("record", [Collected(EndpointId(10), instant, register_reads=reads)], instant)
    taken = world.take(world.request('<Item itemId="1" servicePointId="SP10"/>'))
    world.look(DEADLINE)
    (item,) = world.later(taken, 2)
    assert status_of(item)[1:] == ("PARTIAL", "meter M000010: no read of energy_delivered_b: the meter told no such register in the window")
