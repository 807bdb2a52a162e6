"""Follows reading schedules: looks every so often which were due since the last look, and makes their meters due."""

from collections.abc import Callable
from datetime import datetime, timedelta

from twisted.logger import Logger

from headend.errors import StoreError
from headend.model.utility import Utility
from headend.read_schedule import due_times
from headend.schedules import FollowedSchedule, FollowedSchedules

LOOK_SECONDS = 60
"""How often schedules are looked at: what is due is at most so late."""

CATCH_UP = timedelta(days=1)
"""How far back a schedule that was due while no process ran is still followed, once however often it was due."""


class ScheduleDriver:
    """One utility's reading schedules. `wake` is called when meters became due; `history` is how far back a first contact reads."""

    log = Logger()

    def __init__(
        self, utility: Utility, store: FollowedSchedules, now: Callable[[], datetime], wake: Callable[[], None], history: timedelta
    ) -> None:
        self._utility = utility
        self._store = store
        self._now = now
        self._wake = wake
        self._history = history

    async def look(self) -> int:
        """Make meters of schedules due that are so now; how many became due. Never raises for a store that cannot answer."""
        due = 0
        try:
            for schedule in await self._store.followed_schedules():
                due += await self._follow(schedule)
        except StoreError as error:
            self.log.warn("schedules of {utility} not followed: {error}", utility=self._utility.utility_id, error=error)
        if due:
            self._wake()
        return due

    async def _follow(self, schedule: FollowedSchedule) -> int:
        now = self._now()
        times = due_times(schedule.times, max(schedule.followed, now - CATCH_UP), now, self._utility.time_zone)
        if not times:
            return 0
        due = await self._store.follow_schedule(schedule, now, now - self._history)
        self.log.info(
            "reading schedule {schedule} of {utility}: {due} endpoints due",
            schedule=schedule.schedule_id,
            utility=self._utility.utility_id,
            due=due,
        )
        return due
