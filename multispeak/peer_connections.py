"""Connections to partners' servers: only to addresses that may be spoken with, and what went wrong in words.

A name is looked up here and each address it has is held against the profile before anything is sent there, so that no name, whoever
answers for it and whatever it leads to the next time, makes us speak with what is reached from our machine only.
"""
# mypy: disable-error-code="no-untyped-call"

from collections.abc import Callable
from typing import Any

from OpenSSL import SSL
from service_identity import VerificationError
from twisted.internet import error as net_error
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.defer import TimeoutError as DeferredTimeoutError
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.interfaces import IHostResolution, IProtocolFactory, IResolutionReceiver, IStreamClientEndpoint
from twisted.web.client import Agent, HTTPConnectionPool, ResponseFailed
from twisted.web.iweb import IAgentEndpointFactory, IPolicyForHTTPS
from zope.interface import implementer

CONNECT_SECONDS = 10.0
"""How long a connection to one address may take to be made."""

ADDRESSES_MAX = 4
"""Addresses of a name that are tried: a server has one for each version of IP, and a second."""

AddressProblem = Callable[[str], str]
"""Why an address may not be spoken with, in words after it; empty where it may."""


class AddressRefusedError(Exception):
    """A name that leads only to addresses that may not be spoken with."""


def peer_agent(reactor: Any, policy: Any, problem_of: AddressProblem) -> tuple[Agent, HTTPConnectionPool]:
    """A client for the servers of one partner, and the pool of its connections, which nobody else uses. Redirects are not followed."""
    pool = HTTPConnectionPool(reactor, persistent=True)
    # A request that got no answer may have been taken; whether it is sent again is the dispatcher's matter.
    pool.retryAutomatically = False
    return Agent.usingEndpointFactory(reactor, PeerEndpoints(reactor, policy, problem_of), pool), pool


@implementer(IAgentEndpointFactory)
class PeerEndpoints:
    """Endpoints for an Agent."""

    def __init__(self, reactor: Any, policy: IPolicyForHTTPS, problem_of: AddressProblem) -> None:
        self._reactor = reactor
        self._policy = policy
        self._problem_of = problem_of

    def endpointForURI(self, uri: Any) -> Any:  # noqa: N802 (Twisted's name)
        """See IAgentEndpointFactory."""
        host: bytes = uri.host.strip(b"[]")
        endpoint = _CheckedEndpoint(self._reactor, host.decode("ascii"), uri.port, self._problem_of)
        if uri.scheme == b"https":
            return wrapClientTLS(self._policy.creatorForNetloc(host, uri.port), endpoint, self._reactor)
        return endpoint


@implementer(IStreamClientEndpoint)
class _CheckedEndpoint:
    def __init__(self, reactor: Any, host: str, port: int, problem_of: AddressProblem) -> None:
        self._reactor = reactor
        self._host = host
        self._port = port
        self._problem_of = problem_of

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[Any]:  # noqa: N803 (Twisted's name)
        return Deferred.fromCoroutine(self._connected(protocolFactory))

    async def _connected(self, factory: IProtocolFactory) -> Any:
        addresses = await _addresses_of(self._reactor, self._host, self._port)
        if not addresses:
            raise net_error.DNSLookupError(self._host)
        problems = {address: self._problem_of(address) for address in addresses}
        allowed = [address for address, problem in problems.items() if not problem]
        if not allowed:
            address, problem = next(iter(problems.items()))
            leads = address if address == self._host else f"{self._host} leads to {address}, which"
            raise AddressRefusedError(f"{leads} {problem}")
        failure: Exception | None = None
        for address in allowed[:ADDRESSES_MAX]:
            try:
                return await HostnameEndpoint(self._reactor, address, self._port, CONNECT_SECONDS).connect(factory)
            except net_error.ConnectError as error:
                failure = error
        assert failure is not None, "there is an address, and it was tried"
        raise failure


async def _addresses_of(reactor: Any, host: str, port: int) -> list[str]:
    receiver = _Addresses()
    reactor.nameResolver.resolveHostName(receiver, host, port)
    return await receiver.complete


@implementer(IResolutionReceiver)
class _Addresses:
    """Takes what a name is resolved to, each address once."""

    def __init__(self) -> None:
        self.complete: Deferred[list[str]] = Deferred()
        self._found: dict[str, None] = {}

    def resolutionBegan(self, resolutionInProgress: IHostResolution) -> None:  # noqa: N802, N803 (Twisted's names)
        """Nothing to do before there are addresses."""

    def addressResolved(self, address: Any) -> None:  # noqa: N802
        self._found[address.host] = None

    def resolutionComplete(self) -> None:  # noqa: N802
        if not self.complete.called:
            self.complete.callback(list(self._found))


def failure_words(error: BaseException, timeout_seconds: float) -> str:
    """What went wrong with a call, in words for whoever has to see to it; what it was about, not where in our code."""
    match error:
        case ResponseFailed() if error.reasons:
            return failure_words(error.reasons[0].value, timeout_seconds)
        case AddressRefusedError():
            return f"not allowed: {error}"
        case DeferredTimeoutError() | CancelledError():
            return f"no answer within {timeout_seconds:g} seconds"
        case net_error.DNSLookupError():
            return "its name is not known"
        case net_error.ConnectionRefusedError():
            return "connection refused"
        case net_error.TimeoutError():
            return f"no connection within {CONNECT_SECONDS:g} seconds"
        case VerificationError():
            return "TLS: its certificate is another server's"
        case SSL.Error():
            return f"TLS: {_tls_words(error)}"
        case net_error.ConnectionLost() | net_error.ConnectionDone():
            return "the connection was closed before there was an answer"
    words = str(error).strip()
    return f"{type(error).__name__}: {words}"[:300] if words else type(error).__name__


_TLS_WORDS = {
    "certificate verify failed": "its certificate is not trusted, or is another one than the profile names",
    "wrong version number": "it does not speak TLS",
    "packet length too long": "it does not speak TLS",
    "http request": "it does not speak TLS",
    "unsupported protocol": "it speaks no version of TLS that is safe",
    "certificate required": "it wants a certificate of ours, and the profile has none",
    "unknown ca": "it does not trust our certificate",
    "bad certificate": "it does not take our certificate",
}


def _tls_words(error: SSL.Error) -> str:
    reasons = [str(part[-1]) for part in (error.args[0] if error.args and isinstance(error.args[0], list) else [])]
    said = "; ".join(dict.fromkeys(reasons)) or str(error) or type(error).__name__
    known = next((words for sign, words in _TLS_WORDS.items() if sign in said), "")
    return f"{known} ({said})" if known else said
