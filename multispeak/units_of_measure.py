"""uomData of a request: which values are told in that unit."""

from dataclasses import dataclass

from headend.model.partner import EnergyUnit
from headend.model.selections import VOLTAGES, Quantities, quantities
from multispeak.faults import FaultCode, RefusedCallError
from multispeak.field_names import FIELD_NAMES


@dataclass(frozen=True, slots=True)
class Measured:
    """What is told in a unit, and which energy unit that makes the answer's."""

    wanted: Quantities
    energy_unit: EnergyUnit


def measured_in(uom: str, energy_unit: EnergyUnit) -> Measured:
    """Registers of channels with a unit; the intervals of those that have no registers. The partner's own energy unit goes first.

    Raises  RefusedCallError naming a unit that nothing is told in, and those there are
    """
    for told in (energy_unit, *EnergyUnit):
        names = FIELD_NAMES[told]
        channels = [c for c, name in names.items() if name.unit.lower() == uom.strip().lower()]
        if channels:
            return Measured(quantities(set(channels) - VOLTAGES, set(channels) & VOLTAGES), told)
    units = sorted({name.unit for names in FIELD_NAMES.values() for name in names.values()})
    raise RefusedCallError(FaultCode.UNKNOWN_UNIT, f"nothing is told in uomData {uom[:80]!r}; there are {', '.join(units)}")
