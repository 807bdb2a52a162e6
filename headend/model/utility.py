"""The utility whose endpoints are read: the argument that says whose data is meant."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import NewType
from zoneinfo import ZoneInfo

from headend.event_catalogue import DEFAULT_CATALOGUE
from headend.model.command_rules import CommandRules
from headend.model.event_kinds import EventCatalogue

UtilityId = NewType("UtilityId", str)
"""Short name of a utility, as in settings and addresses, e.g. `demo`."""


@dataclass(frozen=True, slots=True)
class Utility:
    """One utility: one database, one time zone, one head-end ApTitle.

    `ap_title` is the head-end's own calling title in this utility's field network, as text (`.1.4`). `events` is what
    its devices' events mean, `commands` are its rules for commands.
    """

    utility_id: UtilityId
    name: str
    time_zone: ZoneInfo
    ap_title: str
    events: EventCatalogue = field(default=DEFAULT_CATALOGUE, compare=False, repr=False)
    commands: CommandRules = field(default_factory=CommandRules)

    def day_bounds(self, day: date) -> tuple[datetime, datetime]:
        """Local midnight to local midnight of `day`, in UTC: 23, 24 or 25 hours apart."""
        return self.midnight(day), self.midnight(day + timedelta(days=1))

    def midnight(self, day: date) -> datetime:
        """The first instant of the local `day`, in UTC."""
        return datetime(day.year, day.month, day.day, tzinfo=self.time_zone).astimezone(UTC)

    def local_day(self, instant: datetime) -> date:
        """The local day that `instant` belongs to."""
        return instant.astimezone(self.time_zone).date()
