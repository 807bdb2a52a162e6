"""Conversations under way with many endpoints: asks, waits, asks the same again, verifies what comes; what they are about is a `Dialogue`.

Whoever holds them (the poller, the driver of commands) has its own, so that one does not wait for the other at the same endpoint.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from random import Random
from typing import Generic, Protocol, TypeVar

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from headend.c1222.apdu import Apdu
from headend.c1222.association import Association
from headend.c1222.errors import WeakerModeError
from headend.c1222.exchange import next_invocation_id
from headend.c1222.identifiers import ApTitle
from headend.c1222.replay import MacFailures
from headend.c1222.responses import ResponseCode
from headend.c1222.security import Cipher, SecurityMode
from headend.collection.counters import Counters, Dropped
from headend.deadlines import NEVER, Deadlines
from headend.dialogue import Answered, Ask, Dialogue, Pause, Resumed, Silent
from headend.errors import SecurityError, WireError
from headend.model.endpoint import NativeAddress, Transport
from headend.ports import EndpointLink

JITTER = 0.1
"""Part by which waits vary, so that what was sent together is not repeated together."""

ROUND_TRIPS_WAITED = 4
"""A reply is waited for at least so many of the round trips lately seen: a field that is slow must not be asked twice for it."""

ROUND_TRIP_WEIGHT = 1 / 16
"""Weight of the newest round trip in the average."""

WAIT_SECONDS_MAX = 60.0
"""Longest wait for one reply."""


class Party(Protocol):
    """Whom a conversation is with, and the invocation ids that are its own."""

    @property
    def ap_title(self) -> bytes: ...
    @property
    def address(self) -> NativeAddress: ...
    @property
    def key_id(self) -> int: ...
    @property
    def key(self) -> bytes: ...
    @property
    def first_invocation_id(self) -> int: ...
    @property
    def invocation_ids(self) -> int: ...


P = TypeVar("P", bound=Party)


@dataclass(slots=True, eq=False)
class Conversation(Generic[P]):
    """One conversation under way. Units: reactor seconds, octets.

    `octets` is the request that waits for its reply, empty during a pause; `ended_by` is when the conversation must be over.
    """

    party: P
    state: Dialogue
    association: Association
    ended_by: float
    octets: bytes = b""
    invocation_id: int = 0
    exchanges: int = 0
    transmissions: int = 0
    transmissions_max: int = 0
    asked_at: float = 0.0
    deadline: float = NEVER
    octets_sent: int = 0
    octets_received: int = 0
    wrong_codes: int = 0
    clear_refusal: int | None = None


class Holder(Protocol[P]):
    """Who holds conversations."""

    def wanted(self, conversation: Conversation[P], action: object) -> None:
        """The dialogue wants what is not about the wire: its end, or something that goes on with `resume`."""

    def mistaken(self, conversation: Conversation[P], error: Exception) -> object:
        """Our mistake in a dialogue, logged already: the action with which it ends."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a reply is waited for: `first_seconds` (or longer, in a slow field), then `growth` times as long each time.

    `ends_in_time`: a conversation ends when its time is over though replies still come, as somebody waits for its end.
    """

    first_seconds: float
    transmissions_max: int
    growth: float = 2.0
    ends_in_time: bool = False


@dataclass(frozen=True, slots=True)
class Wire:
    """What conversations go over: our title, links, clocks. `now` dates what is said, `wire_now` is the clock that security goes by."""

    title: ApTitle
    links: Mapping[Transport, EndpointLink]
    counters: Counters
    reactor: IReactorTime
    now: Callable[[], datetime]
    wire_now: Callable[[], datetime]
    random: Random


class Conversations(Generic[P]):
    """All conversations of one holder, by the ApTitle they are with: one at a time with each endpoint."""

    log = Logger()

    def __init__(self, wire: Wire, patience: Patience, holder: Holder[P]) -> None:
        self._title = wire.title
        self._links = wire.links
        self._counters = wire.counters
        self._reactor = wire.reactor
        self._now = wire.now
        self._wire_now = wire.wire_now
        self._random = wire.random
        self._patience = patience
        self._holder = holder
        self._by_title: dict[bytes, Conversation[P]] = {}
        self._deadlines: Deadlines[Conversation[P]] = Deadlines(wire.reactor, self._deadline_passed)
        self._failures = MacFailures()
        self._round_trip_seconds = 0.0

    def __len__(self) -> int:
        return len(self._by_title)

    def is_with(self, ap_title: bytes) -> bool:
        """Whether one is under way with an endpoint."""
        return ap_title in self._by_title

    def begin(self, party: P, state: Dialogue, action: object, ended_by: float) -> None:
        """A new conversation, with an endpoint with which there is none; there is still none where it cannot begin."""
        far, cipher = ApTitle(party.ap_title), Cipher(party.key)
        association = Association(self._title, far, SecurityMode.ENCRYPTED, party.key_id, cipher)
        conversation = Conversation(party, state, association, ended_by)
        self._by_title[party.ap_title] = conversation
        try:
            self._act(conversation, action)
        except Exception:
            self._by_title.pop(party.ap_title, None)
            self._deadlines.clear(conversation)
            raise

    def resume(self, conversation: Conversation[P], event: object) -> None:
        """What the dialogue wanted of its holder has happened; nothing where it has ended meanwhile."""
        if self._by_title.get(conversation.party.ap_title) is conversation:
            self._step(conversation, event)

    def end(self, conversation: Conversation[P]) -> None:
        """It is over."""
        del self._by_title[conversation.party.ap_title]
        self._deadlines.clear(conversation)

    def stop(self) -> None:
        """Drop all of them where they stand."""
        self._deadlines.stop()
        self._by_title.clear()

    def _step(self, conversation: Conversation[P], event: object) -> None:
        try:
            conversation.state, action = conversation.state.step(event, self._now())
        except Exception as error:  # noqa: BLE001  # job ended: our mistake ends one conversation, not all of them
            self.log.failure("conversing with {party}", party=conversation.party)
            action = self._holder.mistaken(conversation, error)
        self._act(conversation, action)

    def _act(self, conversation: Conversation[P], action: object) -> None:
        match action:
            case Ask(message, once):
                self._ask(conversation, message, once=once)
            case Pause(seconds):
                conversation.octets = b""
                conversation.invocation_id = 0
                self._wait(conversation, min(seconds, max(0.0, self._left(conversation))))
            case _:
                self._holder.wanted(conversation, action)

    def _ask(self, conversation: Conversation[P], message: bytes, *, once: bool) -> None:
        party = conversation.party
        if conversation.exchanges >= party.invocation_ids:
            self._step(conversation, Silent(0, 0.0, f"more than {party.invocation_ids} exchanges"))
            return
        if self._left(conversation) <= 0:
            self._step(conversation, Silent(0, 0.0))
            return
        conversation.invocation_id = next_invocation_id(party.first_invocation_id, conversation.exchanges)
        conversation.exchanges += 1
        iv = int(self._wire_now().timestamp())
        conversation.octets = conversation.association.encode(message, conversation.invocation_id, iv)
        conversation.transmissions = 0
        conversation.transmissions_max = 1 if once else self._patience.transmissions_max
        conversation.asked_at = self._reactor.seconds()
        self._transmit(conversation)

    def _transmit(self, conversation: Conversation[P]) -> None:
        """Send the request, again or for the first time; each wait is longer than the one before."""
        address = conversation.party.address
        conversation.octets_sent += len(conversation.octets)
        self._counters.sent += 1
        patience = self._patience
        first_wait = max(patience.first_seconds, ROUND_TRIPS_WAITED * self._round_trip_seconds)
        wait = min(first_wait * patience.growth**conversation.transmissions, WAIT_SECONDS_MAX)
        self._wait(conversation, min(wait, max(patience.first_seconds, self._left(conversation))))
        conversation.transmissions += 1
        link = self._links.get(address.transport)
        if link is not None:
            link.send(conversation.octets, address)

    def _left(self, conversation: Conversation[P]) -> float:
        """Seconds that a conversation may still last."""
        return conversation.ended_by - self._reactor.seconds() if self._patience.ends_in_time else NEVER

    def _wait(self, conversation: Conversation[P], seconds: float) -> None:
        varied = seconds * (1 + JITTER * (2 * self._random.random() - 1))
        self._deadlines.set(conversation, self._reactor.seconds() + varied)

    def _deadline_passed(self, conversation: Conversation[P]) -> None:
        seconds = self._reactor.seconds()
        if not conversation.octets:
            self._step(conversation, Resumed())
        elif conversation.transmissions < conversation.transmissions_max and seconds < conversation.ended_by:
            self._counters.resent += 1
            self._transmit(conversation)
        else:
            hint, forged = _hint(conversation)
            self._step(conversation, Silent(conversation.transmissions, seconds - conversation.asked_at, hint, forged))

    def awaits(self, apdu: Apdu) -> bool:
        """Whether a reply is to what one of them has asked."""
        conversation = self._by_title.get(apdu.calling.absolute)
        return conversation is not None and bool(conversation.octets) and conversation.invocation_id == apdu.reply_to

    def reply_received(self, apdu: Apdu, octets: int) -> None:
        """A reply (of so many octets) to something: verified, and only then believed. A bad one changes nothing."""
        conversation = self._by_title.get(apdu.calling.absolute)
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

    def _opened(self, conversation: Conversation[P], apdu: Apdu) -> bytes | None:
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


def _hint(conversation: Conversation[P]) -> tuple[str, bool]:
    """What came instead of the reply, in words, and whether keys may be the cause."""
    if conversation.wrong_codes:
        return f"{conversation.wrong_codes} replies had a wrong authentication code", True
    code = conversation.clear_refusal
    if code is None:
        return "", False
    meaning = ResponseCode(code).meaning if code in frozenset(ResponseCode) else f"response code {code:#04x}"
    return f"an unsecured reply said: {meaning}", code == ResponseCode.SME
