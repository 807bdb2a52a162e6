"""Load-profile blocks of an emulated meter: any number of them made at once, by one structured numpy array.

Layout  block: BLK_END_TIME | end readings: NI1 × channels? | simple status? | intervals × {extended status? | value × channels}
Source  reference/field-protocol-c1222.md 3, load-profile block; headend/c1219 decodes them
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from emulators.load_curve import Consumer
from emulators.timeline import DST_BIT, SKIPPED, Run
from emulators.weather import ORIGIN, QUARTER

Rows = NDArray[np.int64]
_VOLTAGE_ROWS = {f"voltage_{s}_{p}": 3 * n + i for n, p in enumerate("abc") for i, s in enumerate(("maximum", "minimum", "average"))}


class StatusForm(Enum):
    """How a set tells what is wrong with an interval."""

    NONE = "none"
    SIMPLE = "simple"
    EXTENDED = "extended"


@dataclass(frozen=True)
class ProfileSpec:
    """One load-profile set of an emulated model.

    `channels` name the catalogue's; raw = quantity × `scale`, a quantity being Wh, varh, 0.1 V or dm³. `value` is a numpy code of one
    value in the meter's byte order (`<u2`). `phase_seconds` is where in a UTC day blocks begin.
    """

    channels: tuple[str, ...]
    interval_seconds: int
    blocks: int
    intervals: int
    value: str
    scale: tuple[int, ...]
    status: StatusForm = StatusForm.EXTENDED
    descending: bool = False
    end_readings: bool = False
    stamp_octets: int = 4
    reading_octets: int = 0
    observes_dst: bool = False
    phase_seconds: int = 0

    @cached_property
    def layout(self) -> np.dtype[Any]:
        """One block as a numpy structure."""
        count = len(self.channels)
        fields: list[Any] = [("end", f"V{self.stamp_octets}")]
        if self.end_readings:
            fields.append(("readings", f"V{self.reading_octets}", (count,)))
        if self.status is StatusForm.SIMPLE:
            fields.append(("simple", "u1", ((self.intervals + 7) // 8,)))
        slot: list[Any] = [("status", "u1", (count // 2 + 1,))] if self.status is StatusForm.EXTENDED else []
        fields.append(("slots", [*slot, ("values", self.value, (count,))], (self.intervals,)))
        return np.dtype(fields)

    @property
    def block_octets(self) -> int:
        """Octets of one block."""
        return int(self.layout.itemsize)

    @property
    def is_voltage(self) -> bool:
        """Whether the set holds voltages, which are states, not consumption."""
        return self.channels[0].startswith("voltage")


@dataclass(frozen=True, slots=True)
class Place:
    """Where the newest block of a set is: its run, its sequence number, how many of its slots are over; how many blocks exist."""

    run: int
    seq: int
    valid: int
    blocks: int

    def element(self, ring: int) -> int:
        """Its place in a ring of so many blocks."""
        return self.seq % ring


def newest(runs: Sequence[Run], intervals: int, world: int) -> Place | None:
    """The newest block at a world instant; None before the first slot is over."""
    for number in range(len(runs) - 1, -1, -1):
        run = runs[number]
        done = run.slots_done(world) if run.began < world else 0
        if done > 0:
            full, valid = divmod(done - 1, intervals)
            seq = run.first_seq + full
            cut = run.ended is not None and world >= run.ended
            return Place(number, seq, intervals if cut else valid + 1, seq + 1)
    return None


def slot_rows(consumer: Consumer, spec: ProfileSpec, run: Run, first: int, stop: int) -> Rows:
    """Quantities of slots [first, stop) of a run: one row for each channel."""
    if spec.is_voltage:
        return _voltage_rows(consumer, spec, run, first, stop)
    start = run.start + first * run.length
    if run.is_plain and run.length % QUARTER == 0 and (start - ORIGIN) % QUARTER == 0:
        at, step, count = (start - ORIGIN) // QUARTER, run.length // QUARTER, stop - first + 1
        return _differences([consumer.totals(channel, at, count, step) for channel in spec.channels])
    if run.is_plain:
        bounds = run.start + np.arange(first, stop + 1) * run.length
    else:
        bounds = np.array([run.world_of(run.start + slot * run.length) for slot in range(first, stop + 1)])
    return _differences([_totals_at(consumer, channel, bounds) for channel in spec.channels])


def _differences(totals: list[Rows]) -> Rows:
    """What each channel used between its totals."""
    rows = [total[1:] - total[:-1] for total in totals]
    return rows[0][None, :] if len(rows) == 1 else np.stack(rows)


def _totals_at(consumer: Consumer, channel: str, seconds: Rows) -> Rows:
    if channel == "energy_net":
        return consumer.totals_at("energy_delivered", seconds) - consumer.totals_at("energy_received", seconds)
    return consumer.totals_at(channel, seconds)


def _voltage_rows(consumer: Consumer, spec: ProfileSpec, run: Run, first: int, stop: int) -> Rows:
    rows = [_VOLTAGE_ROWS[channel] for channel in spec.channels]
    phases = 3 if len(rows) > 3 else 1
    if run.is_plain:
        voltages = consumer.voltage(first + (run.start - ORIGIN) // QUARTER, stop - first, phases)
        return voltages if rows == list(range(3 * phases)) else voltages[rows]
    quarters = np.array([run.world_of(run.start + slot * run.length) - ORIGIN for slot in range(first, stop)]) // QUARTER
    low = int(quarters.min())
    return consumer.voltage(low, int(quarters.max()) - low + 1, phases)[rows][:, quarters - low]


def slot_codes(spec: ProfileSpec, run: Run, first: int, stop: int, zone: ZoneInfo) -> NDArray[np.uint8]:
    """Status of slots [first, stop): common bits in the high nibble, code in the low one."""
    codes = np.zeros(stop - first, dtype=np.uint8)
    if spec.observes_dst:
        ends = range(run.start + (first + 1) * run.length, run.start + stop * run.length + 1, run.length)
        if _is_dst(ends[0], zone) == _is_dst(ends[-1], zone):
            codes |= DST_BIT << 4 if _is_dst(ends[0], zone) else 0
        else:
            codes |= np.fromiter((DST_BIT << 4 if _is_dst(end, zone) else 0 for end in ends), np.uint8, stop - first)
    for slot, mark in run.marks:
        if first <= slot < stop:
            codes[slot - first] |= mark.bits << 4 | mark.code
    return codes


def _is_dst(second: int, zone: ZoneInfo) -> bool:
    return bool(datetime.fromtimestamp(second, UTC).astimezone(zone).dst())


@dataclass(frozen=True, slots=True)
class BlockWriter:
    """Writes blocks of one set of one device.

    `stamp` makes BLK_END_TIME of a device second; `reading` makes an end reading's octets of a running total.
    """

    spec: ProfileSpec
    runs: Sequence[Run]
    consumer: Consumer
    zone: ZoneInfo
    stamp: Callable[[int], bytes]
    reading: Callable[[int], bytes]

    def blocks(self, first_seq: int, count: int, world: int) -> bytes:
        """`count` blocks from `first_seq` on, as they are at `world`; what is not recorded yet is zero."""
        octets = b""
        place = newest(self.runs, self.spec.intervals, world)
        while count > 0:
            number = max((n for n, r in enumerate(self.runs) if r.first_seq <= first_seq), default=0)
            run = self.runs[number]
            end = self.runs[number + 1].first_seq if number + 1 < len(self.runs) else first_seq + count
            here = min(count, end - first_seq)
            if place is None or first_seq > place.seq or first_seq < 0:
                octets += bytes(here * self.spec.block_octets)
            else:
                recorded = min(here, place.seq - first_seq + 1)
                octets += self._run_blocks(run, first_seq - run.first_seq, recorded, run.slots_done(world))
                octets += bytes((here - recorded) * self.spec.block_octets)
            first_seq, count = first_seq + here, count - here
        return octets

    def _run_blocks(self, run: Run, block: int, count: int, done: int) -> bytes:
        spec = self.spec
        intervals = spec.intervals
        first, stop = block * intervals, min((block + count) * intervals, done)
        whole = count * intervals
        blocks = np.zeros(count, dtype=spec.layout)
        values = np.zeros((whole, len(spec.channels)), dtype=spec.value)
        rows = slot_rows(self.consumer, spec, run, first, stop)
        values[: stop - first] = (rows if set(spec.scale) == {1} else rows * np.array(spec.scale)[:, None]).T
        codes = np.zeros(whole, dtype=np.uint8)
        if run.marks or run.ended is not None or spec.observes_dst:
            codes[: stop - first] = slot_codes(spec, run, first, stop, self.zone)
            if run.ended is not None:
                codes[stop - first :] = SKIPPED
        slots = blocks["slots"]
        filled = whole if run.ended is not None else stop - first
        slots["values"] = self._ordered(values.reshape(count, intervals, -1), filled)
        if spec.status is StatusForm.EXTENDED and codes.any():
            self._put_status(slots["status"], self._ordered(codes.reshape(count, intervals), filled))
        elif spec.status is StatusForm.SIMPLE:
            recorded = (np.arange(whole) < stop - first).reshape(count, intervals)
            blocks["simple"] = np.packbits(self._ordered(recorded, filled), axis=1, bitorder="little")
        self._put_ends(blocks, run, block, count, stop)
        return blocks.tobytes()

    def _ordered(self, slots: NDArray[Any], filled: int) -> NDArray[Any]:
        """Newest interval first where the set is kept so; a partly filled block begins with its newest valid one."""
        if not self.spec.descending:
            return slots
        turned = slots[:, ::-1].copy()
        valid = filled - (len(slots) - 1) * self.spec.intervals
        if valid < self.spec.intervals:
            turned[-1] = np.roll(turned[-1], valid - self.spec.intervals, axis=0)
        return turned

    @staticmethod
    def _put_status(status: NDArray[Any], codes: NDArray[np.uint8]) -> None:
        """Layout  common bits | channel 1, then channel 2 | channel 3, …: nibbles, high first."""
        count = status.shape[-1]
        status[..., 0] = codes
        for octet in range(1, count):
            status[..., octet] = (codes & 15) * 0x11

    def _put_ends(self, blocks: NDArray[Any], run: Run, block: int, count: int, stop: int) -> None:
        spec = self.spec
        for i in range(count):
            slots = (block + i + 1) * spec.intervals
            if run.ended is None:
                slots = min(slots, stop)
            end = run.start + slots * run.length
            blocks["end"][i] = np.void(self.stamp(end))
            if spec.end_readings:
                world = run.world_of(end)
                for n, channel in enumerate(spec.channels):
                    total = 0 if spec.is_voltage else self.consumer.total_at(channel, world)
                    blocks["readings"][i, n] = np.void(self.reading(total))
