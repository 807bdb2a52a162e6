"""Notified meters → statements, as far as both versions agree: which verb says what, and which status mutes a meter."""

from collections.abc import Callable, Iterable
from typing import Any

from headend.errors import RequestError
from headend.master_data.statements import MeterAdded, MeterChanged, MeterFacts, MeterRemoved, Statement
from multispeak.calls import Call
from multispeak.said_values import items

FactsOf = Callable[[Call, Any], MeterFacts]
"""What a meter of one version and list says; raises RequestError."""

Taking = Callable[[str | None, MeterFacts], Statement]
"""Verb and facts → statement."""

_MUTED = {"inactive": True, "active": False}


def added(verb: str | None, facts: MeterFacts) -> Statement:
    """A meter in a list of added ones."""
    if verb not in {None, "New", "Change"}:
        raise RequestError(f"verb {verb} contradicts a list of added meters")
    return MeterAdded(facts)


def changed(verb: str | None, facts: MeterFacts) -> Statement:
    """A meter in a list of changed ones, which may also be new or gone."""
    match verb:
        case None | "Change":
            return MeterChanged(facts)
        case "New":
            return MeterAdded(facts)
        case "Delete":
            return MeterRemoved(facts)
        case _:
            raise RequestError(f"verb {verb} is not taken of meters; send MeterExchangeNotification for one that took another's place")


def removed(verb: str | None, facts: MeterFacts) -> Statement:
    """A meter in a list of removed ones."""
    return MeterRemoved(facts)


def retired(verb: str | None, facts: MeterFacts) -> Statement:
    """A meter in a list of retired ones."""
    return MeterRemoved(facts, retired=True)


def statements(call: Call, meter: Any, facts_of: FactsOf, taking: Taking) -> Iterable[Statement]:
    """What one meter says."""
    yield taking(meter.verb, facts_of(call, meter))


def muted(status_list: Any) -> bool | None:
    """Whether a meterStatusList mutes the meter's alarms: Inactive does, Active ends it, others say nothing of it."""
    told = [_MUTED[status.strip().casefold()] for status in items(status_list) if status.strip().casefold() in _MUTED]
    if len(set(told)) > 1:
        raise RequestError("meterStatus says both Active and Inactive")
    return told[0] if told else None
