"""What real stacks and careless clients send, tried on every operation: the wrong door, odd attributes, lists twice over and too long."""

import copy
import re
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from multispeak.contract import XSI_NAMESPACE, Contract, OperationDef, load_contract
from multispeak.example_values import END
from multispeak.examples import Examples
from multispeak.faults import RefusedCallError
from multispeak.limits import PLACED_ERRORS_MAX
from multispeak.schema import MessageCheck
from multispeak.selftest.plan import acts, calling_order, subjects_for
from tests.conftest import RunningReactor
from tests.edge.test_every_answer import KNOWN
from tests.fakes.reading_world import NOW, fill
from tests.fakes.soap_world import ENVELOPES, NAMESPACES, PASSWORD, USER, envelope, fault_of
from tests.fakes.store_site import SERVERS, StoreSite
from tests.store.world import OpenStore, opened
from wsdl import VERSIONS

CONTRACTS = {version: load_contract(version) for version in VERSIONS}
ADDRESS = "http://127.0.0.1:8080/multispeak/{}/{}"


@pytest.fixture(scope="module")
def filled(running: RunningReactor, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenStore]:
    directory: Path = tmp_path_factory.mktemp("store")
    store = opened(running, f"sqlite:///{directory}/store.sqlite", directory / "keys")
    fill(store)
    yield store
    store.call("close")


@pytest.fixture
def site(filled: OpenStore, running: RunningReactor) -> StoreSite:
    found = StoreSite(filled, running)
    found.now = NOW
    return found


def operations(version: str) -> Iterator[tuple[str, OperationDef]]:
    """Each operation once, at the first server that has it."""
    seen: set[str] = set()
    for service in SERVERS:
        found = CONTRACTS[version].services[service].operations
        for name in calling_order(found):
            if name not in seen:
                seen.add(name)
                yield service, found[name]


def fault(answer: etree._Element) -> tuple[str, str] | None:
    return None if answer.find(".//{*}Fault") is None else fault_of(etree.tostring(answer))


def errors(answer: etree._Element) -> list[str]:
    return [e.get("errorString", "") for e in answer.iter("{*}errorObject")]


def request(site: StoreSite, version: str, service: str, operation: OperationDef, transaction: str) -> etree._Element:
    """The example of an operation, a second after the one before."""
    site.now += timedelta(seconds=1)
    known = {**KNOWN, END: site.now.isoformat()}
    subjects = subjects_for(operation.name, service, version, known, f"{transaction}-{operation.name}")
    return Examples(CONTRACTS[version], subjects).request(operation)


def inside(message: etree._Element) -> str:
    return "".join(etree.tostring(parameter).decode() for parameter in message)


@pytest.mark.parametrize("version", VERSIONS)
def test_every_operation_at_another_server_is_told_where_its_own_is(site: StoreSite, version: str) -> None:
    services = CONTRACTS[version].services
    tried = 0
    for server in SERVERS:
        for home in SERVERS:
            for name in services[home].operations.keys() - services[server].operations.keys():
                found = fault(site.ask(version, server, name))
                assert found is not None
                assert found[0] == "Client.WrongEndpoint"
                assert ADDRESS.format(version, home) in found[1]
                tried += 1
    assert tried > 200


@pytest.mark.parametrize(("version", "other"), [("3.0", "4.1.6"), ("4.1.6", "3.0")])
def test_every_operation_of_the_other_version_is_told_so(site: StoreSite, version: str, other: str) -> None:
    for server in SERVERS:
        for name in CONTRACTS[version].services[server].operations:
            found = fault(site.send(other, server, envelope(version, name)))
            assert found is not None
            assert found[0] == "Client.WrongEndpoint"
            assert f"came in the namespace of MultiSpeak {version}" in found[1]
            assert ADDRESS.format(version, server) in found[1]


XSI, XSD = f"{{{XSI_NAMESPACE}}}", "http://www.w3.org/2001/XMLSchema"


def stack_made(message: etree._Element, contract: Contract, operation: OperationDef) -> None:
    """What Axis, gSOAP, .NET and hand-written clients add: ids, types, an encoding style, nil for nothing, elements of their own."""
    message.set("id", "o0")
    message.set(f"{{{ENVELOPES['1.1']}}}encodingStyle", "http://schemas.xmlsoap.org/soap/encoding/")
    for parameter in operation.request:
        element = message.find(contract.tag(parameter.name))
        if element is None:
            continue
        element.set("{http://schemas.microsoft.com/2003/10/Serialization/}Id", "i1")
        if parameter.type_name == "xs:string":
            element.set(XSI + "type", "xsd:string")
            if not element.text and not parameter.low:
                element.set(XSI + "nil", "true")
    etree.SubElement(message, "{urn:vendor}trace").text = "1"


@pytest.mark.parametrize("version", VERSIONS)
def test_what_stacks_add_to_any_request_harms_nobody(site: StoreSite, version: str) -> None:
    for service, operation in operations(version):
        plain = request(site, version, service, operation, "stack")
        odd = etree.Element(plain.tag, nsmap={None: NAMESPACES[version], "xsi": XSI_NAMESPACE, "xsd": XSD})
        odd.extend(plain)
        stack_made(odd, CONTRACTS[version], operation)
        octets = envelope(version, operation.name).replace(
            f'<{operation.name} xmlns="{NAMESPACES[version]}"></{operation.name}>'.encode(), etree.tostring(odd)
        )
        assert b"urn:vendor" in octets
        found = fault(site.send(version, service, octets))
        assert found is None or found[0] not in {"Client.InvalidMessage", "Server.HeadEnd"}, (operation.name, found)


HEADERS = {
    "absent": "",
    "empty": '<MultiSpeakMsgHeader xmlns="{ns}"/>',
    "without a login": '<MultiSpeakMsgHeader xmlns="{ns}" AppName="CIS"/>',
}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("header", HEADERS, ids=str)
def test_a_header_without_a_login_is_told_so(site: StoreSite, version: str, header: str) -> None:
    ns = NAMESPACES[version]
    body = f'<PingURL xmlns="{ns}"/>'
    block = HEADERS[header].format(ns=ns)
    octets = f'<e:Envelope xmlns:e="{ENVELOPES["1.1"]}"><e:Header>{block}</e:Header><e:Body>{body}</e:Body></e:Envelope>'
    without = octets.replace("<e:Header></e:Header>", "")
    for sent in {octets, without}:
        found = fault(site.send(version, "MR_Server", sent.encode()))
        assert found is not None
        assert found[0] == "Client.Authentication"
        assert "no UserID and Pwd" in found[1]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    "attributes",
    [
        'ObjectsRemaining="" LastSent=""',
        'Colour="red" xmlns:q="urn:q" q:trace="1"',
        'TimeStamp="2017-10-09T053947PM-5"',
        'BuildString="3.0.55" CSUnits="furlongs"',
        f'xmlns:xsi="{XSI_NAMESPACE}" xsi:type="MultiSpeakMsgHeader"',
    ],
)
def test_unknown_and_odd_attributes_of_a_header_harm_nobody(site: StoreSite, version: str, attributes: str) -> None:
    header = f'<MultiSpeakMsgHeader xmlns="{NAMESPACES[version]}" UserID="{USER}" Pwd="{PASSWORD}" {attributes}/>'
    body = f'<PingURL xmlns="{NAMESPACES[version]}"/>'
    octets = f'<e:Envelope xmlns:e="{ENVELOPES["1.1"]}"><e:Header>{header}</e:Header><e:Body>{body}</e:Body></e:Envelope>'
    assert fault(site.send(version, "MR_Server", octets.encode())) is None


def list_of(parameter: etree._Element) -> etree._Element:
    """The list of a parameter: itself, or the one list of what holds a list for each commodity."""
    while etree.QName(parameter[0]).localname.endswith(("Meters", "MeterExchanges")):
        parameter = parameter[0]
    return parameter


def listed(contract: Contract, operation: OperationDef) -> list[str]:
    """Names of the parameters that are lists of objects or names."""
    found = []
    for parameter in operation.request:
        members = [m for kind in contract.lineage(parameter.type_name) for m in kind.elements]
        if parameter.type_name in {"meters", "meterExchanges"} or any(m.many for m in members):
            found.append(parameter.name)
    return found


@pytest.mark.parametrize("version", VERSIONS)
def test_an_object_that_stands_in_a_list_twice_is_answered_once_or_told(site: StoreSite, version: str) -> None:
    """What acts tells the second one by an errorObject, what reads answers it once, as if it had been there once."""
    tried = 0
    for service, operation in operations(version):
        for name in listed(CONTRACTS[version], operation):
            once = request(site, version, service, operation, f"{version}-once-{name}")
            twice = request(site, version, service, operation, f"{version}-twice-{name}")
            found = twice.find(CONTRACTS[version].tag(name))
            if found is None or not len(found):
                continue
            doubled = list_of(found)
            doubled.append(copy.deepcopy(doubled[0]))
            first = site.ask(version, service, operation.name, inside(once))
            second = site.ask(version, service, operation.name, inside(twice))
            assert fault(second) == fault(first), operation.name
            if acts(operation.name):
                # A list of names that say how to read, and not what, is no list of objects.
                told = errors(second)
                assert name in {"fieldName", "fieldNames"} or told, operation.name
            else:
                bodies = [etree.tostring(answer.find("{*}Body")) for answer in (first, second)]
                assert bodies[0] == bodies[1], operation.name
            tried += 1
    assert tried > 50


MOST = 30
"""Objects of any list that are taken in the next test."""


@pytest.mark.parametrize("version", VERSIONS)
def test_a_list_that_is_too_long_is_one_fault(site: StoreSite, version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for bound in (
        "notifications.NOTIFIED_OBJECTS_MAX",
        "meter_names.LISTED_METERS_MAX",
        "deferred_operations.DEFERRED_TARGETS_MAX",
        "read_selection.FIELD_NAMES_MAX",
    ):
        monkeypatch.setattr(f"multispeak.{bound}", MOST)
    tried = 0
    for service, operation in operations(version):
        for name in listed(CONTRACTS[version], operation):
            message = request(site, version, service, operation, f"{version}-long-{name}")
            found = message.find(CONTRACTS[version].tag(name))
            # How a deferred read is to be told is kept as one text, whose length is bounded.
            if found is None or not len(found) or (operation.name.startswith("Initiate") and name.startswith("fieldName")):
                continue
            many = list_of(found)
            many.extend(copy.deepcopy(many[0]) for _ in range(MOST))
            told = fault(site.ask(version, service, operation.name, inside(message)))
            assert told is not None, operation.name
            assert told[0] == "Client.TooManyObjects"
            assert f"{MOST + 1} " in told[1]
            tried += 1
    assert tried > 50


def wrong_objects(count: int, good: int) -> Any:
    ns = NAMESPACES["4.1.6"]
    fine = "<domainNameChange><domainName>x</domainName><action>Add</action></domainNameChange>"
    text = f"{fine * good}\n{'<domainNameChange/>' * count}"
    return etree.fromstring(
        f'<DomainNamesChangedNotification xmlns="{ns}"><changedDomainNames>{text}</changedDomainNames></DomainNamesChangedNotification>'
    )


def refusal(message: etree._Element) -> tuple[str, float]:
    """What is said of a message, and the CPU seconds that took."""
    check = MessageCheck(CONTRACTS["4.1.6"], CONTRACTS["4.1.6"].services["MR_Server"])
    before = time.thread_time()
    with pytest.raises(RefusedCallError) as caught:
        check.require_valid(message, frozenset(), lambda: NOW)
    return str(caught.value), time.thread_time() - before


def test_a_large_message_full_of_errors_is_refused_in_time_that_grows_with_its_length() -> None:
    said, _ = refusal(wrong_objects(2 * PLACED_ERRORS_MAX, 10_000))
    assert f"DomainNamesChangedNotification: {2 * PLACED_ERRORS_MAX} errors, of which the first: Element 'domainNameChange'" in said
    short, long = (refusal(wrong_objects(count, 10_000))[1] for count in (5_000, 40_000))
    # Quadratic work would be sixty times as much.
    assert long < 24 * short


def test_a_large_message_with_a_few_errors_is_told_where_they_are() -> None:
    said, _ = refusal(wrong_objects(1, 10_000))
    assert said.startswith("DomainNamesChangedNotification/changedDomainNames/domainNameChange, line 2: Element 'domainNameChange'")


AN_INSTANT = re.compile(r"\d{4}(-\d\d-\d\d(T[\d:.+-]+Z?)?)")
FAR = {"year 12026": r"12026\1", "year 9999": "9999-12-31T23:59:59-06:00", "before meters": "1066-10-14T12:00:00Z"}


def item_type(contract: Contract, type_name: str) -> str:
    """Type of the objects of a list, or of the first list of what holds several; of a list of texts that of text."""
    members = [m for kind in contract.lineage(type_name) for m in kind.elements]
    many = [m.type_name for m in members if m.many]
    if not members:
        return type_name
    return many[0] if many else item_type(contract, members[0].type_name)


def is_instant(contract: Contract, type_name: str) -> bool:
    kind = contract.types.get(type_name)
    return (kind is None or kind.simple) and contract.built_in(type_name) == "dateTime"


def renamed(one: etree._Element) -> etree._Element:
    """An object like another, about something else."""
    other = copy.deepcopy(one)
    for element in other.iter():
        if etree.QName(element).localname in {"meterNo", "meterID", "electricMeterID"} and element.text:
            element.text += "-BAD"
        for name in ("objectID", "meterNo"):
            if element.get(name):
                element.set(name, element.get(name, "") + "-BAD")
    return other


def spoiled(contract: Contract, one: etree._Element, type_name: str, far: str) -> bool:
    """Move an object's first date to where none can be, or give it one there; whether its type has any."""
    for element in one.iter():
        if element.text and AN_INSTANT.fullmatch(element.text) and "T" in element.text:
            element.text = AN_INSTANT.sub(FAR[far], element.text)
            return True
    members = [m for kind in contract.lineage(type_name) for m in kind.elements]
    order = [contract.tag(m.name) for m in members]
    for member in members:
        if is_instant(contract, member.type_name) and one.find(contract.tag(member.name)) is None:
            before = [child for child in one if child.tag in order and order.index(str(child.tag)) < order.index(contract.tag(member.name))]
            date = etree.Element(contract.tag(member.name))
            date.text = AN_INSTANT.sub(FAR[far], "2026-03-02T00:00:00-06:00")
            one.insert(len(before), date)
            return True
    return False


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("far", FAR, ids=str)
def test_a_date_that_cannot_be_held_is_the_matter_of_its_object_alone(site: StoreSite, version: str, far: str) -> None:
    tried = []
    for service, operation in operations(version):
        for name in listed(CONTRACTS[version], operation) if acts(operation.name) else ():
            (type_name,) = (p.type_name for p in operation.request if p.name == name)
            alone = request(site, version, service, operation, f"{version}-alone-{name}-{far}")
            beside = request(site, version, service, operation, f"{version}-beside-{name}-{far}")
            found = beside.find(CONTRACTS[version].tag(name))
            if found is None or not len(found):
                continue
            objects = list_of(found)
            bad = renamed(objects[0])
            if not spoiled(CONTRACTS[version], bad, item_type(CONTRACTS[version], type_name), far):
                continue
            objects.insert(0, bad)
            first = site.ask(version, service, operation.name, inside(alone))
            second = site.ask(version, service, operation.name, inside(beside))
            assert fault(second) is None is fault(first), (operation.name, fault(second))
            told = errors(second)
            if far == "year 12026":
                assert len(told) == len(errors(first)) + 1, (operation.name, told)
            tried.append(operation.name)
    assert len(tried) > 10, tried
