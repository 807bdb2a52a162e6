"""What a utility lays down for commands, whoever gives them: how fast many are carried out, and when nobody is disconnected. Pure."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from headend.calendars import MINUTES_PER_DAY, local_day, wall_instant
from headend.limits import PER_MINUTE, PER_ROUTER_PER_MINUTE

QUIET_DAYS_LOOKED_AT = 400
"""Days looked at for the end of quiet times: whoever is quiet for longer is quiet for good."""


@dataclass(frozen=True, slots=True)
class QuietTimes:
    """When no customer is disconnected, by clocks in `zone`.

    `hours` are spans of every day, minutes after midnight of their begin and end; one whose end is not after its begin ends the day after.
    `weekdays` (Monday is 0) and `days` are quiet from midnight to midnight. Days of 23 and 25 hours: see `calendars`.
    """

    zone: ZoneInfo
    hours: tuple[tuple[int, int], ...] = ()
    weekdays: frozenset[int] = frozenset()
    days: frozenset[date] = frozenset()

    def end(self, instant: datetime) -> datetime | None:
        """When the quiet time ends in which an instant is, with those that follow it without a break; None outside of any.

        A time that never ends ends after QUIET_DAYS_LOOKED_AT days.
        """
        after = instant
        while (ends := self._span_end(after)) is not None and ends - instant < timedelta(days=QUIET_DAYS_LOOKED_AT):
            after = ends
        return None if after == instant else after

    def _span_end(self, instant: datetime) -> datetime | None:
        """The latest end of the spans in which an instant is."""
        today = local_day(instant, self.zone)
        ends = [end for day in (today - timedelta(days=1), today) for begin, end in self._spans(day) if begin <= instant < end]
        return max(ends, default=None)

    def _spans(self, day: date) -> list[tuple[datetime, datetime]]:
        """Spans that begin on a local day."""
        following = day + timedelta(days=1)
        spans = []
        if day.weekday() in self.weekdays or day in self.days:
            spans.append((wall_instant(day, 0, self.zone), wall_instant(following, 0, self.zone)))
        for begin, end in self.hours:
            last = day if end > begin else following
            spans.append((wall_instant(day, begin, self.zone), wall_instant(last, end % MINUTES_PER_DAY, self.zone)))
        return spans


@dataclass(frozen=True, slots=True)
class CommandRules:
    """How fast many commands are begun, per minute behind one router and in all, and when nobody is disconnected.

    Commands that a person waits for, and endpoints that sleep, have no such pace.
    """

    per_router_per_minute: int = PER_ROUTER_PER_MINUTE
    per_minute: int = PER_MINUTE
    quiet: QuietTimes | None = None

    def quiet_end(self, instant: datetime) -> datetime | None:
        """When the quiet time ends in which an instant is; None outside of any."""
        return None if self.quiet is None else self.quiet.end(instant)
