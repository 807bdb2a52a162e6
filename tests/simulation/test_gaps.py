"""What is missing of what was collected long ago is read again, and only that; what is known stays and no progress is lost."""

from dataclasses import replace
from datetime import timedelta

import pytest

from headend.model.readings import day_start
from tests.simulation.field import Field


def lose(endpoint, start, end) -> int:
    """Forget intervals that end in (start, end]; how many."""
    lost = 0
    for key, block in list(endpoint.blocks.items()):
        values = list(block.values)
        for i, value in enumerate(values):
            if value is not None and start < block.end_of(i) <= end:
                values[i] = None
                lost += 1
        endpoint.blocks[key] = replace(block, values=values)
    return lost


@pytest.mark.parametrize("seed", [3, 11])
def test_gaps_are_filled_and_what_was_reached_stays_reached(seed):
    field = Field(seed, 20)
    since = field.start - timedelta(days=6)
    for _ in range(2):  # six days of a commercial meter take more than one conversation
        field.schedule(since)
        field.run()
    field.hours(7)
    first, last = day_start(field.start.date()) - timedelta(days=4), day_start(field.start.date()) - timedelta(days=3, hours=12)
    before = {}
    for endpoint in field.polled:
        assert field.differences(endpoint, since + timedelta(days=1), endpoint.heard) == []
        assert lose(endpoint, first, last) > 10
        endpoint.gaps = ((first, last),)
        before[endpoint.endpoint_id] = endpoint.progress, field.wires.sent
    field.schedule()
    field.run()
    for endpoint in field.polled:
        assert field.differences(endpoint, since + timedelta(days=1), endpoint.heard) == []
        old, new = before[endpoint.endpoint_id][0].sets, endpoint.progress.sets
        assert all(a.block_seq <= b.block_seq for a, b in zip(old, new, strict=True))
        endpoint.gaps = ()
    octets = max(item.octets_received for item in field.store.recorded[-len(field.polled) :])
    assert octets < 20_000


def test_a_gap_beyond_what_the_meter_holds_changes_nothing():
    field = Field(5, 12)
    field.schedule()
    field.run()
    field.hours(5)
    for endpoint in field.polled:
        endpoint.gaps = ((field.start - timedelta(days=300), field.start - timedelta(days=299)),)
    field.schedule()
    field.run()
    for endpoint in field.polled:
        assert endpoint.exceptions == []
        assert field.differences(endpoint, field.start - timedelta(days=1), endpoint.heard) == []
