"""What a manager knows of one agent and says to it, sans-IO: requests out, answers in; version 3 finds the engine and keeps its time.

Source  RFC 3414 3.2 and 4 (discovery), RFC 3416 4.2
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from hmac import compare_digest
from random import Random

from adapters.snmp_message import (
    PRIVACY,
    REPORTABLE,
    CommunityMessage,
    Oid,
    Pdu,
    PduKind,
    SecureMessage,
    VarBind,
    decode_scoped,
    encode_scoped,
)
from adapters.snmp_security import LocalUser
from headend.errors import SecurityError
from headend.model.router import CommunityAccess, RouterAccess, UserAccess

NUMBER_MAX = 2**31 - 1
"""Largest number of a request."""

LESSONS_MAX = 3
"""Messages of one request that may only teach us something: engine, time, and once more where both changed."""

TIME_WINDOW_SECONDS = 150
"""How old an answer may be (RFC 3414 2.2.3)."""

_STATS = (1, 3, 6, 1, 6, 3, 15, 1, 1)
_NOT_IN_TIME, _UNKNOWN_ENGINE = (*_STATS, 2, 0), (*_STATS, 4, 0)
_COMPLAINTS: dict[Oid, str] = {
    (*_STATS, 1, 0): "it does not offer this security level",
    (*_STATS, 3, 0): "it does not know the user",
    (*_STATS, 5, 0): "it finds the digest wrong: another password?",
    (*_STATS, 6, 0): "it cannot decrypt: another password?",
}


@dataclass(slots=True)
class Request:
    """One request under way. `number` identifies the message sent last; `hint` is the best there is to say if no answer comes."""

    kind: PduKind
    variables: tuple[VarBind, ...]
    repetitions: int = 0
    number: int = 0
    lessons: int = 0
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Answered:
    """The response to a request."""

    pdu: Pdu


@dataclass(frozen=True, slots=True)
class SayAgain:
    """Something was learned: the request is to be sent once more, now."""


@dataclass(slots=True)
class Engine:
    """An authoritative engine: its boots, how far its time is ahead of our clock, and the latest time it was heard to say.

    Until `is_proven` these are what an unsigned message said.
    """

    user: LocalUser
    boots: int
    offset_seconds: float
    latest_seconds: int = 0
    is_proven: bool = False


class SnmpSession:
    """One agent. `seconds` is a clock that only goes forward."""

    def __init__(self, access: RouterAccess, random: Random, seconds: Callable[[], float]) -> None:
        self._access = access
        self._random = random
        self._seconds = seconds
        self._engine: Engine | None = None

    @property
    def engine_id(self) -> bytes | None:
        """The agent's engine, once it is known."""
        return None if self._engine is None else self._engine.user.engine_id

    def octets(self, request: Request) -> bytes:
        """The next datagram of a request, under a number of its own. Raises SecurityError where the access does not allow it."""
        request.number = self._random.randint(1, NUMBER_MAX)
        access = self._access
        pdu = Pdu(request.kind, request.number, request.variables, 0, request.repetitions)
        if isinstance(access, CommunityAccess):
            community = access.write_community if request.kind is PduKind.SET else access.community
            if community is None:
                raise SecurityError("no write community is known")
            return CommunityMessage(community.encode(), pdu).encode()
        engine = self._engine
        if engine is None:
            nothing = encode_scoped(Pdu(PduKind.GET, request.number))
            return SecureMessage(request.number, REPORTABLE, b"", 0, 0, b"", nothing).encode()
        engine_seconds = max(0, int(self._seconds() + engine.offset_seconds))
        header = SecureMessage(request.number, REPORTABLE, engine.user.engine_id, engine.boots, engine_seconds, b"", b"")
        return engine.user.sealed(header, replace(pdu, engine_id=engine.user.engine_id))

    def received(self, request: Request, message: CommunityMessage | SecureMessage) -> Answered | SayAgain | None:
        """What a message that bears the request's number is to it; None for nothing. Raises WireError."""
        if isinstance(message, CommunityMessage):
            return self._community(request, message)
        if isinstance(self._access, UserAccess):
            return self._secure(request, message, self._access)
        return None

    def notified(self, message: CommunityMessage | SecureMessage) -> Pdu:
        """The trap that a message is, or the inform of version 2c; raises SecurityError where it is not this agent's, WireError."""
        access, engine = self._access, self._engine
        if isinstance(message, CommunityMessage):
            if not isinstance(access, CommunityAccess) or not compare_digest(message.community, access.community.encode()):
                raise SecurityError("another community")
            return message.pdu
        if not isinstance(access, UserAccess) or message.user != access.user.encode():
            raise SecurityError("another user")
        if engine is not None and message.engine_id != engine.user.engine_id:
            raise SecurityError("another engine")
        if engine is None:
            engine = Engine(LocalUser.at(access, message.engine_id), message.boots, message.seconds - self._seconds())
        pdu = engine.user.opened(message)
        if not message.flags & PRIVACY:
            raise SecurityError("it is not encrypted")
        if not self._heard(engine, message):
            raise SecurityError("it is older than the time window allows")
        self._engine = engine
        return pdu

    def _community(self, request: Request, message: CommunityMessage) -> Answered | None:
        access = self._access
        if not isinstance(access, CommunityAccess) or message.pdu.kind is not PduKind.RESPONSE:
            return None
        wanted = access.write_community if request.kind is PduKind.SET else access.community
        return Answered(message.pdu) if wanted is not None and message.community == wanted.encode() else None

    def _secure(self, request: Request, message: SecureMessage, access: UserAccess) -> Answered | SayAgain | None:
        engine = self._engine
        if engine is None:
            return self._discovered(request, message, access)
        if not message.digest:
            return self._complained(request, message)
        engine.user.verify(message)
        fresh = self._heard(engine, message)
        pdu = engine.user.opened(message)
        if pdu.kind is PduKind.REPORT:
            is_about_time = any(oid == _NOT_IN_TIME for oid, _ in pdu.variables)
            return self._learned(request) if is_about_time else None
        if not fresh:
            raise SecurityError("it is older than the time window allows")
        return Answered(pdu) if pdu.kind is PduKind.RESPONSE and pdu.request_id == request.number else None

    def _discovered(self, request: Request, message: SecureMessage, access: UserAccess) -> SayAgain | None:
        """The engine's name, and its time as nobody vouches for it: a message with a wrong one is answered with the right one, signed."""
        if not message.engine_id or decode_scoped(message.scoped).kind is not PduKind.REPORT:
            return None
        user = LocalUser.at(access, message.engine_id)
        self._engine = Engine(user, message.boots, message.seconds - self._seconds())
        return self._learned(request)

    def _complained(self, request: Request, message: SecureMessage) -> SayAgain | None:
        """An unsigned report. Anybody can send it, so it ends nothing; an engine that is another now is asked for anew."""
        variables = decode_scoped(message.scoped).variables
        for oid, _ in variables:
            if oid == _UNKNOWN_ENGINE and message.engine_id != self.engine_id:
                self._engine = None
                return self._learned(request)
            request.hint = _COMPLAINTS.get(oid, request.hint)
        return None

    def _learned(self, request: Request) -> SayAgain | None:
        request.lessons += 1
        return SayAgain() if request.lessons <= LESSONS_MAX else None

    def _heard(self, engine: Engine, message: SecureMessage) -> bool:
        """Take the time of an authentic message; whether it is within the window (RFC 3414 3.2, 7b)."""
        is_later = message.boots > engine.boots or (message.boots == engine.boots and message.seconds > engine.latest_seconds)
        if is_later or not engine.is_proven:
            engine.boots, engine.latest_seconds, engine.is_proven = message.boots, message.seconds, True
            engine.offset_seconds = message.seconds - self._seconds()
            return True
        now = self._seconds() + engine.offset_seconds
        return message.boots == engine.boots and message.seconds >= now - TIME_WINDOW_SECONDS


def number_of(message: CommunityMessage | SecureMessage) -> int:
    """What an answer is paired with its request by."""
    return message.message_id if isinstance(message, SecureMessage) else message.pdu.request_id


def reason(request: Request) -> str:
    """Why there was no answer, as far as that is known."""
    return f"no answer; {request.hint}" if request.hint else "no answer"

