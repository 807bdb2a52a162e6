"""A small utility with readings, and the MultiSpeak site over it, on a loopback port."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property, lru_cache
from random import Random
from typing import Any, cast
from zoneinfo import ZoneInfo

from lxml import etree
from twisted.internet.task import Clock
from twisted.web.resource import Resource

from headend.errors import RestrictedPartnerError
from headend.model.channels import CHANNEL_BY_NAME
from headend.model.endpoint import CONFIGURATIONS, Customer, Endpoint, EndpointId, MeterEntry, NativeAddress, ServicePoint, Transport
from headend.model.partner import Caller, ClientCertificate, Partner
from headend.model.readings import IntervalBlock, IntervalFlag, ReadSource, RegisterRead
from headend.model.utility import Utility, UtilityId
from headend.passwords import hash_matches
from multispeak.authentication import CallerDirectory, Evidence, PartnerAuthenticator
from multispeak.site import Surroundings, multispeak_resource
from multispeak.soap_protocol import Exchange
from multispeak.soap_server import SoapServer
from tests.fakes.reading_queries import MemoryQueries

ZONE = ZoneInfo("America/Chicago")
UTILITY = Utility(UtilityId("demo"), "Demo Cooperative", ZONE, ".1.4")
NOW = datetime(2026, 3, 3, 15, 0, tzinfo=UTC)
USER, PASSWORD = "cis", "s3cret-word"
FIRST_MIDNIGHT = datetime(2026, 3, 1, 6, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Directory:
    """One partner for each page size: `cis` has the default, `cis-3` pages of three."""

    utility: Utility = UTILITY

    def find(self, user_id: str) -> Caller | None:
        return _caller(self.utility, user_id)

    def find_certified(self, certificate: ClientCertificate) -> Caller | None:
        return None


@lru_cache(maxsize=64)
def _caller(utility: Utility, user_id: str) -> Caller | None:
    """Kept, as a head-end keeps its partners."""
    name, _, size = user_id.partition("-")
    return Caller(utility, Partner(user_id, "Billing", PASSWORD, int(size) if size else 10_000)) if name == USER else None


def meter_entry(meter_no: str, number: int, configuration: str) -> MeterEntry:
    address = NativeAddress(Transport.UDP, "127.0.0.1", 1153)
    endpoint = Endpoint(EndpointId(number), meter_no, f"S{number:06}", "ALPHA", configuration, f".100.{number}", address, "router-1")
    point = ServicePoint(f"SP{number}", endpoint.commodity, "1 Main St", "Ames", "IA", "50010", f"AC{number}", "01")
    return MeterEntry(endpoint, point, Customer(f"AC{number}", 'Ann "Nan" & Sons <Ltd>'))


def register(number: int, channel: str, instant: datetime, value: int, flags: int = 0) -> RegisterRead:
    return RegisterRead(EndpointId(number), CHANNEL_BY_NAME[channel].channel_id, instant, ReadSource.SELF_READ, value, 0, flags)


def demo_queries() -> MemoryQueries:
    """E1 residential-net with two days, E2 commercial, E3 never read, G1 gas, W1 water; E9 retired."""
    queries = MemoryQueries()
    days = [FIRST_MIDNIGHT + timedelta(days=d) for d in range(3)]
    registers = [register(1, "energy_delivered", day, 12_345_678 + 24_000 * i) for i, day in enumerate(days)]
    registers += [register(1, "energy_received", day, 4_001 + i) for i, day in enumerate(days)]
    queries.add(meter_entry("E1", 1, "residential-net"), registers, _hours("energy_delivered", 50))
    queries.add(meter_entry("E2", 2, "commercial"), [register(2, "energy_delivered", day, 999_999, 16) for day in days])
    queries.add(meter_entry("E3", 3, "residential"))
    queries.add(
        meter_entry("G1", 4, "gas"),
        [RegisterRead(EndpointId(4), CHANNEL_BY_NAME["gas_volume"].channel_id, d, ReadSource.SCHEDULED, 123456, -3) for d in days],
    )
    queries.add(meter_entry("W1", 5, "water"), [register(5, "water_volume", day, 77) for day in days])
    queries.add(meter_entry("E9", 9, "residential"), [register(9, "energy_delivered", days[0], 1)])
    queries.retire("E9")
    assert all(e.endpoint.configuration in CONFIGURATIONS for e in queries.entries.values())
    return queries


class ReadingsAlone(MemoryQueries):
    """What has nothing to do with readings is refused, as a partner is that knows only some meters."""

    def __getattr__(self, name: str) -> Any:
        raise RestrictedPartnerError


def demo_readings_alone() -> ReadingsAlone:
    """The same utility, of which only readings can be asked."""
    demo = demo_queries()
    return ReadingsAlone(demo.entries, demo.registers, demo.blocks, demo.events, demo.groups)


def _hours(channel: str, count: int) -> list[IntervalBlock]:
    """So many hours from the first midnight on, in blocks of UTC days; the fifth is missing, the seventh was disturbed."""
    blocks: list[IntervalBlock] = []
    for i in range(1, count + 1):
        begin = FIRST_MIDNIGHT + timedelta(hours=i - 1)
        if not blocks or blocks[-1].day != begin.date():
            blocks.append(IntervalBlock(EndpointId(1), CHANNEL_BY_NAME[channel].channel_id, begin.date(), 3600, 0, [None] * 24, [0] * 24))
        flags = int(IntervalFlag.MISSING) if i == 5 else int(IntervalFlag.PARTIAL | IntervalFlag.POWER_FAIL) if i == 7 else 0
        cast(list[int | None], blocks[-1].values)[begin.hour] = None if i == 5 else 1000 + i
        cast(list[int], blocks[-1].flags)[begin.hour] = flags
    return blocks


async def check_at_once(password: str, stored: str) -> bool:
    """A hash check without threads."""
    return hash_matches(password, stored)


def authenticator(directory: CallerDirectory | None = None) -> PartnerAuthenticator:
    return PartnerAuthenticator(directory or Directory(), lambda: NOW, check_at_once, b"key of this process")


@contextmanager
def loopback_site() -> Iterator[str]:
    """The site in a process of its own, over real sockets; its address."""
    process = subprocess.Popen([sys.executable, "-m", "tests.fakes.soap_process"], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.wait(10)
        process.stdout.close()


def seeded() -> Random:
    return Random(7)


class _Stage:
    """One site for all tests of a process, since compiling contracts takes a second; what it stands on is put in anew by each test."""

    def __init__(self) -> None:
        self.queries = MemoryQueries()
        self.logins = authenticator()
        self.random = seeded()

    async def authenticate(self, evidence: Evidence) -> Caller:
        return await self.logins.authenticate(evidence)

    @cached_property
    def tree(self) -> Resource:
        now = lambda: NOW  # noqa: E731
        return multispeak_resource(Surroundings(self, lambda caller: self.queries, "http://127.0.0.1:8080", now, Clock(), self.random))


_STAGE = _Stage()


def server(queries: MemoryQueries, version: str, soap: str = "1.1") -> SoapServer:
    """One endpoint's Spyne server over `queries`, to be asked without sockets; the clock stands at `NOW`, nobody has failed to log in."""
    _STAGE.queries = queries
    _STAGE.logins = authenticator()
    _STAGE.random.seed(7)
    endpoint = _STAGE.tree.children[version.encode()].children[b"MR_Server"]
    return endpoint.servers["text/xml" if soap == "1.1" else "application/soap+xml"]


ENVELOPES = {"1.1": "http://schemas.xmlsoap.org/soap/envelope/", "1.2": "http://www.w3.org/2003/05/soap-envelope"}
NAMESPACES = {"3.0": "http://www.multispeak.org/Version_3.0", "4.1.6": "http://www.multispeak.org/Version_4.1_Release"}


def envelope(version: str, operation: str, inside: str = "", *, soap: str = "1.1", user: str = USER, password: str = PASSWORD) -> bytes:
    """A request with credentials."""
    header = f'<MultiSpeakMsgHeader xmlns="{NAMESPACES[version]}" UserID="{user}" Pwd="{password}" BuildString="Release"/>'
    body = f'<{operation} xmlns="{NAMESPACES[version]}">{inside}</{operation}>'
    return f'<e:Envelope xmlns:e="{ENVELOPES[soap]}"><e:Header>{header}</e:Header><e:Body>{body}</e:Body></e:Envelope>'.encode()


def ask(asked: SoapServer, octets: bytes, *, address: str = "192.0.2.1", action: str = "", seconds: float = 0.0) -> tuple[int, bytes]:
    """Status and whole octets of an answer."""

    async def run() -> tuple[int, bytes]:
        reply = await asked.respond(octets, Exchange(address, action, seconds))
        rest = [chunk async for chunk in reply.chunks] if reply.chunks else []
        return reply.status, reply.octets + b"".join(rest)

    return asyncio.run(run())


def fault_of(octets: bytes) -> tuple[str, str]:
    """Code, without its prefix, and text of a fault envelope of either SOAP version."""
    root = etree.fromstring(octets)
    fault = root.find(".//{*}Fault")
    assert fault is not None, octets
    if fault.find("faultcode") is not None:
        return (fault.findtext("faultcode") or "").partition(":")[2], fault.findtext("faultstring") or ""
    codes = [value.text.partition(":")[2] for value in fault.iter("{*}Value")]
    return ".".join(codes), fault.findtext("{*}Reason/{*}Text") or ""
