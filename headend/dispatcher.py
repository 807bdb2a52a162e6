"""Delivers the outbox: at least once, in order for each server of each partner; one that is dead or slow delays only what is its own."""

from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from headend import limits
from headend.circuits import Broken, Circuits, Server, back_off_seconds, server_of
from headend.errors import StoreError
from headend.model.telling import Attempt, Delivery, Marked, MessageId, Teller, Telling, TellingStore


@dataclass(frozen=True, slots=True)
class DispatchPolicy:
    """Choices of a dispatcher; waits in seconds. After `attempts_max` a message is parked: it stays, and is not tried any more.

    A server that does not answer is left alone for `retry_seconds`, twice as long each time up to `circuit_seconds_max`. What has waited
    for it through `silent_seconds_max` of silence is parked as well. What a process that was killed had in hand is told again after
    `claim_seconds`; one that lives says three times in so long that it still has it.
    """

    servers_max: int = limits.SERVERS_TOLD_MAX
    servers_per_partner_max: int = limits.SERVERS_PER_PARTNER_MAX
    messages_per_claim: int = limits.TELLINGS_PER_CLAIM
    messages_waiting_max: int = limits.TELLINGS_WAITING_MAX
    idle_seconds: float = 0.5
    retry_seconds: float = 5.0
    retry_seconds_max: float = 3_600.0
    circuit_seconds_max: float = 300.0
    silent_seconds_max: float = limits.SERVER_SILENT_SECONDS_MAX
    attempts_max: int = limits.TELLING_ATTEMPTS_MAX
    refused_attempts_max: int = 3
    claim_seconds: float = 30.0


def after_attempt(attempt: Attempt, tries: int, now: datetime, policy: DispatchPolicy) -> tuple[Delivery, datetime | None]:
    """(what a message is after so many tries, when it is tried again)."""
    if attempt.delivery is Delivery.ACKNOWLEDGED:
        return Delivery.ACKNOWLEDGED, None
    refused = attempt.delivery is Delivery.REFUSED
    if attempt.delivery is Delivery.PARKED or tries >= (policy.refused_attempts_max if refused else policy.attempts_max):
        return (Delivery.REFUSED if refused else Delivery.PARKED), None
    seconds = back_off_seconds(policy.retry_seconds, tries, policy.retry_seconds_max)
    return Delivery.QUEUED, now + timedelta(seconds=seconds)


class _Line:
    """What one server is to be told, in order; the first may be under way."""

    def __init__(self) -> None:
        self._tellings: deque[Telling] = deque()
        self._told: Telling | None = None

    @property
    def messages(self) -> int:
        """How many messages wait."""
        return sum(len(telling.objects) for telling in self._tellings)

    def ids(self) -> list[MessageId]:
        """All that wait or are under way."""
        under_way = [self._told] if self._told is not None else []
        return [told.message_id for telling in (*under_way, *self._tellings) for told in telling.objects]

    def add(self, telling: Telling) -> None:
        """As the last."""
        self._tellings.append(telling)

    def next(self) -> Telling | None:
        """The first, which is under way from now on; what was before has come to its end."""
        self._told = self._tellings.popleft() if self._tellings else None
        return self._told

    def rest(self) -> list[Telling]:
        """Those that wait; the line is empty then."""
        rest = list(self._tellings)
        self._tellings.clear()
        return rest


class Dispatcher:
    """Tells the partners of one utility: each server of each partner from a line of its own, one notification after the other."""

    log = Logger()

    def __init__(
        self,
        store: TellingStore,
        teller: Teller,
        reactor: IReactorTime,
        now: Callable[[], datetime],
        policy: DispatchPolicy | None = None,
    ) -> None:
        self._store = store
        self._teller = teller
        self._reactor = reactor
        self._now = now
        self._policy = policy or DispatchPolicy()
        self._lines: dict[Server, _Line] = {}
        self._circuits = Circuits(self._policy.retry_seconds, self._policy.circuit_seconds_max)
        self._busy: set[Deferred[None]] = set()
        self._taking: set[str] = set()
        self._timers: dict[Callable[[], None], IDelayedCall] = {}
        self._running = False

    def start(self) -> None:
        """Begin to deliver."""
        self._running = True
        self._look()
        self._later(self._policy.claim_seconds / 3, self._hold)

    async def stop(self) -> None:
        """End: what is under way comes to its end, the rest stays queued."""
        self._running = False
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        while self._busy:
            ended: Deferred[None] = Deferred()
            next(iter(self._busy)).chainDeferred(ended)
            await ended

    def _later(self, seconds: float, what: Callable[[], None]) -> None:
        """Once, unless it ends before."""

        def now() -> None:
            del self._timers[what]
            what()

        if self._running:
            self._timers[what] = self._reactor.callLater(seconds, now)

    def _look(self) -> None:
        self._begin(self._find(), "looking for what is to be told", partial(self._later, self._policy.idle_seconds, self._look))

    def _hold(self) -> None:
        """What stands in a line of a slow server stays ours."""
        ids = [message_id for line in self._lines.values() for message_id in line.ids()]
        until = self._now() + timedelta(seconds=self._policy.claim_seconds)
        again = partial(self._later, self._policy.claim_seconds / 3, self._hold)
        self._begin(self._store.hold_tellings(ids, until), "holding what waits", again)

    def _begin(self, work: Awaitable[None], doing: str, then: Callable[[], None]) -> None:
        """Have something done beside the rest; it never fails."""

        async def done_with() -> None:
            await work

        done: Deferred[None] = Deferred()
        self._busy.add(done)

        def ended(_: object) -> None:
            self._busy.discard(done)
            then()
            done.callback(None)

        Deferred.fromCoroutine(done_with()).addErrback(self._failed, doing).addCallback(ended)

    def _failed(self, failure: Failure, doing: str) -> None:
        if failure.check(StoreError):
            self.log.warn("{doing}: {error}", doing=doing, error=failure.value)
        else:
            self.log.failure(doing, failure)

    # What is due

    async def _find(self) -> None:
        for partner in await self._store.told_partners(self._now()):
            if self._running and partner not in self._taking and self._room_for(partner):
                self._taking.add(partner)
                self._begin(self._take(partner), f"taking what {partner} is to be told", partial(self._taking.discard, partner))

    def _room_for(self, partner: str) -> bool:
        """Whether more may be taken for a partner: what is taken is ours for a while only."""
        waiting = sum(line.messages for server, line in self._lines.items() if server.partner == partner)
        return waiting < self._policy.messages_waiting_max and len(self._lines) < self._policy.servers_max

    async def _take(self, partner: str) -> None:
        """What is due for a partner goes into the lines of its servers, until nothing is due or the lines are long."""
        policy = self._policy
        while self._running and self._room_for(partner):
            now = self._now()
            until = now + timedelta(seconds=policy.claim_seconds)
            tellings = await self._store.claim_tellings(partner, policy.messages_per_claim, now, until)
            if not tellings:
                return
            waiting: list[Marked] = []
            for telling in tellings:
                waiting += self._queued(server_of(partner, telling.response_url), telling)
            await self._store.mark_tellings(waiting)

    def _queued(self, server: Server, telling: Telling) -> list[Marked]:
        """Put into its server's line, or how it waits where that is left alone, or the partner has too many."""
        broken = self._circuits.broken(server, self._now())
        if broken is not None:
            return self._waiting(telling, broken)
        line = self._lines.get(server)
        if line is None and self._servers_of(server.partner) >= self._policy.servers_per_partner_max:
            return _untried(telling, self._now() + timedelta(seconds=self._policy.retry_seconds))
        if line is not None:
            line.add(telling)
            return []
        line = self._lines[server] = _Line()
        line.add(telling)
        self._begin(self._tell(server, line), f"telling {server.partner} at {server.origin}", lambda: self._left(server))
        return []

    def _left(self, server: Server) -> None:
        del self._lines[server]

    def _servers_of(self, partner: str) -> int:
        return sum(server.partner == partner for server in self._lines)

    # One server's line

    async def _tell(self, server: Server, line: _Line) -> None:
        """All that is in a line, until that is empty or its server does not answer."""
        while telling := line.next():
            broken = self._circuits.broken(server, self._now())
            if broken is not None or not self._running:
                await self._store.mark_tellings(_untried(telling, self._now()) if broken is None else self._waiting(telling, broken))
                continue
            attempts = await self._teller.tell(telling)
            await self._store.mark_tellings(self._marked(telling, attempts))
            silent = next((attempt for attempt in attempts if not attempt.reachable), None)
            if silent is None:
                self._circuits.answered(server)
                continue
            broken = self._circuits.silent(server, silent.reason, self._now())
            if broken.silences == 1:
                self.log.warn("{origin} of {partner} does not answer: {reason}", reason=silent.reason, **server._asdict())
            await self._store.mark_tellings([one for left in line.rest() for one in self._waiting(left, broken)])

    def _waiting(self, telling: Telling, broken: Broken) -> list[Marked]:
        """How a request's messages wait for a server that is left alone; those that have for all too long are parked."""
        too_long = self._now() - timedelta(seconds=self._policy.silent_seconds_max)
        if broken.since > too_long:
            return _untried(telling, broken.until)
        parked = [told.message_id for told in telling.objects if told.at <= too_long]
        waiting = [one for one in _untried(telling, broken.until) if one.message_id not in parked]
        if parked:
            words = "{partner} not told {count} outcomes of {operation}: no answer since {since}: {reason}"
            facts = {"partner": telling.partner, "operation": telling.operation, "since": broken.since.isoformat()}
            self.log.warn(words, count=len(parked), reason=broken.reason, **facts)
        return [*waiting, *(Marked(message_id, Delivery.PARKED, tried=False) for message_id in parked)]

    def _marked(self, telling: Telling, attempts: Sequence[Attempt]) -> list[Marked]:
        tries = {told.message_id: told.attempts for told in telling.objects}
        marked = []
        for attempt in attempts:
            for message_id in attempt.message_ids:
                delivery, again = after_attempt(attempt, tries[message_id], self._now(), self._policy)
                marked.append(Marked(message_id, delivery, again))
            if attempt.delivery is not Delivery.ACKNOWLEDGED:
                self.log.warn(
                    "{partner} not told the outcome of {operation} at {url}: {reason}",
                    partner=telling.partner,
                    operation=telling.operation,
                    url=telling.response_url,
                    reason=attempt.reason,
                )
        return marked


def _untried(telling: Telling, again: datetime) -> list[Marked]:
    return [Marked(told.message_id, Delivery.QUEUED, again, tried=False) for told in telling.objects]
