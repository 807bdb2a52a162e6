"""Objects of a request → the targets it wants: meters, states and events of switches, exchanges, installations, in both versions. Pure.

Source  reference/multispeak.md 1, 7, 8
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from headend.errors import RequestError
from headend.model.deferred import IN_METER, IN_METER_CALLED_BY, SwitchAction, TargetKey, WantedTarget
from headend.model.endpoint import Commodity
from headend.model.partner import MeterIdentifier, Partner
from multispeak.parameters import simple_values
from multispeak.records import Record
from multispeak.unheld_values import require_held

COMMODITIES = {"Electric": Commodity.ELECTRIC, "Gas": Commodity.GAS, "Water": Commodity.WATER}
_ANY_SERVICE = {None, "All", "Other", "Unknown"}

_ACTIONS = {
    "Connect": SwitchAction.CONNECT,
    "Disconnect": SwitchAction.DISCONNECT,
    "Arm": SwitchAction.ARM,
    "Enable": SwitchAction.ENABLE,
    "Disable": SwitchAction.DISABLE,
    "InitiatePowerLimitation": SwitchAction.LIMIT_POWER,
    "CancelPowerLimitation": SwitchAction.UNLIMIT_POWER,
}
SWITCH_ACTIONS: dict[str, Mapping[str, SwitchAction]] = {
    # Open and Close are what the switch does: in 4.1.6 commands beside the states Opened and Closed, in 3.0 there is only the state Open.
    "3.0": _ACTIONS,
    "4.1.6": _ACTIONS | {"Open": SwitchAction.DISCONNECT, "Close": SwitchAction.CONNECT},
}
"""loadActionCode → what the switch is told; all other codes are states."""

_KEYS = {
    MeterIdentifier.METER_NO: TargetKey.METER_NO,
    MeterIdentifier.SERIAL_NO: TargetKey.SERIAL_NO,
    MeterIdentifier.AP_TITLE: TargetKey.AP_TITLE,
}

NOUNS = {
    "meter": "meter",
    "meterid": "meter",
    "meterno": "meter",
    "electricmeter": "meter",
    "gasmeter": "meter",
    "watermeter": "meter",
    "servicelocation": "service location",
    "servloc": "service location",
    "account": "account",
    "accountnumber": "account",
    "metergroup": "meter group",
}
"""nounType, without its prefix and letters' case aside → what of ours it is."""


def members(value: Any) -> list[Any]:
    """The objects of a parameter: the items of an ArrayOf…, or the one that it is."""
    if value is None:
        return []
    if isinstance(value, Record) and len(type(value).__slots__) == 1:
        return getattr(value, type(value).__slots__[0]) or []
    return [value]


class TargetReader:
    """Reads objects of one partner, who may call meters by another identifier than their number."""

    def __init__(self, partner: Partner, version: str) -> None:
        self._identifier = partner.identifier
        self._key = _KEYS[partner.identifier]
        self._actions = SWITCH_ACTIONS[version]

    def meters(self, value: Any) -> list[WantedTarget]:
        """Meter numbers, meterIDs, meterIdentifiers or CDStates."""
        return [_if_held(one, self._meter(one)) for one in members(value)]

    def switched(self, value: Any, action: SwitchAction) -> list[WantedTarget]:
        """CDStates whose switches are all told the same."""
        return [replace(target, action=action) for target in self.meters(value)]

    def switch_events(self, value: Any) -> list[WantedTarget]:
        """connectDisconnectEvents, each with its own loadActionCode."""
        return [_if_held(event, self._switch_event(event)) for event in members(value)]

    def exchanges(self, value: Any) -> list[WantedTarget]:
        """4.1.6 meterExchanges: the meter that goes out is the target."""
        return [_if_held(one, self._exchange(one)) for one in _nested(value)]

    def installations(self, value: Any) -> list[WantedTarget]:
        """4.1.6 service locations: the meters that their services name."""
        return [_if_held(location, target) for location in members(value) for target in self._installed(location)]

    def service_locations(self, value: Any) -> list[WantedTarget]:
        """Identifiers of service locations."""
        return [WantedTarget(TargetKey.SERVICE_POINT, name.strip(), name, problem=_missing(name)) for name in members(value)]

    def object(self, name: str, noun: str) -> WantedTarget:
        """What objectName and nounType name; a group is none of these."""
        kind = NOUNS.get(plain_noun(noun))
        if kind == "meter":
            return WantedTarget(self._key, name, name)
        if kind in {TargetKey.SERVICE_POINT.value, TargetKey.ACCOUNT.value}:
            return WantedTarget(TargetKey(kind), name, name)
        said = f"nounType {noun[:80]!r} is none that this head-end resolves" if noun else "nounType is missing"
        return WantedTarget(self._key, name, name, problem=f"{said}; it resolves meter, serviceLocation, account and meterGroup")

    def _meter(self, one: Any) -> WantedTarget:
        if isinstance(one, str):
            return self._named(one, "")
        if one.type_name == "meterID":
            return self._named(one.meterNo or "", one.text or "", one.serviceType, one.utility or "")
        if isinstance(one.meterID, Record):
            return self._meter(one.meterID)
        service_type = getattr(one, "serviceType", None)
        return self._named(getattr(one, "meterNo", None) or "", one.meterID or "", service_type, getattr(one, "utility", None) or "")

    def _named(self, number: str, identifier: str, service_type: str | None = None, utility: str = "") -> WantedTarget:
        """A meter by its number or, where the partner calls meters by something else, by that."""
        first, second = (number, identifier) if self._identifier is MeterIdentifier.METER_NO else (identifier, number)
        name = first.strip() or second.strip()
        commodity = COMMODITIES.get(service_type or "")
        problem = ""
        if commodity is None and service_type not in _ANY_SERVICE:
            problem = f"serviceType {service_type} has no meters here"
        return WantedTarget(self._key, name, name, commodity=commodity, utility=utility, problem=problem)

    def _switch_event(self, event: Any) -> WantedTarget:
        target = self._meter(event)
        if not target.name:
            target = _by_place(event) or target
        code = event.loadActionCode
        action = self._actions.get(code or "")
        details, problem = _details(event, without={"meterNo", "meterID", "loadActionCode"})
        if action is None:
            problem = f"loadActionCode {code} is a state, not a command" if code else "loadActionCode is missing"
        return replace(target, action=action, problem=problem or target.problem, details=details)

    def _exchange(self, one: Any) -> WantedTarget:
        out, new = one.outMeterReading, one.inMeterReading
        target = self._meter(out.meterID) if out is not None and out.meterID is not None else self._named("", one.objectID or "")
        details, problem = _details(one, without=())
        if new is not None and new.meterID is not None:
            # Which may be known only when it comes, and the partner's profile may be another by then.
            details |= {IN_METER: self._meter(new.meterID).name, IN_METER_CALLED_BY: self._identifier.value}
        if not details.get(IN_METER):
            problem = problem or "the exchange names no meter that comes in"
        return WantedTarget(target.key, target.name, target.object_id, utility=target.utility, problem=problem, details=details)

    def _installed(self, location: Any) -> Iterator[WantedTarget]:
        place = location.objectID or ""
        found = False
        for services, meter_id, meter in _SERVICES:
            for service in members(getattr(location, services, None)):
                device = getattr(service, meter, None)
                name = getattr(service, meter_id, None) or (device.meterNo if device is not None else None)
                if name:
                    found = True
                    target = self._named(name, "")
                    yield WantedTarget(target.key, target.name, target.name, details={"serviceLocation": place})
        if not found:
            yield WantedTarget(self._key, "", place, problem="the service location names no meter to install")


_SERVICES = (
    ("electricServiceList", "electricMeterID", "electricMeter"),
    ("gasServiceList", "gasMeterID", "gasMeter"),
    ("waterServiceList", "waterMeterID", "waterMeter"),
)


def plain_noun(noun: str) -> str:
    """A nounType without its prefix, letters' case aside."""
    return noun.strip().rpartition(":")[2].casefold()


def _if_held(one: Any, target: WantedTarget) -> WantedTarget:
    """The target that an object names, with what is wrong where one of the object's values cannot be held."""
    try:
        require_held(one)
    except RequestError as error:
        return replace(target, problem=target.problem or str(error))
    return target


def _details(one: Record, without: Collection[str]) -> tuple[dict[str, str], str]:
    """What is kept of an object, or why that cannot be."""
    try:
        return simple_values(one, without), ""
    except RequestError as error:
        return {}, str(error)


def _by_place(event: Any) -> WantedTarget | None:
    """The target of an event that names no meter: the one at its service location, else the account's."""
    place = getattr(event, "servLoc", None) or getattr(event, "serviceLocationID", None)
    for key, name in ((TargetKey.SERVICE_POINT, place), (TargetKey.ACCOUNT, event.accountNumber)):
        if name and name.strip():
            return WantedTarget(key, name.strip(), name.strip())
    return None


def _nested(value: Any) -> Iterable[Any]:
    """The exchanges of all lists of a meterExchanges."""
    if value is None:
        return ()
    # Extensions are lists too, of something else.
    lists = (getattr(value, slot) for slot in type(value).__slots__ if slot.endswith("Exchanges"))
    return [one for inside in lists if isinstance(inside, Record) for one in members(inside) if isinstance(one, Record)]


def _missing(name: str) -> str:
    return "" if name.strip() else "the service location's identifier is missing"
