"""What a head-end should end up with: the registers and intervals that an endpoint's tables hold now, exactly."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from emulators.meter import Meter
from emulators.models import quantity_exponent
from emulators.profile import ProfileSpec, StatusForm, slot_codes, slot_rows
from emulators.timeline import Run
from headend.c1219.interval_status import FIRST_FLAGS
from headend.model.endpoint import CONFIGURATIONS
from headend.model.readings import IntervalFlag

_Slots = dict[int, tuple[int, int, list[int]]]
"""end (unix seconds) → (interval seconds, flags, quantity of each channel)"""


def endpoint_truth(meter: Meter, start: int, end: int) -> dict[str, Any]:
    """One endpoint as JSON.

    Layout  meter_no, configuration, model; registers: [{channel, instant, quantity}] at local midnights in [start, end]; intervals:
            [{channel, values: [[end, interval seconds, quantity | null, flags], …]}] with ends in (start, end]
    Units   quantities as exact decimals in the channel's unit; instants ISO 8601 UTC; flags are IntervalFlag bits
    """
    names = CONFIGURATIONS[meter.kind.configuration].registers
    registers = [
        {"channel": channel, "instant": _iso(instant), "quantity": _exact(value, quantity_exponent(channel))}
        for instant, values in _midnight_registers(meter, start, end)
        for channel, value in zip(names, values, strict=False)
    ]
    intervals: list[dict[str, Any]] = []
    for number, spec in enumerate(meter.kind.specs):
        slots = [(_iso(at), seconds, flags, row) for at, seconds, flags, row in _with_gaps(_slots(meter, number, start, end))]
        for place, name in enumerate(spec.channels):
            exponent = quantity_exponent(name)
            values = [[at, seconds, _exact(row[place], exponent) if row else None, flags] for at, seconds, flags, row in slots]
            intervals.append({"channel": name, "values": values})
    return {
        "meter_no": meter.identity.meter_no,
        "configuration": meter.kind.configuration,
        "model": meter.kind.form.name,
        "registers": registers,
        "intervals": intervals,
    }


def _midnight_registers(meter: Meter, start: int, end: int) -> Iterator[tuple[int, tuple[int, ...]]]:
    count = meter.self_read_count()
    for sequence in range(max(0, count - meter.kind.registers.self_reads), count):
        midnight, world = meter.self_read(sequence)
        if start <= midnight <= end:
            yield midnight, (meter.register(world), *meter.tiers(world))


def _slots(meter: Meter, number: int, start: int, end: int) -> _Slots:
    """Slots of a set that the device holds, the newest record of each."""
    spec, place = meter.kind.specs[number], meter.place(number)
    found: _Slots = {}
    if place is None:
        return found
    oldest = place.blocks - spec.blocks
    for run in meter.timeline.runs[number]:
        first = max(0, (oldest - run.first_seq) * spec.intervals, -((run.start - start) // run.length) - 1)
        stop = min(run.slots_done(meter.now) if run.began < meter.now else 0, (end - run.start) // run.length)
        if first < stop:
            found.update(_run_slots(meter, spec, run, range(first, stop)))
    return {at: slot for at, slot in found.items() if at > start}


def _run_slots(meter: Meter, spec: ProfileSpec, run: Run, slots: range) -> _Slots:
    rows = slot_rows(meter.consumer, spec, run, slots.start, slots.stop)
    codes: Iterable[int] = [0] * len(slots)
    if spec.status is StatusForm.EXTENDED:
        codes = slot_codes(spec, run, slots.start, slots.stop, meter.zone).tolist()
    return {
        run.start + (slot + 1) * run.length: (run.length, FIRST_FLAGS[code], row)
        for slot, code, row in zip(slots, codes, rows.T.tolist(), strict=True)
    }


def _with_gaps(slots: _Slots) -> Iterator[tuple[int, int, int, list[int]]]:
    """Slots in order of time; what lies between two that do not meet is a gap without values, in steps of the later one's length."""
    before: int | None = None
    for at in sorted(slots):
        length, flags, row = slots[at]
        if before is not None:
            for missing in range(at - (at - before - 1) // length * length, at, length):
                if missing > before:
                    yield missing, length, int(IntervalFlag.MISSING), []
        yield at, length, flags, row
        before = at


def _exact(value: int, exponent: int) -> str:
    return str(value) if exponent == 0 else f"{Decimal(value).scaleb(exponent):f}"


def _iso(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).isoformat()
