"""MR_Server beside plain Spyne in one run: a small call, and meterReads by the ten and hundred thousand.

CPU time of one thread, without sockets: what a client adds is its own. Ratios count, since machines differ from hour to hour.
"""

import asyncio
import gc
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from headend.model.channels import CHANNEL_BY_NAME
from headend.model.endpoint import Commodity, EndpointId
from headend.model.instants import to_us
from headend.model.partner import EnergyUnit
from headend.model.readings import ReadSource, RegisterRow
from headend.model.selections import Period
from headend.reading_queries import ListedRow, Position, RegisterPage
from multispeak.binding import ServiceBinding
from multispeak.contract import load_contract
from multispeak.mapping import ReadingGroup, Telling, ToldMeter
from multispeak.mapping_v3 import ShapeV3
from multispeak.records import Records
from multispeak.soap_protocol import Exchange
from multispeak.soap_server import SoapServer
from multispeak.spyne_import import MethodContext, ServerBase
from multispeak.streaming import one_batch, stream_list
from tests.bench.soap_peers.spyne_service import application
from tests.fakes.soap_world import UTILITY, MemoryQueries, demo_queries, envelope, server

SMALL_CALLS = 2_000
ROUNDS = 3
MIDNIGHT = datetime(2026, 3, 1, 6, tzinfo=UTC)
DATES = "<startDate>2026-03-01T00:00:00Z</startDate><endDate>2026-04-01T00:00:00Z</endDate><lastReceived/>"


@dataclass(frozen=True)
class Row:
    """One measurement: milliseconds or microseconds of CPU a unit, and how many times faster than plain Spyne in the same run."""

    name: str
    cpu: float
    unit: str
    ratio: float | None = None
    peak_mib: float | None = None


class Many(MemoryQueries):
    """`count` meters with one register read each, made as they are asked for: what is measured is SOAP, not a store."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.count = count

    async def register_page(self, period: Period, channels: object, after: Position | None, limit: int) -> RegisterPage:
        return RegisterPage(Position(EndpointId(self.count), to_us(MIDNIGHT)), f"E{self.count:08}", 0)

    async def register_rows(
        self, period: Period, channels: object, after: Position | None, last: Position, limit: int
    ) -> list[ListedRow]:
        first = after.endpoint_id + 1 if after else 1
        return [self._row(EndpointId(number)) for number in range(first, min(first + limit, last.endpoint_id + 1))]

    def _row(self, number: EndpointId) -> ListedRow:
        channel = CHANNEL_BY_NAME["energy_delivered"].channel_id
        read = (number, to_us(MIDNIGHT), channel, ReadSource.SELF_READ.value, 0, 0, 1_000_000 + number)
        return (*read, f"E{number:08}", f"S{number:06}", f".100.{number}", "residential")


async def drain(asked: SoapServer, octets: bytes) -> int:
    reply = await asked.respond(octets, Exchange("192.0.2.1", "", 0.0))
    assert reply.status == 200, reply.octets
    size = len(reply.octets)
    if reply.chunks is not None:
        async for chunk in reply.chunks:
            size += len(chunk)
    return size


def cpu_seconds(work: Callable[[], object]) -> float:
    """The least CPU time of a few rounds."""
    spent = []
    for _ in range(ROUNDS):
        gc.collect()
        before = time.process_time()
        work()
        spent.append(time.process_time() - before)
    return min(spent)


def small_calls(asked: SoapServer, octets: bytes) -> float:
    async def run() -> None:
        for _ in range(SMALL_CALLS):
            await drain(asked, octets)

    return cpu_seconds(lambda: asyncio.run(run())) / SMALL_CALLS * 1e6


def ask_spyne(asked: Any, octets: bytes) -> int:
    ctx = MethodContext(asked, MethodContext.SERVER)
    ctx.in_string = [octets]
    (ctx,) = asked.generate_contexts(ctx)
    asked.get_in_object(ctx)
    asked.get_out_object(ctx)
    assert ctx.out_error is None, ctx.out_error
    asked.get_out_string(ctx)
    return sum(len(piece) for piece in ctx.out_string)


def ready_records(count: int) -> float:
    """Microseconds to write one meterRead as octets of a stream, its record being there: what the compiled writer costs."""
    contract = load_contract("3.0")
    binding = ServiceBinding(contract, contract.services["MR_Server"], Records(contract))
    shape, telling = ShapeV3(binding.records), Telling(UTILITY, EnergyUnit.KILOWATT_HOUR)
    rows = asyncio.run(Many(count).register_rows(Period(MIDNIGHT, MIDNIGHT), None, None, Position(EndpointId(count), 0), count))
    told = [ToldMeter(row[7], row[7], row[8], Commodity.ELECTRIC) for row in rows]
    groups = [ReadingGroup(row[1], [RegisterRow(*row[:7])]) for row in rows]
    readings = [telling.reading(row[7], group) for row, group in zip(rows, groups, strict=True)]
    records = [shape.reading(UTILITY, meter, reading) for meter, reading in zip(told, readings, strict=True)]
    listed = binding.operations["GetReadingsByDate"].list_shape

    async def write() -> None:
        async for _ in stream_list("", listed, one_batch(records), ""):
            pass

    return cpu_seconds(lambda: asyncio.run(write())) / count * 1e6


def peak_mib(work: Callable[[], object]) -> float:
    tracemalloc.start()
    work()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 2**20


def run() -> list[Row]:
    spyne = ServerBase(application())
    small = envelope("3.0", "GetLatestReadingByMeterNo", "<meterNo>E2</meterNo>")
    spyne_small = cpu_seconds(lambda: [ask_spyne(spyne, small) for _ in range(300)]) / 300 * 1e6
    rows = [Row("plain Spyne, small call, nothing validated", spyne_small, "us")]
    for version, operation, inside in (
        ("3.0", "GetLatestReadingByMeterNo", "<meterNo>E2</meterNo>"),
        ("4.1.6", "GetLatestReadingByMeterID", "<meterID>E2</meterID>"),
    ):
        took = small_calls(server(demo_queries(), version), envelope(version, operation, inside))
        rows.append(Row(f"MR_Server {version}, small call, validated", took, "us", spyne_small / took))
    many = envelope("3.0", "GetReadingsByDate", DATES, user="cis-2000")
    spyne_record = cpu_seconds(lambda: ask_spyne(spyne, many)) / 2000 * 1e6
    rows.append(Row("plain Spyne, meterRead of a list of 2,000", spyne_record, "us", None, peak_mib(lambda: ask_spyne(spyne, many))))
    written = ready_records(20_000)
    rows.append(Row("MR_Server 3.0, the same from records that are ready", written, "us", spyne_record / written))
    for count in (10_000, 100_000):
        request = envelope("3.0", "GetReadingsByDate", DATES, user="cis-1000000")
        asked = server(Many(count), "3.0")

        def all_of_them(asked: SoapServer = asked, request: bytes = request) -> int:
            return asyncio.run(drain(asked, request))

        took = cpu_seconds(all_of_them) / count * 1e6
        rows.append(Row(f"MR_Server 3.0, meterRead of {count:,} streamed", took, "us", spyne_record / took, peak_mib(all_of_them)))
    return rows


def main() -> None:
    for row in run():
        ratio = "" if row.ratio is None else f"  {row.ratio:6.1f} x plain Spyne"
        peak = "" if row.peak_mib is None else f"  peak {row.peak_mib:.1f} MiB"
        print(f"{row.name:60} {row.cpu:9.1f} {row.unit}{ratio}{peak}")
