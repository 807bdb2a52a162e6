"""Layouts of formattedBlocks: which columns there are, in which order, and the templates that have names.

A layout is for rows of meters, where each value has its own instant beside it, or for rows of instants, where one instant is that of all.
Source  reference/multispeak.md 7: separator, positions and field names as one vendor has them
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum, auto

from headend.model.channels import CHANNEL_BY_NAME, ChannelId
from headend.model.endpoint import Commodity
from headend.model.partner import EnergyUnit
from headend.model.selections import Quantities
from multispeak.field_names import DATE_TIME_UOM, FIELD_NAMES, FIELDS, PEAK_DEMAND, Field, peak_demand_unit, quantities_of


class ColumnKind(Enum):
    """What stands in a cell; every cell may be empty."""

    METER = auto()
    DEVICE = auto()
    ROW_TIME = auto()
    REGISTER = auto()
    REGISTER_TIME = auto()
    INTERVAL = auto()
    INTERVAL_TIME = auto()
    PEAK = auto()
    PEAK_TIME = auto()
    STATUS = auto()
    ERROR = auto()


@dataclass(frozen=True, slots=True)
class Column:
    """One column; `channels` are those whose value it may hold, which differ in their unit only."""

    kind: ColumnKind
    name: str
    channels: tuple[ChannelId, ...] = ()

    def uom(self, energy_unit: EnergyUnit, channel: ChannelId | None = None) -> str | None:
        """The unit of its cells, of one of its channels or of the first."""
        match self.kind:
            case ColumnKind.REGISTER | ColumnKind.INTERVAL:
                return FIELD_NAMES[energy_unit][self.channels[0] if channel is None else channel].unit
            case ColumnKind.PEAK:
                return peak_demand_unit(energy_unit)
            case ColumnKind.ROW_TIME | ColumnKind.REGISTER_TIME | ColumnKind.INTERVAL_TIME | ColumnKind.PEAK_TIME:
                return DATE_TIME_UOM
            case _:
                return None


@dataclass(frozen=True, slots=True)
class Layout:
    """Columns in order. `by_instant`: a row for each instant; else one for each meter."""

    columns: tuple[Column, ...]
    by_instant: bool


_HEAD = (Column(ColumnKind.METER, "meterNo"), Column(ColumnKind.DEVICE, "transponderID"))
_TAIL = (Column(ColumnKind.STATUS, "status"), Column(ColumnKind.ERROR, "errorString"))


def layout_of(fields: Sequence[Field], *, by_instant: bool, peak: bool = False) -> Layout:
    """The layout that tells some fields, in their order."""
    columns = list(_HEAD)
    if by_instant:
        columns.append(Column(ColumnKind.ROW_TIME, "readingDateTime"))
    for field in fields:
        columns += _field_columns(field, timed=not by_instant)
    if peak:
        columns += [Column(ColumnKind.PEAK, PEAK_DEMAND), Column(ColumnKind.PEAK_TIME, PEAK_DEMAND + "DateTime")]
    return Layout((*columns, *_TAIL), by_instant)


def _field_columns(field: Field, *, timed: bool) -> Iterable[Column]:
    value, time, channels = ColumnKind.REGISTER, ColumnKind.REGISTER_TIME, field.registers
    if field.intervals:
        value, time, channels = ColumnKind.INTERVAL, ColumnKind.INTERVAL_TIME, field.intervals
    yield Column(value, field.name, channels)
    if timed:
        yield Column(time, field.name + "DateTime", channels)


@dataclass(frozen=True, slots=True)
class Template:
    """A layout that has a name: what it tells of one commodity, for one use."""

    name: str
    commodity: Commodity
    fields: tuple[Field, ...]
    by_instant: bool
    peak: bool = False

    @property
    def layout(self) -> Layout:
        return layout_of(self.fields, by_instant=self.by_instant, peak=self.peak)

    @property
    def wanted(self) -> Quantities:
        return quantities_of(self.fields)


class Use(Enum):
    """What a block is for, where it was asked for by no template and no field names."""

    BILLING = auto()
    RATES = auto()
    LOAD_PROFILE = auto()
    VOLTAGE = auto()


def _registers(*channels: str) -> tuple[Field, ...]:
    names = FIELD_NAMES[EnergyUnit.KILOWATT_HOUR]
    return tuple(dict.fromkeys(FIELDS[names[CHANNEL_BY_NAME[channel].channel_id].register] for channel in channels))


def _intervals(*channels: str) -> tuple[Field, ...]:
    names = FIELD_NAMES[EnergyUnit.KILOWATT_HOUR]
    return tuple(dict.fromkeys(FIELDS[names[CHANNEL_BY_NAME[channel].channel_id].interval] for channel in channels))


_VOLTAGES = tuple(f"voltage_{statistic}_{phase}" for phase in "abc" for statistic in ("maximum", "minimum", "average"))
_POWER = ("energy_delivered", "energy_received", "energy_net", "reactive_delivered", "reactive_received")
_E, _G, _W = Commodity.ELECTRIC, Commodity.GAS, Commodity.WATER

TEMPLATES: dict[tuple[Commodity, Use], Template] = {
    (_E, Use.BILLING): Template("ElectricBilling", _E, _registers(*(name for name in _POWER if "net" not in name)), False, peak=True),
    (_E, Use.RATES): Template("ElectricTimeOfUse", _E, _registers("energy_delivered", *(f"energy_delivered_{t}" for t in "abcde")), False),
    (_E, Use.LOAD_PROFILE): Template("ElectricLoadProfile", _E, _intervals(*_POWER), True),
    (_E, Use.VOLTAGE): Template("ElectricVoltage", _E, _intervals(*_VOLTAGES), True),
    (_G, Use.BILLING): Template("GasBilling", _G, _registers("gas_volume", "gas_volume_ft3"), False),
    (_G, Use.LOAD_PROFILE): Template("GasLoadProfile", _G, _intervals("gas_volume", "gas_volume_ft3"), True),
    (_W, Use.BILLING): Template("WaterBilling", _W, _registers("water_volume", "water_volume_gal"), False),
    (_W, Use.LOAD_PROFILE): Template("WaterLoadProfile", _W, _intervals("water_volume", "water_volume_gal"), True),
}
TEMPLATES_BY_NAME: dict[str, Template] = {template.name: template for template in sorted(TEMPLATES.values(), key=lambda t: t.name)}
_BY_SMALL_LETTERS = {name.lower(): template for name, template in TEMPLATES_BY_NAME.items()}


def template_named(text: str) -> Template | None:
    """The template of a name; None for none of ours, which is no mistake: a name is a preference."""
    return _BY_SMALL_LETTERS.get(text.strip().lower())


def default_layout(commodities: Iterable[Commodity], use: Use, *, by_instant: bool, peak: bool) -> Layout:
    """What tells meters of some commodities for a use; a peak demand only where one is wanted."""
    templates = [TEMPLATES[c, use] for c in Commodity if c in set(commodities) and (c, use) in TEMPLATES]
    fields = [field for template in templates for field in template.fields]
    return layout_of(fields, by_instant=by_instant, peak=peak and any(template.peak for template in templates))


Channels = tuple[ChannelId | None, ...]
"""Which channel each column holds, where it may hold several; none where no column may."""


def cell_columns(columns: Sequence[Column], chosen: Channels, energy_unit: EnergyUnit) -> list[tuple[str, str | None]]:
    """(fieldName, uom) of each column, in order."""
    channels = chosen or (None,) * len(columns)
    return [(column.name, column.uom(energy_unit, channel)) for column, channel in zip(columns, channels, strict=True)]
