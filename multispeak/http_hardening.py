"""HTTP server side with bounds: size of a body, headers, time to send a request, connections.

An ordinary SOAP call goes a short way past Twisted's request; everything else, and whatever looks odd, goes Twisted's.
Source  reference/spyne.md 5
"""
# mypy: disable-error-code="no-untyped-call"
# ruff: noqa: N802, N815
# Twisted's web package is only partly typed, and its names are what they are.

from typing import Any

from twisted.internet import tcp
from twisted.internet.interfaces import IAddress, IDelayedCall, IReactorTime
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel
from twisted.web.resource import IResource
from twisted.web.server import Request, Site

from multispeak.limits import (
    BODY_OCTETS_MAX,
    CONNECTIONS_MAX,
    HEADERS_MAX,
    IDLE_SECONDS,
    LARGE_BODIES_MAX,
    LARGE_BODY_OCTETS_PER_SECOND,
    PATHS_REMEMBERED_MAX,
    RECEIVE_SECONDS,
    WHOLE_POST_PIECES_MAX,
)
from multispeak.post_request import PostRequest
from multispeak.whole_post import NotYet, WholePost, whole_post

_SOAP_TYPES = (b"text/xml", b"application/soap+xml")


class BoundedRequest(Request):
    """A request whose body says how long it is, or is chunked, and is as long at most as its address takes.

    Else the answer is 411 or 413, or 503 while too many large ones are there, and the connection ends.
    """

    _received = 0
    _refused = False
    _is_large = False

    def gotLength(self, length: int | None) -> None:
        """The body's length, as announced."""
        if length is None or self._may_be_long(length):
            super().gotLength(length)
        else:
            super().gotLength(0)

    def handleContentChunk(self, data: bytes) -> None:
        """A piece of the body."""
        self._received += len(data)
        if not self._refused and self._may_be_long(self._received):
            super().handleContentChunk(data)

    def _may_be_long(self, octets: int) -> bool:
        """Whether a body so long is taken; one that is not has been refused when this returns."""
        if octets <= BODY_OCTETS_MAX:
            return True
        channel: Any = self.channel
        site = channel.factory
        path = channel._path.partition(b"?")[0]
        octets_max = site.body_octets_max.get(path, BODY_OCTETS_MAX)
        if octets > octets_max:
            self._refuse(b"413 Content Too Large", f"the request body may hold {octets_max} octets\n")
        elif not self._is_large and site.large_bodies >= LARGE_BODIES_MAX:
            self._refuse(b"503 Service Unavailable", f"{LARGE_BODIES_MAX} large requests are being taken; try again\n")
        elif not self._is_large:
            self._is_large = True
            site.large_bodies += 1
            self.notifyFinish().addBoth(lambda _: site.large_body_ended())
            channel.give_seconds(RECEIVE_SECONDS + octets_max // LARGE_BODY_OCTETS_PER_SECOND)
        return not self._refused

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        """The request is complete."""
        if self._refused:
            return
        has_header = self.requestHeaders.hasHeader
        if command == b"POST" and not has_header(b"content-length") and not has_header(b"transfer-encoding"):
            # What follows such a head would be taken for the next request.
            self._refuse(b"411 Length Required", "a POST must have a Content-Length, or be chunked\n")
            return
        content_type = self.requestHeaders.getRawHeaders(b"content-type", [b""])[0]
        if self._is_large or content_type.lower().startswith(_SOAP_TYPES):
            # Twisted parses the content type with the email package to see whether the body is a form; that alone costs more than
            # the rest of receiving a small request. And a large form would be read into memory.
            self._parsePOSTFormSubmission = False
        super().requestReceived(command, path, version)

    def _refuse(self, status: bytes, sentence: str) -> None:
        self._refused = True
        # Else Twisted would still say "100 Continue".
        self.requestHeaders.removeHeader(b"expect")
        text = sentence.encode()
        head = b"HTTP/1.1 %s\r\nConnection: close\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n"
        self.channel.write(head % (status, len(text)) + text)
        self.channel.loseConnection()


class BoundedChannel(HTTPChannel):
    """A connection that gives a request `RECEIVE_SECONDS` from its first octet to its last."""

    maxHeaders = HEADERS_MAX
    _deadline: IDelayedCall | None = None
    _held = b""
    _pieces = 0
    _answered_at = 0.0

    def dataReceived(self, data: bytes) -> None:
        """Octets of a request; the first of them starts the clock."""
        if not self._handlingRequest and (self._pieces or self._deadline is None):
            data = self._held = self._held + data
            match whole_post(data) if self._pieces < WHOLE_POST_PIECES_MAX else NotYet.NEVER:
                case NotYet.MORE:
                    self._pieces += 1
                    self._start_clock()
                    return
                case WholePost() as post if (endpoint := self.factory.endpoints.get(post.path)) is not None:
                    self._held, self._pieces = b"", 0
                    self._take(post, endpoint)
                    return
            self._held, self._pieces = b"", 0
            self._start_clock()
        super().dataReceived(data)

    def _take(self, post: WholePost, endpoint: Any) -> None:
        """Have a whole request answered."""
        self._stop_clock()
        self._handlingRequest = self.persistent = True
        # What comes meanwhile is kept for later, as behind any request; and the idle timer runs on, for `timeoutConnection` to look at.
        self.setRawMode()
        self._savedTimeOut = None
        request = PostRequest(self, post)
        self.requests.append(request)
        try:
            endpoint.take_post(request)
        except BaseException:
            self.forceAbortClient()
            raise

    def requestDone(self, request: Any) -> None:
        """An answer is complete."""
        self._answered_at = self.factory.reactor.seconds()
        if type(request) is PostRequest and not self._dataBuffer and not self._waitingForTransport:
            # Nothing came meanwhile, so reading was never paused: to resume it costs a look at all sockets of the reactor.
            self.requests.remove(request)
            self._handlingRequest = False
            self.line_mode = 1
        else:
            super().requestDone(request)

    def send(self, octets: bytes) -> None:
        """Octets of an answer: to the socket at once where nothing is before them, which saves a round of the reactor."""
        transport: Any = self.transport
        if type(transport) is tcp.Server and not (transport.dataBuffer or transport._tempDataBuffer or transport.disconnecting):
            sent = transport.writeSomeData(octets)
            if not isinstance(sent, int):
                transport.connectionLost(Failure(sent))
                return
            if sent == len(octets):
                return
            octets = octets[sent:]
        transport.write(octets)

    def timeoutConnection(self) -> None:
        """Nothing has come for a while: of this connection that is long only if no request is being answered or was of late."""
        idle_seconds = 0.0 if self._handlingRequest else self.factory.reactor.seconds() - self._answered_at
        if idle_seconds < IDLE_SECONDS:
            self.setTimeout(IDLE_SECONDS - idle_seconds)
        else:
            super().timeoutConnection()

    def allContentReceived(self) -> None:
        """The request is complete."""
        self._stop_clock()
        super().allContentReceived()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The connection ended."""
        self._stop_clock()
        super().connectionLost(reason)
        self.factory.connection_ended()

    def give_seconds(self, seconds: float) -> None:
        """More time for a request that may be long."""
        if self._deadline is not None:
            self._deadline.reset(seconds)

    def _too_slow(self) -> None:
        self._deadline = None
        self.forceAbortClient()

    def _start_clock(self) -> None:
        if self._deadline is None:
            self._deadline = self.callLater(RECEIVE_SECONDS, self._too_slow)

    def _stop_clock(self) -> None:
        deadline, self._deadline = self._deadline, None
        if deadline is not None:
            deadline.cancel()


class BoundedSite(Site):
    """A site with all of these bounds; at most `CONNECTIONS_MAX` connections, further ones are closed at once.

    `body_octets_max` are the paths that take longer bodies than others, with how many octets.
    """

    def __init__(self, resource: IResource, reactor: IReactorTime) -> None:
        super().__init__(resource, requestFactory=BoundedRequest, timeout=IDLE_SECONDS, reactor=reactor)
        self.protocol: Any = BoundedChannel
        self.endpoints: dict[bytes, Any] = {}
        self.body_octets_max: dict[bytes, int] = {}
        self.large_bodies = 0
        self._open = 0

    def getResourceFor(self, request: Request) -> IResource:
        """The resource of a request; one that takes whole posts is remembered by its path."""
        found: IResource = super().getResourceFor(request)
        if hasattr(found, "take_post") and len(self.endpoints) < PATHS_REMEMBERED_MAX:
            self.endpoints[request.path] = found
        return found

    def log(self, request: object) -> None:
        """No access log: the message log has every exchange, and a line of text for each would cost as much as its answer."""

    def buildProtocol(self, addr: IAddress | None) -> Any:
        """A channel for a new connection; None, which closes it, when there are too many."""
        if self._open >= CONNECTIONS_MAX:
            return None
        self._open += 1
        return super().buildProtocol(addr)

    def large_body_ended(self) -> None:
        """One large body less."""
        self.large_bodies -= 1

    def connection_ended(self) -> None:
        """One connection less."""
        self._open -= 1
