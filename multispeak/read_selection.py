"""What a reading request selects, from its parameters: of when, which values, by which names. Pure, but for the call's clock."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from headend.limits import PERIOD_DAYS_MAX
from headend.model.billing import LookAround
from headend.model.channels import CHANNEL_BY_NAME
from headend.model.selections import LOADS, REGISTERS, VOLTAGES, Period, Quantities, quantities
from multispeak.block_layouts import Template, Use, template_named
from multispeak.calls import Call
from multispeak.faults import FaultCode, RefusedCallError
from multispeak.field_names import FIELD_NAMES, FIELDS, PEAK_DEMAND, Field, field_name_of, quantities_of
from multispeak.limits import FIELD_NAMES_MAX, LOOK_DAYS_MAX, YEAR_MAX, YEAR_MIN
from multispeak.reading_types import of_type


@dataclass(frozen=True, slots=True)
class Between:
    """All values of a period."""

    period: Period


@dataclass(frozen=True, slots=True)
class Latest:
    """Each meter's newest values, of a period or of all time."""

    period: Period | None = None


@dataclass(frozen=True, slots=True)
class Billing:
    """The read of each meter at a billing date."""

    date: datetime
    look: LookAround


When = Between | Latest | Billing


@dataclass(frozen=True, slots=True)
class Selection:
    """What is told of each meter.

    `fields` are what the client named, in its order; none where a template or a use says it. `remarks` are said beside the answer.
    """

    when: When
    wanted: Quantities
    fields: tuple[Field, ...] = ()
    template: Template | None = None
    use: Use = Use.BILLING
    peak: bool = False
    remarks: tuple[str, ...] = ()


def between_dates(call: Call) -> Period:
    """startDate and endDate."""
    return _period(call, "startDate", "endDate")


def between_profile_dates(call: Call) -> Period:
    """profileStartDate and profileEndDate."""
    return _period(call, "profileStartDate", "profileEndDate")


def profile_day(call: Call) -> Period:
    """The local day of profileDate: 23, 24 or 25 hours."""
    day = call.utility.local_day(_date(call, "profileDate"))
    return Period(*call.utility.day_bounds(day))


def not_too_long(period: Period) -> Period:
    """A period whose values are held meter by meter. Raises RefusedCallError naming the bound."""
    if period.days > PERIOD_DAYS_MAX:
        sentence = f"the period has {period.days:.0f} days; {PERIOD_DAYS_MAX} are the most"
        raise RefusedCallError(FaultCode.INVALID_PERIOD, sentence)
    return period


def billing_date(call: Call) -> Billing:
    """billingDate and the days to look around it. Raises RefusedCallError for days that are negative or too many."""
    request = call.request
    for name in ("kWhLookBack", "kWLookBack", "kWLookForward"):
        days: int = getattr(request, name)
        if not 0 <= days <= LOOK_DAYS_MAX:
            raise RefusedCallError(FaultCode.INVALID_PERIOD, f"{name} is {days}; 0 to {LOOK_DAYS_MAX} days are taken")
    return Billing(_date(call, "billingDate"), LookAround(request.kWhLookBack, request.kWLookBack, request.kWLookForward))


def selected(call: Call, when: When, default: Quantities) -> Selection:
    """What the parameters fieldName, readingType and formattedBlockTemplateName select, `default` where they say nothing.

    Raises  RefusedCallError for names none of which is known, for an unknown type, and for names of another type
    """
    reading_type: str = getattr(call.request, "readingType", None) or ""
    names = _field_names(call)
    if names:
        return _named(when, names, reading_type)
    template = template_named(getattr(call.request, "formattedBlockTemplateName", None) or "")
    if template is not None and (wanted := of_type(_wanted(when, template.wanted, peak=template.peak), reading_type)):
        peak = template.peak and isinstance(when, Billing)
        return Selection(when, wanted, template=template, peak=peak)
    # A template that is not known, or has nothing of the type asked for, gives way: it is a preference.
    peak = isinstance(when, Billing)
    wanted = of_type(_wanted(when, _OF_A_TYPE if reading_type else default, peak=peak), reading_type)
    return Selection(when, wanted, use=_use(wanted), peak=peak)


def _named(when: When, names: Sequence[str], reading_type: str) -> Selection:
    fields: dict[str, Field] = {}
    unknown: list[str] = []
    peak = False
    for name in names:
        known = field_name_of(name)
        field = None if known is None else _field(when, known)
        if known == PEAK_DEMAND and isinstance(when, Billing):
            peak = True
        elif field is None:
            unknown.append(name)
        else:
            fields[field.name] = field
    if not fields and not peak:
        sentence = f"fieldName {_listed(unknown)} is not known here; GetSupportedFieldNames lists those that are"
        raise RefusedCallError(FaultCode.UNKNOWN_FIELD_NAME, sentence)
    wanted = of_type(_wanted(when, quantities_of(fields.values()), peak=peak), reading_type)
    if not wanted:
        sentence = f"of fieldName {_listed(names)} there is none of readingType {reading_type[:80]!r}"
        raise RefusedCallError(FaultCode.UNKNOWN_FIELD_NAME, sentence)
    told = tuple(f for f in fields.values() if wanted.registers & set(f.registers) or wanted.intervals & set(f.intervals))
    remarks = (f"fieldName {_listed(unknown)} is not known here",) if unknown else ()
    return Selection(when, wanted, told, peak=peak, remarks=remarks)


def _field(when: When, name: str) -> Field | None:
    """What a name means; at a billing date that of an interval stands for its register, where there is one."""
    field = FIELDS.get(name)
    if field is None or not isinstance(when, Billing) or field.registers:
        return field
    register = _REGISTER_OF[field.name]
    return FIELDS[register] if register else None


_REGISTER_OF = {name.interval: name.register for names in FIELD_NAMES.values() for name in names.values()}


def _wanted(when: When, wanted: Quantities, *, peak: bool) -> Quantities:
    """At a billing date registers, and the intervals that make the peak demand."""
    if not isinstance(when, Billing):
        return wanted
    return quantities(wanted.registers, _DEMAND if peak else ())


_OF_A_TYPE = quantities(REGISTERS.registers, LOADS)
"""What a type selects from where nothing else does."""
_DEMAND = (CHANNEL_BY_NAME["energy_delivered"].channel_id,)


def _use(wanted: Quantities) -> Use:
    if wanted.registers:
        return Use.BILLING
    return Use.VOLTAGE if wanted.intervals <= VOLTAGES else Use.LOAD_PROFILE


def _field_names(call: Call) -> list[str]:
    listed = getattr(call.request, "fieldName", None)
    names = [name.strip() for name in (listed.string if listed is not None else None) or () if name and name.strip()]
    if len(names) > FIELD_NAMES_MAX:
        raise RefusedCallError(FaultCode.TOO_MANY_OBJECTS, f"{len(names)} fieldNames; {FIELD_NAMES_MAX} are the most")
    return names


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(repr(name[:80]) for name in names[:5]) + more


def _period(call: Call, start_name: str, end_name: str) -> Period:
    """Two parameters in UTC. Raises RefusedCallError for dates reversed or far from any meter's life."""
    start, end = _date(call, start_name), _date(call, end_name)
    if end < start:
        told = {name: getattr(call.request, name).isoformat() for name in (start_name, end_name)}
        raise RefusedCallError(FaultCode.INVALID_PERIOD, f"{end_name} {told[end_name]} is before {start_name} {told[start_name]}")
    return Period(start, end)


def _date(call: Call, name: str) -> datetime:
    value: datetime = getattr(call.request, name)
    if not YEAR_MIN <= value.year <= YEAR_MAX:
        sentence = f"{name} is {value.isoformat()}; years {YEAR_MIN} to {YEAR_MAX} are taken"
        raise RefusedCallError(FaultCode.INVALID_PERIOD, sentence)
    return call.instant(value)


def up_to_now(call: Call, days: int) -> Period:
    """The last so many days."""
    return Period(call.now - timedelta(days=days), call.now)
