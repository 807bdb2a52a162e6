"""Messages that endpoints send on their own, from octets to the answer: verified, fresh, recorded, and only then acknowledged."""

from collections import OrderedDict, deque
from dataclasses import dataclass, replace

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from headend.c1222.apdu import Apdu
from headend.c1222.association import Association
from headend.c1222.errors import ReplayError
from headend.c1222.exchange import Responder
from headend.c1222.identifiers import ApTitle
from headend.c1222.message import ResponseControl, SecurityMode
from headend.c1222.replay import Freshness, MacFailures, ReplayWindow
from headend.c1222.security import Cipher
from headend.clock_doubts import ClockDoubts
from headend.collection.counters import Dropped
from headend.errors import SecurityError, StoreError, WireError
from headend.model.collection import EndpointSecurity
from headend.model.endpoint import NativeAddress
from headend.poller import PollerParts
from headend.push import Outcome, Surroundings, clock_exception, is_event, take_event, take_push, take_untimely
from headend.registration import is_registration, take_registration
from headend.stored_programs import known_program

MESSAGES_MAX = 16_384
"""Messages being taken at once: ten seconds of a storm in which 100,000 endpoints lose their power in a minute."""

MESSAGES_PER_ENDPOINT_MAX = 8
"""Messages of one endpoint waiting for their turn: a wake-up brings one at a time, each three times at most."""

ACKNOWLEDGEMENT_OCTETS_MAX = 1_100
"""Octets of services in an acknowledgement: it is one datagram in the mesh, as a push is."""

STRANGERS_MAX = 65_536
STRANGER_SECONDS = 60.0
"""Titles remembered as unknown, and for how long: a stranger costs the store one question a minute."""


@dataclass(frozen=True, slots=True)
class Message:
    """One APDU that came, not opened yet."""

    apdu: Apdu
    octets: bytes
    address: NativeAddress


@dataclass(frozen=True, slots=True)
class Opened:
    """A message that is genuine: its services, what they are good for, and the replay window that remembers it.

    `off_seconds` is how far the clock of an endpoint is ahead by which it was secured.
    """

    association: Association
    services: tuple[bytes, ...]
    freshness: Freshness
    window: bytes
    off_seconds: int


class Unsolicited:
    """Takes one message of an endpoint after another, many endpoints at once."""

    log = Logger()

    def __init__(self, parts: PollerParts) -> None:
        self._parts = parts
        self._counters = parts.counters
        self._wire_now = parts.wire_now or parts.now
        self._title = ApTitle.parse(parts.utility.ap_title)
        self._around = Surroundings(parts.programs.decode, parts.utility.time_zone, parts.policy, parts.wake_up_plan)
        self._responder = Responder(remembered_max=MESSAGES_MAX)
        self._failures = MacFailures()
        self._waiting: dict[bytes, deque[Message]] = {}
        self._count = 0
        self._strangers: OrderedDict[bytes, float] = OrderedDict()
        self._doubts = ClockDoubts(parts.reactor)

    def __len__(self) -> int:
        """Messages being taken."""
        return self._count

    def received(self, message: Message) -> None:
        """Take a message when its turn comes."""
        sender = message.apdu.calling.absolute
        if self._dropped_at_once(message, sender):
            return
        line = self._waiting.get(sender)
        if line is not None:
            if len(line) < MESSAGES_PER_ENDPOINT_MAX and self._count < MESSAGES_MAX:
                line.append(message)
                self._count += 1
            else:
                self._counters.dropped[Dropped.OVERFLOW] += 1
            return
        if self._count >= MESSAGES_MAX:
            self._counters.dropped[Dropped.OVERFLOW] += 1
            return
        self._waiting[sender] = deque((message,))
        self._count += 1
        Deferred.fromCoroutine(self._take_all(sender)).addErrback(self._failed, sender)

    def _dropped_at_once(self, message: Message, sender: bytes) -> bool:
        """Whether a look at the outside of a message is enough to drop it."""
        if message.apdu.mode == SecurityMode.CLEAR:
            self._counters.dropped[Dropped.CLEAR] += 1
        elif self._failures.is_throttled(sender, self._wire_now()):
            self._counters.dropped[Dropped.THROTTLED] += 1
        elif self._strangers.get(sender, 0.0) > self._parts.reactor.seconds():
            self._counters.dropped[Dropped.STRANGER] += 1
        else:
            return False
        return True

    async def _take_all(self, sender: bytes) -> None:
        line = self._waiting[sender]
        while line:
            message = line.popleft()
            self._count -= 1
            await self._take(message)
        del self._waiting[sender]

    def _failed(self, failure: Failure, sender: bytes) -> None:
        """Our mistake with one message must not stop the next one."""
        self.log.failure("message of {sender}", failure, sender=str(ApTitle(sender)))
        self._counters.dropped[Dropped.FAILED] += 1
        self._count -= len(self._waiting.pop(sender, ()))

    async def _take(self, message: Message) -> None:
        remembered = self._responder.recall(message.apdu, message.octets)
        if remembered is not None:
            self._counters.repeated += 1
            self._send(remembered, message.address)
            return
        try:
            sender = await self._parts.store.security(message.apdu.calling.absolute)
            if sender is None or not sender.active:
                self._refuse_stranger(message, sender)
                return
            opened = self._opened(message, sender)
            if opened is not None:
                await self._act(message, sender, opened)
        except StoreError as error:
            self._counters.store_failures += 1
            self.log.warn("a message of {sender} is not taken: {error}", sender=str(message.apdu.calling), error=error)

    def _refuse_stranger(self, message: Message, sender: EndpointSecurity | None) -> None:
        self._counters.dropped[Dropped.STRANGER if sender is None else Dropped.INACTIVE] += 1
        if sender is None:
            self._strangers[message.apdu.calling.absolute] = self._parts.reactor.seconds() + STRANGER_SECONDS
            if len(self._strangers) > STRANGERS_MAX:
                self._strangers.popitem(last=False)

    def _opened(self, message: Message, sender: EndpointSecurity) -> Opened | None:
        """None, and counted, where a message is not genuine, or was seen before."""
        apdu = message.apdu
        key = next((key for key_id, key in sender.keys if key_id == apdu.key_id), None)
        if key is None or apdu.key_id is None or apdu.iv is None:
            self._counters.dropped[Dropped.WRONG_CODE] += 1
            return None
        association = Association(self._title, apdu.calling, SecurityMode(apdu.mode), apdu.key_id, Cipher(key))
        try:
            services = association.open(apdu)
            window = ReplayWindow(sender.replay_window)
            now = self._wire_now()
            freshness = window.judge(apdu.iv, apdu.invocation_id, now)
            return Opened(association, services, freshness, window.packed, apdu.iv - int(now.timestamp()))
        except ReplayError:
            self._counters.dropped[Dropped.REPLAYED] += 1
        except SecurityError:
            self._failures.record(sender.ap_title, self._wire_now())
            self._counters.dropped[Dropped.WRONG_CODE] += 1
        except WireError:
            self._counters.dropped[Dropped.MALFORMED] += 1
        return None

    async def _act(self, message: Message, sender: EndpointSecurity, opened: Opened) -> None:
        outcome = await self._outcome(message, sender, opened)
        if outcome is None:
            return
        reply = self._reply(message, opened.association, outcome)
        collected = outcome.collected
        if opened.freshness is Freshness.DOUBTFUL and collected.exception is None:
            collected = replace(collected, exception=clock_exception(sender, opened.off_seconds, self._parts.now()))
        if opened.freshness is not Freshness.UNTIMELY:
            sent = sum(map(len, reply))
            collected = replace(collected, replay_window=opened.window, octets_sent=sent, octets_received=len(message.octets))
        if opened.freshness is not Freshness.UNTIMELY or collected.exception is not None:
            await self._parts.recorder.put_and_wait(collected)
        waiting = await self._waiting_requests(sender, outcome)
        if waiting:
            # The reply without them is never sent, so that their number is used once.
            reply = self._reply(message, opened.association, replace(outcome, commands=outcome.commands + waiting))
        self._responder.remember(message.apdu, message.octets, reply)
        self._send(reply, message.address)

    async def _outcome(self, message: Message, sender: EndpointSecurity, opened: Opened) -> Outcome | None:
        now, services = self._parts.now(), opened.services
        if not services:
            self._counters.dropped[Dropped.UNKNOWN_SERVICE] += 1
            return None
        program = await known_program(self._parts.programs, self._parts.store, sender.program)
        if opened.freshness is Freshness.UNTIMELY:
            self._counters.dropped[Dropped.UNTIMELY] += 1
            noted = self._doubts.note(sender.endpoint_id, opened.off_seconds)
            return take_untimely(services, sender, program, self._around, now, off_seconds=opened.off_seconds, noted=noted)
        doubtful = opened.freshness is Freshness.DOUBTFUL
        clock = self._doubts.clock_of(sender.endpoint_id, opened.off_seconds if doubtful else None)
        if is_registration(services):
            self._counters.registrations += 1
            return take_registration(services[0], sender, sender.address if doubtful and sender.address else message.address, now)
        if is_event(services):
            self._counters.notifications += 1
            return take_event(services[0], sender, program, self._parts.utility.time_zone, now, clock)
        self._counters.pushes += 1
        return take_push(services, sender, program, self._around, now, clock)

    async def _waiting_requests(self, sender: EndpointSecurity, outcome: Outcome) -> tuple[bytes, ...]:
        """What waits for this endpoint, as much of it as still goes into the acknowledgement."""
        waiting = self._parts.waiting
        if waiting is None or not outcome.may_command:
            return ()
        room = ACKNOWLEDGEMENT_OCTETS_MAX - sum(len(body) + 2 for body in outcome.responses + outcome.commands)
        try:
            return tuple(await waiting.for_acknowledgement(sender, outcome.results, room))
        except StoreError as error:
            self.log.warn("nothing that waits goes to {meter_no}: {error}", meter_no=sender.meter_no, error=error)
            return ()

    def _reply(self, message: Message, association: Association, outcome: Outcome) -> tuple[bytes, ...]:
        """The acknowledgement, where one is wanted; numbered as the message is, so that no two have one number in one second."""
        control = message.apdu.control & 3
        wanted = control == ResponseControl.ALWAYS or (control == ResponseControl.ON_EXCEPTION and any(r[0] for r in outcome.responses))
        if not wanted:
            return ()
        octets = association.encode(
            outcome.responses + outcome.commands,
            message.apdu.invocation_id,
            int(self._wire_now().timestamp()),
            reply_to=message.apdu.invocation_id,
            response_control=ResponseControl.NEVER,
        )
        return (octets,)

    def _send(self, reply: tuple[bytes, ...], address: NativeAddress) -> None:
        link = self._parts.links.get(address.transport)
        if link is not None:
            for octets in reply:
                self._counters.sent += 1
                link.send(octets, address)

