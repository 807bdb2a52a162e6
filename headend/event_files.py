"""Events as files: alarms nearly at once, logged events after the daily collection; numbered without a gap, handed over to delivery.

Which events a file holds is recorded together with its number before it is written: one that was broken off is written again, the same.
A feed tells events as they are recorded; what the event desk makes of them is for those who are told by notifications.
"""

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple, Protocol

from twisted.logger import Logger

from headend.calendars import wall_instant
from headend.errors import HeadEndError
from headend.limits import EVENTS_PER_FILE_MAX
from headend.model.delivery import FinishedFile
from headend.model.event_case import EventCase, EventNumber
from headend.model.events import EventPath
from headend.model.subscription import WATCHED, EventFilter
from headend.model.utility import Utility
from headend.regular_work import Claims, RegularWork

LOOK_SECONDS = 2.0
"""How often it is looked whether a file is due."""

CLAIM_SECONDS = 60.0
"""After how long another process makes them when this one is gone."""


class FeedContent(StrEnum):
    """What a feed tells: what reached us by itself or was found, or what was read from logs."""

    ALARMS = "alarms"
    LOGGED = "logged"


PATHS = {
    FeedContent.ALARMS: frozenset({EventPath.UNSOLICITED, EventPath.FOUND, EventPath.ROUTER}),
    FeedContent.LOGGED: frozenset({EventPath.LOG}),
}


@dataclass(frozen=True, slots=True)
class EventFeed:
    """One feed: a file of alarms once `events_max` wait, or one is `age_seconds` old; of logged events daily at `at`.

    `at` is in minutes after local midnight. A daily file is made even where nothing happened, so that its absence says something.
    """

    name: str
    content: FeedContent
    targets: tuple[str, ...]
    events_max: int = EVENTS_PER_FILE_MAX
    age_seconds: float = 15.0
    at: int = 480
    filter: EventFilter = field(default_factory=EventFilter)


class FeedMark(NamedTuple):
    """How far a feed is: the number of its last file, the last event it has seen, and when that file was begun."""

    number: int
    seen: EventNumber
    made: datetime


class EventFile(NamedTuple):
    """One file: events after one, up to another, those of them that are wanted; begun at `made`."""

    number: int
    after: EventNumber
    last: EventNumber
    events: int
    made: datetime


class EventFileStore(Claims, Protocol):
    """What is asked of a store."""

    def begin_event_feed(self, feed: str, now: datetime) -> Awaitable[FeedMark]:
        """How far a feed is. A new one begins with what is recorded from now on."""

    def events_after(
        self, paths: Collection[EventPath], seen: EventNumber, limit: int, until: EventNumber | None = None
    ) -> Awaitable[list[EventCase]]:
        """Events recorded after one, up to and with another, in order."""

    def events_before(self, instant: datetime) -> Awaitable[EventNumber]:
        """A number behind which all events received from an instant on are, and as few others as is known."""

    def advance_event_feed(self, feed: str, last: EventNumber, file: EventFile | None, now: datetime) -> Awaitable[None]:
        """Note that a feed has seen everything up to `last`, and the file that tells of it, where one does."""

    def event_files(self, feed: str, numbers: Sequence[int] | None = None) -> Awaitable[list[EventFile]]:
        """Files by number; without numbers those that are not handed over yet."""

    def event_file_queued(self, feed: str, number: int) -> Awaitable[None]:
        """A file was handed over."""

    def queue_files(
        self, batch: str, files: Sequence[FinishedFile], targets: Sequence[str], now: datetime, deadline: datetime | None = None
    ) -> Awaitable[int]:
        """Hand files over to delivery; the same name in the same batch is the same one."""


WriteFile = Callable[[EventFeed, EventFile, Sequence[EventCase]], Awaitable[FinishedFile]]
"""Writes a file under its name, the same octets for the same events. Fails with HeadEndError where there is no room."""


class EventFileDriver:
    """The feeds of one utility in one process."""

    log = Logger()

    def __init__(
        self, utility: Utility, store: EventFileStore, write: WriteFile, feeds: Sequence[EventFeed], now: Callable[[], datetime], owner: str
    ) -> None:
        self._utility = utility
        self._store = store
        self._write = write
        self._feeds = feeds
        self._now = now
        self._turn = RegularWork(store, "event files", owner, now, CLAIM_SECONDS)

    async def look(self) -> None:
        """Make what is due. Never raises for what cannot be done now: a later look does it."""
        for feed in self._feeds:
            try:
                if not await self._turn.lasts():
                    return
                await self._look_at(feed)
            except HeadEndError as error:
                self.log.warn("a file of {feed} is not made: {error}", feed=feed.name, error=error)

    async def redeliver(self, feed: EventFeed, numbers: Sequence[int]) -> int:
        """Write files of a feed again, and hand them over once more; how many there were."""
        found = await self._store.event_files(feed.name, numbers)
        for file in found:
            await self._hand_over(feed, file, f"_again_{self._now():%Y%m%dT%H%M%S}")
        return len(found)

    async def _look_at(self, feed: EventFeed) -> None:
        for begun in await self._store.event_files(feed.name):
            await self._finish(feed, begun)
        mark = await self._store.begin_event_feed(feed.name, self._now())
        if feed.content is FeedContent.LOGGED and not self._is_time(feed, mark.made):
            return
        is_first = feed.content is FeedContent.LOGGED
        while True:
            cases = await self._store.events_after(PATHS[feed.content], mark.seen, feed.events_max)
            file = self._due_file(feed, mark, cases, even_empty=is_first)
            wanted = self._wanted(feed, cases)
            if file is None and (wanted or not cases):
                return  # what is wanted waits for more
            last = cases[-1].number if cases else mark.seen
            await self._store.advance_event_feed(feed.name, last, file, self._now())
            if file is not None:
                await self._finish(feed, file)
            if len(cases) < feed.events_max:
                return
            mark, is_first = FeedMark(mark.number if file is None else file.number, last, self._now()), False

    def _is_time(self, feed: EventFeed, made: datetime) -> bool:
        now = self._now()
        return made < wall_instant(self._utility.local_day(now), feed.at, self._utility.time_zone) <= now

    def _due_file(self, feed: EventFeed, mark: FeedMark, cases: Sequence[EventCase], *, even_empty: bool) -> EventFile | None:
        wanted, now = self._wanted(feed, cases), self._now()
        is_full = len(cases) >= feed.events_max
        if feed.content is FeedContent.ALARMS and not is_full:
            is_old = bool(wanted) and now - wanted[0].received >= timedelta(seconds=feed.age_seconds)
            if not is_old:
                return None
        if not wanted and not even_empty:
            return None
        return EventFile(mark.number + 1, mark.seen, cases[-1].number if cases else mark.seen, len(wanted), now)

    def _wanted(self, feed: EventFeed, cases: Sequence[EventCase]) -> list[EventCase]:
        """Those of the feed; what one partner has had watched is for nobody else to read."""
        kinds = self._utility.events.kinds
        told = [one for one in cases if one.code not in WATCHED]
        return [one for one in told if not feed.filter.refusal(kinds.get(one.code), one.device.commodity, one.device.groups)]

    async def _finish(self, feed: EventFeed, file: EventFile) -> None:
        await self._hand_over(feed, file, "")
        await self._store.event_file_queued(feed.name, file.number)
        self.log.info("{feed} {number}: {events} events", feed=feed.name, number=file.number, events=file.events)

    async def _hand_over(self, feed: EventFeed, file: EventFile, again: str) -> None:
        cases: list[EventCase] = []
        if file.events:
            cases = await self._store.events_after(PATHS[feed.content], file.after, EVENTS_PER_FILE_MAX, file.last)
        finished = await self._write(feed, file, self._wanted(feed, cases))
        batch = f"{self._utility.utility_id}_{feed.name}_{file.number:08}{again}"
        await self._store.queue_files(batch, [finished], feed.targets, self._now())
