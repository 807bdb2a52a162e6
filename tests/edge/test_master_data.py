"""Notifications of master data over a real store: the good take effect, the bad are named, the same again changes nothing."""

from datetime import UTC, datetime, timedelta
from itertools import islice

import pytest
from lxml import etree

from headend.master_data.records import Document
from headend.model.endpoint import Commodity, EndpointId
from headend.model.readings import ReadSource, RegisterRead
from multispeak.contract import load_contract
from multispeak.master_data_operations import master_data_handlers
from tests.fakes.soap_world import fault_of
from tests.fakes.store_site import SERVERS, StoreSite
from tests.store.world import NOW, endpoint_day, shipment
from wsdl import VERSIONS

V3, V4 = VERSIONS
MR, CD, OD = SERVERS


def meter_v3(no: str, inside: str = "", attributes: str = "") -> str:
    return f"<meter {attributes}><meterNo>{no}</meterNo>{inside}</meter>"


def meter_v4(no: str, inside: str = "", kind: str = "electric", attributes: str = "") -> str:
    return f"<{kind}Meter {attributes}><meterNo>{no}</meterNo>{inside}</{kind}Meter>"


def meters_v4(parameter: str, *meters: str, kind: str = "electric") -> str:
    return f"<{parameter}><{kind}Meters>{''.join(meters)}</{kind}Meters></{parameter}>"


def add(site: StoreSite, version: str, no: str, location: str, *, ok: bool = True) -> list[tuple[str, str, str]]:
    if version == V3:
        place = f"<utilityInfo><servLoc>{location}</servLoc><accountNumber>A-{location}</accountNumber></utilityInfo>"
        inside = f"<addedMeters>{meter_v3(no, place)}</addedMeters>"
    else:
        place = f"<utilityInfo><serviceLocationID>{location}</serviceLocationID><accountNumber>A-{location}</accountNumber></utilityInfo>"
        inside = meters_v4("addedMeters", meter_v4(no, place))
    errors = site.errors(version, MR, "MeterAddNotification", inside)
    assert errors == [] or not ok
    return errors


def meters_of(site: StoreSite, version: str) -> list[str]:
    return [e.text or "" for e in site.ask(version, MR, "GetAMRSupportedMeters").iter("{*}meterNo")]


@pytest.mark.parametrize("version", VERSIONS)
def test_an_added_meter_is_listed_and_another_ones_place_is_kept(store_site: StoreSite, version: str) -> None:
    add(store_site, version, "M1", "SL1")
    add(store_site, version, "M1", "SL1")
    noun = "meter" if version == V3 else "electricMeter"
    reason = "service location 'SL1' has electric meter 'M1'; exchange or remove that one first"
    assert add(store_site, version, "M2", "SL1", ok=False) == [("M2", reason, noun)]
    reason = "meter 'M1' is installed at service location 'SL1'; remove it there first"
    assert add(store_site, version, "M1", "SL2", ok=False) == [("M1", reason, noun)]
    assert meters_of(store_site, version) == ["M1"]
    assert store_site.store.call("schedule", NOW, NOW) == 0


def test_good_and_bad_meters_of_one_list_in_3_0(store_site: StoreSite) -> None:
    inside = (
        "<addedMeters>"
        + meter_v3(
            "M1",
            "<serialNumber>S1</serialNumber><AMRDeviceType>alpha</AMRDeviceType>",
            attributes='objectID="o1" verb="New"',
        )
        + meter_v3("")
        + meter_v3("M1")
        + meter_v3("x" * 300)
        + meter_v3("M2", "<utilityInfo><servLoc>SL9</servLoc></utilityInfo>")
        + "<meter verb='Delete'><meterNo>M3</meterNo></meter>"
        + "<meter><inServiceDate>1066-10-14T09:00:00</inServiceDate><meterNo>M4</meterNo></meter>"
        + "<meter><inServiceDate>0001-01-01T00:00:00</inServiceDate><meterNo>M5</meterNo></meter>"
        + "<meter><deviceClass>Water</deviceClass><meterNo>W1</meterNo></meter>"
        + "</addedMeters>"
    )
    errors = store_site.errors(V3, MR, "MeterAddNotification", inside)
    assert [(object_id[:3], reason.replace("x" * 80, "x…")) for object_id, reason, _ in errors] == [
        ("", "meterNo is missing"),
        ("M1", "'M1' stands in the list twice"),
        ("xxx", "meterNo 'x……' has 300 characters, 256 are the most"),
        ("M2", "service location 'SL9' is not known"),
        ("M3", "verb Delete contradicts a list of added meters"),
        ("M4", "inServiceDate is 1066-10-14T09:00:00; years 1990 to 2100 are taken"),
    ]
    assert meters_of(store_site, V3) == ["M1", "M5", "W1"]
    entry = store_site.store.call("meter", "M1").endpoint
    assert (entry.serial_no, entry.model, store_site.store.call("meter", "W1").endpoint.commodity) == ("S1", "alpha", Commodity.WATER)


def test_good_and_bad_meters_of_one_list_in_4_1_6(store_site: StoreSite) -> None:
    wrong = '<utilityInfo><serviceID serviceType="Gas"/></utilityInfo>'
    inside = (
        "<addedMeters>"
        f"<electricMeters>{meter_v4('M1')}{meter_v4('M2', wrong)}</electricMeters>"
        f"<gasMeters>{meter_v4('G1', kind='gas')}{meter_v4('M1', kind='gas')}</gasMeters>"
        f"<propaneMeters>{meter_v4('P1', kind='propane')}</propaneMeters>"
        "</addedMeters>"
    )
    assert store_site.errors(V4, MR, "MeterAddNotification", inside) == [
        ("M2", "serviceType Gas contradicts the list it stands in, which is of electric meters", "electricMeter"),
        ("M1", "'M1' stands in the list twice", "gasMeter"),
        ("P1", "propane meters are not read by this head-end", "propaneMeter"),
    ]
    contradiction = meters_v4("changedMeters", meter_v4("G1"))
    assert store_site.errors(V4, MR, "MeterChangedNotification", contradiction) == [
        ("G1", "meter 'G1' measures gas, and is said to measure electric", "electricMeter")
    ]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("service", SERVERS)
def test_a_change_mutes_a_meter_and_a_verb_may_end_it(store_site: StoreSite, version: str, service: str) -> None:
    add(store_site, version, "M1", "SL1")

    def change(inside: str, attributes: str = "") -> list[tuple[str, str, str]]:
        if version == V3:
            meters = f"<changedMeters>{meter_v3('M1', inside, attributes)}</changedMeters>"
        else:
            meters = meters_v4("changedMeters", meter_v4("M1", inside, attributes=attributes))
        return store_site.errors(version, service, "MeterChangedNotification", meters)

    def status(*words: str) -> str:
        return f"<meterStatusList>{''.join(f'<meterStatus>{word}</meterStatus>' for word in words)}</meterStatusList>"

    assert change(status("INACTIVE", "other")) == []
    assert store_site.store.call("meter", "M1").endpoint.muted
    assert change("<serialNumber>S7</serialNumber>") == []
    endpoint = store_site.store.call("meter", "M1").endpoint
    assert (endpoint.muted, endpoint.serial_no) == (True, "S7")
    assert change(status("Active")) == []
    assert not store_site.store.call("meter", "M1").endpoint.muted
    assert "says both" in change(status("Active", "Inactive"))[0][1]
    assert "verb Link is not taken" in change("", 'verb="Link"')[0][1]
    store_site.now += timedelta(hours=1)
    assert change("", 'verb="Delete"') == []
    assert store_site.store.call("meter", "M1").service_point is None


@pytest.mark.parametrize("version", VERSIONS)
def test_a_removed_meter_is_readable_and_a_retired_one_is_not_collected(store_site: StoreSite, version: str) -> None:
    store_site.store.call("import_shipment", shipment(1), NOW)
    store_site.store.call("record", [endpoint_day(1)], NOW)
    add(store_site, version, "M000001", "SL1")
    store_site.now += timedelta(hours=1)

    def send(operation: str, parameter: str, no: str) -> list[tuple[str, str, str]]:
        inside = f"<{parameter}>{meter_v3(no)}</{parameter}>" if version == V3 else meters_v4(parameter, meter_v4(no))
        return store_site.errors(version, MR, operation, inside)

    assert send("MeterRemoveNotification", "removedMeters", "M000001") == []
    assert store_site.store.call("schedule", NOW, NOW) == 1
    assert send("MeterRetireNotification", "retiredMeters", "M000001") == []
    assert send("MeterRetireNotification", "retiredMeters", "M000001") == []
    assert "'M9' is not known" in send("MeterRetireNotification", "retiredMeters", "M9")[0][1]
    assert store_site.store.call("schedule", NOW, NOW) == 0
    assert meters_of(store_site, version) == []
    if version == V3:
        answer = store_site.ask(V3, MR, "GetLatestReadingByMeterNo", "<meterNo>M000001</meterNo>")
    else:
        answer = store_site.ask(V4, MR, "GetLatestReadingByMeterID", "<meterID>M000001</meterID>")
    assert next(answer.iter("{*}posKWh" if version == V3 else "{*}value"), None) is not None


def exchange(version: str, old: str, new: str, at: str, location: str = "") -> str:
    if version == V3:
        where = f'<serviceLocation objectID="{location}"/>' if location else ""
        out = f"<outMeterRead><meterNo>{old}</meterNo></outMeterRead>"
        into = f"<inMeterRead><meterNo>{new}</meterNo><readingDate>{at}</readingDate></inMeterRead>"
        return f"<meterChangeout><meterExchange>{where}{out}{into}</meterExchange></meterChangeout>"
    where = f"<serviceLocationID>{location}</serviceLocationID>" if location else ""
    out = f"<outMeterReading><meterID>{old}</meterID></outMeterReading>"
    into = f'<inMeterReading><meterID meterNo="{new}">?</meterID></inMeterReading>'
    one = f"<electricMeterExchange>{where}{out}{into}<timeStamp>{at}</timeStamp></electricMeterExchange>"
    return f"<meterChangeout><electricMeterExchanges>{one}</electricMeterExchanges></meterChangeout>"


@pytest.mark.parametrize("version", VERSIONS)
def test_an_exchange_keeps_both_histories(store_site: StoreSite, version: str) -> None:
    store_site.now = NOW - timedelta(days=30)
    add(store_site, version, "M1", "SL1")
    store_site.now = NOW
    read = RegisterRead(EndpointId(1), 1, NOW - timedelta(days=2), ReadSource.SELF_READ, 5, 0)
    store_site.store.call("record", [endpoint_day(1).__class__(EndpointId(1), NOW, register_reads=(read,))], NOW)

    def send(*arguments: str) -> list[str]:
        return [reason for _, reason, _ in store_site.errors(version, MR, "MeterExchangeNotification", exchange(version, *arguments))]

    at = "2026-07-01T10:00:00-05:00"
    assert "service location 'SL1', not at 'SL2'" in send("M1", "M2", at, "SL2")[0]
    assert "'M9' is not known" in send("M9", "M2", at)[0]
    assert "name the old and the new meter" in send("M1", "", at)[0] if version == V3 else True
    assert send("M1", "M2", at, "SL1") == []
    assert send("M1", "M2", at, "SL1") == []
    rows = store_site.store.sql("SELECT endpoint_id, service_point_no, ended_us IS NULL FROM installation ORDER BY endpoint_id")
    assert [(row[0], row[1], bool(row[2])) for row in rows] == [(1, "SL1", False), (2, "SL1", True)]
    (instant,) = {row[0] for row in store_site.store.sql("SELECT ended_us FROM installation WHERE ended_us IS NOT NULL")}
    assert datetime.fromtimestamp(instant / 1e6, UTC) == datetime(2026, 7, 1, 15, tzinfo=UTC)
    assert store_site.store.registers("M1") == 1
    assert store_site.store.call("meter_at", "SL1").endpoint.meter_no == "M2"


def test_places_and_people_of_3_0(store_site: StoreSite) -> None:
    location = (
        '<serviceLocation objectID="SL1"><custID>C1</custID><accountNumber>A1</accountNumber><servAddr1>1 Main</servAddr1>'
        "<servCity>Ames</servCity><servType>Electric</servType><billingCycle>07</billingCycle>"
        "<GPS><latitude>42.03</latitude><longitude>-93.63</longitude></GPS></serviceLocation>"
    )
    nowhere = '<serviceLocation objectID="SL2"><GPS><latitude>142</latitude><longitude>1</longitude></GPS></serviceLocation>'
    inside = f"<changedServiceLocations>{location}{nowhere}<serviceLocation/></changedServiceLocations>"
    assert [e[:2] for e in store_site.errors(V3, OD, "ServiceLocationChangedNotification", inside)] == [
        ("SL2", "latitude 142.0 and longitude 1.0 are no place on the earth"),
        ("", "objectID is missing"),
    ]
    customer = (
        '<changedCustomers><customer objectID="C1"><lastName>Smith</lastName><firstName>Ann</firstName><homeAc>515</homeAc>'
        "<homePhone>555-0100</homePhone><contactInfo><eMailList><eMailAddress><eMail>a@example.org</eMail></eMailAddress></eMailList>"
        '</contactInfo></customer><customer objectID="C9" verb="Delete"/></changedCustomers>'
    )
    assert [e[:2] for e in store_site.errors(V3, CD, "CustomerChangedNotification", customer)] == [("C9", "customer 'C9' is not known")]
    add(store_site, V3, "M1", "SL1")
    entry = store_site.store.call("meter", "M1")
    point, holder = entry.service_point, entry.customer
    assert (point.address_line, point.city, point.bill_cycle, point.latitude) == ("1 Main", "Ames", "07", 42.03)
    assert (holder.account_no, holder.name, holder.phone, holder.email) == ("A-SL1", "", "", "")
    listed = store_site.ask(V3, MR, "GetAMRSupportedMeters")
    assert [e.text for e in listed.iter("{*}servLoc", "{*}accountNumber")] == ["SL1", "A-SL1"]
    ended = '<changedServiceLocations><serviceLocation objectID="SL1" verb="Delete"/></changedServiceLocations>'
    assert "has meter 'M1'; remove it first" in store_site.errors(V3, MR, "ServiceLocationChangedNotification", ended)[0][1]


def test_places_and_people_of_4_1_6(store_site: StoreSite) -> None:
    store_site.store.call("import_shipment", [*shipment(1), *shipment(1, configuration="gas", first=2)], NOW)
    services = (
        "<electricServiceList><electricService><accountNumber>A1</accountNumber><electricMeterID>M000001</electricMeterID>"
        "<billingCycle>07</billingCycle></electricService></electricServiceList>"
        "<gasServiceList><gasService><accountNumber>A2</accountNumber><gasMeterID>M000002</gasMeterID></gasService></gasServiceList>"
    )
    address = "<serviceAddress><address1>1 Main</address1><address2>Flat 2</address2><city>Ames</city></serviceAddress>"
    gps = "<gpsPoint><latitude>42</latitude><longitude>-93</longitude></gpsPoint>"
    location = f'<serviceLocation objectID="SL1">{gps}<customerID>C1</customerID>{address}{services}</serviceLocation>'
    stranger = "<electricServiceList><electricService><electricMeterID>M9</electricMeterID></electricService></electricServiceList>"
    bad = f'<serviceLocation objectID="SL2">{stranger}</serviceLocation>'
    inside = f"<changedServiceLocations>{location}{bad}</changedServiceLocations>"
    assert store_site.errors(V4, CD, "ServiceLocationChangedNotification", inside) == [
        ("SL2", "meter 'M9' is not known", "serviceLocation")
    ]
    customer = (
        '<changedCustomers><customer objectID="C1"><lastName>Smith</lastName><contactInfo><phoneList><phoneNumber><phone>'
        "<areaCode>515</areaCode><localNumber>555-0100</localNumber></phone></phoneNumber></phoneList></contactInfo>"
        '<accounts><account objectID="A1"/></accounts></customer></changedCustomers>'
    )
    assert store_site.errors(V4, OD, "CustomerChangedNotification", customer) == []
    account = (
        '<changedAccounts><account objectID="A1"><billingCycle>09</billingCycle></account>'
        '<account objectID="A9" verb="Delete"/></changedAccounts>'
    )
    assert [e[:2] for e in store_site.errors(V4, MR, "AccountChangedNotification", account)] == [("A9", "account 'A9' is not known")]
    electric, gas = store_site.store.call("meter", "M000001"), store_site.store.call("meter", "M000002")
    assert (electric.customer.name, electric.customer.phone, electric.service_point.bill_cycle) == ("Smith", "515 555-0100", "09")
    point = gas.service_point
    assert (point.service_location, point.account_no, point.address_line) == ("SL1", "A2", "1 Main Flat 2")
    listed = store_site.ask(V4, MR, "GetAMRSupportedMeters")
    assert [e.text for e in listed.iter("{*}serviceLocationID")] == ["SL1", "SL1"]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_shipment_makes_meters_known_and_keeps_the_rest(store_site: StoreSite, version: str) -> None:
    if version == V3:
        meters = (
            "<receivedMeters><receivedElectricMeter><meterNo>M1</meterNo></receivedElectricMeter><receivedElectricMeter/></receivedMeters>"
        )
    else:
        meters = (
            "<receivedElectricMeters><receivedElectricMeter><meterNo>M1</meterNo></receivedElectricMeter><receivedElectricMeter/>"
            "</receivedElectricMeters>"
        )
    inside = f'<shipment objectID="T1"><manufacturer>Acme</manufacturer>{meters}</shipment>'
    errors = store_site.errors(version, MR, "EndDeviceShipmentNotification", inside)
    assert errors == [("", "meterNo is missing", "receivedElectricMeter")]
    assert meters_of(store_site, version) == ["M1"]
    kept = store_site.store.call("document", "endDeviceShipment", "T1")
    assert kept.fields == {"manufacturer": "Acme", "objectID": "T1"}


@pytest.mark.parametrize("version", VERSIONS)
def test_objects_without_use_here_are_kept_by_id(store_site: StoreSite, version: str) -> None:
    add(store_site, version, "M1", "SL1")
    named = "<meterNo>{}</meterNo>" if version == V3 else "<meterID>{}</meterID>"
    bases = "".join(f'<meterBase objectID="{i}">{named.format(no)}</meterBase>' for i, no in (("B1", "M1"), ("B2", "M9"), ("", "M1")))
    assert store_site.errors(version, MR, "MeterBaseAddNotification", f"<addedMBs>{bases}</addedMBs>") == [
        ("B2", "meter 'M9' is not known", "meterBase"),
        ("", "meterBase has no objectID", "meterBase"),
    ]
    assert isinstance(store_site.store.call("document", "meterBase", "B1"), Document)
    gone = '<retiredMBs><meterBase objectID="B1"/></retiredMBs>'
    assert store_site.errors(version, MR, "MeterBaseRetireNotification", gone) == []
    assert store_site.store.call("document", "meterBase", "B1").ended == "retired"
    place = f"<meterConnectivity>{named.format('M1')}<newSubstation>North</newSubstation></meterConnectivity>"
    connectivity = f"<newConnectivity>{place}</newConnectivity>"
    assert store_site.errors(version, MR, "MeterConnectivityNotification", connectivity) == []
    assert store_site.store.call("document", "meterConnectivity", "M1").fields["newSubstation"] == "North"
    affected = '<customersAffectedByOutage objectID="O1"><outageEventID>E1</outageEventID></customersAffectedByOutage>'
    outage = f"<newOutages>{affected}</newOutages>"
    assert store_site.errors(version, MR, "CustomersAffectedByOutageNotification", outage) == []
    event = '<oEvents><outageEvent objectID="E1"><area>North</area></outageEvent></oEvents>'
    assert store_site.errors(version, OD, "OutageEventChangedNotification", event) == []
    change = "<domainNameChange><domainName>crew</domainName><action>Delete</action></domainNameChange>"
    names = f"<changedDomainNames>{change}</changedDomainNames>"
    assert store_site.errors(version, CD, "DomainNamesChangedNotification", names) == []
    assert store_site.store.call("document", "domainName", "crew").ended == "removed"
    members = "<changedDomainMembers><domainMember><code>7</code></domainMember><domainMember/></changedDomainMembers>"
    assert [e[1] for e in store_site.errors(version, MR, "DomainMembersChangedNotification", members)] == ["domainMember has no objectID"]
    parameter = "servLocID" if version == V3 else "serviceLocationID"
    service = "" if version == V3 else "<serviceType>Electric</serviceType>"
    update = f"<{parameter}>{{}}</{parameter}>{service}"
    assert store_site.errors(version, MR, "UpdateServiceLocationDisplays", update.format("SL1")) == []
    assert "'SL9' is not known" in store_site.errors(version, MR, "UpdateServiceLocationDisplays", update.format("SL9"))[0][1]


def test_orders_tests_and_rates_of_4_1_6_are_kept(store_site: StoreSite) -> None:
    add(store_site, V4, "M1", "SL1")
    meters = "<associatedMeters><existingMeter><meterID>{}</meterID></existingMeter></associatedMeters>"
    order = f'<serviceOrder objectID="{{}}"><associatedMetersList>{meters}</associatedMetersList></serviceOrder>'
    orders = "".join(order.format(*names) for names in (("O1", "M1"), ("O2", "M9")))
    for verb, ended in (("Opened", ""), ("Changed", ""), ("Closed", "closed")):
        errors = store_site.errors(V4, MR, f"ServiceOrder{verb}Notification", f"<changedSOs>{orders}</changedSOs>")
        assert errors == [("O2", "meter 'M9' is not known", "serviceOrder")]
        assert store_site.store.call("document", "serviceOrder", "O1").ended == ended
    tests = "<tests><testedElectricMeter><meterNo>M1</meterNo></testedElectricMeter></tests>"
    assert store_site.errors(V4, MR, "MeterTestNotification", tests) == []
    assert store_site.errors(V4, MR, "RateChangedNotification", "<rateInfo><rateCode>R1</rateCode></rateInfo>") == []
    assert store_site.store.call("document", "rate", "R1").fields == {"rateCode": "R1"}


@pytest.mark.parametrize("version", VERSIONS)
def test_every_notification_of_a_head_end_is_taken_and_an_empty_one_is_refused(store_site: StoreSite, version: str) -> None:
    contract = load_contract(version)
    handlers = master_data_handlers(version)
    for service in SERVERS:
        notified = {name for name in contract.services[service].operations if name.endswith("Notification")}
        assert notified <= handlers.keys(), service
    for name in islice(sorted(handlers), 0, None, 4):
        home = next(s for s in SERVERS if name in contract.services[s].operations)
        if name == "UpdateServiceLocationDisplays":
            continue
        code, _ = fault_of(etree.tostring(store_site.ask(version, home, name)))
        assert code == "Client.MissingParameter", name


def test_a_list_that_is_too_long_is_refused_as_a_whole(store_site: StoreSite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("multispeak.notifications.NOTIFIED_OBJECTS_MAX", 1)
    inside = f"<addedMeters>{meter_v3('M1')}{meter_v3('M2')}</addedMeters>"
    code, text = fault_of(etree.tostring(store_site.ask(V3, MR, "MeterAddNotification", inside)))
    assert (code, "2 objects; 1 are taken" in text) == ("Client.TooManyObjects", True)


def test_ten_thousand_meters_in_one_notification(store_site: StoreSite) -> None:
    meters = "".join(
        meter_v4(f"M{n}", f"<utilityInfo><serviceLocationID>SL{n}</serviceLocationID><accountNumber>A{n}</accountNumber></utilityInfo>")
        for n in range(10_000)
    )
    assert store_site.errors(V4, MR, "MeterAddNotification", meters_v4("addedMeters", meters)) == []
    assert store_site.store.call("summary").endpoints == 10_000
