"""One meter at one moment: the octets of its tables, made when they are asked for.

What time alone decides (consumption, self-reads, the seeded history of events) is computed; what was done to the device since (clock
set, events caused, switch moved) is its `MeterState`, which most devices of a world never get.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from emulators.device_events import SUPPORTED, LoggedEvent
from emulators.load_curve import Consumer
from emulators.meter_state import DeviceContext, MeterState
from emulators.population import Identity
from emulators.profile import BlockWriter, Place, newest
from emulators.programs import MeterKind, identification
from emulators.rates import PeakCounter
from emulators.timeline import Timeline
from emulators.wake_phases import factory_wake_ups
from headend.c1219 import tables
from headend.c1219.clock import ClockKind, TimeBase
from headend.c1219.clock_tables import ClockState, MeterClock
from headend.c1219.event_log_tables import LOG_HEADER_OCTETS, LogControl, LogEntry, LogStatus, encode_events_identified
from headend.c1219.general_tables import DeviceIdentification, ModeStatus
from headend.c1219.load_profile_tables import ProfileStatus, SetStatus
from headend.c1219.manufacturer_tables import SwitchPosition, SwitchState, WakeUps
from headend.c1219.register_layout import SELF_READ_HEADER_OCTETS
from headend.c1219.register_tables import DatedRegisters, RegisterBlock, RegisterValues
from headend.c1219.tables import ST_PROFILE_SET_1

LOAD_SIDE_DECIVOLTS = 2_400


class NoTableError(Exception):
    """The device has no such table."""


class _Ring(NamedTuple):
    """A table that is a header and a ring of equal elements."""

    head: int
    size: int
    elements: int

    def octets(self, offset: int, count: int | None, make: Callable[[int, int], bytes]) -> bytes:
        """Octets of the table; `make` gives (first element, how many), and the header as element -1."""
        head, size = self.head, self.size
        end = head + size * self.elements
        stop = end if count is None else min(offset + count, end)
        if offset >= stop:
            return b""
        octets = make(-1, 0) if offset < head else b""
        start = 0 if offset < head else head + (offset - head) // size * size
        first = max(0, (offset - head) // size)
        last = -(-(stop - head) // size)
        if last > first:
            octets += make(first, last - first)
        return octets[offset - start : stop - start]


class Meter:
    """The tables of one device at world second `now`."""

    __slots__ = ("_context", "_events", "_made", "_peak", "_places", "consumer", "identity", "kind", "now", "state", "timeline")

    def __init__(
        self, context: DeviceContext, identity: Identity, kind: MeterKind, consumer: Consumer, *, state: MeterState, now: int
    ) -> None:
        self._context = context
        self.identity = identity
        self.kind = kind
        self.consumer = consumer
        self.state = state
        self.now = now
        self.timeline: Timeline = state.timeline or kind.timeline
        self._events: tuple[tuple[LoggedEvent, ...], list[LoggedEvent]] | None = None
        self._made: dict[int, bytes] = {}
        self._places: dict[int, Place | None] = {}
        self._peak: PeakCounter | None = None

    @property
    def time_base(self) -> TimeBase:
        """How the device's stamps relate to its own UTC."""
        return TimeBase(self.kind.form.shown, self.zone)

    @property
    def wake_ups(self) -> tuple[int, ...]:
        """Minutes of the day its clock shows at which it wakes."""
        if self.state.wake_ups:
            return self.state.wake_ups
        ahead = self.stamp(self.device_now) - self.device_now
        return tuple(sorted((phase + ahead) % 86_400 // 60 for phase in factory_wake_ups(self._context.seed, self.identity.index)))

    @property
    def zone(self) -> ZoneInfo:
        """The utility's."""
        return self._context.zone

    def read(self, table: int, offset: int, count: int) -> bytes:
        """Part of a table that lies within its size (the TableImage of headend.c1219.access)."""
        return self.octets(table, offset, count)

    def size(self, table: int) -> int | None:
        """Octets of a table; None where the device has none of this number."""
        constant = self.kind.tables.get(table)
        if constant is not None:
            return len(constant)
        if table not in self.kind.general.tables:
            return None
        if 0 <= table - ST_PROFILE_SET_1 < len(self.kind.specs):
            spec = self.kind.specs[table - ST_PROFILE_SET_1]
            return spec.blocks * spec.block_octets
        if table == 26:
            return self.kind.registers.self_reads_size
        if table == 76:
            return self.kind.events.table_size()
        return len(self.table(table))

    def table(self, table: int) -> bytes:
        """All octets of a table. Raises NoTableError."""
        return self.octets(table, 0, None)

    def octets(self, table: int, offset: int, count: int | None) -> bytes:
        """`count` octets of a table from `offset` on (None: to its end); of large tables only what they touch is made."""
        constant = self.kind.tables.get(table)
        if constant is not None:
            return constant[offset : None if count is None else offset + count]
        if table not in self.kind.general.tables:
            raise NoTableError
        if 0 <= table - ST_PROFILE_SET_1 < len(self.kind.specs):
            number = table - ST_PROFILE_SET_1
            spec = self.kind.specs[number]
            ring = _Ring(0, spec.block_octets, spec.blocks)
            return ring.octets(offset, count, lambda e, n: self._ring_blocks(number, e, n))
        if table == 26:
            registers = self.kind.registers
            return _Ring(SELF_READ_HEADER_OCTETS, registers.entry_size, registers.self_reads).octets(offset, count, self._self_reads)
        if table == 76:
            events = self.kind.events
            return _Ring(LOG_HEADER_OCTETS, events.entry_size, events.dimensions.events).octets(offset, count, self._log_entries)
        octets = self._made.get(table)
        if octets is None:
            octets = self._made[table] = self._make(table)
        return octets[offset : None if count is None else offset + count]

    def _make(self, table: int) -> bytes:
        kind = self.kind
        match table:
            case 1:
                return identification(kind.form, self.identity.serial_no)
            case 3:
                return ModeStatus(status=self.state.status).encode(kind.general)
            case 5:
                return DeviceIdentification(self.identity.meter_no).encode(kind.form.formats)
            case 8:
                return self.state.procedure_result
            case 23:
                return kind.registers.encode_current(self._register_values(self.now))
            case 52:
                return self._clock().encode(kind.form.formats)
            case 55:
                return ClockState(self._clock()).encode(kind.form.formats)
            case 63:
                return self._profile_status()
            case 72:
                return encode_events_identified(SUPPORTED, kind.events.dimensions)
            case 75:
                return LogControl(events=SUPPORTED).encode(kind.general, kind.events.dimensions)
            case tables.MT_WAKE_UPS:
                return WakeUps(self.wake_ups).encode(kind.form.formats)
            case tables.MT_SWITCH_STATE:
                return self._switch()
        return b""

    def changed(self) -> None:
        """The device's state was changed: what was made of it before is made again."""
        self.timeline = self.state.timeline or self.kind.timeline
        self._made.clear()
        self._places.clear()

    # --- clock, status, registers -----------------------------------------------------------------------------------

    @property
    def device_now(self) -> int:
        """What the device takes for UTC, in unix seconds."""
        return self.timeline.device(self.now)

    def stamp(self, device: int) -> int:
        """Device UTC as the device's clock shows it."""
        if self.kind.form.shown is ClockKind.UTC:
            return device
        return self.time_base.from_utc(datetime.fromtimestamp(device, UTC))[0]

    def _clock(self) -> MeterClock:
        return MeterClock(self.stamp(self.device_now), self.time_base.qualifier(datetime.fromtimestamp(self.device_now, UTC)))

    def _switch(self) -> bytes:
        state = self.state
        position = state.switch if state.motion is None else SwitchPosition.MOVING
        voltage = LOAD_SIDE_DECIVOLTS if position is SwitchPosition.CLOSED else state.back_feed_decivolts
        changed = None if state.switched is None else self.stamp(state.switched)
        return SwitchState(position, voltage, changed).encode(self.kind.form.formats)

    def register(self, world: int) -> int:
        """The register's total at a world second, in the load curves' unit."""
        return self.consumer.total_at(self.kind.register_channel, world)

    def tiers(self, world: int) -> tuple[int, ...]:
        """The same of each rate of time of use; none where it has no such registers."""
        if not self.kind.tiers:
            return ()
        if self._peak is None:
            self._peak = PeakCounter(self.register, self._context.midnights, self.zone)
        peak = self._peak.at(world)
        return peak, self.register(world) - peak

    def _register_values(self, world: int) -> RegisterValues:
        exponent = self.kind.register_exponent
        total, *tiers = (RegisterBlock(((value, exponent),)) for value in (self.register(world), *self.tiers(world)))
        return RegisterValues(total, tuple(tiers), self.state.resets)

    def self_read_count(self) -> int:
        """Midnights the device has seen since its history began: their self-reads are numbered from 0."""
        return self._context.midnights.count(self.device_now)

    def self_read(self, sequence: int) -> tuple[int, int]:
        """(device UTC, world second) of one midnight."""
        midnight = self._context.midnights.at(sequence)
        return midnight, self.timeline.world_of(midnight)

    def _self_reads(self, element: int, count: int) -> bytes:
        registers, taken = self.kind.registers, self.self_read_count()
        ring = registers.self_reads
        if element < 0:
            unread = min(255, max(0, taken - self.state.self_reads_read))
            last = (taken - 1) % ring if taken else 0
            return self.kind.form.formats.pack(26, "BBBHB", 4, min(taken, ring), last, max(0, taken - 1), min(unread, ring))
        return b"".join(self._self_read_octets(self._in_ring(e, taken, ring)) for e in range(element, element + count))

    def _self_read_octets(self, sequence: int | None) -> bytes:
        if sequence is None:
            return bytes(self.kind.registers.entry_size)
        midnight, world = self.self_read(sequence)
        values = self._register_values(world)
        return self.kind.registers.encode_self_read(DatedRegisters(values, self.stamp(midnight), 0, sequence & 0xFFFF))

    @staticmethod
    def _in_ring(element: int, count: int, ring: int) -> int | None:
        """The newest number below `count` that stands at `element` of a ring; None for a place never used."""
        sequence = count - 1 - (count - 1 - element) % ring
        return sequence if sequence >= 0 and count else None

    # --- load profile -----------------------------------------------------------------------------------------------

    def place(self, number: int) -> Place | None:
        """The newest block of a set."""
        if number not in self._places:
            self._places[number] = newest(self.timeline.runs[number], self.kind.specs[number].intervals, self.now)
        return self._places[number]

    def _profile_status(self) -> bytes:
        sets = []
        for number, spec in enumerate(self.kind.specs):
            place = self.place(number)
            if place is None:
                sets.append(SetStatus(intervals_descending=spec.descending))
                continue
            valid = min(place.blocks, spec.blocks)
            unread = min(valid, max(0, place.blocks - self.state.blocks_read(number)))
            sets.append(SetStatus(valid, place.element(spec.blocks), place.seq, unread, place.valid, intervals_descending=spec.descending))
        return ProfileStatus(tuple(sets)).encode(self.kind.form.formats)

    def writer(self, number: int) -> BlockWriter:
        """Writes blocks of a set."""
        formats = self.kind.form.formats
        exponent = self.kind.register_exponent
        return BlockWriter(
            self.kind.specs[number],
            self.timeline.runs[number],
            self.consumer,
            self.zone,
            stamp=lambda device: formats.time.pack_stime(self.stamp(device)),
            reading=lambda total: formats.pack_number(64, formats.ni1, (total, exponent)),
        )

    def _ring_blocks(self, number: int, element: int, count: int) -> bytes:
        """Elements of the ring: at most two stretches of consecutive blocks."""
        spec = self.kind.specs[number]
        place = self.place(number)
        if place is None:
            return bytes(count * spec.block_octets)
        writer = self.writer(number)
        octets = b""
        while count:
            sequence = self._in_ring(element, place.blocks, spec.blocks)
            newest_element = place.element(spec.blocks)
            stretch = min(count, newest_element - element + 1 if element <= newest_element else spec.blocks - element)
            octets += bytes(stretch * spec.block_octets) if sequence is None else writer.blocks(sequence, stretch, self.now)
            element, count = element + stretch, count - stretch
        return octets

    # --- event log --------------------------------------------------------------------------------------------------

    def events(self) -> list[LoggedEvent]:
        """All events of the device up to now, in order; the place in the list is the sequence number."""
        if self._events is None or self._events[0] is not self.state.events:
            self._events = self.state.events, self._context.events(self.identity.index, self.kind, self.state, self.now)
        return self._events[1]

    def log_entry(self, sequence: int, event: LoggedEvent) -> bytes:
        """One ST76 entry."""
        octets = self.kind.events.dimensions.event_data_octets
        argument = event.argument.to_bytes(octets, "little" if self.kind.form.formats.little else "big")
        shown = self.stamp(self.timeline.device(event.world))
        return self.kind.events.encode_entry(LogEntry(event.code, shown, sequence & 0xFFFF, 0, argument, sequence & 0xFFFF))

    def _log_entries(self, element: int, count: int) -> bytes:
        events = self.events()
        ring = self.kind.events.dimensions.events
        if element < 0:
            held = len(events)
            flags = 4 | (2 if held > ring else 0)
            unread = min(held, ring, max(0, held - self.state.events_read))
            last = (held - 1) % ring if held else 0
            return self.kind.events.encode_status(LogStatus(min(held, ring), last, max(0, held - 1), unread, flags))
        octets = []
        for place in range(element, element + count):
            sequence = self._in_ring(place, len(events), ring)
            octets.append(bytes(self.kind.events.entry_size) if sequence is None else self.log_entry(sequence, events[sequence]))
        return b"".join(octets)
