"""Partners: the systems of a utility that call us and are told things, and how each wants it done."""

from dataclasses import dataclass, field
from enum import StrEnum

from headend.model.utility import Utility


class MeterIdentifier(StrEnum):
    """Which of an endpoint's identifiers a partner calls the meter's."""

    METER_NO = "meter_no"
    SERIAL_NO = "serial_no"
    AP_TITLE = "ap_title"


class EnergyUnit(StrEnum):
    """In which unit a partner is told energy; reactive energy follows it."""

    KILOWATT_HOUR = "kWh"
    WATT_HOUR = "Wh"


@dataclass(frozen=True, slots=True)
class Partner:
    """A SOAP peer of a utility and its profile. `page_size` counts objects."""

    user_id: str
    name: str
    password: str = field(repr=False)
    page_size: int = 10_000
    identifier: MeterIdentifier = MeterIdentifier.METER_NO
    energy_unit: EnergyUnit = EnergyUnit.KILOWATT_HOUR


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is calling, and for which utility; everything a request does is done for this utility."""

    utility: Utility
    partner: Partner
