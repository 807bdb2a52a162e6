"""Watches the routers of one utility: polls them in turn, takes their traps, carries out what troubleshooting asks for, records it all.

One process at a time watches; the others wait for its claim to end. For each router one request is under way at a time.
"""

from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from random import Random

from twisted.internet.defer import Deferred, DeferredSemaphore
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from headend.deadlines import NEVER, Deadlines
from headend.errors import LinkError, StoreError
from headend.limits import ROUTER_POLLS_MAX, ROUTERS_MAX
from headend.model.endpoint import RouterId
from headend.model.router import RouterPath, RouterStatus
from headend.router_book import RouterBook
from headend.router_case import Outcome, RouterCase
from headend.router_policy import RouterPolicy
from headend.router_ports import RouterLink, RouterRecord, RouterRefusedError, RouterStore
from headend.router_troubleshooting import Action, Probe, RequestReboot, StepOutcome

CLAIM_SECONDS = 120.0
"""How long a claim to the routers lasts; it is renewed at half of it, and the list of routers is read again."""

TRAP_POLL_SECONDS = 2.0
"""A trap is followed by a poll after so long: a storm of them brings one."""

TRAP_POLL_PAUSE_SECONDS = 15.0
"""Least time between two polls that traps bring about."""

JOBS_MAX = 8
"""Requests that wait for their turn at one router: a poll, and what troubleshooting asks for one after the other."""


class _Poll:
    """The scheduled question."""


POLL = _Poll()
Job = _Poll | Action


@dataclass(slots=True, eq=False)
class Watched:
    """One router under watch. `deadline` is its next poll; `wake` that of its troubleshooting."""

    case: RouterCase
    deadline: float = NEVER
    wake: "Wake" = field(init=False)
    jobs: deque[Job] = field(default_factory=deque)
    is_busy: bool = False
    trap_polled: float = -TRAP_POLL_PAUSE_SECONDS

    def __post_init__(self) -> None:
        self.wake = Wake(self)


@dataclass(slots=True, eq=False)
class Wake:
    """When a router's troubleshooting goes on by itself."""

    watched: Watched
    deadline: float = NEVER


@dataclass(slots=True)
class WatchCounters:
    """What a watch has done, since it began."""

    polls: int = 0
    missed: int = 0
    notified: int = 0
    reboots: int = 0


class RouterWatch:
    """All routers of one utility. `now` dates what happens, `reactor` times it."""

    log = Logger()

    def __init__(
        self,
        store: RouterStore,
        link: RouterLink,
        reactor: IReactorTime,
        *,
        now: Callable[[], datetime],
        random: Random,
        owner: str,
        policy: RouterPolicy,
        polls_max: int = ROUTER_POLLS_MAX,
        claim_seconds: float = CLAIM_SECONDS,
    ) -> None:
        self.counters = WatchCounters()
        self.on_routers: Callable[[Mapping[str, RouterCase]], None] = lambda _cases: None
        """Told whenever the list of routers was read: whoever else has to know them."""
        self._store = store
        self._link = link
        self._reactor = reactor
        self._now = now
        self._random = random
        self._owner = owner
        self._policy = policy
        self._claim_seconds = claim_seconds
        self._routers: dict[RouterId, Watched] = {}
        self._polls: Deadlines[Watched] = Deadlines(reactor, self._poll_due)
        self._wakes: Deadlines[Wake] = Deadlines(reactor, self._woken)
        self._at_once = DeferredSemaphore(polls_max)
        self._jobs = 0
        self._book = RouterBook(store, reactor)
        self._running = False
        self._claiming: IDelayedCall | None = None
        self._idle: list[Deferred[None]] = []

    @property
    def cases(self) -> dict[str, RouterCase]:
        """The routers by name."""
        return {watched.case.router.profile.name: watched.case for watched in self._routers.values()}

    async def start(self) -> None:
        """Claim the routers and begin, or wait until they can be claimed."""
        self._running = True
        await self._claim()

    async def stop(self, close_link: Callable[[], Awaitable[None]]) -> None:
        """Begin nothing more, close the link so that nothing is waited for, record what came, let others watch."""
        self._running = False
        if self._claiming is not None and self._claiming.active():
            self._claiming.cancel()
        self._polls.stop()
        self._wakes.stop()
        for watched in self._routers.values():
            watched.jobs.clear()
        await close_link()
        if self._jobs:
            idle: Deferred[None] = Deferred()
            self._idle.append(idle)
            await idle
        await self._book.close()
        try:
            await self._store.release_routers(self._owner)
        except StoreError as error:
            self.log.warn("the routers are not released: {error}", error=error)

    async def refresh(self) -> None:
        """Read the list of routers again, now."""
        cases = await self._store.router_cases()
        if len(cases) > ROUTERS_MAX:
            self.log.warn("{count} routers are known, the first {most} are watched", count=len(cases), most=ROUTERS_MAX)
        self._take_over(cases[:ROUTERS_MAX])

    def poll_now(self) -> None:
        """Poll every router as soon as its turn comes."""
        for watched in self._routers.values():
            self._polls.set(watched, self._reactor.seconds())

    def notified(self, router_id: RouterId, status: RouterStatus) -> None:
        """A router sent a trap or inform that says so much; what it does not say is asked soon."""
        watched = self._routers.get(router_id)
        if watched is None or not self._running:
            return
        self.counters.notified += 1
        self._apply(watched, watched.case.trapped(status, self._now(), self._policy))
        at = max(self._reactor.seconds() + TRAP_POLL_SECONDS, watched.trap_polled + TRAP_POLL_PAUSE_SECONDS)
        if at < watched.deadline:
            watched.trap_polled = at
            self._polls.set(watched, at)

    # --- whose routers, and which -----------------------------------------------------------------------------------

    async def _claim(self) -> None:
        self._claiming = None
        try:
            now = self._now()
            if await self._store.claim_routers(self._owner, now, now + timedelta(seconds=self._claim_seconds)):
                await self.refresh()
            else:
                self._take_over([])
        except StoreError as error:
            self.log.warn("the list of routers is not read: {error}", error=error)
        if self._running:
            self._claiming = self._reactor.callLater(self._claim_seconds / 2, self._claim_again)

    def _claim_again(self) -> None:
        Deferred.fromCoroutine(self._claim()).addErrback(self._failed, "claiming the routers")

    def _take_over(self, cases: list[RouterCase]) -> None:
        """Watch these and no others; those watched already keep what is known of them."""
        if not self._running:
            return
        wanted = {case.router.router_id: case for case in cases}
        for router_id in self._routers.keys() - wanted.keys():
            gone = self._routers.pop(router_id)
            gone.jobs.clear()
            self._polls.clear(gone)
            self._wakes.clear(gone.wake)
        for router_id, case in wanted.items():
            watched = self._routers.get(router_id)
            if watched is None:
                self._begin(case)
            else:
                watched.case = replace(watched.case, router=case.router)
        self.on_routers(self.cases)

    def _begin(self, case: RouterCase) -> None:
        watched = self._routers[case.router.router_id] = Watched(case)
        # Spread over the interval, so that they stay so: the first poll of each comes some time within it.
        spread = 0.0 if case.health.heard is None else self._random.random() * self._policy.poll_seconds
        self._polls.set(watched, self._reactor.seconds() + spread)
        self._set_wake(watched)
        resumed = None if case.troubleshooting is None else case.troubleshooting.resumed()
        if resumed is not None:
            self._queue(watched, resumed)

    # --- what is due ------------------------------------------------------------------------------------------------

    def _poll_due(self, watched: Watched) -> None:
        self._polls.set(watched, self._reactor.seconds() + self._policy.poll_seconds)
        if POLL not in watched.jobs:
            self._queue(watched, POLL)

    def _woken(self, wake: Wake) -> None:
        watched = wake.watched
        self._apply(watched, watched.case.time_passed(self._now(), self._policy))

    def _set_wake(self, watched: Watched) -> None:
        troubleshooting = watched.case.troubleshooting
        at = None if troubleshooting is None else troubleshooting.wake
        if at is None:
            self._wakes.clear(watched.wake)
        else:
            self._wakes.set(watched.wake, self._reactor.seconds() + max(0.0, (at - self._now()).total_seconds()))

    def _queue(self, watched: Watched, job: Job) -> None:
        if len(watched.jobs) >= JOBS_MAX:
            return
        watched.jobs.append(job)
        if not watched.is_busy:
            watched.is_busy = True
            self._jobs += 1
            self._at_once.run(lambda: Deferred.fromCoroutine(self._work(watched))).addBoth(self._worked, watched)

    async def _work(self, watched: Watched) -> None:
        """One job of a router; the next one waits its turn behind other routers."""
        if not watched.jobs:
            return
        job = watched.jobs.popleft()
        match job:
            case Probe(path):
                await self._probe(watched, path)
            case RequestReboot(paths):
                await self._reboot(watched, paths)
            case _:
                await self._poll(watched)

    def _worked(self, result: object, watched: Watched) -> None:
        if result is not None:
            self._failed(result, "watching a router")
        watched.is_busy = False
        self._jobs -= 1
        if watched.jobs:
            self._queue(watched, watched.jobs.popleft())
        if not self._jobs:
            idle, self._idle = self._idle, []
            for waiter in idle:
                waiter.callback(None)

    async def _poll(self, watched: Watched) -> None:
        """Over the primary path; over the second one too while that is the one that answers."""
        self.counters.polls += 1
        paths = [RouterPath.PRIMARY]
        if watched.case.health.path is RouterPath.SECOND:
            paths.append(RouterPath.SECOND)
        for path in paths:
            status = await self._ask(watched, path)
            if status is not None:
                self._apply(watched, watched.case.polled(status, path, self._now(), self._policy))
                return
        if not self._running:
            return
        self.counters.missed += 1
        self._apply(watched, watched.case.missed(self._now(), self._policy))

    async def _probe(self, watched: Watched, path: RouterPath) -> None:
        status = await self._ask(watched, path)
        if status is not None:
            self._apply(watched, watched.case.polled(status, path, self._now(), self._policy))
        elif self._running:
            self._apply(watched, watched.case.probe_missed(self._now(), self._policy))

    async def _ask(self, watched: Watched, path: RouterPath) -> RouterStatus | None:
        """What the router says; None for silence."""
        router = watched.case.router
        try:
            return await self._link.poll(router, path)
        except LinkError as error:
            self.log.debug("router {name} over {path}: {error}", name=router.profile.name, path=path.value, error=error)
        except Exception:  # noqa: BLE001  # job ended: what one router says must not cost the others their polls
            self.log.failure("polling router {name}", name=router.profile.name)
        return None

    async def _reboot(self, watched: Watched, paths: tuple[RouterPath, ...]) -> None:
        """Over the first path that brings an answer. It is asked only once that is recorded."""
        await self._book.settled()
        name = watched.case.router.profile.name
        outcome = StepOutcome.NO_ANSWER
        for path in paths:
            if watched.case.router.profile.address_by(path) is None:
                continue
            try:
                self.counters.reboots += 1
                await self._link.request_reboot(watched.case.router, path)
                outcome = StepOutcome.ACCEPTED
                break
            except RouterRefusedError as error:
                self.log.warn("{error}", error=error)
                outcome = StepOutcome.REFUSED
                break
            except LinkError as error:
                self.log.debug("reboot of {name} over {path}: {error}", name=name, path=path.value, error=error)
        if outcome is StepOutcome.NO_ANSWER and not self._running:
            return
        self._apply(watched, watched.case.reboot_answered(outcome, self._now(), self._policy))

    def _apply(self, watched: Watched, stepped: tuple[RouterCase, Outcome]) -> None:
        """Take a step: record it, and do what it asks for."""
        watched.case, outcome = stepped
        for event in outcome.events:
            name = watched.case.router.profile.name
            self.log.info("router {name}: {event} {detail}", name=name, event=event.code.name, detail=event.detail)
        self._book.put(RouterRecord(watched.case, outcome.events, outcome.finished, outcome.work_items))
        self._set_wake(watched)
        if self._running:
            for action in outcome.actions:
                self._queue(watched, action)

    def _failed(self, failure: object, doing: str) -> None:
        self.log.critical("{doing}: {failure}", doing=doing, failure=failure)
