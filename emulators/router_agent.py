"""A router's SNMP agent sans-IO: octets of a request in, octets of the answer out; versions 2c and 3, GET, GETNEXT, GETBULK and SET.

Source  RFC 3416 4.2, RFC 3414 3.2
"""

from collections.abc import Callable
from dataclasses import replace

from emulators.router_device import RouterDevice
from emulators.router_mib import RELOAD, MibView
from emulators.snmp_ber import Element, Oid, Tag
from emulators.snmp_message import (
    AUTH,
    MESSAGE_OCTETS_MAX,
    MESSAGE_OCTETS_MIN,
    PRIVACY,
    REPORTABLE,
    SALT_OCTETS,
    CommunityMessage,
    ScopedPdu,
    SecureMessage,
    parse_message,
)
from emulators.snmp_pdu import END_OF_MIB_VIEW, ErrorStatus, Pdu, VarBind, counter32
from emulators.snmp_usm import LocalUser
from headend.errors import SecurityError, WireError
from headend.model.router import CommunityAccess, UserAccess

TIME_WINDOW_SECONDS = 150
"""How old a message may be (RFC 3414 2.2.3)."""

REPETITIONS_MAX = 256
"""Rows of one GETBULK that are looked at."""

OVERHEAD_OCTETS = 200
"""What surrounds the variable bindings of an answer at most: headers, digest, salt, engine and user."""

RELOAD_VALUE = 2
RELOAD_SECONDS = 60.0
"""How long a reload that was asked for takes."""

_READS = {Tag.GET, Tag.GET_NEXT, Tag.GET_BULK}
_STATS = (1, 3, 6, 1, 6, 3, 15, 1, 1)
_UNSUPPORTED_LEVEL, _NOT_IN_TIME, _UNKNOWN_USER, _UNKNOWN_ENGINE, _WRONG_DIGEST, _NOT_DECRYPTED = 1, 2, 3, 4, 5, 6


class RouterAgent:
    """The agent of one router; `octets` tells what went through its uplink, (in, out), `wire` unix seconds."""

    def __init__(self, device: RouterDevice, octets: Callable[[], tuple[int, int]], reload_seconds: float = RELOAD_SECONDS) -> None:
        self.device = device
        self._octets = octets
        self._reload_seconds = reload_seconds
        self._access = device.access
        self._user = LocalUser.at(device.access, device.engine_id) if isinstance(device.access, UserAccess) else None
        self._salt = 0
        self._reports = dict.fromkeys(range(1, 7), 0)
        self.dropped = 0

    def view(self) -> MibView:
        """The router's objects as they are now."""
        return MibView(self.device, self._octets())

    def receive(self, octets: bytes) -> bytes | None:
        """The answer to a datagram, if it gets one. Never raises for what came off the wire."""
        try:
            message = parse_message(octets)
            answer = self._community(message) if isinstance(message, CommunityMessage) else self._secure(message)
        except WireError:
            answer = None
        if answer is None:
            self.dropped += 1
        return answer

    def next_salt(self) -> bytes:
        """A salt that was not used since the agent started; boots are in the cipher's start value beside it."""
        self._salt += 1
        return self._salt.to_bytes(SALT_OCTETS)

    # --- version 2c -------------------------------------------------------------------------------------------------

    def _community(self, message: CommunityMessage) -> bytes | None:
        access = self._access
        if not isinstance(access, CommunityAccess):
            return None
        wanted = access.community if message.pdu.tag in _READS else access.write_community
        writes = access.write_community is not None and message.community == access.write_community.encode()
        if wanted is None or (message.community != wanted.encode() and not writes):
            return None
        answer = self._answer(message.pdu, MESSAGE_OCTETS_MAX)
        return None if answer is None else CommunityMessage(message.community, answer).encode()

    # --- version 3 --------------------------------------------------------------------------------------------------

    def _secure(self, message: SecureMessage) -> bytes | None:
        device = self.device
        if message.engine_id != device.engine_id:
            return self._report(message, _UNKNOWN_ENGINE)
        user = self._user
        if user is None or message.user != user.name.encode():
            return self._report(message, _UNKNOWN_USER)
        if message.flags & (AUTH | PRIVACY) != AUTH | PRIVACY:
            return self._without_security(message, user)
        try:
            message.verify(user)
        except SecurityError:
            return self._report(message, _WRONG_DIGEST)
        if message.boots != device.boots or abs(message.seconds - self._engine_seconds) > TIME_WINDOW_SECONDS:
            return self._report(message, _NOT_IN_TIME, user)
        try:
            scoped = message.opened(user)
        except WireError:
            return self._report(message, _NOT_DECRYPTED, user)
        limit = min(max(message.max_octets, MESSAGE_OCTETS_MIN), MESSAGE_OCTETS_MAX)
        answer = self._answer(scoped.pdu, limit)
        if answer is None:
            return None
        return self._wrapped(message, AUTH | PRIVACY, replace(scoped, pdu=answer)).sealed(user, self.next_salt())

    def _without_security(self, message: SecureMessage, user: LocalUser) -> bytes | None:
        """Less than encrypted: good for the engine's time, which a manager asks with nothing but a digest, and for nothing else."""
        if message.flags & PRIVACY or not message.flags & AUTH:
            return self._report(message, _UNSUPPORTED_LEVEL)
        try:
            message.verify(user)
        except SecurityError:
            return self._report(message, _WRONG_DIGEST)
        if message.boots != self.device.boots or abs(message.seconds - self._engine_seconds) > TIME_WINDOW_SECONDS:
            return self._report(message, _NOT_IN_TIME, user)
        return self._report(message, _UNSUPPORTED_LEVEL)

    @property
    def _engine_seconds(self) -> int:
        return int(self.device.uptime_seconds)

    def _report(self, message: SecureMessage, statistic: int, user: LocalUser | None = None) -> bytes | None:
        """What is wrong with a message, as a counter; authenticated where `user` is given."""
        self._reports[statistic] += 1
        self.dropped += 1
        if not message.flags & REPORTABLE:
            return None
        report = Pdu(Tag.REPORT, _request_id(message), (((*_STATS, statistic, 0), counter32(self._reports[statistic])),))
        scoped = ScopedPdu(self.device.engine_id, b"", report)
        if user is None:
            return self._wrapped(message, 0, scoped).encode()
        return self._wrapped(message, AUTH, scoped).sealed(user, b"")

    def _wrapped(self, message: SecureMessage, flags: int, scoped: ScopedPdu) -> SecureMessage:
        device = self.device
        return SecureMessage(
            message.message_id, flags, device.engine_id, device.boots, self._engine_seconds, message.user, scoped.encode()
        )

    # --- what is asked ----------------------------------------------------------------------------------------------

    def _answer(self, pdu: Pdu, octets_max: int) -> Pdu | None:
        room = octets_max - OVERHEAD_OCTETS
        match pdu.tag:
            case Tag.GET:
                view = self.view()
                found = [(oid, view.get(oid)) for oid, _ in pdu.variables]
                return _fitting(pdu, found, room)
            case Tag.GET_NEXT:
                view = self.view()
                return _fitting(pdu, [view.after(oid) for oid, _ in pdu.variables], room)
            case Tag.GET_BULK:
                return replace(_response(pdu), variables=_cut(self._bulk(pdu), room))
            case Tag.SET:
                return self._set(pdu)
        return None

    def _bulk(self, pdu: Pdu) -> list[VarBind]:
        view = self.view()
        singles, repeats = max(0, pdu.error_status), min(max(0, pdu.error_index), REPETITIONS_MAX)
        found = [view.after(oid) for oid, _ in pdu.variables[:singles]]
        row: list[Oid] = [oid for oid, _ in pdu.variables[singles:]]
        for _ in range(repeats if row else 0):
            answers = [view.after(oid) for oid in row]
            found += answers
            if len(found) > REPETITIONS_MAX * 4 or all(value == END_OF_MIB_VIEW for _, value in answers):
                break
            row = [oid for oid, _ in answers]
        return found

    def _set(self, pdu: Pdu) -> Pdu:
        """One thing can be set: that the router reloads."""
        for place, (oid, value) in enumerate(pdu.variables, 1):
            wrong = _why_not(oid, value)
            if wrong is not ErrorStatus.NO_ERROR:
                return replace(_response(pdu), variables=pdu.variables, error_status=wrong, error_index=place)
        if pdu.variables and not self.device.faults.ignores_reload:
            self.device.reboot(self._reload_seconds)
        return replace(_response(pdu), variables=pdu.variables)


def _why_not(oid: Oid, value: Element) -> ErrorStatus:
    if oid != RELOAD:
        return ErrorStatus.NOT_WRITABLE
    is_reload = value.tag == Tag.INTEGER and int.from_bytes(value.content, signed=True) == RELOAD_VALUE
    return ErrorStatus.NO_ERROR if is_reload else ErrorStatus.WRONG_VALUE


def _response(pdu: Pdu) -> Pdu:
    return Pdu(Tag.RESPONSE, pdu.request_id, ())


def _fitting(pdu: Pdu, found: list[VarBind], room: int) -> Pdu:
    """All that was asked for or, where it does not fit, that it does not."""
    if len(_cut(found, room)) < len(found):
        return replace(_response(pdu), error_status=ErrorStatus.TOO_BIG)
    return replace(_response(pdu), variables=tuple(found))


def _cut(found: list[VarBind], room: int) -> tuple[VarBind, ...]:
    """As many as fit into so many octets."""
    for place, (oid, value) in enumerate(found):
        # At most 5 octets for each further part of the name, and a tag and a length for name, value and both.
        room -= sum(1 if part < 128 else 2 if part < 16_384 else 5 for part in oid) + len(value.content) + 12
        if room < 0:
            return tuple(found[:place])
    return tuple(found)


def _request_id(message: SecureMessage) -> int:
    """The number of the request that a report is about, where it can be read."""
    if message.flags & PRIVACY:
        return 0
    try:
        return message.opened(None).pdu.request_id
    except WireError:
        return 0
