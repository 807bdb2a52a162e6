"""Who is calling: a password, a digest or a client certificate, checked in constant time, attempts throttled for a user and an address.

Hashed passwords are checked on threads, so that a login never holds the reactor; those that matched of late are known at once.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from hmac import compare_digest
from typing import Protocol

from twisted.internet.defer import Deferred

from headend.model.partner import Caller, ClientCertificate
from headend.passwords import is_hash
from multispeak.faults import FaultCode, RefusedCallError
from multispeak.limits import LOGINS_CHECKED_MAX
from multispeak.logins import FailedLogins, KnownLogins
from multispeak.message_header import RequestHeader
from multispeak.ws_security import NonceMemory, UsernameToken, digest_matches, require_fresh

HashCheck = Callable[[str, str], Awaitable[bool]]
"""(password, hash) → whether they match; does its work elsewhere than on the reactor's thread."""


class CallerDirectory(Protocol):
    """Partners by what they log in with; held in memory, since every call asks."""

    def find(self, user_id: str) -> Caller | None:
        """The partner and its utility; None for a stranger."""

    def find_certified(self, certificate: ClientCertificate) -> Caller | None:
        """The same by a client certificate."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a request brings to show who it is from.

    `seconds` is on a clock that never goes back; `certificate` one whose key the client has proven to hold.
    """

    header: RequestHeader
    address: str
    seconds: float
    certificate: ClientCertificate | None = None


class Authenticator(Protocol):
    """What an endpoint asks before it does anything for a caller."""

    async def authenticate(self, evidence: Evidence) -> Caller:
        """The caller of a request.

        Raises  RefusedCallError naming the cause, never a secret
        """


class PartnerAuthenticator:
    """Checks evidence against a directory.

    `key` is random octets of this process's own. `decoy` is a hash that no password has: where it is given, every failure costs a hash
    check, so that time does not tell who exists.
    """

    def __init__(self, directory: CallerDirectory, now: Callable[[], datetime], check_hash: HashCheck, key: bytes, decoy: str = "") -> None:
        self._directory = directory
        self._now = now
        self._check_hash = check_hash
        self._decoy = decoy
        self._failures = FailedLogins()
        self._known = KnownLogins(key)
        self._nonces = NonceMemory()
        self._checking: dict[bytes, list[Deferred[bool]]] = {}

    async def authenticate(self, evidence: Evidence) -> Caller:
        """See `Authenticator`."""
        caller, header = await self.identify(evidence), evidence.header
        if not caller.partner.is_application(header.company, header.app_name):
            said = f"Company {header.company[:80]!r} and AppName {header.app_name[:80]!r}"
            raise RefusedCallError(FaultCode.NOT_ALLOWED, f"{said} are not what partner {caller.partner.user_id!r} goes by")
        return caller

    async def identify(self, evidence: Evidence) -> Caller:
        """The caller, whatever its program is called: for ways on which programs have no names. Raises RefusedCallError."""
        claim = _claim(evidence.header)
        certified = self._directory.find_certified(evidence.certificate) if evidence.certificate else None
        if certified is not None and not claim.password and not claim.digest:
            if claim.user_id not in {"", certified.partner.user_id}:
                raise _other_certificate(claim.user_id)
            caller = certified
        else:
            caller = await self._by_secret(claim, evidence)
            if certified is not None and certified.partner.user_id != caller.partner.user_id:
                raise _other_certificate(claim.user_id)
        return caller

    async def _by_secret(self, claim: UsernameToken, evidence: Evidence) -> Caller:
        if not claim.user_id:
            known = " and the client certificate is no partner's" if evidence.certificate else ""
            sentence = f"MultiSpeakMsgHeader has no UserID and Pwd, there is no WS-Security UsernameToken{known}"
            raise RefusedCallError(FaultCode.AUTHENTICATION, sentence)
        self._failures.require_few(claim.user_id, evidence.address, evidence.seconds)
        caller = self._directory.find(claim.user_id)
        stored = caller.partner.password if caller else ""
        matches = self._digest_opens(claim, stored) if claim.digest else await self._password_opens(claim, stored)
        if matches and caller is not None:
            return caller
        self._failures.add(claim.user_id, evidence.address, evidence.seconds)
        sentence = f"UserID {claim.user_id[:80]!r} and Pwd do not match a partner of this head-end"
        raise RefusedCallError(FaultCode.AUTHENTICATION, sentence)

    def _digest_opens(self, claim: UsernameToken, stored: str) -> bool:
        now = self._now()
        created = require_fresh(claim, now)
        if is_hash(stored):
            sentence = "a PasswordDigest cannot be held against a hashed password; send PasswordText, or UserID and Pwd"
            raise RefusedCallError(FaultCode.AUTHENTICATION, sentence)
        # Of a stranger the digest is computed all the same, so that time does not tell who exists.
        if not digest_matches(claim, stored) or not stored:
            return False
        self._nonces.require_new(claim.user_id, claim.nonce, created, now)
        return True

    async def _password_opens(self, claim: UsernameToken, stored: str) -> bool:
        if is_hash(stored):
            return await self._hash_opens(claim, stored)
        # A stranger's costs the same comparison.
        expected = stored or claim.password + "?"
        matches = compare_digest(expected.encode(), claim.password.encode())
        if not matches and self._decoy:
            await self._hash_opens(claim, self._decoy)
        return matches and bool(claim.password)

    async def _hash_opens(self, claim: UsernameToken, stored: str) -> bool:
        """Whether the password has this hash; of several calls with one login at a time, the first asks for all."""
        name = self._known.name(claim.user_id, claim.password)
        if self._known.match(name, stored):
            return True
        if name in self._checking:
            outcome: Deferred[bool] = Deferred()
            self._checking[name].append(outcome)
            return await outcome
        if len(self._checking) >= LOGINS_CHECKED_MAX:
            raise RefusedCallError(FaultCode.BUSY, f"{LOGINS_CHECKED_MAX} passwords are being checked; try again")
        self._checking[name] = []
        matches = False
        try:
            matches = await self._check_hash(claim.password, stored)
        finally:
            for waiting in self._checking.pop(name):
                waiting.callback(matches)
        if matches:
            self._known.add(name, stored)
        return matches


def _claim(header: RequestHeader) -> UsernameToken:
    """The header's credentials where it has them; else those of a UsernameToken, as some 4.1 peers send it."""
    if header.token is None or (header.user_id and header.password):
        return UsernameToken(header.user_id, header.password)
    return header.token


def _other_certificate(user_id: str) -> RefusedCallError:
    return RefusedCallError(FaultCode.AUTHENTICATION, f"UserID {user_id[:80]!r} came with the client certificate of another partner")
