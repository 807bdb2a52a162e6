"""WS-Security UsernameToken: what one says, whether its digest is right, and that a digest opens once only.

Source  OASIS Web Services Security UsernameToken Profile 1.1, 3.1; reference/multispeak.md 14
"""

import hashlib
import heapq
import hmac
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from lxml import etree

from multispeak.faults import FaultCode, RefusedCallError
from multispeak.limits import NONCE_OCTETS_MAX, NONCES_PER_USER_MAX, TOKEN_FRESH_SECONDS

_WSSE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
_WSU = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
_PROFILE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0"
_BASE64 = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0#Base64Binary"
SECURITY_TAG = f"{{{_WSSE}}}Security"
_TOKEN_TAG = f"{{{_WSSE}}}UsernameToken"
_UNDERSTOOD = {_TOKEN_TAG, f"{{{_WSU}}}Timestamp"}
_FRESH = timedelta(seconds=TOKEN_FRESH_SECONDS)


@dataclass(frozen=True, slots=True)
class UsernameToken:
    """A user and either a password or the digest of one; text as sent, empty where absent."""

    user_id: str = ""
    password: str = field(default="", repr=False)
    digest: str = field(default="", repr=False)
    nonce: str = field(default="", repr=False)
    created: str = ""


def read_username_token(security: etree._Element | None) -> UsernameToken | None:
    """The UsernameToken of a Security header; None where there is none."""
    token = security.find(_TOKEN_TAG) if security is not None else None
    if token is None:
        return None
    secret = token.find(f"{{{_WSSE}}}Password")
    text = (secret.text or "") if secret is not None else ""
    is_digest = secret is not None and secret.get("Type", "").endswith("#PasswordDigest")
    return UsernameToken(
        user_id=token.findtext(f"{{{_WSSE}}}Username") or "",
        password="" if is_digest else text,
        digest=text.strip() if is_digest else "",
        nonce=(token.findtext(f"{{{_WSSE}}}Nonce") or "").strip(),
        # Some stacks put Created into the namespace of the token.
        created=(token.findtext("{*}Created") or "").strip(),
    )


def username_token(user_id: str, password: str, now: datetime, nonce: bytes | None = None) -> etree._Element:
    """A Security header that logs in with the password's text or, with a nonce that is used once, with its digest."""
    created = now.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    security = etree.Element(SECURITY_TAG, nsmap={"wsse": _WSSE, "wsu": _WSU})
    token = etree.SubElement(security, _TOKEN_TAG)
    etree.SubElement(token, f"{{{_WSSE}}}Username").text = user_id
    secret = etree.SubElement(token, f"{{{_WSSE}}}Password")
    if nonce is None:
        secret.text, kind = password, "PasswordText"
    else:
        secret.text, kind = _digest(nonce, created, password).decode(), "PasswordDigest"
        etree.SubElement(token, f"{{{_WSSE}}}Nonce", EncodingType=_BASE64).text = b64encode(nonce).decode()
    secret.set("Type", f"{_PROFILE}#{kind}")
    etree.SubElement(token, f"{{{_WSU}}}Created").text = created
    return security


def not_understood(security: etree._Element) -> str:
    """The first part of a Security header that is not looked at here, such as a signature; empty where all is."""
    return next((str(part.tag) for part in security if isinstance(part.tag, str) and part.tag not in _UNDERSTOOD), "")


def require_fresh(token: UsernameToken, now: datetime) -> datetime:
    """When a token with a digest was created.

    Raises  RefusedCallError for one that does not say, or says a time too far from now
    """
    if not token.nonce or not token.created:
        raise RefusedCallError(FaultCode.AUTHENTICATION, "a PasswordDigest needs a Nonce and Created")
    try:
        created = datetime.fromisoformat(token.created)
        created = (created if created.tzinfo else created.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise RefusedCallError(FaultCode.AUTHENTICATION, f"Created is {token.created[:40]!r}, which is no date and time") from None
    if abs(now - created) > _FRESH:
        sentence = f"Created is {token.created[:40]!r}; it must be within {TOKEN_FRESH_SECONDS} s of {now.isoformat(timespec='seconds')}"
        raise RefusedCallError(FaultCode.AUTHENTICATION, sentence)
    return created


def digest_matches(token: UsernameToken, password: str) -> bool:
    """Whether the digest is that of the password: Base64 of SHA-1 over nonce, Created and password."""
    try:
        nonce = b64decode(token.nonce, validate=True)
    except (Base64Error, ValueError):
        return False
    if len(nonce) > NONCE_OCTETS_MAX:
        return False
    return hmac.compare_digest(_digest(nonce, token.created, password), token.digest.encode())


def _digest(nonce: bytes, created: str, password: str) -> bytes:
    # SHA-1 is what the profile prescribes; the secret in it is what counts, not collisions.
    return b64encode(hashlib.sha1(nonce + created.encode() + password.encode()).digest())  # noqa: S324


class NonceMemory:
    """Nonces of digests that opened, by user, until their Created is no longer fresh.

    Past its bound the oldest of a user go, and with them whatever is as old: what is forgotten is refused as stale, so none opens twice.
    """

    def __init__(self) -> None:
        self._by_user: defaultdict[str, _Nonces] = defaultdict(_Nonces)

    def require_new(self, user_id: str, nonce: str, created: datetime, now: datetime) -> None:
        """Take note of a nonce.

        Raises  RefusedCallError for one that was used, or is older than what is remembered
        """
        self._by_user[user_id].require_new(nonce, created, now)


class _Nonces:
    """Those of one user; only those of right digests get here, so strangers cannot fill it."""

    def __init__(self) -> None:
        self._used: set[str] = set()
        self._by_age: list[tuple[datetime, str]] = []
        self._forgotten_to = datetime.min.replace(tzinfo=UTC)

    def require_new(self, nonce: str, created: datetime, now: datetime) -> None:
        while self._by_age and (len(self._by_age) >= NONCES_PER_USER_MAX or now - self._by_age[0][0] > _FRESH):
            self._forgotten_to, gone = heapq.heappop(self._by_age)
            self._used.discard(gone)
        if nonce in self._used:
            raise RefusedCallError(FaultCode.AUTHENTICATION, "this UsernameToken was used before; a Nonce opens once")
        if created <= self._forgotten_to:
            raise RefusedCallError(FaultCode.AUTHENTICATION, "Created is older than that of tokens already forgotten; make a new one")
        self._used.add(nonce)
        heapq.heappush(self._by_age, (created, nonce))
