"""Which channel of the catalogue a register or profile channel of a meter is: told by unit, flow, statistic and phase."""

from headend.c1219.manufacturer_tables import PhaseCode, StatisticCode
from headend.c1219.source_tables import Direction, UnitCode, UnitOfMeasure
from headend.model.channels import CHANNELS, Channel, ChannelId, Flow, Statistic, Unit

WATER_UNITS = {1: Unit.CUBIC_METRE, 2: Unit.GALLON}
"""Our own unit codes (ST12 with NFS set) of water: no public source has the standard's."""

_UNITS = {
    UnitCode.WATT: Unit.WATT_HOUR,
    UnitCode.VAR: Unit.VAR_HOUR,
    UnitCode.VOLT_RMS: Unit.VOLT,
    UnitCode.GAS_M3: Unit.CUBIC_METRE,
    UnitCode.GAS_M3_CORRECTED: Unit.CUBIC_METRE,
    UnitCode.GAS_FT3: Unit.CUBIC_FOOT,
    UnitCode.GAS_FT3_CORRECTED: Unit.CUBIC_FOOT,
}
_STATISTICS = {
    StatisticCode.TOTAL: Statistic.TOTAL,
    StatisticCode.NET: Statistic.NET,
    StatisticCode.MAXIMUM: Statistic.MAXIMUM,
    StatisticCode.MINIMUM: Statistic.MINIMUM,
    StatisticCode.AVERAGE: Statistic.AVERAGE,
}
_FLOWS = {Direction.DELIVERED: Flow.DELIVERED, Direction.RECEIVED: Flow.RECEIVED, Direction.NET: Flow.NET}
_PHASES = {PhaseCode.ALL: "", PhaseCode.A: "A", PhaseCode.B: "B", PhaseCode.C: "C"}

_TIERS = ("", "A", "B", "C", "D", "E")

_Meaning = tuple[bool, Unit, Statistic, Flow, str, str]
_CATALOGUE: dict[_Meaning, ChannelId] = {
    (c.name.startswith("water"), c.unit, c.statistic, c.flow, c.phase, c.tier): c.channel_id for c in CHANNELS.values()
}


def channel_of(
    unit: UnitOfMeasure | None, statistic: StatisticCode = StatisticCode.TOTAL, phase: PhaseCode = PhaseCode.ALL, tier: int = 0
) -> Channel | None:
    """The catalogue's channel; None where it has none. `tier` counts from 1 as the meter's tiers do, 0 is the total."""
    if unit is None or tier >= len(_TIERS):
        return None
    measured = WATER_UNITS.get(unit.code) if unit.own_code else _UNITS.get(UnitCode(unit.code)) if unit.code in _UNITS else None
    if measured is None:
        return None
    kept = _STATISTICS[statistic]
    flow = _FLOWS.get(unit.direction, Flow.NONE)
    if measured not in {Unit.WATT_HOUR, Unit.VAR_HOUR, Unit.VOLT}:
        flow = Flow.DELIVERED
    elif flow is Flow.NET and kept is Statistic.TOTAL:
        kept = Statistic.NET
    channel_id = _CATALOGUE.get((unit.own_code, measured, kept, flow, _PHASES[phase], _TIERS[tier]))
    return None if channel_id is None else CHANNELS[channel_id]
