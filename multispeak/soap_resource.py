"""Twisted resources: an endpoint answers POST with SOAP and GET with its WSDL or a page; a tree of them makes the MultiSpeak site."""
# mypy: disable-error-code="no-untyped-call"
# ruff: noqa: N802, N815
# Twisted's web package is only partly typed, and its names are what they are.

from collections.abc import Callable, Mapping
from functools import lru_cache
from types import MappingProxyType

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request

from headend.message_log import CUT_OFF, REFUSED
from multispeak.client_certificates import certificate_of
from multispeak.eager import begin
from multispeak.envelope import ENCODINGS
from multispeak.exchange_notes import EndpointNotes
from multispeak.faults import RefusedCallError
from multispeak.gate import Gate
from multispeak.limits import CHUNK_OCTETS
from multispeak.post_request import PostRequest
from multispeak.service_pages import Page, ServicePages
from multispeak.soap_protocol import Exchange
from multispeak.soap_server import Reply, SoapServer
from multispeak.streaming import StreamProducer, in_chunks
from multispeak.web_manners import PLAIN, Mannered, plain, shown
from multispeak.web_manners import head as _head

_SOAP_VERSIONS = {"text/xml": "1.1", "application/soap+xml": "1.2"}

Post = Request | PostRequest
"""Twisted's request, or that of the short way."""


class EndpointResource(Mannered):
    """One service of one version."""

    isLeaf = True
    methods = (b"GET", b"HEAD", b"OPTIONS", b"POST")
    _log = Logger()

    def __init__(
        self,
        title: str,
        servers: Mapping[str, SoapServer],
        wsdl: Callable[[], bytes],
        gate: Gate,
        clock: IReactorTime,
        notes: EndpointNotes | None = None,
        pages: ServicePages | None = None,
    ) -> None:
        super().__init__()
        self._title = title
        self.servers = servers
        self._wsdl = wsdl
        self._wsdl_octets = b""
        self._gate = gate
        self._clock = clock
        self._notes = notes
        self._pages = pages

    def render_GET(self, request: Request) -> bytes:
        """`?wsdl` is the contract, `?op=Name` a page on one operation, anything else the page of the service."""
        # Twisted's args leave out a parameter without `=`.
        query = request.uri.partition(b"?")[2]
        if query.lower().partition(b"=")[0] in {b"wsdl", b"singlewsdl"}:
            self._wsdl_octets = self._wsdl_octets or self._wsdl()
            _head(request, 200, "text/xml; charset=utf-8")
            return self._wsdl_octets
        if self._pages is None:
            return plain(request, 200, f"{self._title}: send SOAP by POST; the WSDL is at this address with ?wsdl\n")
        return shown(request, self._pages.page(_operation_asked(request)))

    def render_POST(self, request: Request) -> int:
        """A SOAP call."""
        self.take_post(request)
        return NOT_DONE_YET

    def take_post(self, request: Post) -> None:
        """Answer a SOAP call, now or later."""
        media_type, action, refusal = _format(request.getHeader(b"content-type"), request.getHeader(b"content-encoding"))
        server = self.servers.get(media_type)
        action = action or (request.getHeader(b"soapaction") or b"").decode("latin-1")
        exchange = Exchange(_address(request), action, self._clock.seconds(), certificate_of(request))
        octets = request.content.read() if request.content else b""
        if server is None or refusal:
            _send(request, Reply(415, PLAIN, (refusal + "\n").encode()), exchange)
            self._note(exchange, media_type, octets, REFUSED)
            return

        def ended(result: object) -> None:
            self._ended(result, request, exchange)
            self._note(exchange, media_type, octets, CUT_OFF if exchange.cut_off else "")

        begin(self._call(request, server, octets, exchange), ended)

    async def _call(self, request: Post, server: SoapServer, octets: bytes, exchange: Exchange) -> None:
        try:
            await self._gate.enter()
        except RefusedCallError as busy:
            if _has_left(request):
                exchange.cut_off = True
            else:
                _send(request, server.refuse(busy, exchange), exchange)
            return
        try:
            if _has_left(request):
                exchange.cut_off = True
            else:
                await self._answer(request, server, octets, exchange)
        finally:
            self._gate.leave()

    async def _answer(self, request: Post, server: SoapServer, octets: bytes, exchange: Exchange) -> None:
        reply = await server.respond(octets, exchange)
        if _has_left(request):
            exchange.cut_off = True
            if reply.chunks is not None:
                await reply.chunks.aclose()
            return
        if reply.chunks is None and len(reply.octets) <= CHUNK_OCTETS:
            _send(request, reply, exchange)
            return
        exchange.answer_head = reply.octets
        _head(request, reply.status, reply.content_type)
        if reply.chunks is not None:
            request.write(reply.octets)
        else:
            request.setHeader(b"content-length", str(len(reply.octets)).encode())
        producer = StreamProducer(request, reply.chunks or in_chunks(reply.octets), self._clock)
        try:
            await producer.run()
        finally:
            exchange.octets_out = producer.octets_sent + (0 if reply.chunks is None else len(reply.octets))
        if _has_left(request):
            exchange.cut_off = True
        else:
            request.finish()

    def _ended(self, result: object, request: Post, exchange: Exchange) -> None:
        """Whatever came of a call; one that failed in mid-answer is cut off, so that nobody takes it for complete."""
        if isinstance(result, Failure):
            exchange.cut_off = True
            self._log.failure("answer cut off", failure=result)
            if request.channel is not None:
                request.channel.forceAbortClient()

    def _note(self, exchange: Exchange, media_type: str, octets: bytes, verdict: str = "") -> None:
        if self._notes is not None:
            self._notes.note(exchange, _SOAP_VERSIONS.get(media_type, ""), octets, self._clock.seconds(), verdict)


class AsmxAware(Mannered):
    """A folder of endpoints, each also found with `.asmx` behind its name; `aliases` are further names of theirs."""

    def __init__(self, page: Callable[[], Page], aliases: Mapping[str, str] = MappingProxyType({})) -> None:
        super().__init__()
        self._page = page
        self._aliases = {alias.lower(): name.lower() for alias, name in aliases.items()}

    def getChild(self, path: bytes, request: Request) -> Resource:
        """An endpoint by its name or an alias, its letters' case aside; the folder itself behind its slash."""
        if not path:
            return self
        plain = path.decode("latin-1").lower().removesuffix(".asmx")
        plain = self._aliases.get(plain, plain)
        for name, child in self.listEntities():
            if name.decode().lower() == plain and isinstance(child, Resource):
                return child
        there = ", ".join(sorted(name.decode() for name in self.listNames()))
        return Lost(f"there is no {path.decode('latin-1')[:60]!r} here; there are {there}\n")

    def render_GET(self, request: Request) -> bytes:
        """The page of the folder."""
        return shown(request, self._page())


class Lost(Resource):
    """An address that is none, and what there is instead."""

    isLeaf = True

    def __init__(self, text: str) -> None:
        super().__init__()
        self._text = text

    def render(self, request: Request) -> bytes:
        """404."""
        return plain(request, 404, self._text)


def parse_content_type(value: str) -> tuple[str, str, str]:
    """Media type, charset and action of a Content-Type, the first two in small letters; empty where absent."""
    media_type, *parameters = value.split(";")
    named = {}
    for parameter in parameters:
        name, _, text = parameter.partition("=")
        named[name.strip().lower()] = text.strip().strip('"')
    return media_type.strip().lower(), named.get("charset", "").lower(), named.get("action", "")


@lru_cache(maxsize=64)
def _format(content_type: bytes | None, content_encoding: bytes | None) -> tuple[str, str, str]:
    """Media type, action and, where a body of that kind is not taken, the reason; kept, since clients say the same each time."""
    media_type, charset, action = parse_content_type((content_type or b"").decode("latin-1"))
    encoding = (content_encoding or b"identity").decode("latin-1")
    if encoding.strip().lower() != "identity":
        return media_type, action, f"content encoding {encoding[:40]!r} is not taken; send the message as it is"
    return media_type, action, _unsupported(media_type, charset)


def _unsupported(media_type: str, charset: str) -> str:
    if media_type not in _SOAP_VERSIONS:
        return f"content type {media_type[:60]!r} is not taken; SOAP 1.1 is text/xml, SOAP 1.2 application/soap+xml"
    return "" if not charset or charset in ENCODINGS else f"charset {charset[:40]!r} is not taken; send utf-8 or utf-16"


def _send(request: Post, reply: Reply, exchange: Exchange) -> None:
    exchange.answer_head, exchange.octets_out = reply.octets, len(reply.octets)
    _head(request, reply.status, reply.content_type)
    request.setHeader(b"content-length", str(len(reply.octets)).encode())
    request.write(reply.octets)
    request.finish()


def _operation_asked(request: Request) -> str:
    """The name behind `?op=`; empty where there is none."""
    named = {name.lower(): values for name, values in (request.args or {}).items()}
    return bytes(named.get(b"op", [b""])[0]).decode("utf-8", "replace").strip()


def _has_left(request: Post) -> bool:
    """Whether the client is gone before its answer was complete."""
    return request.channel is None


def _address(request: Post) -> str:
    return str(getattr(request.getClientAddress(), "host", ""))
