"""Meters that a reading request names, by whichever identifier the partner calls them."""

from collections.abc import Sequence

from headend.errors import UnknownMeterError
from headend.model.endpoint import Commodity
from headend.model.meters import Meter
from headend.reading_engine import ListedMeters, Target
from multispeak.calls import Call
from multispeak.faults import FaultCode, RefusedCallError
from multispeak.limits import LISTED_METERS_MAX
from multispeak.said_values import commodity_of_service, items, named_meter


async def one_meter(call: Call, parameter: str) -> Meter:
    """The meter that a parameter names. Raises RefusedCallError where it names none, UnknownMeterError."""
    name = named_meter(getattr(call.request, parameter))
    if not name:
        raise RefusedCallError(FaultCode.MISSING_PARAMETER, f"{call.operation} names no meter")
    return the_meter(name, await call.store.meters_named(call.partner.identifier, [name]))


def the_meter(name: str, found: Sequence[Meter]) -> Meter:
    """Of those that a name was found to mean. Raises RefusedCallError where it is none, or not one."""
    target = _target(name, found)
    if target.meter is None:
        raise RefusedCallError(FaultCode.UNKNOWN_METER, target.problem)
    return target.meter


async def listed_meters(call: Call, parameter: str) -> ListedMeters:
    """The meters of a list, each once. Raises RefusedCallError for a list that is empty or too long."""
    listed = items(getattr(call.request, parameter))
    if len(listed) > LISTED_METERS_MAX:
        sentence = f"{len(listed)} meters are named; {LISTED_METERS_MAX} are the most"
        raise RefusedCallError(FaultCode.TOO_MANY_OBJECTS, sentence)
    names = list(dict.fromkeys(name for item in listed if (name := named_meter(item))))
    if not names:
        raise RefusedCallError(FaultCode.MISSING_PARAMETER, f"{call.operation} names no meter")
    commodity = asked_commodity(call)
    return ListedMeters(_of_commodity(call, target, commodity) for target in await resolve(call, names))


async def resolve(call: Call, names: Sequence[str]) -> list[Target]:
    """The meter of each name, or why there is none; a serial number of several is that of the active one."""
    identifier = call.partner.identifier
    found: dict[str, list[Meter]] = {}
    for meter in await call.store.meters_named(identifier, names):
        found.setdefault(meter.called(identifier), []).append(meter)
    return [_target(name, found.get(name, [])) for name in names]


def _target(name: str, found: Sequence[Meter]) -> Target:
    if not found:
        return Target.unknown(name, str(UnknownMeterError(name)))
    meters = [meter for meter in found if meter.active] or found
    if len(meters) > 1:
        numbers = " and ".join(meter.meter_no for meter in meters[:2])
        return Target.unknown(name, f"meter {name[:80]!r} is that of several: {numbers}")
    return Target(meters[0].meter_no, meters[0])


def asked_commodity(call: Call) -> Commodity | None:
    """What the parameter serviceType says that meters must measure; None where it is all the same. Raises RequestError."""
    return commodity_of_service(getattr(call.request, "serviceType", None))


def _of_commodity(call: Call, target: Target, commodity: Commodity | None) -> Target:
    if commodity is None or target.meter is None or target.meter.commodity is commodity:
        return target
    name = target.called(call.partner.identifier)
    return Target.unknown(name, f"meter {name[:80]!r} measures {target.meter.commodity.value} and not {commodity.value}")


def commodities_of(targets: Sequence[Target]) -> set[Commodity]:
    """What the meters among them measure."""
    return {target.meter.commodity for target in targets if target.meter is not None}
