"""Our channels in MultiSpeak's words: field names, units of the uom enumeration, and what the two versions add to them.

One table, so that a new channel or another field name is one line.
Source  reference/multispeak.md 7; the normative list of field names was not obtained: names seen in use are kept, the others follow them
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache

from headend.model.channels import CHANNELS, ChannelId, Statistic, Unit
from headend.model.partner import EnergyUnit
from headend.model.selections import Quantities, quantities

DATE_TIME_UOM = "Date time"
"""The uom of a cell that holds an instant."""

PEAK_DEMAND = "peakDemand"
"""The field of billing reads that holds the highest demand."""


@dataclass(frozen=True, slots=True)
class FieldName:
    """How values of one channel are told.

    `register` and `interval` are the fieldNames of cumulative and of interval values; `register` is empty where meters keep no such
    registers. `power` scales our unit to `unit`, the uom of both versions: kWh is Wh with -3. `value_type` is 3.0's readingValueType;
    the rest are attributes of 4.1.6's readingTypeCode.
    """

    register: str
    interval: str
    unit: str
    power: int
    value_type: str
    category: str
    flow: str
    phase: str
    channel: str

    def text(self, value: int, exponent: int) -> str:
        """`value` × 10^`exponent` of ours in this unit, exactly."""
        return decimal_text(exponent + self.power)(value)


@lru_cache(maxsize=64)
def decimal_text(power: int) -> Callable[[int], str]:
    """A function that writes its integer × 10^`power` as a decimal, exactly and with as many places as that has."""
    if power >= 0:
        factor = 10**power
        return lambda value: str(value * factor)
    places, unit = -power, 10**-power

    def text(value: int) -> str:
        if value < 0:
            return f"-{text(-value)}"
        return f"{value // unit}.{value % unit:0{places}d}"

    return text


def peak_demand_unit(energy_unit: EnergyUnit) -> str:
    """The uom of `PEAK_DEMAND`."""
    return "kW" if energy_unit is EnergyUnit.KILOWATT_HOUR else "W"


_UNITS = {
    EnergyUnit.KILOWATT_HOUR: {Unit.WATT_HOUR: ("kWh", -3), Unit.VAR_HOUR: ("kVARh", -3)},
    EnergyUnit.WATT_HOUR: {Unit.WATT_HOUR: ("Wh", 0), Unit.VAR_HOUR: ("VARh", 0)},
}
_OTHER_UNITS = {
    Unit.VOLT: ("V", 0),
    Unit.CUBIC_METRE: ("cubic meter", 0),
    Unit.CUBIC_FOOT: ("cubic feet", 0),
    Unit.GALLON: ("US gl", 0),
}
_CATEGORIES = {Unit.WATT_HOUR: "energy", Unit.VAR_HOUR: "reactive energy", Unit.VOLT: "voltage"}
_NAMES = {
    **{f"energy_delivered_{tier}": (f"posKWhTOU{tier.upper()}", "", "Other") for tier in "abcde"},
    "energy_delivered": ("posKWh", "kWh", "Energy"),
    "energy_received": ("negKWh", "receivedKWh", "Negative Energy"),
    "energy_net": ("netRegisterKWh", "netKWh", "Other"),
    "reactive_delivered": ("posKVArh", "kVArh", "Other"),
    "reactive_received": ("negKVArh", "receivedKVArh", "Other"),
    "gas_volume": ("gasVolume", "gasUsage", "Other"),
    "gas_volume_ft3": ("gasVolume", "gasUsage", "Other"),
    "water_volume": ("waterVolume", "waterUsage", "Other"),
    "water_volume_gal": ("waterVolume", "waterUsage", "Other"),
}
_VOLTAGES = {Statistic.MAXIMUM: ("maxVoltage", "Max"), Statistic.MINIMUM: ("minVoltage", "Min"), Statistic.AVERAGE: ("voltage", "Current")}


def _names(channel_id: ChannelId) -> tuple[str, str, str]:
    channel = CHANNELS[channel_id]
    if channel.unit is not Unit.VOLT:
        return _NAMES[channel.name]
    name, value_type = _VOLTAGES[channel.statistic]
    return "", f"{name}Phase{channel.phase}", f"{value_type} Voltage Phase {channel.phase}"


def _field_name(channel_id: ChannelId, energy_unit: EnergyUnit) -> FieldName:
    channel = CHANNELS[channel_id]
    register, interval, value_type = _names(channel_id)
    unit, power = (_UNITS[energy_unit] | _OTHER_UNITS)[channel.unit]
    category = _CATEGORIES.get(channel.unit, "volume")
    return FieldName(register, interval, unit, power, value_type, category, channel.flow.value, channel.phase, channel.name)


FIELD_NAMES: dict[EnergyUnit, dict[ChannelId, FieldName]] = {
    unit: {channel_id: _field_name(channel_id, unit) for channel_id in CHANNELS} for unit in EnergyUnit
}
"""The table, as it is told to partners who count energy in either unit."""


@dataclass(frozen=True, slots=True)
class Field:
    """What one fieldName means: registers or intervals of channels that differ in their unit only, of which a meter has one."""

    name: str
    registers: tuple[ChannelId, ...] = ()
    intervals: tuple[ChannelId, ...] = ()

    @property
    def wanted(self) -> Quantities:
        return quantities(self.registers, self.intervals)


def _fields() -> dict[str, Field]:
    registers: dict[str, list[ChannelId]] = {}
    intervals: dict[str, list[ChannelId]] = {}
    for channel_id, name in FIELD_NAMES[EnergyUnit.KILOWATT_HOUR].items():
        if name.register:
            registers.setdefault(name.register, []).append(channel_id)
        if name.interval:
            intervals.setdefault(name.interval, []).append(channel_id)
    fields = {name: Field(name, registers=tuple(ids)) for name, ids in registers.items()}
    return fields | {name: Field(name, intervals=tuple(ids)) for name, ids in intervals.items()}


FIELDS: dict[str, Field] = _fields()
"""fieldName → what it means; no name is that of registers and of intervals."""
_BY_SMALL_LETTERS = {name.lower(): name for name in (*FIELDS, PEAK_DEMAND)}


def supported_field_names() -> list[str]:
    """All of them, in order."""
    return sorted((*FIELDS, PEAK_DEMAND))


def field_name_of(text: str) -> str | None:
    """The fieldName that a client means, whose letters' case may differ; None where there is none such."""
    return _BY_SMALL_LETTERS.get(text.strip().lower())


def quantities_of(fields: Iterable[Field]) -> Quantities:
    """All that fields mean together."""
    every = list(fields)
    return quantities((one for f in every for one in f.registers), (one for f in every for one in f.intervals))
