"""The MultiSpeak site over a real store, asked without sockets: what an operation does is seen in what others answer, and in the tables."""

from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from ipaddress import ip_network
from random import Random
from typing import Any

from lxml import etree
from twisted.internet.task import Clock
from twisted.web.resource import Resource

from headend.model.partner import Caller, ClientCertificate, NotificationProfile, Partner
from headend.model.utility import Utility
from multispeak.authentication import Evidence
from multispeak.contract import load_contract
from multispeak.schema import compile_schema
from multispeak.site import Surroundings, multispeak_resource
from multispeak.soap_protocol import Exchange
from multispeak.soap_server import SoapServer
from tests.conftest import RunningReactor
from tests.fakes.soap_world import NOW, PASSWORD, USER, authenticator, envelope
from tests.store.world import UTILITY, OpenStore
from wsdl import VERSIONS

SERVERS = ("MR_Server", "CD_Server", "OD_Server")

HERE = NotificationProfile(networks=(ip_network("127.0.0.0/8"),))
"""Partners of tests have their servers on this machine."""


@dataclass
class OnePartner:
    """The directory of a head-end with one partner, whose profile a test may replace."""

    utility: Utility = UTILITY
    partner: Partner = field(default_factory=lambda: Partner(USER, "Billing", PASSWORD, notifications=HERE))

    def find(self, user_id: str) -> Caller | None:
        return Caller(self.utility, self.partner) if user_id == self.partner.user_id else None

    def find_certified(self, certificate: ClientCertificate) -> Caller | None:
        return Caller(self.utility, self.partner) if self.partner.holds(certificate) else None


class _Stage:
    """One tree for all tests of a process: compiling contracts takes seconds. Store, partner and clock are put in by each test."""

    def __init__(self) -> None:
        self.store: Any = None
        self.now = NOW
        self.directory = OnePartner()
        self.logins = authenticator(self.directory)

    async def authenticate(self, evidence: Evidence) -> Caller:
        return await self.logins.authenticate(evidence)

    @cached_property
    def tree(self) -> Resource:
        def store_of(caller: Caller) -> Any:
            return self.store.seen_by(caller.partner.meters)

        return multispeak_resource(Surroundings(self, store_of, "http://127.0.0.1:8080", lambda: self.now, Clock(), Random(7)))

    @cached_property
    def schemas(self) -> dict[tuple[str, str], etree.XMLSchema]:
        contracts = {version: load_contract(version) for version in VERSIONS}
        return {(v, s): compile_schema(c, c.services[s]) for v, c in contracts.items() for s in SERVERS}


_STAGE = _Stage()


def site_server(version: str, service: str, soap: str = "1.1") -> SoapServer:
    """One endpoint's Spyne server over the store of the present `StoreSite`."""
    servers = _STAGE.tree.children[version.encode()].children[service.encode()].servers
    server: SoapServer = servers["text/xml" if soap == "1.1" else "application/soap+xml"]
    return server


class StoreSite:
    """All six endpoints over one store. Every answer that is no fault is held against the contract's schema."""

    def __init__(self, store: OpenStore, running: RunningReactor) -> None:
        self.store = store
        self._running = running
        _STAGE.store = store.store
        _STAGE.now = NOW
        _STAGE.directory = OnePartner(store.store.utility)
        _STAGE.logins = authenticator(_STAGE.directory)

    @property
    def partner(self) -> Partner:
        return _STAGE.directory.partner

    @partner.setter
    def partner(self, partner: Partner) -> None:
        _STAGE.directory.partner = partner

    @property
    def now(self) -> datetime:
        return _STAGE.now

    @now.setter
    def now(self, instant: datetime) -> None:
        _STAGE.now = instant

    def ask(self, version: str, service: str, operation: str, inside: str = "") -> etree._Element:
        """The whole answer envelope to a request with credentials; `inside` is what stands in the operation's element."""
        return self.send(version, service, envelope(version, operation, inside))

    def send(self, version: str, service: str, octets: bytes, action: str = "", soap: str = "1.1") -> etree._Element:
        """The same to a request as it is."""
        server = site_server(version, service, soap)

        async def respond() -> bytes:
            reply = await server.respond(octets, Exchange("192.0.2.1", action, 0.0))
            rest = [chunk async for chunk in reply.chunks] if reply.chunks else []
            return reply.octets + b"".join(rest)

        answer = etree.fromstring(self._running.wait(respond))
        body = answer.find("{*}Body")
        assert body is not None
        if body.find("{*}Fault") is None:
            _STAGE.schemas[version, service].assertValid(body[0])
            header = answer.find("{*}Header")
            assert header is not None
            _STAGE.schemas[version, service].assertValid(header[0])
        return answer

    def errors(self, version: str, service: str, operation: str, inside: str = "") -> list[tuple[str, str, str]]:
        """(objectID, errorString, nounType) of each errorObject of the answer."""
        found = self.ask(version, service, operation, inside).iter("{*}errorObject")
        return [(e.get("objectID", ""), e.get("errorString", ""), e.get("nounType", "")) for e in found]


def schema_of(version: str, service: str) -> etree.XMLSchema:
    """The compiled schema of one endpoint's messages."""
    return _STAGE.schemas[version, service]
