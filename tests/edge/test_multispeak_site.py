"""All six endpoints over a real store: what is implemented answers everywhere it is at home, under every name it is known by."""

import pytest

from multispeak.binding import ServiceBinding
from multispeak.contract import load_contract
from multispeak.endpoints import ALIASES, Endpoints
from multispeak.message_header import HeaderWriter
from multispeak.operations import operation_handlers
from multispeak.paging_sessions import PagingSessions
from multispeak.records import Records
from multispeak.soap_server import EndpointParts, build_servers
from tests.fakes.soap_world import ask, authenticator, demo_queries, envelope, fault_of, seeded
from tests.fakes.store_site import SERVERS, StoreSite
from tests.store.world import NOW, shipment
from wsdl import VERSIONS


@pytest.mark.parametrize("version", VERSIONS)
def test_methods_of_each_server_are_its_own(store_site: StoreSite, version: str) -> None:
    told = {s: {m.text for m in store_site.ask(version, s, "GetMethods").iter("{*}string")} for s in SERVERS}
    assert all({"PingURL", "GetMethods"} <= names for names in told.values())
    assert "GetReadingsByDate" in told["MR_Server"] - told["CD_Server"] - told["OD_Server"]


@pytest.mark.parametrize("version", VERSIONS)
def test_meters_come_from_the_store(store_site: StoreSite, version: str) -> None:
    store_site.store.call("import_shipment", shipment(2), NOW)
    answer = store_site.ask(version, "MR_Server", "GetAMRSupportedMeters")
    assert [e.text for e in answer.iter("{*}meterNo")] == ["M000001", "M000002"]


def test_an_operation_of_another_server_is_sent_there(store_site: StoreSite) -> None:
    from lxml import etree

    code, text = fault_of(etree.tostring(store_site.ask("4.1.6", "OD_Server", "GetCDMeterState")))
    assert (code, "/multispeak/4.1.6/CD_Server" in text) == ("Client.WrongEndpoint", True)


def test_aliases_name_servers_that_there_are() -> None:
    assert set(ALIASES.values()) == set(SERVERS)


def test_an_operation_without_a_handler_answers_one_clear_fault() -> None:
    contract = load_contract("4.1.6")
    binding = ServiceBinding(contract, contract.services["OD_Server"], Records(contract))
    writer = HeaderWriter(contract, seeded(), lambda: NOW, "1")
    sessions = PagingSessions(writer.new_id)
    handlers = {"PingURL": operation_handlers("4.1.6")["PingURL"]}
    parts = EndpointParts(
        binding, Endpoints({"4.1.6": contract}, {}), handlers, lambda _: demo_queries(), authenticator(), writer, sessions, lambda: NOW
    )
    asked = build_servers(parts)["text/xml"]
    status, octets = ask(asked, envelope("4.1.6", "GetOutagedODDevices"))
    assert status == 500
    code, text = fault_of(octets)
    assert (code, "GetOutagedODDevices of OD_Server 4.1.6" in text) == ("Server.NotImplemented", True)
    assert ask(asked, envelope("4.1.6", "PingURL"))[0] == 200
