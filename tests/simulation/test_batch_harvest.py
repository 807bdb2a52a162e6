"""Conversations decoded together come to what each comes to alone, over whole fields of every model, with faults and without."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from emulators.faults import Fault, FaultKind
from headend.collection import batch_harvest
from headend.collection.batch_harvest import Batch, harvest_all
from headend.collection.harvest import harvest
from headend.collection.transcript import Transcript
from headend.model.collection import Collected
from headend.model.readings import IntervalBlock
from tests.memory_store import merged, with_runs
from tests.simulation.field import Field

WORLDS = {
    "summer": datetime(2026, 7, 15, 6, 30, tzinfo=UTC),
    "spring": datetime(2026, 3, 8, 4, tzinfo=UTC),
    "autumn": datetime(2026, 11, 1, 3, tzinfo=UTC),
}


def collected_in(field: Field, hours: Sequence[float]) -> list[list[Transcript]]:
    """What was said in collections so many hours apart."""
    collections = []
    for later in hours:
        transcripts: list[Transcript] = []
        put = field.collector.recorder.put

        def keep(item: Collected | Transcript, put=put, transcripts=transcripts) -> None:
            assert isinstance(item, Transcript)
            transcripts.append(item)
            put(item)

        field.collector.recorder.put = keep
        field.schedule()
        field.run()
        field.collector = field.new_collector()
        collections.append(transcripts)
        field.hours(later)
    return collections


def blocks_of(items: Sequence[Collected]) -> list[dict[tuple, IntervalBlock]]:
    """All that is known of intervals, by endpoint, channel, day and length; blocks that hold nothing are nothing."""
    found = []
    for item in items:
        blocks: dict[tuple, IntervalBlock] = {}
        for block in item.interval_blocks:
            key = (block.endpoint_id, block.channel_id, block.day, block.interval_seconds)
            whole = replace(block, values=list(block.values), flags=list(block.flags))
            blocks[key] = merged(blocks[key], whole) if key in blocks else whole
        found.append({key: b for key, b in blocks.items() if any(b.flags) or any(value is not None for value in b.values)})
    return found


def check_same(transcripts: list[Transcript]) -> Batch:
    alone = [harvest(one) for one in transcripts]
    together = harvest_all(transcripts)
    assert blocks_of(with_runs(together.items, together.runs)) == blocks_of(alone)
    assert [replace(one, interval_blocks=()) for one in together.items] == [replace(one, interval_blocks=()) for one in alone]
    return together


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("seed", range(2))
def test_together_as_alone(monkeypatch, world, seed):
    monkeypatch.setattr(batch_harvest, "ALIKE_MIN", 1)
    field = Field(seed, 60, start=WORLDS[world])
    models = {field.world.kind(i).form.name for i in range(60)}
    assert models >= {"HE-R100", "HE-R150", "HE-G20", "HE-K5", "HE-C300", "HE-C500"}
    in_arrays = 0
    for transcripts in collected_in(field, (13, 24, 5.3, 24)):
        together = check_same(transcripts)
        in_arrays += sum(len(run.days) for run in together.runs)
        assert sum(len(item.interval_blocks) for item in together.items) < in_arrays
    assert in_arrays > 500


@pytest.mark.parametrize("seed", range(3))
def test_together_as_alone_when_clocks_jump_and_power_fails(monkeypatch, seed):
    monkeypatch.setattr(batch_harvest, "ALIKE_MIN", 1)
    field = Field(seed, 40)
    field.schedule()
    field.run()
    for seconds in (3 * 3600, -2 * 3600, 250):
        field.hours(5)
        field.field.install_faults([Fault(FaultKind.CLOCK_JUMP, probability=0.5, seconds=seconds)])
        for transcripts in collected_in(field, (9, 14)):
            check_same(transcripts)


def test_damaged_blocks_are_told_of_as_they_are_alone(monkeypatch):
    monkeypatch.setattr(batch_harvest, "ALIKE_MIN", 1)
    field = Field(5, 40)
    _, transcripts = collected_in(field, (24, 1))
    damaged = []
    for at, one in enumerate(transcripts):
        sets = [s if s is None else s._replace(octets=tuple(_damaged(octets, at) for octets in s.octets)) for s in one.gathered.sets]
        damaged.append(one._replace(gathered=one.gathered._replace(sets=tuple(sets))))
    together = check_same(damaged)
    assert sum(item.exception is not None for item in together.items) > 5


def _damaged(octets: bytes, at: int) -> bytes:
    match at % 4:
        case 0:
            return bytes(4) + octets[4:]
        case 1:
            return b"\xff" * 4 + octets[4:]
        case 2:
            return octets[:40] + bytes(b ^ 0x44 for b in octets[40:])
        case _:
            return octets


def test_of_an_endpoint_that_comes_twice_the_later_stays_the_later(monkeypatch):
    monkeypatch.setattr(batch_harvest, "ALIKE_MIN", 1)
    field = Field(5, 20)
    _, transcripts = collected_in(field, (24, 1))
    together = check_same([*transcripts, *transcripts])
    assert sum(len(run.days) for run in together.runs) > 0
    assert all(item.interval_blocks for item in together.items[len(transcripts) :])
