"""Operations that are accepted now, carried out later and answered by a notification: one table, one way to accept.

Source  reference/multispeak.md 6; wsdl/deferred.json
"""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from headend.deferred_expiry import expiry, ole_seconds
from headend.deferred_requests import fingerprint, settle
from headend.limits import AWAITED_DAYS_DEFAULT, DEFERRED_DAYS_DEFAULT, DEFERRED_DAYS_MAX, DEFERRED_TARGETS_MAX
from headend.model.deferred import AWAITED, DeferredKind, DeferredRequest, SwitchAction, TargetKey, WantedTarget
from headend.model.habits import Habit
from multispeak.calls import Answer, Call, Handler
from multispeak.deferred_targets import COMMODITIES, NOUNS, TargetReader, plain_noun
from multispeak.error_objects import ObjectError, error_objects
from multispeak.faults import FaultCode, RefusedCallError
from multispeak.limits import TRANSACTION_ID_CHARACTERS_MAX
from multispeak.parameters import require_year, simple_values
from multispeak.response_urls import usable_url
from wsdl import deferred_text

Targets = Callable[[Call, TargetReader], Awaitable[list[WantedTarget]]]

UNIT_SECONDS = {
    "Milliseconds": 0.001,
    "Seconds": 1,
    "Minutes": 60,
    "Hours": 3_600,
    "Days": 86_400,
    "Weeks": 7 * 86_400,
    "Months": 30 * 86_400,
    "Years": 365 * 86_400,
}
"""Units of a 4.1.6 expTime; without one it is in seconds, as 3.0 documents it. A month has 30 days."""

_ASKED_WHEN = {"requestDate", "expirationTime", "expTime"}
"""Parameters that differ when the same is asked again."""

_KEPT_ELSEWHERE = {
    *("meterNo", "meterNos", "meterNumbers", "meterID", "meterIDs", "states", "cdEvents", "servLoc", "serviceLocationID"),
    *("exchanges", "installLocations", "responseURL", "transactionID"),
}
"""Parameters that name targets, or have a place of their own in a request."""


@dataclass(frozen=True, slots=True)
class Deferral:
    """One row of the table: what is to be done, to which objects, what kind of object a refused one is, and what it does, to people."""

    kind: DeferredKind
    targets: Targets
    effect: str
    noun: str = "meter"
    begins: str = ""


def deferred_handlers(version: str) -> dict[str, Handler]:
    """Handlers of one version."""
    answers: dict[str, list[str]] = json.loads(deferred_text())[version]
    return {name: _handler(row, tuple(answers[name])) for name, row in TABLE[version].items()}


def _handler(row: Deferral, answers: tuple[str, ...]) -> Handler:
    async def handler(call: Call) -> Answer:
        return await accept(call, row, answers)

    handler.__doc__ = f"{row.effect}; the outcome comes by {' or '.join(answers)}."
    return handler


async def accept(call: Call, row: Deferral, answers: tuple[str, ...]) -> Answer:
    """Validate a request and store it with its good targets; an errorObject for each of the others."""
    request, reader = call.request, TargetReader(call.partner, call.version)
    begins = _begins(call, row.begins)
    days = AWAITED_DAYS_DEFAULT if row.kind in AWAITED else DEFERRED_DAYS_DEFAULT
    expires = expiry(_asked_seconds(call), begins or call.now, days)
    response_url = _response_url(call, answers)
    wanted = await row.targets(call, reader)
    if not wanted:
        raise RefusedCallError(FaultCode.MISSING_PARAMETER, f"{call.operation} names no {row.noun}")
    if len(wanted) > DEFERRED_TARGETS_MAX:
        sentence = f"{call.operation} names {len(wanted)} objects; {DEFERRED_TARGETS_MAX} are taken in one call"
        raise RefusedCallError(FaultCode.TOO_MANY_OBJECTS, sentence)
    parameters = simple_values(request, without=_KEPT_ELSEWHERE)
    same = {name: text for name, text in parameters.items() if name not in _ASKED_WHEN}
    known = await call.store.known_meters({(one.key, one.name) for one in wanted if one.name and not one.problem})
    targets, refusals = settle(wanted, known, row.kind, call.utility)
    accepted = DeferredRequest(
        kind=row.kind,
        operation=call.operation,
        server=call.binding.service.name,
        version=call.version,
        partner=call.partner.user_id,
        transaction_id=_transaction_id(call),
        response_url=response_url,
        answers=answers,
        parameters=parameters,
        accepted=call.now,
        begins=begins,
        expires=expires,
        fingerprint=fingerprint(call.operation, call.version, request.responseURL or "", same, wanted),
        targets=tuple(targets),
        refusals=tuple(refusals),
    )
    noun = getattr(request, "nounType", None) or row.noun
    told = await call.store.accept_deferred(accepted)
    return error_objects(call, [ObjectError(refusal.object_id, refusal.reason, noun) for refusal in told])


def _transaction_id(call: Call) -> str | None:
    """The caller's, untouched; without one the outcome is told without one, and the same request again is another one."""
    transaction_id: str = call.request.transactionID or ""
    if len(transaction_id) > TRANSACTION_ID_CHARACTERS_MAX:
        sentence = f"transactionID has {len(transaction_id)} characters; {TRANSACTION_ID_CHARACTERS_MAX} are taken"
        raise RefusedCallError(FaultCode.INVALID_MESSAGE, sentence)
    return transaction_id or None


def _response_url(call: Call, answers: tuple[str, ...]) -> str:
    asked = (call.request.responseURL or "").strip()
    takers = call.binding.publications.takers
    url, problem = usable_url(asked, call.version, answers, takers, call.partner.notifications)
    if not url:
        sentence = f"responseURL {problem}, and this partner's profile has no address for {' or '.join(answers)}"
        raise RefusedCallError(FaultCode.RESPONSE_URL, sentence)
    return url


def _begins(call: Call, parameter: str) -> datetime | None:
    if not parameter:
        return None
    begins = call.instant(require_year(parameter, getattr(call.request, parameter)))
    if not call.now <= begins <= call.now + timedelta(days=DEFERRED_DAYS_MAX):
        sentence = f"{parameter} is {begins.isoformat()}; it must be ahead, and at most {DEFERRED_DAYS_MAX} days"
        raise RefusedCallError(FaultCode.INVALID_PERIOD, sentence)
    return begins


def _asked_seconds(call: Call) -> float | None:
    """The expiration a caller asks for, from now on.

    Raises  RefusedCallError for a unit that is none
    """
    number: float | None = getattr(call.request, "expirationTime", None)
    if number is not None:
        if Habit.OLE_EXPIRATION in call.partner.tolerated:
            ahead = ole_seconds(number, call.now, call.utility.time_zone)
            return number if ahead is None else ahead
        return number
    asked = getattr(call.request, "expTime", None)
    if asked is None or asked.text is None:
        return None
    unit = asked.units or "Seconds"
    if unit not in UNIT_SECONDS:
        raise RefusedCallError(FaultCode.INVALID_EXPIRATION, f"expTime has units {unit!r}; {', '.join(UNIT_SECONDS)} are taken")
    seconds: float = asked.text * UNIT_SECONDS[unit]
    return seconds


def _of(read: str, parameter: str, *arguments: Any) -> Targets:
    """Targets that a method of the reader finds in a parameter."""

    async def targets(call: Call, reader: TargetReader) -> list[WantedTarget]:
        found: list[WantedTarget] = getattr(reader, read)(getattr(call.request, parameter), *arguments)
        return found

    return targets


_meters: Callable[[str], Targets] = partial(_of, "meters")


async def _group(call: Call, reader: TargetReader) -> list[WantedTarget]:
    """The members of a meter group."""
    name = (call.request.meterGroupName or "").strip()
    return await _members(call, name, getattr(call.request, "serviceType", None)) if name else []


async def _members(call: Call, name: str, service_type: str | None) -> list[WantedTarget]:
    meter_nos = await call.store.group_members(name)
    if not meter_nos:
        problem = f"meter group {name[:80]!r} {'is not known' if meter_nos is None else 'has no meters'}"
        return [WantedTarget(TargetKey.METER_NO, name, name, problem=problem)]
    commodity = COMMODITIES.get(service_type or "")
    return [WantedTarget(TargetKey.METER_NO, meter_no, meter_no, commodity=commodity) for meter_no in meter_nos]


async def _object(call: Call, reader: TargetReader) -> list[WantedTarget]:
    """The meters behind objectName and nounType."""
    name, noun = (call.request.objectName or "").strip(), call.request.nounType or ""
    if not name:
        return []
    if NOUNS.get(plain_noun(noun)) == "meter group":
        return await _members(call, name, None)
    return [reader.object(name, noun)]


async def _monitored(call: Call, reader: TargetReader) -> list[WantedTarget]:
    if not 0 < call.request.periodicity <= DEFERRED_DAYS_MAX * 1_440:
        raise RefusedCallError(FaultCode.INVALID_PERIOD, f"periodicity is {call.request.periodicity}; it counts minutes, at least one")
    return await _object(call, reader)


def _switched(action: SwitchAction) -> Targets:
    return _of("switched", "states", action)


_READ, _PING, _SWITCH = DeferredKind.READ, DeferredKind.PING, DeferredKind.SWITCH
_READS, _PINGS = "Reads the named meters when they can be reached", "Asks the named meters whether they have power"
_SWITCHES: Mapping[str, Deferral] = {
    "InitiateConnectDisconnect": Deferral(_SWITCH, _of("switch_events", "cdEvents"), "Connects, disconnects or arms the named switches"),
    "InitiateCDStateRequest": Deferral(DeferredKind.SWITCH_STATE, _meters("states"), "Asks the named switches for their state"),
    "InitiateArmCDDevice": Deferral(_SWITCH, _switched(SwitchAction.ARM), "Arms the named switches"),
    "InitiateEnableCDDevice": Deferral(_SWITCH, _switched(SwitchAction.ENABLE), "Enables the named switches"),
    "InitiateDisableCDDevice": Deferral(_SWITCH, _switched(SwitchAction.DISABLE), "Disables the named switches"),
}
_GROUP_READ = Deferral(_READ, _group, "Reads the meters of a group")
_GROUP_SCHEDULED = Deferral(_READ, _group, "Reads the meters of a group at the given time", begins="timeToRead")
_DEMAND_RESET = Deferral(DeferredKind.DEMAND_RESET, _meters("meterIDs"), "Resets the demand of the named meters")
_OBJECT_READ = Deferral(_READ, _object, "Reads the meters at the named object")
_OBJECT_PING = Deferral(_PING, _object, "Asks the meters at the named object whether they have power")
_MONITORING = Deferral(DeferredKind.MONITORING, _monitored, "Asks the meters at the named object again and again whether they have power")

TABLE: dict[str, Mapping[str, Deferral]] = {
    "3.0": {
        "InitiateDemandReset": _DEMAND_RESET,
        "InitiateMeterReadsByFieldName": Deferral(_READ, _meters("meterNumbers"), _READS),
        "InitiateMeterReadByMeterNumber": Deferral(_READ, _meters("meterNos"), _READS),
        "InitiateMeterReadByMeterNoAndType": Deferral(_READ, _meters("meterNo"), _READS),
        "InitiateMeterReadByObject": _OBJECT_READ,
        "InitiateGroupMeterRead": _GROUP_READ,
        "ScheduleGroupMeterRead": _GROUP_SCHEDULED,
        **_SWITCHES,
        "InitiateOutageDetectionEventRequest": Deferral(_PING, _meters("meterNos"), _PINGS),
        "InitiateODEventRequestByObject": _OBJECT_PING,
        "InitiateODEventRequestByServiceLocation": Deferral(_PING, _of("service_locations", "servLoc"), _PINGS, "serviceLocation"),
        "InitiateODMonitoringRequestByObject": _MONITORING,
    },
    "4.1.6": {
        "InitiateDemandReset": _DEMAND_RESET,
        "InitiateMeterReadingsByFieldName": Deferral(_READ, _meters("meterIDs"), _READS),
        "InitiateMeterReadingsByMeterID": Deferral(_READ, _meters("meterIDs"), _READS),
        "InitiateMeterReadingByMeterIDAndFieldName": Deferral(_READ, _meters("meterID"), _READS),
        "InitiateMeterReadingByObject": _OBJECT_READ,
        "InitiateGroupMeterReading": _GROUP_READ,
        "ScheduleGroupMeterReading": _GROUP_SCHEDULED,
        "InitiateHistoricalMeterReadingsByMeterIDAndDate": Deferral(
            DeferredKind.HISTORICAL_READ, _meters("meterIDs"), "Reads again what the named meters held at a date"
        ),
        "InitiateLPMeterReadingsByMeterID": Deferral(
            DeferredKind.LOAD_PROFILE_READ, _meters("meterIDs"), "Reads the load profile of the named meters"
        ),
        "InitiateMeterExchange": Deferral(
            DeferredKind.METER_EXCHANGE,
            _of("exchanges", "exchanges"),
            "Tells when meters are recorded as exchanged, or that they are not",
            "meterExchange",
        ),
        "InitiateMeterInstallation": Deferral(
            DeferredKind.METER_INSTALLATION,
            _of("installations", "installLocations"),
            "Tells when meters are recorded as installed, or that they are not",
            "serviceLocation",
        ),
        **_SWITCHES,
        "InitiateOutageDetectionEventRequest": Deferral(_PING, _meters("meterIDs"), _PINGS),
        "InitiateODEventRequestByObject": _OBJECT_PING,
        "InitiateODEventRequestByServiceLocation": Deferral(
            _PING, _of("service_locations", "serviceLocationID"), _PINGS, "serviceLocation"
        ),
        "InitiateODMonitoringRequestByObject": _MONITORING,
    },
}
