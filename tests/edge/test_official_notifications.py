"""Notifications in the hands of the standard's own WSDL: zeep takes them apart, and its schema finds nothing wrong."""

import os
from pathlib import Path

import pytest
import zeep
from lxml import etree

from multispeak.contract import load_contract
from multispeak.notifier import ALL_NOTIFICATIONS
from tests.edge.test_event_bodies import ALL as EVENTS
from tests.edge.test_event_bodies import METERS, face_of, notices
from tests.edge.test_multispeak_outcomes import OPERATIONS, TABLE, outcomes, tell
from wsdl import VERSIONS

REFERENCE = os.environ.get("HEADEND_REFERENCE_DIR", "")
XSD = "{http://www.w3.org/2001/XMLSchema}"

pytestmark = pytest.mark.skipif(not REFERENCE, reason="HEADEND_REFERENCE_DIR does not name the folder with contracts/official")


def official(version: str) -> Path:
    return Path(REFERENCE) / "contracts" / "official" / version / f"{ALL_NOTIFICATIONS}.wsdl"


@pytest.fixture(scope="module")
def schemas(tmp_path_factory: pytest.TempPathFactory) -> dict[str, etree.XMLSchema]:
    """By version: what the WSDL has inside, as files, since only files can import each other."""
    return {version: compiled(version, tmp_path_factory.mktemp("official")) for version in VERSIONS}


def compiled(version: str, folder: Path) -> etree.XMLSchema:
    found = {one.get("targetNamespace", ""): one for one in etree.parse(official(version)).iter(f"{XSD}schema")}
    files = {namespace: folder / f"{number}.xsd" for number, namespace in enumerate(found)}
    for namespace, one in found.items():
        for imported in one.iter(f"{XSD}import"):
            imported.set("schemaLocation", files[imported.get("namespace", "")].name)
        files[namespace].write_bytes(etree.tostring(one))
    return etree.XMLSchema(file=str(files[load_contract(version).namespace]))


@pytest.mark.parametrize("plural", [True, False])
@pytest.mark.parametrize(("version", "operation"), OPERATIONS)
def test_every_notification_is_valid_by_the_official_schema(
    schemas: dict[str, etree.XMLSchema], version: str, operation: str, plural: bool
) -> None:
    kind = TABLE[version][operation].kind
    elements = list(tell(version, operation, outcomes(kind), plural=plural).elements())
    assert elements
    for element in elements:
        assert schemas[version].validate(element), schemas[version].error_log


@pytest.mark.parametrize("version", VERSIONS)
def test_zeep_finds_what_was_told_in_every_notification(version: str) -> None:
    (service,) = zeep.Client(str(official(version))).wsdl.services.values()
    binding = service.ports[f"{ALL_NOTIFICATIONS}Soap"].binding
    for of_version, operation in OPERATIONS:
        kind = TABLE[of_version][operation].kind
        if of_version != version:
            continue
        whole = ""
        for element in tell(version, operation, outcomes(kind)).elements():
            taker = binding.get(etree.QName(element).localname)
            whole += str(taker.input.body.type.parse_xmlelement(element, taker.input.wsdl.types))
        assert all(f"M{number:06}" in whole for number in (1, 2, 3)), operation


@pytest.mark.parametrize("plural", [True, False])
@pytest.mark.parametrize(("version", "name"), EVENTS)
def test_every_notification_of_events_is_valid_by_the_official_schema(
    schemas: dict[str, etree.XMLSchema], version: str, name: str, plural: bool
) -> None:
    for element in told_events(version, name, plural=plural):
        assert schemas[version].validate(element), schemas[version].error_log


@pytest.mark.parametrize("version", VERSIONS)
def test_zeep_finds_every_event_that_was_told(version: str) -> None:
    (service,) = zeep.Client(str(official(version))).wsdl.services.values()
    binding = service.ports[f"{ALL_NOTIFICATIONS}Soap"].binding
    for name in [name for of_version, name in EVENTS if of_version == version]:
        taker, whole = binding.get(name), ""
        for element in told_events(version, name):
            whole += str(taker.input.body.type.parse_xmlelement(element, taker.input.wsdl.types))
        assert all(f"S{number}" in whole for number in (1, 2, 3)), name


def told_events(version: str, name: str, *, plural: bool = True) -> list[etree._Element]:
    face = face_of(version)
    write = face.binding.operations[name].write_request
    return [etree.fromstring(write(notice.values)) for notice in notices(face, name, METERS, plural=plural)]
