"""A small utility in a store, with something of everything that reading operations tell of, and what they are asked with.

Electric M1 (residential, hourly energy and voltages), M2 (the same, with received energy), M3 (never read), gas G1 (cubic metres) and G2
(cubic feet), water W1, M9 (taken out of service point SP9, where M1 took its place). Two local days are there, from the first midnight to
the third; on the second day M1 lacks three hours and one was disturbed. Registers are read at each midnight.
"""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from xml.sax.saxutils import escape

from headend.meter_groups import GroupKind, MeterGroup
from headend.model.collection import Collected
from headend.model.endpoint import Commodity, Customer, EndpointId, Installation, NativeAddress, ServicePoint, Transport
from headend.model.events import DeviceEvent
from headend.model.readings import IntervalBlock, IntervalFlag, ReadSource, RegisterRead
from headend.ports import CustomerItem, ShipmentItem
from tests.store.world import UTILITY, OpenStore

DAYS = (date(2026, 6, 29), date(2026, 6, 30))
MIDNIGHTS = tuple(UTILITY.midnight(DAYS[0] + timedelta(days=n)) for n in range(3))
NOW = MIDNIGHTS[2] + timedelta(hours=7)
METERS = {"M1": "residential", "M2": "residential-net", "M3": "residential", "G1": "gas", "G2": "gas", "W1": "water", "M9": "residential"}
IDS = {meter_no: EndpointId(number) for number, meter_no in enumerate(METERS, 1)}
CYCLE = "07"
DELIVERED, RECEIVED, VOLTAGE, GAS, GAS_FT3, WATER = 1, 2, 13, 31, 32, 41
ENERGY = {"M1": 12_345_678, "M2": 999_999, "M9": 5_000_000}
REMOVED = MIDNIGHTS[1] + timedelta(hours=10)


def fill(store: OpenStore) -> None:
    """Put it into an empty store."""
    store.call("import_shipment", [_shipped(meter_no, number) for number, meter_no in enumerate(METERS)], NOW)
    store.call("import_customers", [_customer(meter_no) for meter_no in METERS if meter_no != "M9"], NOW)
    for meter_no in METERS:
        if meter_no != "M3":
            store.call("record", [_collected(meter_no)], NOW)
    moved = ServicePoint("SP9", Commodity.ELECTRIC, "9 Elm St", "Ames", "IA", "50010", "AC9", CYCLE)
    before = Installation("M9", "SP9", MIDNIGHTS[0] - timedelta(days=400), REMOVED)
    store.call("import_customers", [CustomerItem(Customer("AC9", "Ben"), moved, before)], NOW)
    store.call("import_customers", [CustomerItem(Customer("AC9", "Ben"), moved, Installation("M1", "SP9", REMOVED))], NOW)
    store.call("establish_group", MeterGroup(GroupKind.METERS, "mixed", "mixed", ("M3", "G1", "M1")), None, NOW)


def _shipped(meter_no: str, number: int) -> ShipmentItem:
    return ShipmentItem(
        meter_no=meter_no,
        serial_no=f"S{meter_no}",
        model="model-a",
        configuration=METERS[meter_no],
        ap_title=f".100.{number}",
        key_id=1,
        key=bytes(16),
        address=NativeAddress(Transport.UDP, "127.0.0.1", 1153),
        router=None,
    )


def _customer(meter_no: str) -> CustomerItem:
    commodity = {"M": Commodity.ELECTRIC, "G": Commodity.GAS, "W": Commodity.WATER}[meter_no[0]]
    cycle = CYCLE if meter_no in {"M2", "M3", "G1"} else "08"
    point = ServicePoint(f"SP{meter_no}", commodity, "1 Main St", "Ames", "IA", "50010", f"AC{meter_no}", cycle)
    ended = REMOVED if meter_no == "M1" else None
    installation = Installation(meter_no, point.service_point_no, MIDNIGHTS[0] - timedelta(days=400), ended)
    return CustomerItem(Customer(point.account_no, "Ann"), point, installation)


def register(meter_no: str, channel: int, instant: datetime, value: int, *, source: ReadSource = ReadSource.SELF_READ) -> RegisterRead:
    return RegisterRead(IDS[meter_no], channel, instant, source, value, 0)  # type: ignore[arg-type]


def _collected(meter_no: str) -> Collected:
    endpoint_id = IDS[meter_no]
    reads: list[RegisterRead] = []
    blocks: list[IntervalBlock] = []
    midnights = MIDNIGHTS[:2] if meter_no == "M9" else MIDNIGHTS
    for n, midnight in enumerate(midnights):
        if meter_no in ENERGY:
            reads.append(register(meter_no, DELIVERED, midnight, ENERGY[meter_no] + 24_000 * n))
        else:
            channel = {"G1": GAS, "G2": GAS_FT3, "W1": WATER}[meter_no]
            reads.append(replace(register(meter_no, channel, midnight, 123_456 + n), exponent=-3))
        if meter_no == "M2":
            reads.append(register(meter_no, RECEIVED, midnight, 4_001 + n))
    if meter_no == "M1":
        hours: list[int | None] = [1_000 + i for i in range(48)]
        flags = [0] * 48
        hours[26:29] = [None] * 3
        flags[28] = IntervalFlag.SKIPPED
        flags[30] = IntervalFlag.PARTIAL | IntervalFlag.POWER_FAIL
        blocks += _blocks(endpoint_id, DELIVERED, 3600, 0, hours, flags)
        blocks += _blocks(endpoint_id, VOLTAGE, 900, -1, [2_400 + i % 7 for i in range(192)], [0] * 192)
    if meter_no == "G1":
        blocks += _blocks(endpoint_id, GAS, 3600, -3, [5 + i for i in range(48)], [0] * 48)
    events = ()
    if meter_no == "M1":
        outage = MIDNIGHTS[0] + timedelta(hours=3)
        events = (
            DeviceEvent(endpoint_id, 1, outage, 11),
            DeviceEvent(endpoint_id, 2, outage + timedelta(minutes=4), 12, b"\x00\x10"),
            DeviceEvent(endpoint_id, 4_000, outage + timedelta(hours=1), 13),
        )
    if meter_no == "W1":
        events = (DeviceEvent(endpoint_id, 2055, MIDNIGHTS[1], 1),)
    return Collected(endpoint_id, NOW, None, tuple(reads), tuple(blocks), events)


def _blocks(
    endpoint_id: EndpointId, channel: int, seconds: int, exponent: int, values: list[int | None], flags: list[int]
) -> list[IntervalBlock]:
    """Intervals from the first midnight on, in blocks of UTC days."""
    blocks: dict[date, IntervalBlock] = {}
    per_day = 86_400 // seconds
    for i, (value, flag) in enumerate(zip(values, flags, strict=True)):
        begin = MIDNIGHTS[0] + timedelta(seconds=seconds * i)
        day, place = begin.date(), (begin.hour * 3600 + begin.minute * 60) // seconds
        if day not in blocks:
            blocks[day] = IntervalBlock(endpoint_id, channel, day, seconds, exponent, [None] * per_day, [0] * per_day)  # type: ignore[arg-type]
        blocks[day].values[place], blocks[day].flags[place] = value, int(flag)  # type: ignore[index]
    return list(blocks.values())


def xml(**parameters: object) -> str:
    """Parameters of a request; a list makes its item elements, a datetime an xs:dateTime, None nothing."""
    return "".join(_element(name, value) for name, value in parameters.items() if value is not None)


def _element(name: str, value: object) -> str:
    if isinstance(value, list):
        item = {"fieldName": "string", "meterNo": "string", "meterIDs": "meterID"}[name]
        return f"<{name}>{''.join(_element(item, one) for one in value)}</{name}>"
    if isinstance(value, tuple):
        return f"<{name}>{''.join(f'<meterIdentifier><meterNo>{one}</meterNo></meterIdentifier>' for one in value)}</{name}>"
    if isinstance(value, datetime):
        return f"<{name}>{value.astimezone(UTC).isoformat()}</{name}>"
    return f"<{name}>{escape(str(value))}</{name}>"
