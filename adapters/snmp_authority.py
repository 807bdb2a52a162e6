"""The head-end as an SNMP engine of its own: informs of version 3 are verified by its time, and whoever does not know that is told.

Source  RFC 3414 3.2 (the authoritative side), RFC 3411 5 (engine ids)
"""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TypeVar

from adapters.snmp_message import PRIVACY, REPORTABLE, Oid, Pdu, PduKind, SecureMessage, encode_scoped
from adapters.snmp_security import LocalUser
from headend.errors import SecurityError
from headend.model.router import UserAccess

TIME_WINDOW_SECONDS = 150
"""How old a message may be (RFC 3414 2.2.3)."""

BOOTS_EPOCH_SECONDS = 1_577_836_800
"""2020-01-01: boots are the seconds from here to the start, so that they grow from start to start and nothing has to be kept."""

USERS_KEPT = 4_096

_STATS = (1, 3, 6, 1, 6, 3, 15, 1, 1)
_NOT_IN_TIME, _UNKNOWN_ENGINE = (*_STATS, 2, 0), (*_STATS, 4, 0)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Inform:
    """A genuine inform, and the octets that acknowledge it."""

    pdu: Pdu
    acknowledgement: bytes


def engine_id_of(name: str) -> bytes:
    """An engine id made from a name: enterprise 0, octets of our own choosing."""
    return b"\x80\0\0\0\x05" + hashlib.sha256(name.encode()).digest()[:12]


class Authority:
    """An engine that began at `started` (unix seconds); `unix_seconds` is its clock."""

    def __init__(self, engine_id: bytes, unix_seconds: Callable[[], float]) -> None:
        self.engine_id = engine_id
        self._unix_seconds = unix_seconds
        self._started = unix_seconds()
        self._boots = min(max(int(self._started) - BOOTS_EPOCH_SECONDS, 1), 2**31 - 1)
        self._reports = 0
        self._local: Callable[[UserAccess], LocalUser] = lru_cache(USERS_KEPT)(lambda access: LocalUser.at(access, engine_id))

    def taken(self, message: SecureMessage, candidates: Iterable[tuple[T, UserAccess]]) -> tuple[T, Inform] | bytes:
        """Whose inform it is and the inform, or the report that is to be sent back. Raises SecurityError, WireError.

        `candidates` are those that it may be from.
        """
        if message.engine_id != self.engine_id:
            if not message.flags & REPORTABLE:
                raise SecurityError("it is for another engine")
            return replace(self._header(message), scoped=encode_scoped(self._report(_UNKNOWN_ENGINE))).encode()
        whose, user = self._verified(message, candidates)
        header = self._header(message)
        if message.boots != self._boots or abs(message.seconds - header.seconds) > TIME_WINDOW_SECONDS:
            return user.signed(header, self._report(_NOT_IN_TIME))
        pdu = user.opened(message)
        if pdu.kind is not PduKind.INFORM or not message.flags & PRIVACY:
            raise SecurityError("it is no encrypted inform")
        return whose, Inform(pdu, user.sealed(header, pdu.acknowledged()))

    def _verified(self, message: SecureMessage, candidates: Iterable[tuple[T, UserAccess]]) -> tuple[T, LocalUser]:
        """Whose digest it bears. Raises SecurityError."""
        for whose, access in candidates:
            if access.user.encode() != message.user:
                continue
            user = self._local(access)
            try:
                user.verify(message)
            except SecurityError:
                continue
            return whose, user
        raise SecurityError("it is not authentic")

    def _header(self, message: SecureMessage) -> SecureMessage:
        """The beginning of an answer: the same number, our name and our time."""
        seconds = max(0, int(self._unix_seconds() - self._started))
        return SecureMessage(message.message_id, 0, self.engine_id, self._boots, seconds, message.user, b"")

    def _report(self, statistic: Oid) -> Pdu:
        self._reports += 1
        return Pdu(PduKind.REPORT, 0, ((statistic, self._reports % 2**31),), engine_id=self.engine_id)
