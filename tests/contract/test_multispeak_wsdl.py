"""The rendered WSDLs and schemas against the standard's contract, and in the hands of other people's tools."""

import configparser
import os
import subprocess
import sys
from io import BytesIO
from pathlib import Path

import pytest
import zeep
from lxml import etree

from multispeak.contract import Contract, load_contract
from multispeak.records import Records
from multispeak.schema import compile_schema
from multispeak.writers import Writers
from multispeak.wsdl_rendering import SERVED, render_wsdl, write_files
from multispeak.xsd_rendering import type_label
from wsdl import VERSIONS

CONTRACTS = {version: load_contract(version) for version in VERSIONS}
SERVICES = [(version, name) for version in VERSIONS for name in SERVED]
REFERENCE = os.environ.get("HEADEND_REFERENCE_DIR", "")
needs_reference = pytest.mark.skipif(not REFERENCE, reason="HEADEND_REFERENCE_DIR does not name the folder with checks/ and contracts/")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wsdl")
    write_files(folder, "http://headend.example")
    return folder


@needs_reference
@pytest.mark.parametrize(("version", "name"), SERVICES)
def test_the_wsdl_has_no_difference_from_the_standard(files: Path, version: str, name: str) -> None:
    check = Path(REFERENCE) / "checks" / "wsdl_conformance.py"
    contract = Path(REFERENCE) / "contracts" / f"multispeak-{version}.json"
    done = subprocess.run(
        [sys.executable, check, "--contract", contract, "--service", name, files / version / f"{name}.wsdl"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.rstrip().endswith(f"{len(CONTRACTS[version].services[name].operations)} operations, 0 differences"), done.stdout
    assert done.returncode == 0


@pytest.mark.parametrize(("version", "name"), SERVICES)
def test_zeep_loads_the_wsdl_offline_and_finds_every_operation(files: Path, version: str, name: str) -> None:
    client = zeep.Client(str(files / version / f"{name}.wsdl"), transport=NoNetwork())
    (service,) = client.wsdl.services.values()
    assert sorted(service.ports) == [name + "Soap", name + "Soap12"]
    for port in service.ports.values():
        assert set(port.binding._operations) == set(CONTRACTS[version].services[name].operations)
        assert port.binding_options["address"] == f"http://headend.example/multispeak/{version}/{name}"


class NoNetwork(zeep.Transport):
    """Fails whatever asks for more than local files."""

    def _load_remote_data(self, url: str) -> bytes:
        raise AssertionError(f"asked the network for {url}")


@pytest.mark.parametrize(("version", "name"), SERVICES)
def test_the_schema_files_compile_with_two_libraries(files: Path, version: str, name: str) -> None:
    path = files / version / f"{name}.xsd"
    assert etree.XMLSchema(etree.parse(path)) is not None
    # In a process of its own: xmlschema looks at every attribute of its classes and trips over what zope.interface hangs on abstract ones.
    script = "import sys, xmlschema; print(sorted(xmlschema.XMLSchema10(sys.argv[1], validation='strict').elements))"
    done = subprocess.run([sys.executable, "-c", script, path], capture_output=True, text=True, check=False)
    assert "'MultiSpeakMsgHeader'" in done.stdout, done.stderr


@pytest.mark.parametrize("version", VERSIONS)
def test_every_type_can_be_written_empty(version: str) -> None:
    """Each named type's writer makes well-formed XML of a record without values."""
    contract = CONTRACTS[version]
    records = Records(contract)
    writers = Writers(contract, records)
    for kind in contract.types.values():
        if not kind.simple:
            text = writers.of(kind.name)(records[kind.name](), "x")
            assert etree.fromstring(f"<r{writers.namespaces}>{text}</r>")[0].tag.endswith("}x")


@pytest.mark.parametrize("version", VERSIONS)
def test_type_names_stay_distinct_as_identifiers(version: str) -> None:
    labels = [(CONTRACTS[version].prefix_of(n), type_label(n)) for n, t in CONTRACTS[version].types.items() if not t.anonymous]
    assert len(set(labels)) == len(labels)
    assert all(label.isidentifier() for _, label in labels)


def test_rendering_is_the_same_every_time() -> None:
    contract = load_contract("4.1.6")
    service = contract.services["MR_Server"]
    assert render_wsdl(contract, service, "http://a/") == render_wsdl(load_contract("4.1.6"), service, "http://a/")


@pytest.mark.parametrize("version", VERSIONS)
def test_schemas_compile_from_memory_without_files(version: str) -> None:
    contract: Contract = CONTRACTS[version]
    schema = compile_schema(contract, contract.services["MR_Server"])
    assert schema.validate(etree.parse(BytesIO(f'<PingURL xmlns="{contract.namespace}"/>'.encode())))
    assert not schema.validate(etree.parse(BytesIO(f'<Ping xmlns="{contract.namespace}"/>'.encode())))


def test_packaging_takes_the_contracts_along() -> None:
    root = Path(__file__).parents[2]
    settings = configparser.ConfigParser()
    settings.read(root / "setup.cfg")
    patterns = settings["options.package_data"].get("wsdl", "").split()
    packed = {path for pattern in patterns for path in (root / "wsdl").glob(pattern)}
    assert {root / "wsdl" / version / "contract.json" for version in VERSIONS} <= packed


def test_an_unknown_version_is_named() -> None:
    with pytest.raises(LookupError, match=r"5\.0; there are 3\.0, 4\.1\.6"):
        load_contract("5.0")
