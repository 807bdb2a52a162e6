"""ReadingQueries of the store, and the one in memory that other tests use, keep the same contract."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from adapters.store.reading_store import interval_values
from headend.model.collection import Collected
from headend.model.endpoint import Endpoint, EndpointId, MeterEntry
from headend.ports import ShipmentItem
from tests import postgresql
from tests.conftest import RunningReactor
from tests.contract.reading_queries import CONTRACT, EXCEPT_BLOCKS, HOUR, METERS, MIDNIGHT, NEXT, Wait, fleet
from tests.fakes.reading_queries import MemoryQueries
from tests.store.world import OpenStore, opened, shipment


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def filled(request: pytest.FixtureRequest, running: RunningReactor, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenStore]:
    directory = tmp_path_factory.mktemp("contract")
    if request.param == "sqlite":
        yield from _filled(running, f"sqlite:///{directory}/store.sqlite", directory)
        return
    with postgresql.database(request.getfixturevalue("postgresql_server")) as url:
        yield from _filled(running, url.render_as_string(hide_password=False), directory)


def _filled(running: RunningReactor, url: str, directory: Path) -> Iterator[OpenStore]:
    store = opened(running, url, directory / "keys")
    items = [_renamed(item, meter_no) for item, meter_no in zip(shipment(len(METERS)), METERS, strict=True)]
    store.call("import_shipment", items, NEXT)
    content = fleet()
    for read in content.registers:
        store.call("record", [Collected(read.endpoint_id, NEXT, register_reads=(read,))], NEXT)
    store.call("record", [Collected(EndpointId(1), NEXT, interval_blocks=content.blocks)], NEXT)
    yield store
    store.call("close")


def _renamed(item: ShipmentItem, meter_no: str) -> ShipmentItem:
    return replace(item, meter_no=meter_no)


@pytest.mark.parametrize("rule", CONTRACT, ids=lambda rule: rule.__name__)
def test_the_store(filled: OpenStore, rule: Any) -> None:
    rule(filled.call)


@pytest.mark.parametrize("rule", EXCEPT_BLOCKS, ids=lambda rule: rule.__name__)
def test_the_one_in_memory(rule: Any) -> None:
    rule(_memory())


def _memory() -> Wait:
    queries = MemoryQueries()
    content = fleet()
    for index, (item, meter_no) in enumerate(zip(shipment(len(METERS)), METERS, strict=True)):
        identity = (EndpointId(index + 1), meter_no, item.serial_no, item.model, item.configuration, item.ap_title, item.address)
        reads = [read for read in content.registers if read.endpoint_id == index + 1]
        blocks = [block for block in content.blocks if block.endpoint_id == index + 1]
        queries.add(MeterEntry(Endpoint(*identity)), reads, interval_values(blocks, MIDNIGHT - HOUR * 9, NEXT))

    def wait(name: str, *arguments: Any) -> Any:
        return asyncio.run(getattr(queries, name)(*arguments))

    return wait
