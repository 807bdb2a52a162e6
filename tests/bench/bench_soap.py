"""MR_Server beside plain Spyne in one run: a small call, and meterReads by the ten and hundred thousand.

CPU time of one thread, without sockets: what a client adds is its own. Ratios count, since machines differ from hour to hour.
"""

# ruff: noqa: RUF012
# Spyne's way to declare members is a class attribute.
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
from multispeak.spyne_import import Application, MethodContext, ServerBase, ServiceBase, Soap11, rpc
from multispeak.streaming import one_batch, stream_list
from tests.fakes.soap_world import ENVELOPES, UTILITY, MemoryQueries, demo_queries, envelope, server

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


def plain_spyne() -> Any:
    """The same operations as Spyne's own models and serializer have them."""
    from spyne import ComplexModel, DateTime, Integer, Unicode

    namespace = "http://www.multispeak.org/Version_3.0"

    class readingValue(ComplexModel):
        __namespace__ = namespace
        _type_info = [
            (n, DateTime if n == "dateTime" else Unicode)
            for n in ("units", "value", "readingType", "readingValueType", "name", "dateTime", "fieldName")
        ]

    class readingValues(ComplexModel):
        __namespace__ = namespace
        _type_info = [("readingValue", readingValue.customize(max_occurs="unbounded"))]

    class meterRead(ComplexModel):
        __namespace__ = namespace
        _type_info = [
            ("meterNo", Unicode),
            ("deviceID", Unicode),
            ("readingDate", DateTime),
            ("posKWh", Integer),
            ("readingValues", readingValues),
        ]

    class ArrayOfMeterRead(ComplexModel):
        __namespace__ = namespace
        _type_info = [("meterRead", meterRead.customize(max_occurs="unbounded"))]

    def one(number: int) -> Any:
        value = readingValue(
            units="kWh", value="1000.5", readingType="Register", name="energy_delivered", dateTime=MIDNIGHT, fieldName="posKWh"
        )
        values = readingValues(readingValue=[value])
        return meterRead(meterNo=f"E{number:08}", deviceID="S1", readingDate=MIDNIGHT, posKWh=1000, readingValues=values)

    class MR_Server(ServiceBase):
        @rpc(Unicode, _returns=meterRead)
        def GetLatestReadingByMeterNo(ctx, meterNo):
            return one(1)

        @rpc(Integer, _returns=ArrayOfMeterRead)
        def GetMany(ctx, count):
            return ArrayOfMeterRead(meterRead=[one(i) for i in range(count)])

    return ServerBase(Application([MR_Server], namespace, in_protocol=Soap11(), out_protocol=Soap11()))


def ask_spyne(asked: Any, octets: bytes) -> int:
    ctx = MethodContext(asked, MethodContext.SERVER)
    ctx.in_string = [octets]
    (ctx,) = asked.generate_contexts(ctx)
    asked.get_in_object(ctx)
    asked.get_out_object(ctx)
    assert ctx.out_error is None, ctx.out_error
    asked.get_out_string(ctx)
    return sum(len(piece) for piece in ctx.out_string)


def spyne_request(operation: str, inside: str) -> bytes:
    namespace = "http://www.multispeak.org/Version_3.0"
    body = f'<{operation} xmlns="{namespace}">{inside}</{operation}>'
    return f'<e:Envelope xmlns:e="{ENVELOPES["1.1"]}"><e:Body>{body}</e:Body></e:Envelope>'.encode()


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
    spyne = plain_spyne()
    small = spyne_request("GetLatestReadingByMeterNo", "<meterNo>E2</meterNo>")
    spyne_small = cpu_seconds(lambda: [ask_spyne(spyne, small) for _ in range(300)]) / 300 * 1e6
    rows = [Row("plain Spyne, small call, nothing validated, no credentials", spyne_small, "us")]
    for version, operation, inside in (
        ("3.0", "GetLatestReadingByMeterNo", "<meterNo>E2</meterNo>"),
        ("4.1.6", "GetLatestReadingByMeterID", "<meterID>E2</meterID>"),
    ):
        took = small_calls(server(demo_queries(), version), envelope(version, operation, inside))
        rows.append(Row(f"MR_Server {version}, small call, validated", took, "us", spyne_small / took))
    many = spyne_request("GetMany", "<count>2000</count>")
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
