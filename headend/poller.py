"""Runs due interrogations over the links, so many at once: leases work, sends, waits, sends the same again, records what came of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from headend.c1222.apdu import Apdu
from headend.c1222.association import Association
from headend.c1222.errors import WeakerModeError
from headend.c1222.exchange import next_invocation_id
from headend.c1222.identifiers import ApTitle
from headend.c1222.replay import MacFailures
from headend.c1222.responses import ResponseCode
from headend.c1222.security import Cipher, SecurityMode
from headend.collection.counters import Counters, Dropped
from headend.collection.policy import CollectionPolicy
from headend.collection.programs import ProgramCache
from headend.collection.transcript import Remarks, Transcript
from headend.deadlines import NEVER, Deadlines
from headend.errors import SecurityError, StoreError, WireError
from headend.interrogation import Action, Answered, Ask, Event, Finish, Interrogation, Pause, Resumed, Silent
from headend.model.collection import Assignment
from headend.model.endpoint import Transport
from headend.model.events import ExceptionKind
from headend.model.utility import Utility
from headend.ports import CollectionStore, EndpointLink
from headend.recorder import Recorder
from headend.router_queue import RouterQueue

JITTER = 0.1
"""Part by which waits vary, so that what was sent together is not repeated together."""

ROUND_TRIPS_WAITED = 4
"""A reply is waited for at least so many of the round trips lately seen: a field that is slow must not be asked twice for it."""

ROUND_TRIP_WEIGHT = 1 / 16
"""Weight of the newest round trip in the average."""

WAIT_SECONDS_MAX = 60.0
"""Longest wait for one reply."""

BEGIN_PART, END_PART = 0.4, 0.9
"""Parts of a lease within which a conversation must begin, and end: the rest is for recording it."""


@dataclass(slots=True, eq=False)
class Conversation:
    """One interrogation under way. Units: reactor seconds, octets.

    `octets` is the request that waits for its reply, empty during a pause; `ended_by` is when the conversation must be over.
    """

    assignment: Assignment
    state: Interrogation
    association: Association
    ended_by: float
    octets: bytes = b""
    invocation_id: int = 0
    exchanges: int = 0
    transmissions: int = 0
    asked_at: float = 0.0
    deadline: float = NEVER
    octets_sent: int = 0
    octets_received: int = 0
    wrong_codes: int = 0
    clear_refusal: int | None = None


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


class Poller:
    """All conversations of one utility in this process, by the ApTitle they are with."""

    log = Logger()

    def __init__(self, parts: PollerParts, owner: str) -> None:
        self._utility = parts.utility
        self._store = parts.store
        self._links = parts.links
        self._recorder = parts.recorder
        self._programs = parts.programs
        self._counters = parts.counters
        self._reactor = parts.reactor
        self._now = parts.now
        self._wire_now = parts.wire_now or parts.now
        self._random = parts.random
        self._policy = parts.policy
        self._owner = owner
        self._title = ApTitle.parse(parts.utility.ap_title)
        self._conversations: dict[bytes, Conversation] = {}
        self._queue = RouterQueue(parts.policy.conversations_per_router_max)
        self._deadlines: Deadlines[Conversation] = Deadlines(parts.reactor, self._deadline_passed)
        self._failures = MacFailures()
        self._round_trip_seconds = 0.0
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
        self._deadlines.stop()
        self._conversations.clear()
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
            await self._load_program(fingerprint)
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

    async def _load_program(self, fingerprint: bytes) -> None:
        if self._programs.get(fingerprint) is not None:
            return
        record = await self._store.program(fingerprint)
        if record is not None:
            try:
                self._programs.decode(dict(record.tables))
            except WireError as error:
                self.log.warn("a stored meter program is not readable, it will be read again: {error}", error=error)

    # A conversation

    def _begin(self, assignment: Assignment) -> None:
        if assignment.ap_title in self._conversations:
            self._queue.done(assignment.router)
            return
        program = self._programs.get(assignment.program)
        state, action = Interrogation.begin(assignment, program, self._programs.decode, self._utility.time_zone, self._policy, self._now())
        ended_by = self._reactor.seconds() + (END_PART - BEGIN_PART) * self._policy.lease_seconds
        far, cipher = ApTitle(assignment.ap_title), Cipher(assignment.key)
        association = Association(self._title, far, SecurityMode.ENCRYPTED, assignment.key_id, cipher)
        conversation = Conversation(assignment, state, association, ended_by)
        self._conversations[assignment.ap_title] = conversation
        self._act(conversation, action)

    def _step(self, conversation: Conversation, event: Event) -> None:
        now = self._now()
        try:
            conversation.state, action = conversation.state.step(event, now)
        except Exception as error:  # noqa: BLE001  # job ended: our mistake ends one interrogation, not the poller
            self.log.failure("interrogating {meter_no}", meter_no=conversation.assignment.meter_no)
            remarks = Remarks(ExceptionKind.MALFORMED, f"not understood: {type(error).__name__}")
            action = Finish(Transcript(conversation.assignment.endpoint_id, conversation.assignment.lease_id, None, now, remarks))
        self._act(conversation, action)

    def _act(self, conversation: Conversation, action: Action) -> None:
        match action:
            case Ask(message):
                self._ask(conversation, message)
            case Pause(seconds):
                conversation.octets = b""
                conversation.invocation_id = 0
                self._wait(conversation, seconds)
            case Finish(transcript):
                self._finish(conversation, transcript)

    def _ask(self, conversation: Conversation, message: bytes) -> None:
        assignment = conversation.assignment
        if conversation.exchanges >= assignment.invocation_ids:
            self._step(conversation, Silent(0, 0.0, f"more than {assignment.invocation_ids} exchanges"))
            return
        conversation.invocation_id = next_invocation_id(assignment.first_invocation_id, conversation.exchanges)
        conversation.exchanges += 1
        iv = int(self._wire_now().timestamp())
        conversation.octets = conversation.association.encode(message, conversation.invocation_id, iv)
        conversation.transmissions = 0
        conversation.asked_at = self._reactor.seconds()
        self._transmit(conversation)

    def _transmit(self, conversation: Conversation) -> None:
        """Send the request, again or for the first time; each wait is twice the one before."""
        address = conversation.assignment.address
        conversation.octets_sent += len(conversation.octets)
        self._counters.sent += 1
        first_wait = max(self._policy.reply_seconds, ROUND_TRIPS_WAITED * self._round_trip_seconds)
        self._wait(conversation, min(first_wait * 2**conversation.transmissions, WAIT_SECONDS_MAX))
        conversation.transmissions += 1
        link = self._links.get(address.transport)
        if link is not None:
            link.send(conversation.octets, address)

    def _wait(self, conversation: Conversation, seconds: float) -> None:
        varied = seconds * (1 + JITTER * (2 * self._random.random() - 1))
        self._deadlines.set(conversation, self._reactor.seconds() + varied)

    def _deadline_passed(self, conversation: Conversation) -> None:
        seconds = self._reactor.seconds()
        if not conversation.octets:
            self._step(conversation, Resumed())
        elif conversation.transmissions < self._policy.transmissions_max and seconds < conversation.ended_by:
            self._counters.resent += 1
            self._transmit(conversation)
        else:
            hint, forged = _hint(conversation)
            self._step(conversation, Silent(conversation.transmissions, seconds - conversation.asked_at, hint, forged))

    def reply_received(self, apdu: Apdu, octets: int) -> None:
        """A reply (of so many octets) to something: verified, and only then believed. A bad one changes nothing."""
        conversation = self._conversations.get(apdu.calling.absolute)
        if conversation is None:
            self._counters.dropped[Dropped.STRAY_REPLY] += 1
            return
        conversation.octets_received += octets
        reply = self._opened(conversation, apdu)
        if reply is not None:
            self._counters.replies += 1
            if conversation.transmissions == 1:
                taken = self._reactor.seconds() - conversation.asked_at
                self._round_trip_seconds += ROUND_TRIP_WEIGHT * (taken - self._round_trip_seconds)
            self._deadlines.clear(conversation)
            conversation.octets = b""
            self._step(conversation, Answered(reply))

    def _opened(self, conversation: Conversation, apdu: Apdu) -> bytes | None:
        title = apdu.calling.absolute
        if apdu.reply_to != conversation.invocation_id or not conversation.octets:
            self._counters.dropped[Dropped.LATE_REPLY] += 1
        elif self._failures.is_throttled(title, self._wire_now()):
            self._counters.dropped[Dropped.THROTTLED] += 1
        else:
            try:
                return conversation.association.open_payload(apdu)
            except WeakerModeError as error:
                # Anyone can send this, so it ends nothing; if no answer comes it is the best there is to say.
                conversation.clear_refusal = error.services[0][0] if error.services and error.services[0] else None
                self._counters.dropped[Dropped.CLEAR] += 1
            except SecurityError:
                conversation.wrong_codes += 1
                self._failures.record(title, self._wire_now())
                self._counters.dropped[Dropped.WRONG_CODE] += 1
            except WireError:
                self._counters.dropped[Dropped.MALFORMED] += 1
        return None

    def _finish(self, conversation: Conversation, transcript: Transcript) -> None:
        assignment = conversation.assignment
        del self._conversations[assignment.ap_title]
        self._deadlines.clear(conversation)
        self._queue.done(assignment.router)
        self._counters.finished += 1
        sent, received = conversation.octets_sent, conversation.octets_received
        self._recorder.put(transcript._replace(octets_sent=sent, octets_received=received))
        self._fill()


def _hint(conversation: Conversation) -> tuple[str, bool]:
    """What came instead of the reply, in words, and whether keys may be the cause."""
    if conversation.wrong_codes:
        return f"{conversation.wrong_codes} replies had a wrong authentication code", True
    code = conversation.clear_refusal
    if code is None:
        return "", False
    meaning = ResponseCode(code).meaning if code in frozenset(ResponseCode) else f"response code {code:#04x}"
    return f"an unsecured reply said: {meaning}", code == ResponseCode.SME
