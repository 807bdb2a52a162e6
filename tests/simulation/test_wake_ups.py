"""Battery endpoints are given their wake-ups in acknowledgements, by group or all alike, and what waits for them goes along."""

from datetime import UTC, datetime, timedelta

import pytest

from headend.c1219.procedures import NoParameters, Procedure, ProcedureRequest, ProcedureResult, ResultCode
from headend.c1222.services import FullWrite
from headend.collection_plan import CollectionPlan, shown_time, turn_times
from headend.model.endpoint import CONFIGURATIONS
from tests.memory_store import MemoryEndpoint
from tests.simulation.field import CHICAGO, Field

FOUR, TWO = CollectionPlan((15, 375, 735, 1_095), 300), CollectionPlan((120, 840), 60)


def batteries(field: Field) -> list[MemoryEndpoint]:
    return [e for e in field.store.endpoints.values() if CONFIGURATIONS[e.configuration].battery]


def wake_ups_seen(field: Field, hours: int) -> dict[int, list[datetime]]:
    """When each battery endpoint pushed within so many hours, its first push of each wake-up."""
    recorded = len(field.store.recorded)
    seen: dict[int, list[datetime]] = {}
    for _ in range(hours * 12):
        field.world_clock.advance(300)
        field.pass_time(1.2, step=0.1)
    for item in field.store.recorded[recorded:]:
        times = seen.setdefault(item.endpoint_id, [])
        if item.lease_id is None and (not times or item.heard - times[-1] > timedelta(minutes=30)):
            times.append(item.heard)
    return seen


STARTS = [datetime(2026, 7, 15, 6, 30, tzinfo=UTC), datetime(2026, 3, 7, 20, tzinfo=UTC)]


@pytest.mark.parametrize("start", STARTS, ids=["summer", "spring"])
def test_endpoints_wake_by_their_plans_from_then_on(start):
    field = Field(6, 20, start=start)
    chosen = batteries(field)[0].endpoint_id
    field.collector.waking._plans = ((TWO, frozenset({chosen})), (FOUR, None))
    field.wake_all(120)
    for endpoint in batteries(field):
        assert len(endpoint.progress.wake_ups) == (2 if endpoint.endpoint_id == chosen else 4)
    seen = wake_ups_seen(field, 26)
    for endpoint in batteries(field):
        plan = TWO if endpoint.endpoint_id == chosen else FOUR
        own = turn_times(plan, endpoint.endpoint_id)
        for at in seen[endpoint.endpoint_id][1:]:
            local = at.astimezone(CHICAGO)
            late = min((local.hour * 60 + local.minute - minutes) % 1_440 for minutes in own)
            assert late <= 10 or start.month == 3, (shown_time(local.hour * 60 + local.minute), [shown_time(m) for m in own])
        assert len(seen[endpoint.endpoint_id]) in ({2, 3} if plan is TWO else {4, 5})
        assert endpoint.progress.wake_ups


class Waiting:
    """One request that waits for one endpoint."""

    def __init__(self) -> None:
        self.endpoint_id = 0
        self.left = 1
        self.results: list[bytes] = []
        self.rooms: list[int] = []
        self.request = b""

    async def for_acknowledgement(self, sender, results, octets_max):
        if sender.endpoint_id != self.endpoint_id:
            return ()
        self.results += results
        self.rooms.append(octets_max)
        if not self.left:
            return ()
        self.left -= 1
        return (self.request,)


def test_what_waits_goes_with_one_acknowledgement_and_its_result_comes_back():
    waiting = Waiting()
    field = Field(6, 20, waiting=waiting)
    victim = batteries(field)[0]
    formats = field.world.kind(victim.endpoint_id - 1).general.formats
    waiting.endpoint_id = victim.endpoint_id
    waiting.request = FullWrite(7, ProcedureRequest(Procedure.WARM_START, 77, NoParameters()).encode(formats)).encode()
    field.wake_all(120)
    results = [ProcedureResult.decode(octets, formats) for octets in waiting.results]
    assert [(r.sequence, r.result) for r in results if r.procedure == Procedure.WARM_START] == [(77, ResultCode.DONE)]
    assert waiting.left == 0
    assert min(waiting.rooms) > 900
