"""What happens to devices in the course of time: a seeded history, and what was done to them since."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np

from emulators.seeding import mix, mix_row
from headend.c1219.tables import MANUFACTURER
from headend.model.endpoint import Commodity

DAY: Final = 86_400
EVENT_OCTETS_STANDARD: Final = 10
EVENT_OCTETS_MANUFACTURER: Final = 3

POWER_DOWN, POWER_UP, CLOCK_OLD, CLOCK_NEW, PROCEDURE, TABLE_WRITTEN = 1, 2, 3, 4, 9, 10
DST_ON, DST_OFF, LOW_BATTERY, LOW_POTENTIAL, TAMPER, REVERSE, SWITCHED, SWITCHED_BY_CONDITION = 22, 23, 44, 45, 47, 48, 49, 51
TILT, MAGNET, LEAK, LEAK_END, BACKFLOW, BACKFLOW_END = (MANUFACTURER | n for n in (4, 5, 7, 8, 9, 10))

SUPPORTED: Final = frozenset(
    {1, 2, 3, 4, 9, 10, 18, 20, 21, 22, 23, 42, 44, 45, 47, 48, 49, 51, *(MANUFACTURER | n for n in (4, 5, 6, 7, 8, 9, 10, 18, 19))}
)
"""Codes that devices can log: the standard's, and our own for gas and water (Riva numbers, reference domain 5.2)."""


_DICE: Final = np.uint64(0xFFFFF)
"""Twenty bits of chance for each kind of event."""


class EventKind(NamedTuple):
    """One thing that may happen on a day: once in `days` days, for so many seconds where it has an end."""

    code: int
    days: int
    end_code: int = 0
    seconds: int = 0


_KINDS: Final = {
    Commodity.ELECTRIC: (EventKind(POWER_DOWN, 30, POWER_UP, 600), EventKind(LOW_POTENTIAL, 150), EventKind(TAMPER, 3_000)),
    Commodity.GAS: (EventKind(TILT, 600), EventKind(MAGNET, 2_500), EventKind(LOW_BATTERY, 4_000)),
    Commodity.WATER: (EventKind(LEAK, 90, LEAK_END, 30_000), EventKind(BACKFLOW, 300, BACKFLOW_END, 900), EventKind(LOW_BATTERY, 4_000)),
}


class LoggedEvent(NamedTuple):
    """One entry of a device's log, with its world second."""

    world: int
    code: int
    argument: int = 0


EVENT_NAMES: Final = {
    "power-down": POWER_DOWN,
    "power-up": POWER_UP,
    "low-battery": LOW_BATTERY,
    "low-potential": LOW_POTENTIAL,
    "tamper": TAMPER,
    "reverse": REVERSE,
    "tilt": TILT,
    "magnet": MAGNET,
    "leak": LEAK,
    "leak-end": LEAK_END,
    "backflow": BACKFLOW,
    "backflow-end": BACKFLOW_END,
}
"""What the control port calls them."""


def history(seed: int, index: int, commodity: Commodity, start: int, now: int) -> list[LoggedEvent]:
    """The seeded past of one device from `start` (a UTC midnight) to `now`, in time order."""
    events: list[LoggedEvent] = []
    first = start // DAY
    chance = mix_row(mix(seed, 61, index), np.arange(first, now // DAY + 1))
    for number, kind in enumerate(_KINDS[commodity]):
        dice = (chance >> np.uint64(20 * number)) & _DICE
        for day in np.flatnonzero(dice % np.uint64(kind.days) == 0).tolist():
            picked = mix(int(chance[day]), number)
            begin = (first + day) * DAY + picked % (DAY - kind.seconds - 60)
            events.append(LoggedEvent(begin, kind.code))
            if kind.end_code:
                events.append(LoggedEvent(begin + 1 + picked // DAY % kind.seconds, kind.end_code))
    events.sort()
    return [event for event in events if start <= event.world <= now]


def daylight_changes(zone: ZoneInfo, start: int, end: int) -> Iterator[LoggedEvent]:
    """When clocks that show local time changed over, found to the second."""
    from_offset = _daylight(zone, start)
    for day in range(start, end, DAY):
        low, high = day, min(day + DAY, end)
        if _daylight(zone, high) == from_offset:
            continue
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if _daylight(zone, middle) == from_offset else (low, middle)
        from_offset = not from_offset
        yield LoggedEvent(high, DST_ON if from_offset else DST_OFF)


def _daylight(zone: ZoneInfo, second: int) -> bool:
    return bool(datetime.fromtimestamp(second, UTC).astimezone(zone).dst())
