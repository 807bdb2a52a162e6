"""Every operation of every service, in both SOAP versions, over a store with real data: each answers as the contract has it."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from lxml import etree

from multispeak.contract import load_contract
from multispeak.example_values import ACCOUNT, AHEAD, CYCLE, END, METER, NEW_METER, PLACE, REGISTRATION, START
from multispeak.examples import SOAP_NAMESPACES, Examples
from multispeak.fault_table import CAUSES
from multispeak.faults import FAULT_CODES, FaultCode
from multispeak.operations import operation_handlers
from multispeak.selftest.plan import OWN, acts, calling_order, subjects_for
from tests.conftest import RunningReactor
from tests.fakes.reading_world import CYCLE as CYCLE_07
from tests.fakes.reading_world import MIDNIGHTS, NOW, fill
from tests.fakes.soap_world import envelope, fault_of
from tests.fakes.store_site import SERVERS, StoreSite
from tests.store.world import OpenStore, opened
from wsdl import VERSIONS

CONTRACTS = {version: load_contract(version) for version in VERSIONS}

KNOWN = {
    METER: "M2",
    NEW_METER: "M3",
    PLACE: "SPM2",
    ACCOUNT: "ACM2",
    CYCLE: CYCLE_07,
    START: MIDNIGHTS[0].isoformat(),
    AHEAD: (NOW + timedelta(hours=1)).isoformat(),
    **OWN,
}


@pytest.fixture
def filled(running: RunningReactor, tmp_path: object) -> Iterator[OpenStore]:
    store = opened(running, f"sqlite:///{tmp_path}/store.sqlite", tmp_path / "keys")  # type: ignore[operator]
    fill(store)
    yield store
    store.call("close")


@pytest.mark.parametrize("soap", SOAP_NAMESPACES)
@pytest.mark.parametrize("version", VERSIONS)
def test_every_operation_answers_its_example_validly(filled: OpenStore, running: RunningReactor, version: str, soap: str) -> None:
    """`StoreSite` holds each answer, header and body, against the schema; none of the examples is refused, as a whole or in part."""
    site = StoreSite(filled, running)
    site.now = NOW
    contract, known = CONTRACTS[version], dict(KNOWN)
    refused, answered = [], 0
    for service in SERVERS:
        for name in calling_order(contract.services[service].operations):
            operation = contract.services[service].operations[name]
            site.now += timedelta(seconds=1)
            known[END] = site.now.isoformat()
            request = Examples(contract, subjects_for(name, service, version, known, f"{service}-{name}")).request(operation)
            inside = "".join(etree.tostring(parameter).decode() for parameter in request)
            answer = site.send(version, service, envelope(version, name, inside, soap=soap), operation.soap_action, soap)
            known[REGISTRATION] = answer.findtext(".//{*}RequestRegistrationIDResult") or known.get(REGISTRATION, "")
            assert etree.QName(answer).namespace == SOAP_NAMESPACES[soap]
            if answer.find(".//{*}Fault") is not None:
                refused.append((service, name, fault_of(etree.tostring(answer))))
            refused += [(service, name, e.get("objectID"), e.get("errorString")) for e in answer.iter("{*}errorObject")]
            answered += 1
    assert not refused, "\n".join(map(str, refused))
    assert answered == sum(len(contract.services[service].operations) for service in SERVERS)


@pytest.mark.parametrize("version", VERSIONS)
def test_the_order_of_calls_makes_things_before_they_are_asked_for_and_ended(version: str) -> None:
    for service in SERVERS:
        order = calling_order(CONTRACTS[version].services[service].operations)
        place = {name: number for number, name in enumerate(order)}
        assert place["PingURL"] == 0
        assert place["RequestRegistrationID"] < place["RegisterForService"] < place["UnregisterForService"]
        asked = [n for n in order if not acts(n) and place[n] > place["RegisterForService"]]
        ended = [n for n in order if n.startswith(("Cancel", "Delete", "Remove"))]
        assert not ended or max(place[n] for n in asked) < min(place[n] for n in ended)


@pytest.mark.parametrize("version", VERSIONS)
def test_what_acts_is_known_by_its_name(version: str) -> None:
    names = operation_handlers(version)
    quiet = {name for name in names if not acts(name)}
    assert {"PingURL", "IsAMRMeter", "GetLatestReadings", "DisplayODMonitoringRequests"} <= quiet
    assert not [n for n in quiet if n.endswith("Notification") or n.startswith(("Initiate", "Establish", "Register"))]


def test_the_table_of_faults_has_every_code_once() -> None:
    codes = [cause.code for cause in CAUSES]
    assert len(codes) == len(set(codes))
    assert set(codes) == {str(code) for code in FaultCode} | {str(code) for code in FAULT_CODES.values()}
    assert all(cause.meaning.endswith(".") for cause in CAUSES)
