"""An HTTP(S) server as a target: PUT under the file's name, then asked for what it has.

A server takes a body whole or not at all, so there is no temporary name; a broken PUT is begun anew.
Source  RFC 9110 9.3.4, RFC 9530 (Content-Digest)
"""
# mypy: disable-error-code="no-untyped-call"

import base64
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from twisted.internet import defer
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectError, ConnectionLost, DNSLookupError
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.ssl import Certificate, trustRootFromCertificates
from twisted.internet.task import Cooperator
from twisted.python.failure import Failure
from twisted.web.client import (
    Agent,
    BrowserLikePolicyForHTTPS,
    FileBodyProducer,
    RequestGenerationFailed,
    RequestTransmissionFailed,
    ResponseDone,
    ResponseFailed,
)
from twisted.web.http import PotentialDataLoss
from twisted.web.http_headers import Headers

from adapters.delivery.verification import Verify
from headend.errors import RequestError
from headend.model.delivery import DeliveryError, FinishedFile, TargetUnreachableError

CONNECT_SECONDS = 15.0
"""How long a connection may take to be made."""

ANSWER_SECONDS = 60.0
"""How long a server may take to answer a question, and to take in what was sent after its last octet."""

OCTETS_PER_SECOND_MIN = 50_000
"""A PUT that is slower is given up."""

_SILENCE = (ConnectError, ConnectionLost, DNSLookupError, ResponseFailed, CancelledError, defer.TimeoutError)
_BROKEN = (RequestGenerationFailed, RequestTransmissionFailed)
_BODILESS = {"HEAD"}


@dataclass(frozen=True, slots=True)
class HttpsLogin:
    """Where files go, `url` being that of the folder; who we are there; and whom we trust, the system's authorities without `ca`."""

    url: str
    user: str = ""
    password: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    ca: Path | None = None

    @property
    def headers(self) -> dict[str, str]:
        if self.token:
            return {"Authorization": f"Bearer {self.token}"}
        if self.user:
            return {"Authorization": f"Basic {base64.b64encode(f'{self.user}:{self.password}'.encode()).decode()}"}
        return {}


class HttpsTarget:
    """A FileTarget. Raises RequestError for a CA file that holds none."""

    def __init__(self, login: HttpsLogin, reactor: Any, verify: Verify = Verify.SIZE) -> None:
        self._login = login
        self._reactor = reactor
        self._verify = verify
        self._cooperator = Cooperator(scheduler=lambda work: reactor.callLater(0, work))
        self._agent = Agent(reactor, _policy(login.ca), connectTimeout=CONNECT_SECONDS)

    async def deliver(self, file: FinishedFile, on_sent: Callable[[], Awaitable[None]]) -> None:
        """See FileTarget."""
        url = f"{self._login.url.rstrip('/')}/{file.name}"
        try:
            await self._put(url, file)
            await on_sent()
            await self._check(url, file)
        except (*_SILENCE, *_BROKEN) as error:
            raise TargetUnreachableError(f"{self._login.url} does not answer: {_words(error)}") from None

    async def _put(self, url: str, file: FinishedFile) -> None:
        try:
            source = file.path.open("rb")
        except OSError as error:
            raise DeliveryError(f"{file.path} cannot be read: {error.strerror}") from None
        with source:
            digest = base64.b64encode(file.sha256).decode()
            headers = {"Content-Type": "application/octet-stream", "Content-Digest": f"sha-256=:{digest}:"}
            seconds = ANSWER_SECONDS + file.size / OCTETS_PER_SECOND_MIN
            status, _, body = await self._ask("PUT", url, headers, FileBodyProducer(source, self._cooperator), seconds)
        if not 200 <= status < 300:
            raise DeliveryError(f"{url} answers {status} to PUT: {body[:200].decode(errors='replace')}")

    async def _check(self, url: str, file: FinishedFile) -> None:
        match self._verify:
            case Verify.ANSWER:
                return
            case Verify.SIZE:
                status, size, _ = await self._ask("HEAD", url)
                if status != 200 or size != file.size:
                    raise DeliveryError(f"{url} has {size} octets after PUT (status {status}), not {file.size}")
            case Verify.SHA256:
                seconds = ANSWER_SECONDS + file.size / OCTETS_PER_SECOND_MIN
                sha256 = hashlib.sha256()
                status, _, _ = await self._ask("GET", url, seconds=seconds, take=sha256.update)
                if status != 200 or sha256.digest() != file.sha256:
                    raise DeliveryError(f"{url} gives other contents back (status {status})")

    async def _ask(
        self,
        method: str,
        url: str,
        headers: dict[str, str] | None = None,
        body: FileBodyProducer | None = None,
        seconds: float = ANSWER_SECONDS,
        take: Callable[[bytes], object] | None = None,
    ) -> tuple[int, int | None, bytes]:
        """(status, the length it says, what it says or the beginning of it)."""
        said = {name: [value] for name, value in ((headers or {}) | self._login.headers | {"Accept-Encoding": "identity"}).items()}
        asked: Deferred[Any] = self._agent.request(method.encode(), url.encode(), Headers(said), body)
        response = await asked.addTimeout(seconds, self._reactor)
        length = response.headers.getRawHeaders(b"content-length", [None])[0]
        size = int(length) if length and length.isdigit() else None
        if method in _BODILESS:
            return response.code, size, b""
        reading = _Body(take)
        response.deliverBody(reading)
        return response.code, size, await reading.read.addTimeout(seconds, self._reactor)


class _Body(Protocol):
    """Takes a body in: hands it on, or keeps the beginning of it."""

    def __init__(self, take: Callable[[bytes], object] | None) -> None:
        self.read: Deferred[bytes] = Deferred()
        self._take = take
        self._kept = b""

    def dataReceived(self, data: bytes) -> None:  # noqa: N802
        if self._take is not None:
            self._take(data)
        elif len(self._kept) < 1_000:
            self._kept += data[:1_000]

    def connectionLost(self, reason: Failure = connectionDone) -> None:  # noqa: N802
        if self.read.called:
            return
        if reason.check(ResponseDone, PotentialDataLoss):
            self.read.callback(self._kept)
        else:
            self.read.errback(ConnectionLost())


def _policy(ca: Path | None) -> BrowserLikePolicyForHTTPS:
    if ca is None:
        return BrowserLikePolicyForHTTPS()
    try:
        blocks = ca.read_text(encoding="ascii").split("-----END CERTIFICATE-----")[:-1]
        authorities = [Certificate.loadPEM(f"{block}-----END CERTIFICATE-----\n".encode()) for block in blocks]
    except (OSError, ValueError) as error:
        raise RequestError(f"{ca} holds no certificates in PEM: {error}") from None
    return BrowserLikePolicyForHTTPS(trustRootFromCertificates(authorities))


def _words(error: BaseException) -> str:
    reasons = getattr(error, "reasons", None)
    return "; ".join(str(one.value) for one in reasons) if reasons else str(error) or type(error).__name__
