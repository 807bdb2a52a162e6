"""What a device remembers that time alone does not tell, and what all devices of a world share."""

from bisect import bisect_right
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from emulators.device_events import LoggedEvent, daylight_changes, history
from emulators.programs import MeterKind
from emulators.timeline import Timeline
from headend.c1219.clock import ClockKind
from headend.c1219.general_tables import MeterStatus
from headend.c1219.manufacturer_tables import SwitchPosition
from headend.model.endpoint import CONFIGURATIONS

EVENTS_MAX = 2_000
"""Caused events one device keeps: more than any log holds."""


NO_STATUS = MeterStatus(0)


@dataclass(slots=True)
class Motion:
    """A switch on its way: where to, when it gets there by the wire's clock, and the ST7 sequence that set it off, where one did."""

    to: SwitchPosition
    at: float
    sequence: int | None


@dataclass(slots=True)
class MeterState:
    """One device's memory; a new one is that of a device nothing was done to.

    `switch` is where the switch last came to rest, `motion` where it is going; one that is stuck does not get there. There are
    `back_feed_decivolts` behind an open one (None: they are not measured). `actuations` counts how often it was set off.
    `timeline` is None while the clock was never touched. `events` were caused, not seeded. `*_read` count entries marked read.
    `invocation_id` numbers what the device sends on its own.
    """

    timeline: Timeline | None = None
    events: tuple[LoggedEvent, ...] = ()
    switch: SwitchPosition = SwitchPosition.CLOSED
    switched: int | None = None
    motion: Motion | None = None
    switch_stuck: bool = False
    back_feed_decivolts: int | None = 0
    actuations: int = 0
    status: MeterStatus = NO_STATUS
    procedure_result: bytes = b""
    resets: int = 0
    self_reads_read: int = 0
    events_read: int = 0
    profile_read: tuple[int, ...] = ()
    invocation_id: int = 0
    replay: bytes = b""
    wake_ups: tuple[int, ...] = ()
    """When it wakes, in minutes of the day its clock shows; empty: by the phase it left the factory with."""
    silent_until: float = 0.0
    """Until when, on the wire's clock, it is rebooting."""

    def blocks_read(self, number: int) -> int:
        """Blocks of a set that were marked read."""
        return self.profile_read[number] if number < len(self.profile_read) else 0

    def log(self, event: LoggedEvent) -> None:
        """Remember an event; in time order, so that it keeps its number."""
        if len(self.events) < EVENTS_MAX:
            self.events = tuple(sorted((*self.events, event)))


class Midnights:
    """The utility's local midnights since history began, as UTC unix seconds."""

    __slots__ = ("_next", "_seconds", "_zone")

    def __init__(self, zone: ZoneInfo, start: int) -> None:
        self._zone = zone
        self._next = datetime.fromtimestamp(start, UTC).astimezone(zone).date() + timedelta(days=1)
        self._seconds: list[int] = []

    def _second(self, day: date) -> int:
        return int(datetime(day.year, day.month, day.day, tzinfo=self._zone).timestamp())

    def count(self, now: int) -> int:
        """How many there were up to `now`."""
        while not self._seconds or self._seconds[-1] <= now:
            self._seconds.append(self._second(self._next))
            self._next += timedelta(days=1)
        return bisect_right(self._seconds, now)

    def at(self, number: int) -> int:
        """One of them; ask only for those that were."""
        return self._seconds[number]

    def between(self, start: int, end: int) -> list[int]:
        """Those in [start, end]."""
        self.count(end)
        return [second for second in self._seconds if start <= second <= end]


class DeviceContext:
    """What all devices of a world share: seed, zone, where history begins."""

    __slots__ = ("_daylight", "_daylight_until", "history_start", "midnights", "seed", "zone")

    def __init__(self, seed: int, zone: ZoneInfo, history_start: int) -> None:
        self.seed = seed
        self.zone = zone
        self.history_start = history_start
        self.midnights = Midnights(zone, history_start)
        self._daylight: list[LoggedEvent] = []
        self._daylight_until = history_start

    def events(self, index: int, kind: MeterKind, state: MeterState, now: int) -> list[LoggedEvent]:
        """The log of one device from the beginning of history to `now`."""
        events = history(self.seed, index, CONFIGURATIONS[kind.configuration].commodity, self.history_start, now)
        if kind.form.shown is ClockKind.WALL:
            events += [event for event in self._daylight_events(now) if event.world <= now]
        events += [event for event in state.events if event.world <= now]
        events.sort()
        return events

    def _daylight_events(self, now: int) -> list[LoggedEvent]:
        if now > self._daylight_until:
            end = now + 40 * 86_400
            self._daylight += daylight_changes(self.zone, self._daylight_until, end)
            self._daylight_until = end
        return self._daylight
