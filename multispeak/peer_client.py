"""Posts messages to one partner's servers and takes their answers, up to a bound and within the time that its profile gives."""
# mypy: disable-error-code="no-untyped-call"

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import Agent, HTTPConnectionPool, ResponseDone
from twisted.web.http import PotentialDataLoss
from twisted.web.http_headers import Headers
from twisted.web.iweb import IBodyProducer
from zope.interface import implementer

from headend.model.partner import NotificationProfile
from headend.named_addresses import address_problem
from multispeak.limits import ANSWER_OCTETS_MAX
from multispeak.message_header import APP_NAME
from multispeak.peer_connections import peer_agent

SOAP_HEADERS: dict[str, Callable[[str], dict[str, list[str]]]] = {
    "1.1": lambda action: {"Content-Type": ["text/xml; charset=utf-8"], "SOAPAction": [f'"{action}"']},
    "1.2": lambda action: {"Content-Type": [f'application/soap+xml; charset=utf-8; action="{action}"']},
}
"""Version of SOAP → the headers that say so, and which operation is called."""


class PeerClient:
    """A client of one partner. Addresses that the utility gave lead anywhere, those that the partner named where its profile lets them.

    The two share no connection: one that was made to a private address by right must not carry what a partner aims at it.
    """

    def __init__(self, reactor: Any, profile: NotificationProfile, policy: Any) -> None:
        self._reactor = reactor
        self._profile = profile
        self._agents: dict[bool, tuple[Agent, HTTPConnectionPool]] = {
            True: peer_agent(reactor, policy, lambda _: ""),
            False: peer_agent(reactor, policy, lambda address: address_problem(address, profile.networks)),
        }

    async def stop(self) -> None:
        """Close idle connections."""
        for _, pool in self._agents.values():
            await pool.closeCachedConnections()

    async def post(self, url: str, soap_action: str, body: bytes) -> tuple[int, bytes]:
        """(HTTP status, answer as far as it is read). Raises what became of the connection instead of an answer."""
        profile = self._profile
        agent, _ = self._agents[profile.is_configured(url)]
        headers = Headers({**SOAP_HEADERS[profile.soap](soap_action), "User-Agent": [APP_NAME]})
        whole = Deferred.fromCoroutine(_exchange(agent, url, headers, body))
        whole.addTimeout(profile.timeout_seconds, self._reactor)
        return await whole


async def _exchange(agent: Agent, url: str, headers: Headers, body: bytes) -> tuple[int, bytes]:
    response = await agent.request(b"POST", url.encode(), headers, _Octets(body))
    answer = _Bounded(ANSWER_OCTETS_MAX)
    response.deliverBody(answer)
    return response.code, await answer.ended


@implementer(IBodyProducer)
class _Octets:
    """A body of a request that is there already."""

    def __init__(self, octets: bytes) -> None:
        self._octets = octets
        self.length = len(octets)

    def startProducing(self, consumer: Any) -> Deferred[None]:  # noqa: N802 (Twisted's name)
        consumer.write(self._octets)
        done: Deferred[None] = Deferred()
        done.callback(None)
        return done

    def pauseProducing(self) -> None:  # noqa: N802
        """All is written at once."""

    def resumeProducing(self) -> None:  # noqa: N802
        """All is written at once."""

    def stopProducing(self) -> None:  # noqa: N802
        """All is written at once."""


class _Bounded(Protocol):
    """Takes the body of an answer up to a bound; what is beyond it is not read. One that is cut off is no answer."""

    def __init__(self, octets_max: int) -> None:
        self.ended: Deferred[bytes] = Deferred(lambda _: self._lose())
        self._octets = bytearray()
        self._octets_max = octets_max

    def dataReceived(self, data: bytes) -> None:  # noqa: N802
        self._octets += data
        if len(self._octets) > self._octets_max:
            self._end(None)
            self._lose()

    def connectionLost(self, reason: Failure = connectionDone) -> None:  # noqa: N802
        self._end(None if reason.check(ResponseDone, PotentialDataLoss) else reason)

    def _end(self, reason: Failure | None) -> None:
        if not self.ended.called:
            self.ended.callback(bytes(self._octets[: self._octets_max])) if reason is None else self.ended.errback(reason)

    def _lose(self) -> None:
        if self.transport is not None:
            self.transport.loseConnection()
