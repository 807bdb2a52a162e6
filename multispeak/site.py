"""The MultiSpeak site put together: contracts, handlers and credentials in, a tree of resources out."""
# mypy: disable-error-code="no-untyped-call"
# Twisted's web package is only partly typed.

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from random import Random

from twisted.internet.interfaces import IReactorTime
from twisted.web.resource import Resource

from headend.model.partner import Caller
from multispeak.authentication import Authenticator
from multispeak.binding import ServiceBinding
from multispeak.calls import Handlers, UtilityStore
from multispeak.contract import Contract, load_contract
from multispeak.endpoints import ALIASES, Endpoints, endpoint_path
from multispeak.exchange_notes import EndpointNotes, LogDirectory
from multispeak.gate import Gate
from multispeak.message_header import HeaderWriter
from multispeak.operations import operation_handlers
from multispeak.paging_sessions import PagingSessions
from multispeak.records import Records
from multispeak.service_pages import ServicePages, folder_page
from multispeak.soap_resource import AsmxAware, EndpointResource
from multispeak.soap_server import EndpointParts, build_servers
from multispeak.wsdl_rendering import SERVED, render_wsdl
from wsdl import VERSIONS


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the site needs from the outside.

    `stores` finds the store of a caller's utility; `public_url` is scheme, host and port as clients know them, without a path: it goes
    into the WSDLs, whatever a request's Host says. `random` gives ids that must not be guessed, so in earnest it is the system's.
    `logs` keeps exchanges, where they are to be kept.
    """

    authenticator: Authenticator
    stores: Callable[[Caller], UtilityStore]
    public_url: str
    now: Callable[[], datetime]
    clock: IReactorTime
    random: Random
    app_version: str = ""
    logs: LogDirectory | None = None


def multispeak_resource(surroundings: Surroundings) -> Resource:
    """The resource to put at `/multispeak`: below it `<version>/<Server>`, with and without `.asmx`, and the names of interface pairs."""
    contracts = {version: load_contract(version) for version in VERSIONS}
    address = surroundings.public_url.rstrip("/")
    endpoints = Endpoints(contracts, {(v, s): address + endpoint_path(v, s) for v in VERSIONS for s in SERVED})
    gate = Gate(surroundings.clock)
    pages: dict[tuple[str, str], ServicePages] = {}
    root = AsmxAware(lambda: folder_page(pages))
    for version, contract in contracts.items():
        folder = AsmxAware(partial(folder_page, pages, version), ALIASES)
        root.putChild(version.encode(), folder)
        records, handlers = Records(contract), operation_handlers(version)
        for name in SERVED:
            pages[version, name] = ServicePages(contracts, version, contract.services[name], handlers, endpoints.urls[version, name])
            endpoint = _endpoint(surroundings, endpoints, contract, name, records, handlers, gate, pages[version, name])
            folder.putChild(name.encode(), endpoint)
    return root


def _endpoint(
    surroundings: Surroundings,
    endpoints: Endpoints,
    contract: Contract,
    name: str,
    records: Records,
    handlers: Handlers,
    gate: Gate,
    pages: ServicePages,
) -> EndpointResource:
    service = contract.services[name]
    header_writer = HeaderWriter(contract, surroundings.random, surroundings.now, surroundings.app_version)
    parts = EndpointParts(
        ServiceBinding(contract, service, records).ready(),
        endpoints,
        handlers,
        surroundings.stores,
        surroundings.authenticator,
        header_writer,
        PagingSessions(header_writer.new_id),
        surroundings.now,
    )
    wsdl = partial(render_wsdl, contract, service, endpoints.urls[contract.version, name])
    notes = EndpointNotes(surroundings.logs, name, contract.version, surroundings.now) if surroundings.logs else None
    title = f"{name} of MultiSpeak {contract.version}"
    return EndpointResource(title, build_servers(parts), wsdl, gate, surroundings.clock, notes, pages)
