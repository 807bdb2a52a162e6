"""What every client is made to ask of every server, and what it must be told: the operations, their arguments, the store's own values.

A plan is JSON: `wsdls` and `addresses` by server, the `header`'s attributes, the `namespace`, the `soap` version, and `calls`, each of a
`server`, an `operation`, `arguments` by name in the contract's order (`@name` an attribute, `_` text, `{"from": n}` the answer to call n)
and `paged`: whether to go on from LastSent until ObjectsRemaining is 0. A client answers with a list, for each call `{"pages":
[{"header": …, "result": …}]}` or `{"fault": {"code": …, "text": …}}`.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

from tests.fakes import reading_world as world
from tests.interop.answers import Page, instant, items, number, objects, refused, remaining_is_true, text
from tests.interop.served import HEADER

MR, CD, OD = "MR_Server", "CD_Server", "OD_Server"
START, END = (world.MIDNIGHTS[n].isoformat() for n in (0, 2))
RESPONSE_URL = "http://127.0.0.1:9/MDM_Server"
NAMESPACES = {"3.0": "http://www.multispeak.org/Version_3.0", "4.1.6": "http://www.multispeak.org/Version_4.1_Release"}


@dataclass(frozen=True)
class Exchange:
    """One call, what is looked at in its answer, and how that must be."""

    server: str
    operation: str
    arguments: dict[str, Any]
    told: Callable[[list[Page]], Any]
    expected: Any
    paged: bool = False


def plan_of(exchanges: list[Exchange], version: str, soap: str, wsdls: dict[str, str], addresses: dict[str, str]) -> dict[str, Any]:
    """What a client reads."""
    calls = [{"server": e.server, "operation": e.operation, "arguments": e.arguments, "paged": e.paged} for e in exchanges]
    header = HEADER | ({} if version == "3.0" else {"BuildString": "Release"})
    return {"namespace": NAMESPACES[version], "soap": soap, "wsdls": wsdls, "addresses": addresses, "header": header, "calls": calls}


def transaction(client: str, version: str, server: str) -> str:
    """The transactionID of a client's deferred call to a server."""
    return f"{client}-{version}-{server}"


def exchanges(client: str, version: str, without: Collection[str] = ()) -> list[Exchange]:
    """All calls of one client, in order."""
    words = _Words(version)
    calls = [*_first_words(words), *_readings(words), *_other_objects(words), *_effects(words, client), *_faults(words)]
    called = [call for call in calls if call.operation not in without]
    return [*called, *_registration(len(called))]


class _Words:
    """What the two versions call things."""

    def __init__(self, version: str) -> None:
        self.version = version
        self.old = version == "3.0"
        self.by = "ByMeterNo" if self.old else "ByMeterID"
        self.read = "meterRead" if self.old else "meterReading"
        self.meter_lists = (("meter",),) if self.old else tuple((f"{kind}Meters", f"{kind}Meter") for kind in ("electric", "gas", "water"))

    def meter(self, meter_no: str) -> dict[str, Any]:
        """The parameter that names one meter."""
        return {"meterNo": meter_no} if self.old else {"meterID": self.meter_id(meter_no)}

    def meter_id(self, meter_no: str) -> Any:
        return meter_no if self.old else {"_": meter_no, "@meterNo": meter_no, "@serviceType": "Electric"}

    def many(self, parameter: str, meter_nos: list[str]) -> dict[str, Any]:
        """The parameter that names several."""
        if self.old:
            return {parameter: {"string": meter_nos}}
        return {"meterIDs": {"meterID": [{"_": meter_no, "@meterNo": meter_no} for meter_no in meter_nos]}}

    def expiration(self) -> dict[str, Any]:
        return {"expirationTime": 600} if self.old else {"expTime": {"_": 10, "@units": "Minutes"}}

    def meter_of(self, value: Any) -> str:
        return text(value["meterNo"] if self.old else value["meterID"])


def _first_words(words: _Words) -> list[Exchange]:
    def meters(pages: list[Page]) -> Any:
        listed = {text(m["meterNo"]) for path in words.meter_lists for m in objects(pages, *path)}
        return listed >= set(world.METERS), remaining_is_true(pages, *words.meter_lists), len(pages) > 1

    methods = {"PingURL", "GetMethods", "GetReadingsByDate", "GetLatestReading" + words.by}
    return [
        Exchange(MR, "PingURL", {}, refused, {}),
        Exchange(MR, "GetMethods", {}, lambda pages: methods - {text(m) for m in objects(pages, "string")}, set()),
        Exchange(MR, "GetAMRSupportedMeters", {"lastReceived": ""}, meters, (True, True, True), paged=True),
        Exchange(MR, "IsAMRMeter", words.meter("M1"), lambda pages: text(pages[0]["result"]).lower(), "true"),
    ]


def _values(read: Any) -> list[tuple[str, Any]]:
    return [(v["fieldName"], number(v.get("value"))) for v in items(read, "readingValues", "readingValue")]


def _kwh(watt_hours: int) -> Decimal:
    return Decimal(watt_hours) / 1000


def _registers(meter_no: str, n: int) -> list[tuple[str, Any]]:
    """What a meter's registers held at the n-th midnight."""
    if meter_no in {"G1", "G2", "W1"}:
        return [({"G1": "gasVolume", "G2": "gasVolume", "W1": "waterVolume"}[meter_no], _kwh(123_456 + n))]
    received = [("negKWh", _kwh(4_001 + n))] if meter_no == "M2" else []
    return [("posKWh", _kwh(world.ENERGY[meter_no] + 24_000 * n)), *received]


def _readings(words: _Words) -> list[Exchange]:
    period = {"startDate": START, "endDate": END}
    reads = [(meter_no, n) for meter_no in world.METERS if meter_no != "M3" for n in range(2 if meter_no == "M9" else 3)]

    def latest(pages: list[Page]) -> Any:
        return words.meter_of(pages[0]["result"]), _values(pages[0]["result"])

    def all_reads(pages: list[Page]) -> Any:
        found = [(words.meter_of(r), _values(r)) for r in objects(pages, words.read)]
        return found, remaining_is_true(pages, (words.read,)), len(pages)

    def hourly(pages: list[Page]) -> Any:
        values = [v for r in objects(pages, words.read) for v in items(r, "readingValues", "readingValue") if v["fieldName"] == "kWh"]
        return [(instant(v["dateTime" if words.old else "timeStamp"]), number(v.get("value"))) for v in values]

    def rows(pages: list[Page]) -> Any:
        """The table of a formattedBlock, by column."""
        (block,) = objects(pages, "formattedBlock")
        names = [(int(i["position"]), i["fieldName"]) for i in items(block, "valSyntax", "syntaxItem")]
        table = [dict(zip([n for _, n in sorted(names)], text(row).split(block["separator"]), strict=True)) for row in _vals(block)]
        return {row["meterNo"]: Decimal(row["posKWh"]) if row["posKWh"] else row["errorString"] for row in table}

    def intervals(pages: list[Page]) -> Any:
        blocks = [b for b in objects(pages, "intervalData", "blocks", "block") if text(b.get("meterID")) == "M1"]
        return [items(b, "dB", "chs", "ch")[0]["d"].split(",") for b in blocks]

    # Two of the three missing hours were never collected; of the third the meter says that it is missing, so it has its place.
    hours = [(world.MIDNIGHTS[0] + timedelta(hours=n + 1), None if n == 28 else _kwh(1_000 + n)) for n in range(48) if n not in {26, 27}]
    days = ["" if 26 <= n < 29 else f"{_kwh(1_000 + n):.3f}" for n in range(48)]
    listed = "GetLatestReadingsByMeterNoListFormattedBlock" if words.old else "GetLatestReadingsByMeterListFormattedBlock"
    asked = {**words.many("meterNo", ["M2", "NOPE", "M1"]), **period, "formattedBlockTemplateName": "", "fieldName": {"string": ["posKWh"]}}
    asked |= {"lastReceived": ""} | ({"serviceType": "Electric"} if words.old else {})
    found = {"NOPE": "meter 'NOPE' is not known"} | {meter_no: _kwh(world.ENERGY[meter_no] + 48_000) for meter_no in ("M1", "M2")}
    by_name = {**period, "lastReceived": "", "fieldName": {"string": ["kWh"]}}
    return [
        Exchange(MR, "GetLatestReading" + words.by, words.meter("M2"), latest, ("M2", _registers("M2", 2))),
        Exchange(
            MR,
            "GetReadingsByDate",
            {**period, "lastReceived": ""},
            all_reads,
            ([(meter_no, _registers(meter_no, n)) for meter_no, n in reads], True, -(-len(reads) // 4)),
            paged=True,
        ),
        Exchange(MR, "GetReadings" + words.by, words.meter("M1") | period, hourly, hours),
        Exchange(MR, listed, asked, rows, found),
        Exchange(MR, "GetReadingsByDateAndFieldNameIntervalData", by_name, intervals, [days[:24], days[24:]], paged=True),
    ]


def _vals(block: Any) -> list[Any]:
    return items(block, "valueList", "val")


def _other_objects(words: _Words) -> list[Exchange]:
    electric = {"M1", "M2", "M3", "M9"}

    def events(pages: list[Page]) -> Any:
        name = "eventCode" if words.old else "meterEvent"
        logs = {words_of(log): items(log, "eventList", "event") for log in objects(pages, "historyLog")}
        return [(int(e["sequenceNumber"]), text(e.get(name)).lower()) for e in logs["M1"]][:2]

    def words_of(log: Any) -> str:
        return text(log["meterID"])

    def switched(pages: list[Page]) -> Any:
        found = {text(m["meterNo"]) for path in words.meter_lists for m in objects(pages, *path)}
        return electric <= found, remaining_is_true(pages, *words.meter_lists)

    def devices(pages: list[Page]) -> Any:
        found = objects(pages, "outageDetectionDevice")
        return electric <= {words.meter_of(d) for d in found}, remaining_is_true(pages, ("outageDetectionDevice",))

    def state(pages: list[Page]) -> str:
        return text(pages[0]["result"] if words.old else pages[0]["result"]["RCDState"])

    down_and_up = [(11, "primary power down"), (12, "primary power up")]
    return [
        Exchange(MR, "GetHistoryLogsByDate", {"startDate": START, "endDate": END, "lastReceived": ""}, events, down_and_up, paged=True),
        Exchange(CD, "GetCDSupportedMeters", {"lastReceived": ""}, switched, (True, True), paged=True),
        Exchange(CD, "GetCDMeterState", words.meter("M1"), state, "Unknown"),
        Exchange(OD, "GetAllOutageDetectionDevices", {"lastReceived": ""}, devices, (True, True), paged=True),
    ]


def _effects(words: _Words, client: str) -> list[Exchange]:
    """Arrays of good and bad objects: the good ones take effect, the bad ones come back."""
    unknown = {"NOPE": "meter 'NOPE' is not known"}

    def answer(server: str) -> dict[str, Any]:
        return {"responseURL": RESPONSE_URL, "transactionID": transaction(client, words.version, server)} | words.expiration()

    read = "InitiateMeterReadByMeterNumber" if words.old else "InitiateMeterReadingsByMeterID"
    new = f"N-{client}-{words.version}"
    one = {"meterNo": new, "serialNumber": "S" + new}
    kind = "meter" if words.old else "electricMeter"
    added: Any = {kind: [{"@objectID": new, "@verb": "New", **one}, {"@objectID": "bad", "@verb": "Delete", "meterNo": "D1"}]}
    reason = {"reasonCode" if words.old else "CDReasonCode": "NonPayment"}
    switched = [{"meterID": words.meter_id(no), "loadActionCode": "Disconnect", **reason} for no in ("M1", "NOPE", "G1")]
    return [
        Exchange(
            MR,
            "MeterAddNotification",
            {"addedMeters": added if words.old else {"electricMeters": added}},
            refused,
            {"D1": "verb Delete contradicts a list of added meters"},
        ),
        Exchange(MR, read, words.many("meterNos", ["M1", "NOPE", "M2"]) | answer(MR), refused, unknown),
        Exchange(
            CD,
            "InitiateConnectDisconnect",
            {"cdEvents": {"connectDisconnectEvent": switched}} | answer(CD),
            lambda pages: sorted(refused(pages)),
            ["G1", "NOPE"],
        ),
        Exchange(
            OD,
            "InitiateOutageDetectionEventRequest",
            words.many("meterNos", ["NOPE", "M2"]) | {"requestDate": END} | answer(OD),
            refused,
            unknown,
        ),
    ]


def _registration(first: int) -> list[Exchange]:
    """An id, what is registered under it, and what is then known of it: the id is what the first of these calls answers."""
    names = ["MeterEventNotification", "ReadingChangedNotification"]
    details = {"registrationID": {"from": first}, "responseURL": RESPONSE_URL, "MSFunction": "MDM"}

    def known(pages: list[Page]) -> Any:
        found = pages[0]["result"]
        return text(found["responseURL"]), sorted(text(name) for name in items(found, "methodsList", "methodName"))

    return [
        Exchange(MR, "RequestRegistrationID", {}, lambda pages: len(text(pages[0]["result"])), 36),
        Exchange(MR, "RegisterForService", {"registrationDetails": {**details, "methodsList": {"methodName": names}}}, refused, {}),
        Exchange(MR, "GetRegistrationInfoByID", {"registrationID": {"from": first}}, known, (RESPONSE_URL, names)),
        Exchange(MR, "UnregisterForService", {"registrationID": {"from": first}}, refused, {}),
    ]


def _faults(words: _Words) -> list[Exchange]:
    unknown = words.meter("NOPE")
    return [Exchange(MR, "GetLatestReading" + words.by, unknown, lambda pages: pages, "meter 'NOPE' is not known")]
