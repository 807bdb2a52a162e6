"""An address → the services there, by their WSDLs: version, server, operations, where to send calls, and what differs from the contract."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from lxml import etree

from headend.errors import LinkError, RequestError
from multispeak.contract import Contract
from multispeak.endpoints import ALIASES
from multispeak.envelope import request_parser
from multispeak.selftest.posting import HttpAnswer, HttpCaller
from multispeak.wsdl_rendering import BINDINGS, SERVED, W

_ROOT = "multispeak"


@dataclass(frozen=True, slots=True)
class Target:
    """One service to test. `problems` make the WSDL fail, `remarks` do not."""

    version: str
    service: str
    url: str
    operations: frozenset[str]
    problems: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


def services_at(caller: HttpCaller, address: str, contracts: Mapping[str, Contract], said: tuple[str, str] = ("", "")) -> list[Target]:
    """The services at an address: one at its own or its WSDL's address, all at a head-end's.

    `said` is (version, server) of a service without a WSDL.
    Raises  RequestError that says what is at the address instead
    """
    parts = urlsplit(address)
    if parts.scheme not in {"http", "https"} or not parts.netloc:
        raise RequestError(f"{address[:200]!r} is no http or https address")
    inside = [step for step in parts.path.split("/") if step]
    below = inside[inside.index(_ROOT) + 1 :] if _ROOT in inside else []
    if parts.query or (inside and (_ROOT not in inside or len(below) > 1)):
        return [_one(caller, address, contracts, said)]
    root = f"{parts.scheme}://{parts.netloc}/" + "/".join(inside[: len(inside) - len(below)] if _ROOT in inside else [*inside, _ROOT])
    versions = [v for v in contracts if not below or v == below[0]]
    if not versions:
        raise RequestError(f"{address[:200]!r} says version {below[0][:40]!r}; there are {', '.join(contracts)}")
    return [_one(caller, f"{root}/{version}/{service}", contracts, (version, service)) for version in versions for service in SERVED]


def _one(caller: HttpCaller, address: str, contracts: Mapping[str, Contract], said: tuple[str, str]) -> Target:
    parts = urlsplit(address)
    plain = parts._replace(query="", fragment="").geturl()
    wsdl_url = address if parts.query else f"{plain}?wsdl"
    try:
        root, problem = _document(caller.get(wsdl_url)), ""
    except RequestError as error:
        root, problem = None, f"no WSDL at {wsdl_url}: {error}"
    except LinkError as error:
        raise LinkError(f"{wsdl_url}: {error}") from None
    if root is None:
        version, service = said
        if version not in contracts or service not in contracts[version].services:
            raise RequestError(f"{problem}; say the version and the server, so that it can be tested without")
        return Target(version, service, plain, frozenset(contracts[version].services[service].operations), (problem,))
    return _described(root, plain, contracts)


def _document(answer: HttpAnswer) -> etree._Element:
    if answer.status != 200:
        raise RequestError(f"HTTP {answer.status}")
    try:
        root = etree.fromstring(answer.octets, request_parser())
    except (etree.XMLSyntaxError, ValueError) as error:
        raise RequestError(f"no well-formed XML ({error})") from None
    if root.tag != W + "definitions":
        raise RequestError(f"a document of {etree.QName(root).text[:100]}")
    return root


def _described(root: etree._Element, plain: str, contracts: Mapping[str, Contract]) -> Target:
    """The service that a WSDL describes, held against the contract."""
    namespace = root.get("targetNamespace", "")
    contract = next((c for c in contracts.values() if c.namespace == namespace), None)
    if contract is None:
        known = ", ".join(c.namespace for c in contracts.values())
        raise RequestError(f"the WSDL's namespace is {namespace[:120]!r}; known are {known}")
    described = {o.get("name", "") for o in root.iter(W + "operation") if _is_port_operation(o)}
    service_name = _service_name(root, described, contract)
    operations = contract.services[service_name].operations
    actions = _actions(root)
    missing, strange = sorted(operations.keys() - described), sorted(described - operations.keys())
    wrong = sorted(n for n in described & operations.keys() if actions.get(n, operations[n].soap_action) != operations[n].soap_action)
    remarks = [f"without {_few(missing)}"] if missing else []
    remarks += [f"with {_few(strange)}, which the contract of {service_name} does not have"] if strange else []
    address = _address(root)
    if address and urlsplit(address)[1:3] != urlsplit(plain)[1:3]:
        remarks.append(f"tells the address {address[:200]}")
    problems = (f"other SOAPActions than the contract's for {_few(wrong)}",) if wrong else ()
    url = address if plain.lower().endswith((".wsdl", ".xml")) and address else plain
    return Target(contract.version, service_name, url, frozenset(described & operations.keys()), problems, tuple(remarks))


def _is_port_operation(operation: etree._Element) -> bool:
    parent = operation.getparent()
    return parent is not None and parent.tag == W + "portType"


def _service_name(root: etree._Element, described: set[str], contract: Contract) -> str:
    for service in root.iter(W + "service"):
        name = service.get("name", "")
        name = ALIASES.get(name, name)
        if name in contract.services:
            return name
    return max(contract.services, key=lambda name: len(described & contract.services[name].operations.keys()))


def _actions(root: etree._Element) -> dict[str, str]:
    found = {}
    for prefix in BINDINGS.values():
        for operation in root.iter(f"{{{prefix}}}operation"):
            parent = operation.getparent()
            if parent is not None and operation.get("soapAction"):
                found[parent.get("name", "")] = operation.get("soapAction", "")
    return found


def _address(root: etree._Element) -> str:
    return next((a.get("location", "") for prefix in BINDINGS.values() for a in root.iter(f"{{{prefix}}}address")), "")


def _few(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
