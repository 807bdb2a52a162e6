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

from headend.ports import Caller, ReadingQueries
from multispeak.authentication import Authenticator
from multispeak.binding import ServiceBinding
from multispeak.calls import Handlers
from multispeak.contract import Contract, load_contract
from multispeak.endpoints import Endpoints, endpoint_path
from multispeak.general_operations import general_handlers
from multispeak.message_header import HeaderWriter
from multispeak.meter_reading import meter_reading_handlers
from multispeak.records import Records
from multispeak.soap_resource import AsmxAware, EndpointResource, Gate
from multispeak.soap_server import EndpointParts, build_servers
from multispeak.wsdl_rendering import render_wsdl
from wsdl import VERSIONS


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the site needs from the outside.

    `queries` finds the store of a caller's utility; `public_url` is scheme, host and port as clients know them, without a path: it goes
    into the WSDLs, whatever a request's Host says.
    """

    authenticator: Authenticator
    queries: Callable[[Caller], ReadingQueries]
    public_url: str
    now: Callable[[], datetime]
    clock: IReactorTime
    random: Random


def multispeak_resource(surroundings: Surroundings) -> Resource:
    """The resource to put at `/multispeak`: below it `<version>/<Server>`, with and without `.asmx`."""
    contracts = {version: load_contract(version) for version in VERSIONS}
    served = {version: {"MR_Server": meter_reading_handlers(version, surroundings.queries)} for version in VERSIONS}
    urls = {(v, s): surroundings.public_url.rstrip("/") + endpoint_path(v, s) for v, services in served.items() for s in services}
    endpoints = Endpoints(contracts, urls)
    gate = Gate()
    root = AsmxAware()
    for version, services in served.items():
        folder = AsmxAware()
        root.putChild(version.encode(), folder)
        records = Records(contracts[version])
        for name, handlers in services.items():
            endpoint = _endpoint(surroundings, endpoints, contracts[version], name, records, handlers, gate)
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
) -> EndpointResource:
    service = contract.services[name]
    everything = {**handlers, **general_handlers(handlers)}
    parts = EndpointParts(
        ServiceBinding(contract, service, records),
        endpoints,
        everything,
        surroundings.authenticator,
        HeaderWriter(contract, surroundings.random, surroundings.now),
        surroundings.now,
    )
    unknown = everything.keys() - service.operations.keys()
    assert not unknown, f"{name} {contract.version} has no operation {unknown}"
    wsdl = partial(render_wsdl, contract, service, endpoints.urls[contract.version, name])
    return EndpointResource(f"{name} of MultiSpeak {contract.version}", build_servers(parts), wsdl, gate, surroundings.clock)
