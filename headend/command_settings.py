"""How commands are given, as a settings file says it, per utility: pace of many, quiet times, and who may go against what holds back."""

import re
from datetime import date
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator

from headend.calendars import MINUTES_PER_DAY
from headend.limits import PACE_MAX, PER_MINUTE, PER_ROUTER_PER_MINUTE
from headend.model.command_rules import CommandRules, QuietTimes
from headend.settings_section import Section

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
QUIET_MAX = 1_000
"""Quiet hours and quiet days, each: years of holidays."""

_HOURS = re.compile(r"([01]?\d|2[0-4]):([0-5]\d)-([01]?\d|2[0-4]):([0-5]\d)")


class CommandSettings(Section):
    """Commands of batches are begun at most `per_router_per_minute` behind one router and `per_minute` in all.

    Nobody is disconnected in `quiet_hours` (`21:00-08:00`, of each day) and on `quiet_days` (`friday`, `2026-12-25`), utility-local.
    `may_override` are the login names who may, with a reason, disconnect then and where the protected list forbids it, and connect a meter
    although there is voltage behind its switch.
    """

    may_override: tuple[str, ...] = ()
    per_router_per_minute: int = Field(default=PER_ROUTER_PER_MINUTE, ge=1, le=PACE_MAX)
    per_minute: int = Field(default=PER_MINUTE, ge=1, le=PACE_MAX)
    quiet_hours: tuple[str, ...] = Field(default=(), max_length=QUIET_MAX)
    quiet_days: tuple[str, ...] = Field(default=(), max_length=QUIET_MAX)

    @field_validator("quiet_hours")
    @classmethod
    def _hours(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        quiet = {minute for span in value for minute in _minutes(span)}
        if len(quiet) == MINUTES_PER_DAY:
            raise ValueError("leave no minute of a day in which anybody could be disconnected")
        return value

    @field_validator("quiet_days")
    @classmethod
    def _days(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if {day for day in map(_day, value) if isinstance(day, int)} == set(range(7)):
            raise ValueError("leave no day of a week on which anybody could be disconnected")
        return value

    def rules(self, zone: ZoneInfo) -> CommandRules:
        """The same as the core goes by it."""
        days = [_day(text) for text in self.quiet_days]
        quiet = QuietTimes(
            zone,
            tuple(_span(text) for text in self.quiet_hours),
            frozenset(day for day in days if isinstance(day, int)),
            frozenset(day for day in days if isinstance(day, date)),
        )
        return CommandRules(self.per_router_per_minute, self.per_minute, quiet if self.quiet_hours or self.quiet_days else None)


def _span(text: str) -> tuple[int, int]:
    found = _HOURS.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text!r} is not like 21:00-08:00")
    hour, minute, end_hour, end_minute = map(int, found.groups())
    begin, end = hour * 60 + minute, end_hour * 60 + end_minute
    if begin >= MINUTES_PER_DAY or end > MINUTES_PER_DAY or begin == end % MINUTES_PER_DAY:
        raise ValueError(f"{text!r} is no span of a day")
    return begin, end % MINUTES_PER_DAY


def _minutes(text: str) -> set[int]:
    begin, end = _span(text)
    return set(range(begin, end)) if end > begin else set(range(begin, MINUTES_PER_DAY)) | set(range(end))


def _day(text: str) -> int | date:
    """A weekday, Monday 0, or a date. Raises ValueError."""
    name = text.strip().lower()
    if name in WEEKDAYS:
        return WEEKDAYS.index(name)
    try:
        return date.fromisoformat(name)
    except ValueError:
        raise ValueError(f"{text!r} is neither a day of the week nor a date like 2026-12-25") from None
