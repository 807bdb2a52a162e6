"""Runs due interrogations, so many at once: leases work, lets conversations run, records what came of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from headend.c1222.apdu import Apdu
from headend.c1222.identifiers import ApTitle
from headend.collection.counters import Counters
from headend.collection.policy import CollectionPolicy
from headend.collection.programs import ProgramCache
from headend.collection.transcript import Remarks, Transcript
from headend.conversations import Conversation, Conversations, Patience, Wire
from headend.errors import StoreError
from headend.interrogation import Finish, Interrogation
from headend.model.collection import Assignment
from headend.model.endpoint import Transport
from headend.model.events import ExceptionKind
from headend.model.utility import Utility
from headend.ports import CollectionStore, EndpointLink, WaitingRequests
from headend.recorder import Recorder
from headend.router_queue import RouterQueue
from headend.stored_programs import known_program
from headend.waking import PlanOf

BEGIN_PART, END_PART = 0.4, 0.9
"""Parts of a lease within which a conversation must begin, and end: the rest is for recording it."""


@dataclass(slots=True, frozen=True)
class PollerParts:
    """What a poller works with.

    `now` is the utility's time, by which things are due and data is dated; `wire_now`, where it is another (a demonstration lives a day
    in a minute), is the clock that security goes by.
    """

    utility: Utility
    store: CollectionStore
    links: Mapping[Transport, EndpointLink]
    recorder: Recorder
    programs: ProgramCache
    counters: Counters
    reactor: IReactorTime
    now: Callable[[], datetime]
    random: Random
    policy: CollectionPolicy = field(default=CollectionPolicy())
    wire_now: Callable[[], datetime] | None = None
    wake_up_plan: PlanOf = lambda _endpoint_id: None
    waiting: WaitingRequests | None = None

    @property
    def wire(self) -> Wire:
        """What its conversations go over."""
        title = ApTitle.parse(self.utility.ap_title)
        return Wire(title, self.links, self.counters, self.reactor, self.now, self.wire_now or self.now, self.random)


class Poller:
    """All conversations of one utility in this process, by the ApTitle they are with."""

    log = Logger()

    def __init__(self, parts: PollerParts, owner: str) -> None:
        self._utility = parts.utility
        self._store = parts.store
        self._recorder = parts.recorder
        self._programs = parts.programs
        self._counters = parts.counters
        self._reactor = parts.reactor
        self._now = parts.now
        self._policy = parts.policy
        self._owner = owner
        patience = Patience(parts.policy.reply_seconds, parts.policy.transmissions_max)
        self._conversations: Conversations[Assignment] = Conversations(parts.wire, patience, self)
        self._queue = RouterQueue(parts.policy.conversations_per_router_max)
        self._leasing: Deferred[None] | None = None
        self._idle: IDelayedCall | None = None
        self._running = False
        self._filling = False

    @property
    def active(self) -> int:
        """Conversations under way."""
        return len(self._conversations)

    @property
    def waiting(self) -> int:
        """Assignments leased, not yet begun."""
        return len(self._queue)

    def start(self) -> None:
        """Begin to lease and collect."""
        self._running = True
        self._lease_some()

    def wake(self) -> None:
        """Look for due work now: something was scheduled, or room was made."""
        if self._idle is not None:
            if self._idle.active():
                self._idle.cancel()
            self._idle = None
        if self._running:
            self._fill()

    def room_made(self) -> None:
        """Something was recorded: more may begin."""
        if self._running:
            self._fill()

    async def stop(self) -> None:
        """End: conversations under way are dropped, what they had leased goes back, what others brought is recorded."""
        self._running = False
        self.wake()
        self._conversations.stop()
        if self._leasing is not None:
            await self._leasing
        await self._recorder.stop()
        try:
            await self._store.release(self._owner)
        except StoreError as error:
            self.log.warn("leases not released, they will expire: {error}", error=error)

    # Work comes

    def _fill(self) -> None:
        """Begin conversations while there is room, and see to it that more work comes."""
        if self._filling:
            return
        self._filling = True
        try:
            while self._running and len(self._conversations) < self._policy.conversations_max and not self._recorder.full:
                assignment = self._queue.take(self._reactor.seconds())
                if assignment is None:
                    break
                self._begin(assignment)
        finally:
            self._filling = False
        if len(self._queue) * 2 < self._policy.conversations_max:
            self._lease_some()

    def _lease_some(self) -> None:
        if self._running and self._leasing is None and self._idle is None and not self._recorder.full:
            self._leasing = Deferred()
            Deferred.fromCoroutine(self._lease()).addErrback(self._lease_failed).addCallback(self._leased)

    async def _lease(self) -> bool:
        """Whether any work was due."""
        leased_at = self._reactor.seconds()
        now = self._now()
        until = now + timedelta(seconds=self._policy.lease_seconds)
        assignments = await self._store.lease(self._owner, self._policy.conversations_max, now, until)
        for fingerprint in {a.program for a in assignments if a.program is not None}:
            await known_program(self._programs, self._store, fingerprint)
        begin_until = leased_at + BEGIN_PART * self._policy.lease_seconds
        for assignment in assignments:
            self._queue.add(assignment, begin_until)
        return bool(assignments)

    def _lease_failed(self, failure: Failure) -> bool:
        if isinstance(failure.value, StoreError):
            self._counters.store_failures += 1
            self.log.warn("no work leased: {error}", error=failure.value)
        else:
            self.log.failure("leasing", failure)
        return False

    def _leased(self, any_due: bool) -> None:
        leasing, self._leasing = self._leasing, None
        if leasing is not None:
            leasing.callback(None)
        if not self._running:
            return
        if not any_due:
            self._idle = self._reactor.callLater(self._policy.idle_seconds, self.wake)
        self._fill()

    # A conversation

    def _begin(self, assignment: Assignment) -> None:
        if self._conversations.is_with(assignment.ap_title):
            self._queue.done(assignment.router)
            return
        program = self._programs.get(assignment.program)
        state, action = Interrogation.begin(assignment, program, self._programs.decode, self._utility.time_zone, self._policy, self._now())
        ended_by = self._reactor.seconds() + (END_PART - BEGIN_PART) * self._policy.lease_seconds
        self._conversations.begin(assignment, state, action, ended_by)

    def wanted(self, conversation: Conversation[Assignment], action: object) -> None:
        """The end of an interrogation; see Holder."""
        assert isinstance(action, Finish)
        self._conversations.end(conversation)
        self._queue.done(conversation.party.router)
        self._counters.finished += 1
        sent, received = conversation.octets_sent, conversation.octets_received
        self._recorder.put(action.transcript._replace(octets_sent=sent, octets_received=received))
        self._fill()

    def mistaken(self, conversation: Conversation[Assignment], error: Exception) -> Finish:
        """An interrogation that we do not understand ends as an exception; see Holder."""
        remarks = Remarks(ExceptionKind.MALFORMED, f"not understood: {type(error).__name__}")
        party = conversation.party
        return Finish(Transcript(party.endpoint_id, party.lease_id, None, self._now(), remarks))

    def reply_received(self, apdu: Apdu, octets: int) -> None:
        """A reply (of so many octets) to something."""
        self._conversations.reply_received(apdu, octets)
