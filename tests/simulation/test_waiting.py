"""Whoever waits for a meter on mains is answered before real clients give up, whatever the field does, while everything is collected."""

import pytest

from emulators.faults import Fault, FaultKind
from headend.commands.policy import CommandPolicy
from headend.model.deferred import TargetState
from tests.simulation.waiting import MESH, OFF, ON, PING, READ, STATE, wait_for_meters

CLIENTS_WAIT_SECONDS = 45.0


def test_in_a_mesh_with_its_usual_delays_reads_and_pings_are_answered_within_seconds() -> None:
    waits = wait_for_meters(1, 150, 200, (READ, PING))
    assert waits.ends[TargetState.SUCCEEDED.value] == 200
    assert waits.collected > 100, "and the collection went on"
    for kind in (READ, PING):
        assert waits.percentile(kind, 0.95) < 5.0
    assert waits.longest < CLIENTS_WAIT_SECONDS


@pytest.mark.parametrize(
    "trouble",
    [
        (Fault(FaultKind.SILENCE, percent=50),),
        (Fault(FaultKind.LOSS, 0.4),),
        (Fault(FaultKind.REBOOT, seconds=300, percent=60),),
        (Fault(FaultKind.DELAY, 1.0, seconds=6.0, seconds_max=30.0),),
        (Fault(FaultKind.ANSWER_LOST, 0.5), Fault(FaultKind.DUPLICATE, 0.3), Fault(FaultKind.CORRUPT, 0.2)),
    ],
    ids=lambda trouble: trouble[0].kind.value,
)
@pytest.mark.parametrize("known", [True, False])
def test_everybody_is_answered_before_clients_give_up(trouble: tuple[Fault, ...], known: bool) -> None:
    waits = wait_for_meters(2, 80, 50, (READ, PING, OFF, STATE, ON), (*MESH, *trouble), known=known)
    assert waits.longest < CLIENTS_WAIT_SECONDS
    assert waits.ends[TargetState.SUCCEEDED.value], "some succeed"


def test_behind_a_router_whose_places_silent_endpoints_hold_everybody_is_answered_all_the_same() -> None:
    places = CommandPolicy().conversations_per_router_max
    waits = wait_for_meters(3, 700, 5 * places, (READ,), (Fault(FaultKind.SILENCE),), apart_seconds=0.1, at_once=5 * places)
    assert sum(waits.ends.values()) == 5 * places
    assert waits.longest < CLIENTS_WAIT_SECONDS
