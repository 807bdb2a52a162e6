"""Our site over readings that are in memory: what SOAP costs, without a store.

Prints its address, serves until it is ended.
"""

import asyncio
import sys
from datetime import UTC, datetime
from typing import Any

from twisted.internet import asyncioreactor

from headend.cli.running import keep_what_is_built
from headend.model.channels import CHANNEL_BY_NAME
from headend.model.endpoint import EndpointId
from headend.model.instants import to_us
from headend.model.meters import Meter
from headend.model.partner import MeterIdentifier
from headend.model.readings import ReadSource, RegisterRow
from headend.model.selections import Period
from headend.reading_queries import ListedRow, Position, RegisterPage
from tests.fakes.reading_queries import MemoryQueries

MIDNIGHT_US = to_us(datetime(2026, 3, 1, 6, tzinfo=UTC))
_CHANNEL = CHANNEL_BY_NAME["energy_delivered"].channel_id
_SOURCE = ReadSource.SELF_READ.value
_NAMES = 10_000


class ManyMeters(MemoryQueries):
    """A million meters with one register read each; their names are those of ten thousand, since to make more would be measured too."""

    def __init__(self) -> None:
        super().__init__()
        self._names = [(f"E{i:08}", f"S{i:06}", f".100.{i}", "residential") for i in range(_NAMES)]
        self._meters_by_no = {
            row[0]: Meter(EndpointId(i), *row, True, MIDNIGHT_US) for i, row in enumerate(self._names)
        }

    async def newest_registers(self, identifier: MeterIdentifier, name: str) -> list[tuple[Meter, list[RegisterRow]]]:
        meter = self._meters_by_no.get(name)
        if meter is None:
            return []
        return [(meter, [RegisterRow(meter.endpoint_id, MIDNIGHT_US, _CHANNEL, _SOURCE, 0, 0, 1_000_000 + meter.endpoint_id)])]

    async def register_page(self, period: Period, channels: object, after: Position | None, limit: int) -> RegisterPage:
        return RegisterPage(Position(EndpointId(limit), MIDNIGHT_US), self._names[limit % _NAMES][0], 0)

    async def register_rows(
        self, period: Period, channels: object, after: Position | None, last: Position, limit: int
    ) -> list[ListedRow]:
        first = after.endpoint_id + 1 if after else 1
        names, midnight, channel, source = self._names, MIDNIGHT_US, _CHANNEL, _SOURCE
        return [
            (EndpointId(i), midnight, channel, source, 0, 0, 1_000_000 + i, *names[i % _NAMES])
            for i in range(first, min(first + limit, last.endpoint_id + 1))
        ]


def main() -> None:
    """Serve."""
    asyncioreactor.install(asyncio.new_event_loop())
    from twisted.internet import reactor
    from twisted.web.resource import Resource

    from multispeak.http_hardening import BoundedSite
    from multispeak.site import Surroundings, multispeak_resource
    from tests.fakes.soap_world import authenticator, seeded

    serving: Any = reactor
    queries, root = ManyMeters(), Resource()
    port = serving.listenTCP(0, BoundedSite(root, serving), interface="127.0.0.1")
    address = f"http://127.0.0.1:{port.getHost().port}"
    surroundings = Surroundings(authenticator(), lambda caller: queries, address, lambda: datetime.now(UTC), serving, seeded())
    root.putChild(b"multispeak", multispeak_resource(surroundings))
    keep_what_is_built()
    sys.stdout.write(f"{address}/multispeak/3.0/MR_Server\n")
    sys.stdout.flush()
    serving.run()


if __name__ == "__main__":
    main()
