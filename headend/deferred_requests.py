"""Deferred requests: which of the wanted targets can be targets, what makes a request the same again, and the port that keeps them."""

import hashlib
import json
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from headend.errors import RequestError, UnknownMeterError, shown
from headend.model.deferred import (
    DeferredKind,
    DeferredRequest,
    DeferredTarget,
    KnownMeter,
    Monitoring,
    SwitchAction,
    TargetKey,
    WantedTarget,
)
from headend.model.endpoint import Commodity
from headend.model.refusal import Refusal
from headend.model.utility import Utility

Known = Mapping[tuple[TargetKey, str], Sequence[KnownMeter]]
"""The endpoints behind each name: one for a meter, those installed for a service location or an account."""

_ELECTRIC_ONLY = {
    DeferredKind.DEMAND_RESET: "has no demand to reset",
    DeferredKind.PING: "has no outage to detect",
    DeferredKind.MONITORING: "has no outage to detect",
}
_OF_SWITCHES = {DeferredKind.SWITCH, DeferredKind.SWITCH_STATE, DeferredKind.VOLTAGE}
_POWER_LIMITS = {SwitchAction.LIMIT_POWER, SwitchAction.UNLIMIT_POWER}


class TransactionReusedError(RequestError):
    """A transactionID that stands for another request already."""

    def __init__(self, transaction_id: str) -> None:
        self.transaction_id = transaction_id
        super().__init__(f"transactionID {shown(transaction_id)} stands for another request of this partner; use a new one")


class DeferredRequests(Protocol):
    """Deferred requests of a utility."""

    def known_meters(self, wanted: Iterable[tuple[TargetKey, str]]) -> Awaitable[Known]:
        """The endpoints behind names, active or not; a name without any is left out."""

    def accept_deferred(self, request: DeferredRequest) -> Awaitable[tuple[Refusal, ...]]:
        """Store a request with its targets, unless it has none; the refusals to answer with.

        Each target gets its turn by the utility's rules; one that is protected, or has no turn before the request expires, is refused too.
        The same request again under its transaction id is not stored again and is answered as before. Raises TransactionReusedError.
        """

    def monitorings(self, partner: str, now: datetime) -> Awaitable[list[Monitoring]]:
        """A partner's requests for outage monitoring that are open, in the order in which they came."""

    def cancel_deferred(self, request_ids: Sequence[int], now: datetime) -> Awaitable[None]:
        """Cancel every target of these requests that was not told anything yet, each with its one answer."""


def settle(
    wanted: Sequence[WantedTarget], known: Known, kind: DeferredKind, utility: Utility
) -> tuple[list[DeferredTarget], list[Refusal]]:
    """(endpoints that become targets, what is wrong with the others), in the order in which they were named."""
    taken: dict[int, DeferredTarget] = {}
    refusals: list[Refusal] = []
    for position, one in enumerate(wanted, 1):
        meters = known.get((one.key, one.name), ())
        problem = _problem_of_name(one, position, meters, utility)
        for meter in meters if not problem else ():
            problem = problem_of_meter(meter, kind, one.action, one.commodity)
            if not problem and meter.endpoint_id in taken:
                problem = f"meter {shown(meter.meter_no)} stands in the request twice"
            if problem:
                refusals.append(Refusal(one.object_id, problem))
            else:
                taken[meter.endpoint_id] = DeferredTarget(meter.endpoint_id, meter.meter_no, one.action, one.details, one.object_id)
            problem = ""
        if problem:
            refusals.append(Refusal(one.object_id, problem))
    return list(taken.values()), refusals


def _problem_of_name(one: WantedTarget, position: int, meters: Sequence[KnownMeter], utility: Utility) -> str:
    if one.problem:
        return one.problem
    if not one.name:
        return f"object {position} of the request names no meter"
    if one.utility and one.utility.casefold() not in {utility.utility_id.casefold(), utility.name.casefold()}:
        return f"the object belongs to utility {shown(one.utility)}, and this is {utility.utility_id!r}"
    if meters:
        return ""
    if one.key in {TargetKey.SERVICE_POINT, TargetKey.ACCOUNT}:
        return f"{one.key.value} {shown(one.name)} is not known or has no meter"
    return str(UnknownMeterError(one.name))


def problem_of_meter(meter: KnownMeter, kind: DeferredKind, action: SwitchAction | None, commodity: Commodity | None) -> str:
    """Why a meter cannot be the target of a request of this kind; empty where it can."""
    name, configured = f"meter {shown(meter.meter_no)}", meter.configured
    if not meter.active:
        return f"{name} is not active"
    if commodity is not None and commodity is not configured.commodity:
        return f"{name} measures {configured.commodity.value}, and the object says {commodity.value}"
    if kind in _ELECTRIC_ONLY and configured.commodity is not Commodity.ELECTRIC:
        return f"{name} measures {configured.commodity.value} and {_ELECTRIC_ONLY[kind]}"
    if kind in _OF_SWITCHES and not configured.has_switch:
        return f"{name} has no switch"
    if kind is DeferredKind.VOLTAGE and configured.commodity is not Commodity.ELECTRIC:
        return f"{name} measures {configured.commodity.value} and has no load side that has voltage"
    if kind is DeferredKind.CLOCK_SET and configured.battery:
        return f"{name} sleeps; its clock is set right whenever it wakes"
    if action is SwitchAction.ARM and configured.commodity is not Commodity.ELECTRIC:
        return f"{name} has a valve, which has no button that a customer could press"
    if action in _POWER_LIMITS:
        return f"{name} has a switch that cannot limit power"
    return ""


def fingerprint(operation: str, version: str, response_url: str, parameters: Mapping[str, str], wanted: Iterable[WantedTarget]) -> bytes:
    """What two requests have in common if and only if they ask for the same: SHA-256 of everything that was asked, as it was asked."""
    objects = [
        [one.key.value, one.name, one.action and one.action.value, one.commodity and one.commodity.value, one.utility, dict(one.details)]
        for one in wanted
    ]
    text = json.dumps([operation, version, response_url, dict(parameters), objects], sort_keys=True)
    return hashlib.sha256(text.encode()).digest()
