"""Files of events as the settings file says them."""

from pydantic import Field

from headend.collection_plan import parse_time
from headend.delivery_settings import TargetName
from headend.event_files import EventFeed, FeedContent
from headend.limits import EVENTS_PER_FILE_MAX
from headend.model.endpoint import Commodity
from headend.model.event_kinds import Category, Severity
from headend.model.subscription import EventFilter
from headend.settings_section import Section, WallTime


class EventFeedSettings(Section):
    """One feed: alarms by count or age, or logged events daily `at` a local time; empty choices take all."""

    name: TargetName
    content: FeedContent = FeedContent.ALARMS
    targets: tuple[TargetName, ...] = Field(min_length=1)
    events_max: int = Field(default=EVENTS_PER_FILE_MAX, ge=1, le=EVENTS_PER_FILE_MAX)
    age_seconds: float = Field(default=15, ge=0, le=3_600)
    at: WallTime = "08:00"
    categories: frozenset[Category] = frozenset()
    severities: frozenset[Severity] = frozenset()
    commodities: frozenset[Commodity] = frozenset()
    routers: bool = True

    @property
    def feed(self) -> EventFeed:
        """As the core knows it."""
        wanted = EventFilter(self.categories, self.severities, self.commodities, routers=self.routers)
        return EventFeed(self.name, self.content, self.targets, self.events_max, self.age_seconds, parse_time(self.at), wanted)
