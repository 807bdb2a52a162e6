"""Pages for people at the addresses of services: what a service is, what its operations do, and an example of each, from the contract.

Source  wsdl/<version>/contract.json; the handlers' own words for their effect
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from lxml import etree

from multispeak.calls import Handlers
from multispeak.contract import Contract, OperationDef, ServiceDef
from multispeak.endpoints import ALIASES, endpoint_path
from multispeak.examples import Examples, envelope, header_element
from multispeak.fault_table import CAUSES
from multispeak.message_header import APP_NAME
from multispeak.wsdl_rendering import SERVED
from wsdl import deferred_text

ROOT = "/multispeak"
SUBJECTS = {
    "MR_Server": "Meter reading: readings, load profiles and events, meters and their groups, schedules, on-demand reads.",
    "CD_Server": "Connect/disconnect: the switches of meters, their states, and commands to them.",
    "OD_Server": "Outage detection: which meters have power, and requests to find out.",
}
_GENERAL = {"PingURL", "GetMethods", "GetPublishMethods", "RequestRegistrationID", "RegisterForService", "UnregisterForService"}
_GROUPS = (
    "Login, registration and code lists",
    "Questions, answered at once",
    "Requests, carried out later and answered by a notification",
    "Notifications that are taken",
    "Groups, schedules and monitoring",
)


@dataclass(frozen=True, slots=True)
class Page:
    """What goes back: an HTTP status and HTML."""

    status: int
    octets: bytes


@dataclass(frozen=True, slots=True)
class OperationLine:
    """One operation as a page shows it; `effect` is what its handler says of itself."""

    name: str
    effect: str
    implemented: bool


class ServicePages:
    """The pages of one service."""

    def __init__(self, contracts: Mapping[str, Contract], version: str, service: ServiceDef, handlers: Handlers, address: str) -> None:
        self._contracts = contracts
        self._contract = contracts[version]
        self._service = service
        self._handlers = handlers
        self._address = address
        self._path = endpoint_path(version, service.name)
        self._title = f"{service.name} of MultiSpeak {version}"

    @property
    def implemented(self) -> int:
        """How many operations have a handler."""
        return len(self._service.operations.keys() & self._handlers.keys())

    @property
    def total(self) -> int:
        """How many the contract has."""
        return len(self._service.operations)

    def page(self, operation: str = "") -> Page:
        """The service's page, or that of one operation, its letters' case aside."""
        if not operation:
            return self._service_page()
        found = next((o for n, o in self._service.operations.items() if n.lower() == operation.lower()), None)
        if found is None:
            said = f"{self._title} has no operation {operation[:100]!r}."
            return lost_page(said, self._path)
        return self._operation_page(found)

    def _service_page(self) -> Page:
        groups = [(title, [self._line(name) for name in names]) for title, names in self._grouped() if names]
        page = rendered(
            "service.html",
            self._title,
            kind="service",
            trail=self._trail()[:1],
            about=SUBJECTS[self._service.name],
            address=self._address,
            path=self._path,
            namespace=self._contract.namespace,
            faults=f"{ROOT}#faults",
            implemented=self.implemented,
            total=self.total,
            groups=groups,
        )
        return Page(200, page)

    def _operation_page(self, operation: OperationDef) -> Page:
        examples = Examples(self._contract)
        request, answer = self._request_header(), self._answer_header(operation)
        texts = {
            name + suffix: envelope(soap, [header], body).decode()
            for suffix, soap in (("", "1.1"), ("12", "1.2"))
            for name, header, body in (
                ("request", request, examples.request(operation)),
                ("answer", answer, examples.answer(operation)),
            )
        }
        page = rendered(
            "operation.html",
            operation.name,
            kind="operation",
            trail=self._trail(),
            operation=self._line(operation.name),
            parameters=operation.request,
            request=f"{self._http_head(operation, '1.1')}\n\n{texts['request']}",
            request12=f"{self._http_head(operation, '1.2')}\n\n{texts['request12']}",
            answer=texts["answer"],
            answer12=texts["answer12"],
            shell=self._shell(operation),
            elsewhere=self._elsewhere(operation.name),
        )
        return Page(200, page)

    def _trail(self) -> list[tuple[str, str]]:
        return [("MultiSpeak", ROOT), (self._title, self._path)]

    def _line(self, name: str) -> OperationLine:
        handler = self._handlers.get(name)
        lines = (getattr(handler, "__doc__", None) or "").strip().splitlines() if handler else []
        return OperationLine(name, lines[0] if lines else "", handler is not None)

    def _grouped(self) -> Iterable[tuple[str, list[str]]]:
        deferred = set(json.loads(deferred_text())[self._contract.version])
        groups: dict[str, list[str]] = {title: [] for title in _GROUPS}
        for name in sorted(self._service.operations):
            groups[_GROUPS[_group_of(name, deferred)]].append(name)
        return groups.items()

    def _http_head(self, operation: OperationDef, soap: str) -> str:
        lines = [f"POST {self._path} HTTP/1.1"]
        if soap == "1.1":
            lines += ["Content-Type: text/xml; charset=utf-8", f'SOAPAction: "{operation.soap_action}"']
        else:
            lines += [f'Content-Type: application/soap+xml; charset=utf-8; action="{operation.soap_action}"']
        return "\n".join(lines)

    def _shell(self, operation: OperationDef) -> str:
        headers = f"-H 'Content-Type: text/xml; charset=utf-8' -H 'SOAPAction: \"{operation.soap_action}\"'"
        return f"curl {headers} \\\n     --data-binary @request.xml {self._address}"

    def _elsewhere(self, name: str) -> list[tuple[str, str]]:
        return [
            (f"{server} {version}", f"{endpoint_path(version, server)}?op={name}")
            for version, contract in self._contracts.items()
            for server in SERVED
            if name in contract.services[server].operations and (version, server) != (self._contract.version, self._service.name)
        ]

    def _request_header(self) -> etree._Element:
        login = {"UserID": "your-user", "Pwd": "your-password"}
        return header_element(self._contract, **login, AppName="Your application", Company="Your company")

    def _answer_header(self, operation: OperationDef) -> etree._Element:
        paged = any(p.name == "lastReceived" for p in operation.request)
        paging = {"SessionID": "5f0c2a1e-1a52-4f61-8a39-9a1f0a1c7f10", "ObjectsRemaining": "0", "LastSent": ""} if paged else {}
        said = {"AppName": APP_NAME, "Company": "Example Cooperative", "TimeStamp": "2026-03-02T09:00:00-06:00", **paging}
        return header_element(self._contract, **said)


def folder_page(pages: Mapping[tuple[str, str], ServicePages], version: str = "") -> Page:
    """All services, or those of one version, and what calls can be refused with."""
    aliases = {name: alias for alias, name in ALIASES.items()}
    versions: dict[str, list[dict[str, Any]]] = {}
    for (said, name), service in pages.items():
        if version in {"", said}:
            row = {
                "name": name,
                "path": endpoint_path(said, name),
                "about": SUBJECTS[name],
                "alias": aliases.get(name, ""),
                "implemented": service.implemented,
                "operations": service.total,
            }
            versions.setdefault(said, []).append(row)
    title = f"MultiSpeak {version}" if version else "MultiSpeak"
    page = rendered(
        "folder.html",
        title,
        kind="services",
        trail=[("MultiSpeak", ROOT)] if version else [],
        about="SOAP services of this head-end for billing, meter data and outage management. Each address shows a page like this one "
        "to a browser, its WSDL with ?wsdl, and takes SOAP by POST, with or without .asmx behind its name.",
        versions=versions.items(),
        faults=CAUSES,
    )
    return Page(200, page)


def lost_page(said: str, back: str) -> Page:
    """An address that is none."""
    return Page(404, rendered("lost.html", "Nothing here", kind="", trail=[("MultiSpeak", ROOT)], said=said, back=back))


def rendered(template: str, title: str, **values: Any) -> bytes:
    """A page of one of the templates, everything in it escaped."""
    return templates().get_template(template).render(title=title, **values).encode()


@cache
def templates() -> Environment:
    """The templates of this package."""
    return Environment(
        loader=PackageLoader("multispeak", "templates"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )


def _group_of(name: str, deferred: set[str]) -> int:
    if name in _GENERAL or "Registration" in name or "Domain" in name:
        return 0
    if name.startswith(("Get", "Is", "Display")):
        return 1
    if name in deferred:
        return 2
    return 3 if name.endswith("Notification") else 4
