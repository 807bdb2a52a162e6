"""What is remembered of logins: failures of late, which throttle, and hashed passwords that matched, which need not be hashed again."""

import hashlib
import hmac
from collections import OrderedDict

from multispeak.faults import FaultCode, RefusedCallError
from multispeak.limits import (
    FAILED_LOGINS_MAX,
    FAILED_LOGINS_PER_ADDRESS_MAX,
    FAILED_LOGINS_REMEMBERED_MAX,
    FAILED_LOGINS_SECONDS,
    LOGINS_REMEMBERED_MAX,
)


class FailedLogins:
    """Failed logins by user and address, and by address; forgets the oldest past its bound."""

    def __init__(self) -> None:
        self._times: OrderedDict[object, list[float]] = OrderedDict()

    def require_few(self, user_id: str, address: str, seconds: float) -> None:
        """Accept another attempt.

        Raises  RefusedCallError
        """
        if not self._times:
            return
        if self._count((user_id, address), seconds) >= FAILED_LOGINS_MAX or self._count(address, seconds) >= FAILED_LOGINS_PER_ADDRESS_MAX:
            sentence = f"too many failed logins; try again in {FAILED_LOGINS_SECONDS} s"
            raise RefusedCallError(FaultCode.TOO_MANY_ATTEMPTS, sentence)

    def add(self, user_id: str, address: str, seconds: float) -> None:
        """One more."""
        for key in ((user_id, address), address):
            self._times.setdefault(key, []).append(seconds)
            self._times.move_to_end(key)
        while len(self._times) > FAILED_LOGINS_REMEMBERED_MAX:
            self._times.popitem(last=False)

    def take_back(self, user_id: str, address: str, seconds: float) -> None:
        """One that was added before its outcome was known, and has succeeded."""
        for key in ((user_id, address), address):
            if seconds in self._times.get(key, ()):
                self._times[key].remove(seconds)

    def _count(self, key: object, seconds: float) -> int:
        times = [t for t in self._times.get(key, ()) if seconds - t < FAILED_LOGINS_SECONDS]
        if times:
            self._times[key] = times
        else:
            self._times.pop(key, None)
        return len(times)


class KnownLogins:
    """Keyed digests of passwords that matched a hash, and which hash it was: a hash that settings replaced matches no more.

    `key` is this process's own, so that what is remembered is of no use elsewhere.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._stored: OrderedDict[bytes, str] = OrderedDict()

    def name(self, user_id: str, password: str) -> bytes:
        """What stands for a user and a password."""
        # The length keeps "ab" + "c" and "a" + "bc" apart.
        return hmac.digest(self._key, f"{len(user_id)}:{user_id}{password}".encode(), hashlib.sha256)

    def match(self, name: bytes, stored: str) -> bool:
        """Whether this login is known to match this hash."""
        if self._stored.get(name) != stored:
            return False
        self._stored.move_to_end(name)
        return True

    def add(self, name: bytes, stored: str) -> None:
        """A login that matched."""
        self._stored[name] = stored
        if len(self._stored) > LOGINS_REMEMBERED_MAX:
            self._stored.popitem(last=False)
