"""Values of notified objects as the core takes them: text without the space around it, instants in UTC, commodities. None: nothing is said.

Each raises RequestError for a value that cannot be meant, naming it.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from headend.errors import RequestError, shown
from headend.identifiers import check_text, identifier
from headend.model.endpoint import Commodity
from multispeak.calls import Call
from multispeak.limits import YEAR_MAX, YEAR_MIN

_SERVICES = {"electric": Commodity.ELECTRIC, "electricity": Commodity.ELECTRIC, "gas": Commodity.GAS, "water": Commodity.WATER}
SERVICE_TYPES = {Commodity.ELECTRIC: "Electric", Commodity.GAS: "Gas", Commodity.WATER: "Water"}
_ANY_SERVICE = {"", "all", "other", "unknown"}


def items(array: Any) -> Sequence[Any]:
    """The members of an ArrayOf…; none where it is absent."""
    return () if array is None else getattr(array, type(array).__slots__[0]) or ()


def text(value: str | None, what: str) -> str | None:
    """A short text; an empty one says nothing."""
    plain = (value or "").strip()
    if plain:
        check_text(plain, what)
    return plain or None


def instant(call: Call, value: datetime | None, what: str) -> datetime | None:
    """An instant; the year 1, which some toolkits send for nothing, says nothing."""
    if value is None or value.year == 1:
        return None
    if not YEAR_MIN <= value.year <= YEAR_MAX:
        raise RequestError(f"{what} is {value.isoformat()}; years {YEAR_MIN} to {YEAR_MAX} are taken")
    return call.instant(value)


def named_meter(value: Any) -> str:
    """Number of the meter that a string, a meterIdentifier or a meterID names; empty where it names none."""
    if value is None or isinstance(value, str):
        return (value or "").strip()
    for slot in ("meterNo", "text", "meterID"):
        if name := (getattr(value, slot, None) or "").strip():
            return str(name)
    return ""


def meter_number(value: Any) -> str:
    """The same, for an object that must name a meter."""
    return identifier(named_meter(value), "meter number")


def commodity_named(name: str | None) -> Commodity | None:
    """What a free text such as deviceClass or servType names as delivered, if it does."""
    return _SERVICES.get((name or "").strip().casefold())


def commodity_of_service(service_type: str | None) -> Commodity | None:
    """The commodity of a serviceType; None where it is all the same.

    Raises  RequestError for a service that no meter of ours measures
    """
    name = (service_type or "").casefold()
    if name in _ANY_SERVICE:
        return None
    if name not in _SERVICES:
        raise RequestError(f"serviceType {shown(service_type or '')} is not one that is read here")
    return _SERVICES[name]


def require_service(service_type: str | None, commodity: Commodity) -> None:
    """Accept a serviceType that does not contradict the list an object stands in."""
    said = commodity_of_service(service_type)
    if said is not None and said is not commodity:
        raise RequestError(f"serviceType {service_type} contradicts the list it stands in, which is of {commodity.value} meters")
