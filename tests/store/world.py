"""Endpoints and what is collected of them, made up for store tests."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from adapters.store import Store, open_store
from headend.model.channels import ChannelId
from headend.model.collection import Collected, Progress, SetProgress
from headend.model.endpoint import EndpointId, NativeAddress, Transport
from headend.model.readings import IntervalBlock, ReadSource, RegisterRead, day_start
from headend.model.utility import Utility, UtilityId
from headend.ports import ShipmentItem
from tests import postgresql
from tests.conftest import RunningReactor

UTILITY = Utility(UtilityId("demo"), "Demo Electric", ZoneInfo("America/Chicago"), ".1.4")
NOW = datetime(2026, 7, 2, 6, tzinfo=UTC)
DAY = date(2026, 7, 1)
MIDNIGHT = day_start(DAY)
UNTIL = NOW + timedelta(minutes=5)
FROM = NOW - timedelta(days=2)


def shipment(count: int, *, configuration: str = "residential", first: int = 1) -> list[ShipmentItem]:
    """Endpoints behind two routers, each with a key of its own."""
    return [
        ShipmentItem(
            meter_no=f"M{n:06}",
            serial_no=f"S{n}",
            model="model-a",
            configuration=configuration,
            ap_title=f".100.{n}",
            key_id=1,
            key=n.to_bytes(16, "big"),
            address=NativeAddress(Transport.UDP, "127.0.0.1", 1153 + n % 2),
            router=f"R{n % 2}",
        )
        for n in range(first, first + count)
    ]


def block(
    endpoint: int, values: Sequence[int | None], *, channel: int = 1, day: date = DAY, flags: Sequence[int] = (), exponent: int = 0
) -> IntervalBlock:
    seconds = 86_400 // len(values)
    return IntervalBlock(EndpointId(endpoint), ChannelId(channel), day, seconds, exponent, list(values), list(flags) or [0] * len(values))


def register(endpoint: int, value: int, *, instant: datetime = MIDNIGHT, channel: int = 1, exponent: int = 0) -> RegisterRead:
    return RegisterRead(EndpointId(endpoint), ChannelId(channel), instant, ReadSource.SELF_READ, value, exponent)


def endpoint_day(endpoint: int, day: date = DAY, *, lease_id: int | None = None) -> Collected:
    """A residential day: 24 hours of energy, 96 × 3 voltages, one register."""
    seed = endpoint * 7 + day.toordinal()
    hours = [(seed * 31 + i * 97) % 3_000 for i in range(24)]
    volts = [[2_380 + (seed + i * 13 + c * 29) % 60 for i in range(96)] for c in range(3)]
    blocks = (block(endpoint, hours, day=day), *(block(endpoint, v, channel=11 + c, day=day, exponent=-1) for c, v in enumerate(volts)))
    end = day_start(day) + timedelta(days=1)
    progress = Progress((SetProgress(seed, 1, 24, end), SetProgress(seed, 1, 96, end)), seed, 3, 1_200)
    return Collected(
        EndpointId(endpoint),
        end,
        lease_id,
        (register(endpoint, 1_000_000 + seed, instant=end),),
        blocks,
        progress=progress,
        octets_sent=300,
        octets_received=1_500,
    )


@dataclass
class OpenStore:
    """A store with its reactor: `call("record", …)` waits for the answer."""

    store: Store
    running: RunningReactor

    def call(self, name: str, *arguments: Any, **named: Any) -> Any:
        return self.running.wait(getattr(self.store, name), *arguments, **named)

    def registers(self, meter_no: str) -> int:
        """How many register reads there are of a meter."""
        rows = self.sql(
            f"SELECT count(*) FROM register_read AS r JOIN endpoint AS e ON e.endpoint_id = r.endpoint_id WHERE e.meter_no = '{meter_no}'"
        )
        return int(rows[0][0])

    def sql(self, statement: str) -> list[tuple[Any, ...]]:
        """Rows of a statement of the test's own, where it has any."""

        def work(connection: Connection) -> list[tuple[Any, ...]]:
            result = connection.exec_driver_sql(statement)
            return [tuple(row) for row in result] if result.returns_rows else []

        rows: list[tuple[Any, ...]] = self.running.wait(self.store._database.run, work)
        return rows


def opened(running: RunningReactor, url: str, key_file: Path, utility: Utility = UTILITY) -> OpenStore:
    return OpenStore(running.wait(open_store, url, utility, key_file, running.reactor, create_keys=True), running)


def one_store(
    request: Any, running: RunningReactor, directories: Any, fill: Callable[[OpenStore], None]
) -> Iterator[OpenStore]:
    """A store of the kind that a fixture's parameter names, filled once for all tests of a module."""
    directory = directories.mktemp("store")
    if request.param == "sqlite":
        yield from _filled(running, f"sqlite:///{directory}/store.sqlite", directory, fill)
        return
    with postgresql.database(request.getfixturevalue("postgresql_server")) as url:
        yield from _filled(running, url.render_as_string(hide_password=False), directory, fill)


def _filled(running: RunningReactor, url: str, directory: Path, fill: Callable[[OpenStore], None]) -> Iterator[OpenStore]:
    store = opened(running, url, directory / "keys")
    fill(store)
    yield store
    store.call("close")
