"""ReadingQueries and EventQueries of the store, and those in memory that other tests use, keep the same contract."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from headend.model.collection import Collected
from headend.model.endpoint import Endpoint, EndpointId, MeterEntry
from headend.ports import ShipmentItem
from tests.conftest import RunningReactor
from tests.contract.reading_queries import CONTRACT, METERS, NEXT, Wait, fleet
from tests.fakes.reading_queries import MemoryQueries
from tests.store.world import OpenStore, one_store, shipment


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def filled(request: pytest.FixtureRequest, running: RunningReactor, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenStore]:
    yield from one_store(request, running, tmp_path_factory, _fill)


def _fill(store: OpenStore) -> None:
    items = [_renamed(item, meter_no) for item, meter_no in zip(shipment(len(METERS)), METERS, strict=True)]
    store.call("import_shipment", items, NEXT)
    content = fleet()
    for read in content.registers:
        store.call("record", [Collected(read.endpoint_id, NEXT, register_reads=(read,))], NEXT)
    store.call("record", [Collected(EndpointId(1), NEXT, interval_blocks=content.blocks)], NEXT)
    store.call("record", [Collected(event.endpoint_id, NEXT, events=(event,)) for event in content.events], NEXT)


def _renamed(item: ShipmentItem, meter_no: str) -> ShipmentItem:
    return replace(item, meter_no=meter_no)


@pytest.mark.parametrize("rule", CONTRACT, ids=lambda rule: rule.__name__)
def test_the_store(filled: OpenStore, rule: Any) -> None:
    rule(filled.call)


@pytest.mark.parametrize("rule", CONTRACT, ids=lambda rule: rule.__name__)
def test_the_one_in_memory(rule: Any) -> None:
    rule(_memory())


def _memory() -> Wait:
    queries = MemoryQueries()
    content = fleet()
    for index, (item, meter_no) in enumerate(zip(shipment(len(METERS)), METERS, strict=True)):
        identity = (EndpointId(index + 1), meter_no, item.serial_no, item.model, item.configuration, item.ap_title, item.address)
        reads = [read for read in content.registers if read.endpoint_id == index + 1]
        blocks = [block for block in content.blocks if block.endpoint_id == index + 1]
        events = [event for event in content.events if event.endpoint_id == index + 1]
        queries.add(MeterEntry(Endpoint(*identity)), reads, blocks, events)

    def wait(name: str, *arguments: Any) -> Any:
        return asyncio.run(getattr(queries, name)(*arguments))

    return wait
