"""Domains: code lists that a partner may ask for instead of guessing. One table; a further list is one line.

Source  reference/multispeak.md 4; the standard names no domains, so these are called after the elements that carry the codes
"""

from collections.abc import Awaitable, Callable, Iterable

from headend.meter_groups import GroupKind
from headend.model.channels import CHANNELS
from headend.model.endpoint import CONFIGURATIONS
from headend.model.quality import STATUS_CODES
from multispeak.calls import Answer, Call, Handler
from multispeak.faults import FaultCode, RefusedCallError
from multispeak.field_names import FIELD_NAMES, PEAK_DEMAND, peak_demand_unit
from multispeak.reading_types import REGISTER_TYPE, interval_type

Members = Iterable[tuple[str, str]]
"""Codes and what they mean."""

Domain = Callable[[Call], Awaitable[Members]]


def domain_handlers(version: str) -> dict[str, Handler]:
    """Handlers of the domain operations of one version."""
    domains = _domains(version)

    async def get_domain_names(call: Call) -> Answer:
        """The names of the code lists that can be asked for."""
        return Answer(call.records["ArrayOfString"](string=sorted(domains)))

    async def get_domain_members(call: Call) -> Answer:
        """The codes of one list and what they mean."""
        name = (call.request.domainName or "").strip()
        domain = domains.get(name)
        if domain is None:
            sentence = f"there is no domain {name[:80]!r}; GetDomainNames lists those that there are"
            raise RefusedCallError(FaultCode.UNKNOWN_DOMAIN, sentence)
        member = call.records["domainMember"]
        members = [member(code=code, description=description) for code, description in await domain(call)]
        return Answer(call.records["ArrayOfDomainMember"](domainMember=members or None))

    return {"GetDomainNames": get_domain_names, "GetDomainMembers": get_domain_members}


def _domains(version: str) -> dict[str, Domain]:
    """Lists by name: ours, the utility's, and the enumerations of the contract that its operations use."""
    enumerated = ("loadActionCode", "RCDState", "serviceType", "outageEventType", *_ENUMERATIONS[version])
    return {
        "fieldName": _field_names,
        "readingType": _reading_types,
        "readingStatusCode": _status_codes,
        "billingCycle": _bill_cycles,
        "meterGroup": _groups(GroupKind.METERS),
        "configurationGroup": _groups(GroupKind.CONFIGURATION),
        **{name: _enumeration(name) for name in enumerated},
    }


_ENUMERATIONS = {"3.0": ("phaseCd", "reasonCode"), "4.1.6": ("phaseCode", "CDReasonCode", "timeUnits")}


async def _field_names(call: Call) -> Members:
    told = {PEAK_DEMAND: f"highest demand of a bill cycle, in {peak_demand_unit(call.partner.energy_unit)}"}
    for channel_id, names in FIELD_NAMES[call.partner.energy_unit].items():
        channel = CHANNELS[channel_id].name.replace("_", " ")
        if names.register:
            told.setdefault(names.register, f"{channel}, cumulative, in {names.unit}")
        told.setdefault(names.interval, f"{channel}, of an interval, in {names.unit}")
    return sorted(told.items())


async def _reading_types(call: Call) -> Members:
    lengths = sorted({seconds for configuration in CONFIGURATIONS.values() for _, seconds in configuration.intervals})
    return [
        (REGISTER_TYPE, "cumulative value of a register"),
        *((interval_type(seconds), f"value of an interval of {seconds // 60} minutes") for seconds in lengths),
    ]


async def _status_codes(call: Call) -> Members:
    return list(STATUS_CODES.values())


async def _bill_cycles(call: Call) -> Members:
    return [(cycle, f"bill cycle {cycle}") for cycle in await call.store.bill_cycles()]


def _groups(kind: GroupKind) -> Domain:
    async def members(call: Call) -> Members:
        return [(name, name) for name in await call.store.group_names(kind)]

    return members


def _enumeration(type_name: str) -> Domain:
    async def members(call: Call) -> Members:
        return [(value, value) for value in call.binding.contract.types[type_name].enum]

    return members
