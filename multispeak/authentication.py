"""Who is calling: credentials checked in constant time, attempts throttled for a user and an address."""

from collections import OrderedDict
from hmac import compare_digest
from typing import Protocol

from headend.model.partner import Caller
from multispeak.faults import FaultCode, RefusedCallError
from multispeak.limits import FAILED_LOGINS_MAX, FAILED_LOGINS_PER_ADDRESS_MAX, FAILED_LOGINS_REMEMBERED_MAX, FAILED_LOGINS_SECONDS
from multispeak.message_header import RequestHeader


class CallerDirectory(Protocol):
    """Partners by the UserID they log in with; held in memory, since every call asks."""

    def find(self, user_id: str) -> Caller | None:
        """The partner and its utility; None for a stranger."""


class Authenticator(Protocol):
    """What an endpoint asks before it does anything for a caller."""

    def authenticate(self, header: RequestHeader, address: str, seconds: float) -> Caller:
        """The caller of a request that came from `address` at `seconds` on a clock that never goes back.

        Raises  RefusedCallError naming the cause, never the password
        """


class _Failures:
    """Failed logins of late, by key; forgets the oldest key past its bound."""

    def __init__(self) -> None:
        self._times: OrderedDict[object, list[float]] = OrderedDict()

    def count(self, key: object, seconds: float) -> int:
        times = [t for t in self._times.get(key, ()) if seconds - t < FAILED_LOGINS_SECONDS]
        if times:
            self._times[key] = times
        else:
            self._times.pop(key, None)
        return len(times)

    def add(self, key: object, seconds: float) -> None:
        self._times.setdefault(key, []).append(seconds)
        self._times.move_to_end(key)
        if len(self._times) > FAILED_LOGINS_REMEMBERED_MAX:
            self._times.popitem(last=False)


class PasswordAuthenticator:
    """Checks UserID and Pwd against a directory."""

    def __init__(self, directory: CallerDirectory) -> None:
        self._directory = directory
        self._failures = _Failures()

    def authenticate(self, header: RequestHeader, address: str, seconds: float) -> Caller:
        """See `Authenticator`."""
        if not header.user_id:
            raise RefusedCallError(FaultCode.AUTHENTICATION, "MultiSpeakMsgHeader with UserID and Pwd is missing")
        user = (header.user_id, address)
        if (
            self._failures.count(user, seconds) >= FAILED_LOGINS_MAX
            or self._failures.count(address, seconds) >= FAILED_LOGINS_PER_ADDRESS_MAX
        ):
            sentence = f"too many failed logins; try again in {FAILED_LOGINS_SECONDS} s"
            raise RefusedCallError(FaultCode.TOO_MANY_ATTEMPTS, sentence)
        caller = self._directory.find(header.user_id)
        # An unknown user costs the same comparison, so that time does not tell who exists.
        expected = caller.partner.password if caller else header.password + "?"
        matches = compare_digest(expected.encode(), header.password.encode())
        if matches and header.password and caller is not None:
            return caller
        self._failures.add(user, seconds)
        self._failures.add(address, seconds)
        raise RefusedCallError(FaultCode.AUTHENTICATION, f"UserID {header.user_id[:80]!r} and Pwd do not match a partner of this head-end")
