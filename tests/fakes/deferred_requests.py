"""Requests of deferred operations, as honest clients send them, and a site with meters for them."""

from datetime import timedelta
from typing import Any

from lxml import etree

from headend.meter_groups import GroupKind, MeterGroup
from headend.model.endpoint import Commodity, Customer, Installation, ServicePoint
from headend.ports import CustomerItem
from multispeak.contract import load_contract
from multispeak.deferred_operations import deferred_handlers
from tests.fakes.soap_world import NOW, fault_of
from tests.fakes.store_site import SERVERS, StoreSite
from tests.store.world import shipment
from wsdl import VERSIONS

URL = "https://cis.example/any"
TAIL = {"3.0": "<expirationTime>600</expirationTime>", "4.1.6": '<expTime units="Minutes">10</expTime>'}
OPERATIONS = [(version, name) for version in VERSIONS for name in deferred_handlers(version)]
SERVER_OF = {
    (version, name): server
    for version, name in OPERATIONS
    for server in SERVERS
    if name in load_contract(version).services[server].operations
}


def furnished(store_site: StoreSite) -> StoreSite:
    """M000001 to M000003 residential (with switch), M000004 commercial, M000005 gas; M000001 and the gas meter at service location SP1."""
    items = [*shipment(3), *shipment(1, configuration="commercial", first=4), *shipment(1, configuration="gas", first=5)]
    store_site.store.call("import_shipment", items, NOW)
    store_site.store.call("import_customers", [customer("M000001", Commodity.ELECTRIC, "1"), customer("M000005", Commodity.GAS, "5")], NOW)
    group = MeterGroup(GroupKind.METERS, "F7", "Feeder seven", ("M000002", "M000005"))
    store_site.store.call("establish_group", group, None, NOW)
    return store_site


def customer(meter_no: str, commodity: Commodity, number: str) -> CustomerItem:
    point = ServicePoint(f"SP{number}", commodity, "1 Main St", "Ames", "IA", "50010", f"A{number}", "01")
    return CustomerItem(Customer(f"A{number}", "Ann"), point, Installation(meter_no, f"SP{number}", NOW - timedelta(days=30)))


def request(
    version: str, operation: str, *, meter: str = "M000001", transaction: str = "t-1", url: str = URL, tail: str | None = None
) -> str:
    """A request for one meter, with every parameter of the contract that an honest client sends."""
    return "".join(
        _parameter(version, operation, e.name, meter, transaction, url, TAIL[version] if tail is None else tail)
        for e in load_contract(version).services[SERVER_OF[version, operation]].operations[operation].request
    )


def _parameter(version: str, operation: str, name: str, meter: str, transaction: str, url: str, tail: str) -> str:
    ident = f"<meterNo>{meter}</meterNo>" if version == "3.0" else f"<meterID>{meter}</meterID>"
    values = {
        "meterNo": meter,
        "meterNos": f"<string>{meter}</string>",
        "meterNumbers": f"<string>{meter}</string>",
        "meterID": meter,
        "meterIDs": f"<meterIdentifier>{ident}</meterIdentifier>" if version == "3.0" else ident,
        "states": f"<CDState>{ident}</CDState>",
        "cdEvents": f"<connectDisconnectEvent>{event(version, meter, 'Disconnect')}</connectDisconnectEvent>",
        "meterGroupName": "F7",
        "timeToRead": "2026-03-04T02:00:00Z",
        "date": "2026-02-01T00:00:00Z",
        "requestDate": "2026-03-03T15:00:00Z",
        "objectName": "SP1",
        "nounType": "serviceLocation",
        "PhaseCode": "ABC",
        "periodicity": "15",
        "servLoc": "<string>SP1</string>",
        "serviceLocationID": "<string>SP1</string>",
        "readingType": "Register",
        "fieldName": "posKWh",
        "fieldNames": "<string>posKWh</string><string>kWh</string>",
        "formattedBlockTemplateName": "standard",
        "serviceType": "All",
        "responseURL": url,
        "transactionID": transaction,
        "exchanges": "<electricMeterExchanges><electricMeterExchange><serviceLocationID>SP1</serviceLocationID><outMeterReading>"
        f"<meterID>{meter}</meterID></outMeterReading><inMeterReading><meterID>NEW</meterID></inMeterReading></electricMeterExchange>"
        "</electricMeterExchanges>",
        "installLocations": '<serviceLocation objectID="SP1"><electricServiceList><electricService><electricMeterID>'
        f"{meter}</electricMeterID></electricService></electricServiceList></serviceLocation>",
    }
    return tail if name in {"expirationTime", "expTime"} else f"<{name}>{values[name]}</{name}>"


def event(version: str, meter: str, action: str) -> str:
    code = f"<loadActionCode>{action}</loadActionCode>" if action else ""
    return f"{code}<meterNo>{meter}</meterNo>" if version == "3.0" else f"<meterID>{meter}</meterID>{code}"


def call(site: StoreSite, version: str, operation: str, inside: str | None = None, **how: Any) -> etree._Element:
    return site.ask(version, SERVER_OF[version, operation], operation, request(version, operation, **how) if inside is None else inside)


def errors(answer: etree._Element) -> dict[str, str]:
    assert answer.find(".//{*}Fault") is None, etree.tostring(answer)
    return {e.get("objectID", ""): e.get("errorString", "") for e in answer.iter("{*}errorObject")}


def fault(answer: etree._Element) -> tuple[str, str]:
    return fault_of(etree.tostring(answer))


def stored(site: StoreSite) -> list[dict[str, Any]]:
    """Every stored request with the meters of its targets."""
    columns = [
        *("request_id", "kind", "operation", "server", "version", "response_url", "answers"),
        *("parameters", "accepted_us", "begins_us", "expires_us", "transaction_id", "partner"),
    ]
    rows = site.store.sql(f"SELECT {', '.join(columns)} FROM deferred_request ORDER BY request_id")
    found = [dict(zip(columns, row, strict=True)) for row in rows]
    for one in found:
        targets = site.store.sql(
            "SELECT e.meter_no, t.action, t.details, t.state, t.due_us FROM deferred_target t"
            f" JOIN endpoint e ON e.endpoint_id = t.endpoint_id WHERE t.request_id = {one['request_id']} ORDER BY t.position"
        )
        one["targets"] = {meter_no: rest for meter_no, *rest in targets}
    return found
