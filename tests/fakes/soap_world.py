"""A small utility with readings, and the MultiSpeak site over it, on a loopback port."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from zoneinfo import ZoneInfo

from headend.model.channels import CHANNEL_BY_NAME
from headend.model.endpoint import CONFIGURATIONS, Customer, Endpoint, EndpointId, MeterEntry, NativeAddress, ServicePoint, Transport
from headend.model.readings import IntervalFlag, IntervalValue, ReadSource, RegisterRead
from headend.model.utility import Utility, UtilityId
from headend.ports import Caller, Partner
from multispeak.authentication import PasswordAuthenticator
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
        name, _, size = user_id.partition("-")
        if name != USER:
            return None
        return Caller(self.utility, Partner(user_id, "Billing", PASSWORD, int(size) if size else 10_000))


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
    queries.add(meter_entry("E1", 1, "residential-net"), registers, list(_intervals("energy_delivered", 3600, 50)))
    queries.add(meter_entry("E2", 2, "commercial"), [register(2, "energy_delivered", day, 999_999, 16) for day in days])
    queries.add(meter_entry("E3", 3, "residential"))
    queries.add(meter_entry("G1", 4, "gas"), [RegisterRead(EndpointId(4), CHANNEL_BY_NAME["gas_volume"].channel_id, d, ReadSource.SCHEDULED, 123456, -3) for d in days])
    queries.add(meter_entry("W1", 5, "water"), [register(5, "water_volume", day, 77) for day in days])
    queries.add(meter_entry("E9", 9, "residential"), [register(9, "energy_delivered", days[0], 1)])
    queries.retire("E9")
    assert all(e.endpoint.configuration in CONFIGURATIONS for e in queries.entries.values())
    return queries


def _intervals(channel: str, seconds: int, count: int) -> Iterator[IntervalValue]:
    for i in range(1, count + 1):
        flags = int(IntervalFlag.MISSING) if i == 5 else int(IntervalFlag.PARTIAL | IntervalFlag.POWER_FAIL) if i == 7 else 0
        quantity = None if i == 5 else Decimal(1000 + i)
        yield IntervalValue(CHANNEL_BY_NAME[channel].channel_id, FIRST_MIDNIGHT + timedelta(seconds=seconds * i), seconds, quantity, flags)


def authenticator() -> PasswordAuthenticator:
    return PasswordAuthenticator(Directory())


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
