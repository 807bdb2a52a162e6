"""Contract → WSDL 1.1 with SOAP 1.1 and 1.2 bindings, structure by structure the standard's.

`python -m multispeak.wsdl_rendering DIRECTORY [ADDRESS]` writes the WSDLs and XSDs of every version.
"""

import sys
from pathlib import Path

from lxml import etree

from multispeak.contract import HEADER_NAME, XS_NAMESPACE, Contract, OperationDef, ServiceDef, load_contract
from multispeak.xsd_rendering import SchemaRendering, schema_name
from wsdl import VERSIONS

WSDL_NAMESPACE = "http://schemas.xmlsoap.org/wsdl/"
BINDINGS = {"soap": "http://schemas.xmlsoap.org/wsdl/soap/", "soap12": "http://schemas.xmlsoap.org/wsdl/soap12/"}
TRANSPORT = "http://schemas.xmlsoap.org/soap/http"
SERVED = ("MR_Server", "CD_Server", "OD_Server")
"""The servers of a head-end: meter reading, connect/disconnect, outage detection."""

W = f"{{{WSDL_NAMESPACE}}}"


def render_wsdl(contract: Contract, service: ServiceDef, location: str) -> bytes:
    """The WSDL of one service, its address being `location`."""
    nsmap = {"wsdl": WSDL_NAMESPACE, **BINDINGS, "s": XS_NAMESPACE, **contract.namespaces}
    root = etree.Element(W + "definitions", nsmap=nsmap)
    root.set("targetNamespace", contract.namespace)
    types = etree.SubElement(root, W + "types")
    types.extend(SchemaRendering(contract, service, located=False).schemas().values())
    for operation in service.operations.values():
        _messages(root, operation)
    _port_type(root, service)
    for prefix in BINDINGS:
        _binding(root, service, prefix)
    _ports(root, service, location)
    etree.cleanup_namespaces(root, keep_ns_prefixes=list(contract.namespaces))
    return etree.tostring(root, xml_declaration=True, encoding="utf-8", pretty_print=True)


def render_xsds(contract: Contract, service: ServiceDef) -> dict[str, bytes]:
    """The service's schemas as files that import one another; file name → octets, the `tns` schema first."""
    schemas = SchemaRendering(contract, service, located=True).schemas()
    return {
        schema_name(service, prefix): etree.tostring(schema, xml_declaration=True, encoding="utf-8", pretty_print=True)
        for prefix, schema in schemas.items()
    }


def _messages(root: etree._Element, operation: OperationDef) -> None:
    for suffix, part, element in (
        ("SoapIn", "parameters", operation.name),
        ("SoapOut", "parameters", operation.name + "Response"),
        (HEADER_NAME, HEADER_NAME, HEADER_NAME),
    ):
        message = etree.SubElement(root, W + "message", name=operation.name + suffix)
        etree.SubElement(message, W + "part", name=part, element="tns:" + element)


def _port_type(root: etree._Element, service: ServiceDef) -> None:
    port_type = etree.SubElement(root, W + "portType", name=service.name + "Soap")
    for name in service.operations:
        operation = etree.SubElement(port_type, W + "operation", name=name)
        etree.SubElement(operation, W + "input", message=f"tns:{name}SoapIn")
        etree.SubElement(operation, W + "output", message=f"tns:{name}SoapOut")


def _port_name(service: ServiceDef, prefix: str) -> str:
    return service.name + ("Soap" if prefix == "soap" else "Soap12")


def _binding(root: etree._Element, service: ServiceDef, prefix: str) -> None:
    soap = f"{{{BINDINGS[prefix]}}}"
    binding = etree.SubElement(root, W + "binding", name=_port_name(service, prefix), type=f"tns:{service.name}Soap")
    etree.SubElement(binding, soap + "binding", transport=TRANSPORT)
    for name, facts in service.operations.items():
        operation = etree.SubElement(binding, W + "operation", name=name)
        etree.SubElement(operation, soap + "operation", soapAction=facts.soap_action, style="document")
        for way in ("input", "output"):
            message = etree.SubElement(operation, W + way)
            etree.SubElement(message, soap + "body", use="literal")
            etree.SubElement(message, soap + "header", message=f"tns:{name}{HEADER_NAME}", part=HEADER_NAME, use="literal")


def _ports(root: etree._Element, service: ServiceDef, location: str) -> None:
    node = etree.SubElement(root, W + "service", name=service.name)
    for prefix, namespace in BINDINGS.items():
        label = _port_name(service, prefix)
        port = etree.SubElement(node, W + "port", name=label, binding="tns:" + label)
        etree.SubElement(port, f"{{{namespace}}}address", location=location)


def write_files(directory: Path, address: str) -> None:
    """Write the WSDL and the schemas of every served service of every version below `directory`."""
    for version in VERSIONS:
        contract = load_contract(version)
        folder = directory / version
        folder.mkdir(parents=True, exist_ok=True)
        for name in SERVED:
            service = contract.services[name]
            (folder / f"{name}.wsdl").write_bytes(render_wsdl(contract, service, f"{address}/multispeak/{version}/{name}"))
            for file_name, octets in render_xsds(contract, service).items():
                (folder / file_name).write_bytes(octets)


if __name__ == "__main__":
    write_files(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "http://127.0.0.1:8080")
