"""Our channels in MultiSpeak's words: field names, units of the uom enumeration, and what the two versions add to them.

One table, so that a new channel or another field name is one line.
Source  reference/multispeak.md 7; the normative list of field names was not obtained: names seen in use are kept, the others follow them
"""

from dataclasses import dataclass
from decimal import Decimal

from headend.model.channels import CHANNELS, ChannelId, Statistic, Unit


@dataclass(frozen=True, slots=True)
class FieldName:
    """How values of one channel are told.

    `register` and `interval` are the fieldNames of cumulative and of interval values. `power` scales our unit to `unit`, the uom of both
    versions: kWh is Wh with -3. `value_type` is 3.0's readingValueType; the rest are attributes of 4.1.6's readingTypeCode.
    """

    register: str
    interval: str
    unit: str
    power: int
    value_type: str
    category: str
    flow: str = "none"
    phase: str = ""
    channel: str = ""

    def text(self, quantity: Decimal) -> str:
        """A value of ours in this unit, exactly."""
        return format(quantity.scaleb(self.power) if self.power else quantity, "f")

    def scaled_text(self, value: int, exponent: int) -> str:
        """`value` × 10^`exponent` of ours in this unit, exactly; the same as `text` of that Decimal at a quarter of its cost."""
        exponent += self.power
        if exponent >= 0:
            return str(value * 10**exponent)
        digits = str(abs(value)).rjust(1 - exponent, "0")
        return f"{'-' if value < 0 else ''}{digits[:exponent]}.{digits[exponent:]}"


_UNITS = {
    Unit.WATT_HOUR: ("kWh", -3, "energy"),
    Unit.VAR_HOUR: ("kVARh", -3, "reactive energy"),
    Unit.VOLT: ("V", 0, "voltage"),
    Unit.CUBIC_METRE: ("cubic meter", 0, "volume"),
    Unit.CUBIC_FOOT: ("cubic feet", 0, "volume"),
    Unit.GALLON: ("US gl", 0, "volume"),
}
_NAMES = {
    "energy_delivered": ("posKWh", "kWh", "Energy"),
    "energy_received": ("negKWh", "receivedKWh", "Negative Energy"),
    "energy_net": ("netKWh", "netKWh", "Other"),
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
    field_name = f"{name}Phase{channel.phase}"
    return field_name, field_name, f"{value_type} Voltage Phase {channel.phase}"


def _field_name(channel_id: ChannelId) -> FieldName:
    channel = CHANNELS[channel_id]
    register, interval, value_type = _names(channel_id)
    unit, power, category = _UNITS[channel.unit]
    return FieldName(register, interval, unit, power, value_type, category, channel.flow.value, channel.phase, channel.name)


FIELD_NAMES: dict[ChannelId, FieldName] = {channel_id: _field_name(channel_id) for channel_id in CHANNELS}
