"""Groups, schedules and monitorings over a real store: what is established is kept, shown, and refused by name where it cannot be."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from lxml import etree

from headend.collection.counters import Counters
from headend.errors import StoreError
from headend.event_catalogue import DEFAULT_CATALOGUE
from headend.model.endpoint import Commodity
from headend.monitoring import MonitoringKind
from headend.schedule_driver import ScheduleDriver
from tests.fakes.soap_world import fault_of
from tests.fakes.store_site import SERVERS, StoreSite
from tests.store.world import NOW, UTILITY, shipment
from wsdl import VERSIONS

V3, V4 = VERSIONS
MR, CD, OD = SERVERS
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def site(store_site: StoreSite) -> StoreSite:
    """M000001 to M000003 electric, M000004 gas."""
    store_site.store.call("import_shipment", [*shipment(3), *shipment(1, configuration="gas", first=4)], NOW)
    return store_site


def code(answer: etree._Element) -> str:
    return fault_of(etree.tostring(answer))[0]


def meters(version: str, parameter: str, *numbers: str) -> str:
    item = "string" if version == V3 else "meterID"
    return f"<{parameter}>{''.join(f'<{item}>{no}</{item}>' for no in numbers)}</{parameter}>"


def group(version: str, group_id: str, *numbers: str, service: str = "All") -> str:
    listed = "".join(f"<meterID>{no}</meterID>" for no in numbers)
    tail = "" if version == V3 else f"<serviceType>{service}</serviceType>"
    return f'<meterGroup objectID="{group_id}"><groupName>Feeder</groupName><meterList>{listed}</meterList></meterGroup>{tail}'


@pytest.mark.parametrize("version", VERSIONS)
def test_a_meter_group_is_established_filled_emptied_and_deleted(site: StoreSite, version: str) -> None:
    listed = "meterNumbers" if version == V3 else "meterIDs"

    def change(operation: str, *numbers: str, of: str = "F7") -> list[tuple[str, str, str]]:
        return site.errors(version, MR, operation, f"{meters(version, listed, *numbers)}<meterGroupID>{of}</meterGroupID>")

    errors = site.errors(version, MR, "EstablishMeterGroup", group(version, "F7", "M000002", "M9", "M000001"))
    assert errors == [("M9", "meter 'M9' is not known", "meter")]
    assert change("InsertMeterInMeterGroup", "M000003", "M000003") == [("M000003", "meter 'M000003' stands in the list twice", "meter")]
    assert change("RemoveMetersFromMeterGroup", "M000002") == []
    assert site.store.call("group_members", "F7") == ("M000001", "M000003")
    assert change("InsertMeterInMeterGroup", "M000001", of="F8") == [("F8", "meter group 'F8' is not known", "meterGroup")]
    assert change("RemoveMetersFromMeterGroup", "M000001", of="") == [("", "meterGroupID is missing", "meterGroup")]
    delete = "<meterGroupID>F7</meterGroupID>" + ("" if version == V3 else "<serviceType>All</serviceType>")
    assert site.errors(version, MR, "DeleteMeterGroup", delete) == []
    assert site.store.call("group_members", "F7") is None
    answer = site.ask(version, MR, "DeleteMeterGroup", delete)
    refused = next(answer.iter("{*}DeleteMeterGroupResult" if version == V3 else "{*}errorObject"))
    assert refused.get("errorString") == "meter group 'F7' is not known"


def test_a_group_says_what_it_measures_in_4_1_6(site: StoreSite) -> None:
    errors = site.errors(V4, MR, "EstablishMeterGroup", group(V4, "F7", "M000001", "M000004", service="Electric"))
    assert [e[1] for e in errors] == ["meter 'M000004' measures gas, and the group was said to be electric"]
    errors = site.errors(V4, MR, "EstablishMeterGroup", group(V4, "F7", "M000001", service="Steam"))
    assert errors == [("F7", "serviceType 'Steam' is not one that is read here", "meterGroup")]
    nameless = "<meterGroup><meterList/></meterGroup>"
    assert [e[1] for e in site.errors(V3, MR, "EstablishMeterGroup", nameless)] == ["objectID of the group is missing"]
    assert code(site.ask(V3, MR, "EstablishMeterGroup")) == "Client.MissingParameter"


def test_configuration_groups(site: StoreSite) -> None:
    service = "<serviceType>Electric</serviceType>"
    insert = f"{meters(V3, 'meterNumbers', 'M000002', 'M000004')}<meterGroupID>P1</meterGroupID>{service}"
    assert [e[0] for e in site.errors(V3, MR, "InsertMetersInConfigurationGroup", insert)] == ["M000004"]
    insert = (
        f"{meters(V4, 'meterIDs', 'M000001', 'M9')}<meterGroupID>P1</meterGroupID><transactionID>t-1</transactionID>"
        "<responseURL>http://127.0.0.1:9/NOT</responseURL>"
    )
    assert [e[0] for e in site.errors(V4, MR, "InsertMeterInConfigurationGroup", insert)] == ["M9"]
    answer = site.ask(V4, MR, "GetConfigurationGroupMembers", "<meterGroupName>P1</meterGroupName>")
    assert [e.text for e in answer.iter("{*}meterID")] == ["M000002", "M000001"]
    assert code(site.ask(V4, MR, "GetConfigurationGroupMembers", "<meterGroupName>P9</meterGroupName>")) == "Client.UnknownGroup"
    assert [e.text for e in site.ask(V4, MR, "GetConfigurationGroupNames").iter("{*}string")] == ["P1"]
    answer = site.ask(V4, MR, "GetConfigurationGroupNamesByMeterID", "<meterID>M000001</meterID>")
    assert [e.text for e in answer.iter("{*}string")] == ["P1"]
    assert code(site.ask(V4, MR, "GetConfigurationGroupNamesByMeterID", "<meterID>M9</meterID>")) == "Client.UnknownMeter"
    remove = f"{meters(V3, 'meterNumbers', 'M000002')}<meterGroupID>P1</meterGroupID>{service}"
    assert site.errors(V3, MR, "RemoveMetersFromConfigurationGroup", remove) == []
    remove = f"{meters(V4, 'meterIDs', 'M000002', 'M000001')}<meterGroupID>P1</meterGroupID>"
    assert [e[1] for e in site.errors(V4, MR, "RemoveMetersFromConfigurationGroup", remove)] == ["meter 'M000002' is not in the group"]


WINDOW = "<effectiveWindow><startTime>2026-07-01T00:00:00</startTime></effectiveWindow>"


def schedule(version: str, schedule_id: str, inside: str = "", tag: str = "schedule", enabled: str = "true", period: str = "86400") -> str:
    if version == V3:
        runtime, purpose = "<maximumRuntime>600</maximumRuntime>", "<purpose>night</purpose>"
        periodic = f"<periodicSchedule><startTime>2026-07-01T02:00:00</startTime><period>{period}</period></periodicSchedule>"
        body = f"{runtime}{WINDOW}<isEnabled>{enabled}</isEnabled><offset>60</offset>{periodic}{purpose}"
    else:
        runtime, purpose = '<maximumRunTime units="Minutes">10</maximumRunTime>', "<purpose>night</purpose>"
        spans = f'<period timeUnits="Seconds">{period}</period>'
        periodic = f"<periodicSchedule><startTime>2026-07-01T02:00:00</startTime>{spans}</periodicSchedule>"
        body = f'{purpose}{runtime}{WINDOW}<isEnabled>{enabled}</isEnabled><offset units="Minutes">1</offset>{periodic}'
    return f'<{tag} objectID="{schedule_id}">{body}{inside}</{tag}>'


READING_TYPE = "<readingType><measurementType>kWh</measurementType><{0}>1</{0}></readingType>"


def targets(version: str, *numbers: str, groups: tuple[str, ...] = ()) -> str:
    if version == V3:
        listed = "".join(f"<meterRef><meterNo>{no}</meterNo></meterRef>" for no in numbers)
        grouped = "".join(f'<meterGroup objectID="{one}"/>' for one in groups)
        types = f"<readingTypeList>{READING_TYPE.format('channelNumber')}</readingTypeList>"
        return f"<meterRefList>{listed}</meterRefList><meterGroupList>{grouped}</meterGroupList>{types}"
    listed = "".join(f'<meterID serviceType="Electric">{no}</meterID>' for no in numbers)
    grouped = "".join(f"<meterGroupID>{one}</meterGroupID>" for one in groups)
    types = f"<readingTypeList>{READING_TYPE.format('channel')}</readingTypeList>"
    return f"<meterList>{listed}</meterList><meterGroupList>{grouped}</meterGroupList>{types}"


def establish(site: StoreSite, version: str, *schedules: str) -> list[tuple[str, str, str]]:
    return site.errors(version, MR, "EstablishReadingSchedules", f"<readingSchedules>{''.join(schedules)}</readingSchedules>")


def reading(version: str, schedule_id: str, *numbers: str, groups: tuple[str, ...] = (), **more: str) -> str:
    return schedule(version, schedule_id, targets(version, *numbers, groups=groups), tag="readingSchedule", **more)


def canonical(element: etree._Element) -> str:
    """Names, attributes and text of an element and what is in it; instants in UTC, whole numbers without a point."""
    parts = []
    for one in element.iter():
        text = (one.text or "").strip()
        if one.tag.endswith(("startTime", "endTime", "absoluteTime")) and text:
            instant = datetime.fromisoformat(text)
            text = instant.replace(tzinfo=instant.tzinfo or UTILITY.time_zone).astimezone(UTC).isoformat()
        parts.append(f"{etree.QName(one).localname} {dict(one.attrib)} {text.removesuffix('.0')}")
    return "\n".join(parts)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_schedule_is_given_back_as_it_was_established(site: StoreSite, version: str) -> None:
    said = schedule(version, "S1")
    assert site.errors(version, MR, "EstablishSchedules", f"<schedules>{said}</schedules>") == []
    answer = site.ask(version, MR, "GetScheduleByID", "<scheduleID>S1</scheduleID>")
    told = next(answer.iter("{*}GetScheduleByIDResult"))
    assert canonical(told).split("\n")[1:] == canonical(etree.fromstring(said)).split("\n")[1:]
    said = reading(version, "R1", "M000001", "M000002")
    assert establish(site, version, said) == []
    told = next(site.ask(version, MR, "GetReadingSchedules").iter("{*}readingSchedule"))
    assert canonical(told) == canonical(etree.fromstring(said))


@pytest.mark.parametrize("version", VERSIONS)
def test_a_schedule_of_the_other_version_has_what_both_have(site: StoreSite, version: str) -> None:
    other = V4 if version == V3 else V3
    site.errors(version, MR, "EstablishMeterGroup", group(version, "F7", "M000001"))
    assert establish(site, version, reading(version, "R1", "M000002", groups=("F7",))) == []
    answer = site.ask(other, MR, "GetReadingScheduleByID", "<readingScheduleID>R1</readingScheduleID>")
    told = next(answer.iter("{*}GetReadingScheduleByIDResult"))
    assert told.get("objectID") == "R1"
    assert (told.findtext("{*}purpose"), told.findtext("{*}isEnabled")) == ("night", "true")
    assert told.findtext("{*}periodicSchedule/{*}startTime") == "2026-07-01T02:00:00-05:00"
    period = told.find("{*}periodicSchedule/{*}period")
    assert (period.text, period.get("timeUnits")) == ("86400", "Seconds" if other == V4 else None)
    offset = told.find("{*}offset")
    assert (offset.text, offset.get("units")) == ("60.0", None if other == V3 else "Seconds")
    assert next(told.iter("{*}meterNo", "{*}meterID")).text == "M000002"
    assert "F7" in etree.tostring(told).decode()


@pytest.mark.parametrize("version", VERSIONS)
def test_what_cannot_be_read_by_schedule_is_refused_by_name(site: StoreSite, version: str) -> None:
    nothing = f'<readingSchedule objectID="R8">{WINDOW}</readingSchedule>'
    errors = establish(
        site,
        version,
        reading(version, "R1", "M9", "M8"),
        reading(version, "R2", groups=("F9",)),
        reading(version, "R3"),
        reading(version, "R4", "M000001", period="60"),
        reading(version, "", "M000001"),
        reading(version, "R6", "M000001"),
        reading(version, "R6", "M000002"),
        nothing,
    )
    assert errors == [
        ("R1", "meter 'M9' is not known, nor are 1 more", "readingSchedule"),
        ("R2", "meter group 'F9' is not known", "readingSchedule"),
        ("R3", "the reading schedule names neither meters nor groups", "readingSchedule"),
        ("R4", "a period of 60 Seconds is shorter than 900 s, which is the least", "readingSchedule"),
        ("", "objectID is missing", "readingSchedule"),
        ("R6", "'R6' stands in the list twice", "readingSchedule"),
        ("R8", "the reading schedule says no time: neither absoluteTimeSchedule nor periodicSchedule", "readingSchedule"),
    ]
    assert [one.schedule_id for one in site.store.call("followed_schedules")] == ["R6"]


@pytest.mark.parametrize("version", VERSIONS)
def test_reading_schedules_are_enabled_disabled_deleted_and_listed(site: StoreSite, version: str) -> None:
    assert establish(site, version, *(reading(version, f"R{n}", "M000001", enabled="false") for n in range(3))) == []
    one = "<readingScheduleID>{}</readingScheduleID>"
    many = one if version == V3 else "<readingScheduleID><string>{}</string></readingScheduleID>"
    enabling = "EnableReadingSchedule" if version == V3 else "EnableReadingSchedules"
    unknown = [("R9", "reading schedule 'R9' is not known", "readingSchedule")]

    def enabled() -> list[str]:
        return [e.findtext("{*}isEnabled") for e in site.ask(version, MR, "GetReadingSchedules").iter("{*}readingSchedule")]

    assert enabled() == ["false"] * 3
    assert site.errors(version, MR, enabling, many.format("R1")) == []
    assert enabled() == ["false", "true", "false"]
    assert site.errors(version, MR, "DisableReadingSchedule", one.format("R1")) == []
    assert enabled() == ["false"] * 3
    assert site.errors(version, MR, "DeleteReadingSchedule", one.format("R0")) == []
    for operation, inside in ((enabling, many), ("DisableReadingSchedule", one), ("DeleteReadingSchedule", one)):
        assert site.errors(version, MR, operation, inside.format("R9")) == unknown
    assert site.errors(version, MR, "DeleteSchedule", "<scheduleID>S9</scheduleID>") == [("S9", "schedule 'S9' is not known", "schedule")]
    assert code(site.ask(version, MR, "GetReadingScheduleByID", one.format("R9"))) == "Client.UnknownSchedule"
    assert code(site.ask(version, MR, "GetScheduleByID")) == "Client.MissingParameter"
    site.partner = replace(site.partner, page_size=1)
    answer = site.ask(version, MR, "GetReadingSchedules")
    header = next(answer.iter("{*}MultiSpeakMsgHeader"))
    assert (header.get("LastSent"), header.get("ObjectsRemaining")) == ("R1", "1")
    rest = site.ask(version, MR, "GetReadingSchedules", "<lastReceived>R1</lastReceived>")
    assert [e.get("objectID") for e in rest.iter("{*}readingSchedule")] == ["R2"]
    assert code(site.ask(version, MR, "GetSchedules", "<lastReceived>R1</lastReceived>")) == "Client.InvalidLastReceived"


def test_time_points_of_4_1_6(site: StoreSite) -> None:
    points = '<TimePoints><relativeTimeInterval units="Hours">6</relativeTimeInterval><sequenceNumber>1</sequenceNumber></TimePoints>'
    said = f'<readingSchedule objectID="R1">{WINDOW}{points}{targets(V4, "M000001")}</readingSchedule>'
    assert establish(site, V4, said) == []
    (followed,) = site.store.call("followed_schedules")
    assert followed.times.points[0].after.elapsed == 6 * HOUR
    other = '<TimePoints><relativeTimeInterval units="Other">6</relativeTimeInterval></TimePoints>'
    said = f'<readingSchedule objectID="R1">{WINDOW}{other}{targets(V4, "M000001")}</readingSchedule>'
    assert "units Other cannot be followed" in establish(site, V4, said)[0][1]


def test_an_enabled_reading_schedule_makes_its_meters_due_at_its_times(site: StoreSite) -> None:
    site.now = datetime(2026, 7, 1, 12, tzinfo=UTC)
    site.errors(V3, MR, "EstablishMeterGroup", group(V3, "F7", "M000002"))
    assert establish(site, V3, reading(V3, "R1", "M000001", "M000004", groups=("F7",))) == []
    store, clock, woken = site.store, [site.now], []
    driver = ScheduleDriver(UTILITY, store.store, lambda: clock[0], lambda: woken.append(clock[0]), 2 * DAY)

    def look(at: datetime) -> int:
        clock[0] = at
        return store.running.wait(driver.look)

    due = datetime(2026, 7, 2, 7, 1, tzinfo=UTC)
    assert look(due - timedelta(seconds=1)) == 0
    assert look(due) == 2, "the gas meter pushes and is not polled"
    assert woken == [due]
    assert look(due + timedelta(minutes=1)) == 0
    leased = store.call("lease", "me", 9, due, due + HOUR)
    assert [(a.meter_no, a.collect_from) for a in leased] == [("M000001", due - 2 * DAY), ("M000002", due - 2 * DAY)]
    site.errors(V3, MR, "DeleteMeterGroup", "<meterGroupID>F7</meterGroupID>")
    assert look(due + 10 * DAY) == 1, "what was missed is read once, of what is left"
    site.now = due + 10 * DAY
    site.errors(V3, MR, "DisableReadingSchedule", "<readingScheduleID>R1</readingScheduleID>")
    assert look(due + 12 * DAY) == 0


def test_two_processes_follow_a_schedule_once(site: StoreSite) -> None:
    site.now = datetime(2026, 7, 1, 12, tzinfo=UTC)
    establish(site, V3, reading(V3, "R1", "M000001"))
    (followed,) = site.store.call("followed_schedules")
    due = datetime(2026, 7, 2, 7, 1, tzinfo=UTC)
    assert [site.store.call("follow_schedule", followed, due, due - DAY) for _ in range(2)] == [1, 0]


def test_a_store_that_cannot_answer_does_not_end_the_driver(site: StoreSite) -> None:
    class Broken:
        async def followed_schedules(self) -> None:
            raise StoreError("gone")

    driver = ScheduleDriver(UTILITY, Broken(), lambda: NOW, Counters, DAY)  # type: ignore[arg-type]
    assert site.store.running.wait(driver.look) == 0


@pytest.mark.parametrize("version", VERSIONS)
def test_outages_usage_and_disconnected_status_are_noted_per_meter(site: StoreSite, version: str) -> None:
    listed = "meterNos" if version == V3 else "meterIDs"
    period = "<startDate>{}</startDate><endDate>{}</endDate>"
    days = [(NOW + n * DAY).isoformat() for n in (1, 2)]
    told = "<responseURL>http://127.0.0.1:9/CB</responseURL><transactionID>t-7</transactionID>"

    def send(operation: str, *numbers: str, inside: str = "") -> list[tuple[str, str, str]]:
        return site.errors(version, MR, operation, meters(version, listed, *numbers) + inside)

    site.now = NOW
    bad = [("M9", "meter 'M9' is not known", "meter"), ("M000001", "meter 'M000001' stands in the list twice", "meter")]
    outage = period.format(*days)
    assert send("InitiatePlannedOutage", "M000001", "M9", "M000001", "M000002", inside=outage) == bad
    assert send("InitiateUsageMonitoring", "M000001", "M9", "M000001", inside=told) == bad
    assert send("InitiateDisconnectedStatus", "M000001", "M9", "M000001") == bad
    (usage,) = site.store.call("monitoring", MonitoringKind.USAGE, NOW)
    assert (usage.meter_no, usage.answering.response_url, usage.answering.transaction_id) == ("M000001", "http://127.0.0.1:9/CB", "t-7")
    assert site.store.call("monitoring", MonitoringKind.PLANNED_OUTAGE, NOW) == []
    planned = site.store.call("monitoring", MonitoringKind.PLANNED_OUTAGE, NOW + DAY)
    assert [(one.meter_no, one.ends) for one in planned] == [("M000001", NOW + 2 * DAY), ("M000002", NOW + 2 * DAY)]
    assert site.store.call("monitoring", MonitoringKind.PLANNED_OUTAGE, NOW + 2 * DAY) == []
    assert len(site.store.call("monitoring", MonitoringKind.DISCONNECTED, NOW, "M000001")) == 1
    for name in ("PlannedOutage", "UsageMonitoring", "DisconnectedStatus"):
        errors = send(f"Cancel{name}", "M000001", "M000003", "M9")
        assert [e[0] for e in errors] == ["M000003", "M9"]
        assert "under way" in errors[0][1]
    assert site.store.call("monitoring", MonitoringKind.USAGE, NOW) == []
    for start, end in ((days[1], days[0]), ("0001-01-01T00:00:00", days[0]), ("2026-01-01T00:00:00", "2026-01-02T00:00:00")):
        inside = meters(version, listed, "M000001") + period.format(start, end)
        assert code(site.ask(version, MR, "InitiatePlannedOutage", inside)) == "Client.InvalidPeriod"
    assert code(site.ask(version, MR, "CancelUsageMonitoring")) == "Client.MissingParameter"


def test_meter_events_are_monitored_by_item(site: StoreSite) -> None:
    site.errors(V4, MR, "EstablishMeterGroup", group(V4, "F7", "M000002", "M000001"))
    items = (
        '<eventMonitoringItem objectID="I1"><eventTypes><meterEvent domain="3">Tamper</meterEvent></eventTypes>'
        "<meterGroupList><meterGroupID>F7</meterGroupID><meterGroupID>F9</meterGroupID></meterGroupList>"
        "<meterList><meterID>M000001</meterID><meterID>M9</meterID></meterList></eventMonitoringItem>"
        "<eventMonitoringItem><meterList><meterID>M000001</meterID></meterList></eventMonitoringItem>"
        '<eventMonitoringItem objectID="I3"><eventTypes><meterEvent>Moonrise</meterEvent></eventTypes>'
        "<meterList><meterID>M000001</meterID></meterList></eventMonitoringItem>"
    )
    inside = f"<monitoringList>{items}</monitoringList><responseURL>http://cis.example/</responseURL><transactionID>t-1</transactionID>"
    assert [e[:2] for e in site.errors(V4, MR, "InitiateMeterEventMonitoring", inside)] == [
        ("F9", "meter group 'F9' is not known"),
        ("", "objectID is missing"),
        ("I3", "eventCode 'Moonrise' is not known; GetSupportedMeterEventCodes lists those that are"),
        ("M9", "meter 'M9' is not known"),
    ]
    watched = site.store.call("monitoring", MonitoringKind.EVENTS, site.now)
    electric = sorted(code for code, kind in DEFAULT_CATALOGUE.kinds.items() if kind.cim and Commodity.ELECTRIC in kind.commodities)
    assert [(one.meter_no, one.item_id, one.details["eventTypes"]) for one in watched] == [
        (no, "I1", [{"text": "Tamper", "domain": "3"}]) for no in ("M000001", "M000002")
    ]
    assert [one.details["codes"] for one in watched] == [electric, electric]
    elsewhere = inside.replace("http://cis.example/", "http://10.0.0.1/")
    assert code(site.ask(V4, MR, "InitiateMeterEventMonitoring", elsewhere)) == "Client.ResponseURL"
    cancel = "<monitoringItemObjectID>{}</monitoringItemObjectID><transactionID>t-1</transactionID>"
    assert "named 'I9' is under way" in site.errors(V4, MR, "CancelMeterEventMonitoring", cancel.format("I9"))[0][1]
    assert site.errors(V4, MR, "CancelMeterEventMonitoring", cancel.format("I1")) == []
    assert site.store.call("monitoring", MonitoringKind.EVENTS, site.now) == []


def test_thresholds_are_monitored_adjusted_and_ended(site: StoreSite) -> None:
    def thresholds(*items: tuple[str, str, str]) -> str:
        listed = "".join(
            f'<thresholdMonitoringItem objectID="{i}"><meterID>{no}</meterID><value>{value}</value></thresholdMonitoringItem>'
            for i, no, value in items
        )
        return f"<monitoringList>{listed}</monitoringList>"

    told = "<responseURL>http://cis.example/</responseURL><transactionID>t-1</transactionID>"
    inside = thresholds(("I1", "M000001", "50.5"), ("I2", "M9", "1"), ("I3", "M000001", "NaN"), ("I1", "M000001", "7")) + told
    assert [e[1] for e in site.errors(V4, MR, "InitiateThresholdMonitoring", inside)] == [
        "the value of 'I3' is no number",
        "meter 'M9' is not known",
        "meter 'M000001' stands in the list twice",
    ]
    coded = thresholds(("I4", "M000001", "5")).replace("</value>", '</value><readingTypeCode name="phase of the moon"/>')
    assert "is not watched; these are: energy_delivered" in site.errors(V4, MR, "InitiateThresholdMonitoring", coded + told)[0][1]
    adjust = thresholds(("I1", "M000001", "60"), ("I9", "M000001", "60")) + "<transactionID>t-2</transactionID>"
    assert [e[0] for e in site.errors(V4, MR, "AdjustThresholdMonitoring", adjust)] == ["I9"]
    (one,) = site.store.call("monitoring", MonitoringKind.THRESHOLD, site.now)
    assert (one.details, one.answering.transaction_id) == ({"value": 60.0, "power": -3}, "t-1")
    cancel = "<monitoringItemObjectID>I1</monitoringItemObjectID>"
    assert site.errors(V4, MR, "CancelThresholdMonitoring", cancel) == []
    assert len(site.errors(V4, MR, "CancelThresholdMonitoring", cancel)) == 1
