"""What silence says of a meter's supply, by what else is known: its last gasp, the state of its router. Pure."""

from headend.model.command import FailureCode, Outcome
from headend.model.deferred import DeferredKind, TargetState
from headend.model.telling import Supply
from headend.outage_devices import OutageState

ROUTER_DOWN = "its router is down, so that it cannot be asked"

ASKED = frozenset({DeferredKind.PING, DeferredKind.MONITORING})
"""Kinds of commands that ask about the supply."""


def supply_of(outcome: Outcome, known: OutageState, *, router_down: bool) -> tuple[Supply, str]:
    """(what is told, what is remarked)."""
    if outcome.state is TargetState.SUCCEEDED:
        return Supply.RESTORED, ""
    if known is OutageState.OUTAGED and outcome.code is FailureCode.NO_ANSWER:
        return Supply.OUTAGE, "it sent its last gasp and does not answer"
    if router_down:
        return Supply.NO_RESPONSE, ROUTER_DOWN
    return Supply.NO_RESPONSE, outcome.reason
