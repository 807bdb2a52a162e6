"""The short way of an ordinary POST beside Twisted's: the same octets for every operation, and what is not ordinary left to Twisted."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.web.resource import Resource

from multispeak.contract import load_contract
from multispeak.gate import Gate
from multispeak.http_hardening import BoundedSite
from multispeak.limits import HEADERS_MAX, WHOLE_POST_OCTETS_MAX, WHOLE_POST_PIECES_MAX
from multispeak.soap_resource import EndpointResource
from multispeak.whole_post import NotYet, WholePost, whole_post
from tests.fakes.soap_world import NAMESPACES, demo_readings_alone, envelope, server
from tests.fakes.transports import StringTransport
from wsdl import VERSIONS

TYPES = {"1.1": "text/xml; charset=utf-8", "1.2": "application/soap+xml; charset=utf-8"}
DATES = "<startDate>2026-03-01T00:00:00Z</startDate><endDate>2026-03-04T00:00:00Z</endDate>"
INSIDES = {
    ("3.0", "GetLatestReadingByMeterNo"): "<meterNo>E2</meterNo>",
    ("4.1.6", "GetLatestReadingByMeterID"): "<meterID>E2</meterID>",
    ("3.0", "GetReadingsByDate"): DATES,
    ("4.1.6", "GetReadingsByDate"): DATES,
    ("3.0", "GetReadingsByMeterNo"): "<meterNo>E1</meterNo>" + DATES,
}
_DATE = re.compile(rb"\r\nDate: [^\r]*")


def site(version: str, *, short: bool) -> tuple[Clock, Any, StringTransport]:
    """A connection to MR_Server of a version."""
    clock, root = Clock(), Resource()
    servers = {media.partition(";")[0]: server(demo_readings_alone(), version, soap) for soap, media in TYPES.items()}
    endpoint = EndpointResource("x", servers, lambda: b"", Gate(clock), clock)
    root.putChild(b"x", endpoint)
    served = BoundedSite(root, clock)
    if short:
        served.endpoints[b"/x"] = endpoint
    channel, transport = served.buildProtocol(None), StringTransport()
    channel.makeConnection(transport)
    return clock, channel, transport


def post(body: bytes, content_type: str = TYPES["1.1"], extra: str = "") -> bytes:
    head = f"POST /x HTTP/1.1\r\nHost: x\r\nContent-Type: {content_type}\r\n{extra}Content-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def answers(version: str, *pieces: bytes) -> tuple[bytes, bytes]:
    """What is answered the usual way, and the short way; the date aside."""
    found = []
    for short in (False, True):
        clock, channel, transport = site(version, short=short)
        for piece in pieces:
            channel.dataReceived(piece)
        for _ in range(50):
            clock.advance(1e-6)
        found.append(_DATE.sub(b"", transport.value()))
    return found[0], found[1]


@pytest.mark.parametrize("soap", ["1.1", "1.2"])
@pytest.mark.parametrize("version", VERSIONS)
def test_every_operation_is_answered_alike(version: str, soap: str) -> None:
    for operation in load_contract(version).services["MR_Server"].operations:
        inside = INSIDES.get((version, operation), "")
        action = f'SOAPAction: "{NAMESPACES[version]}/{operation}"\r\n'
        usual, short = answers(version, post(envelope(version, operation, inside, soap=soap), TYPES[soap], action))
        assert usual == short, operation
        assert usual.startswith(b"HTTP/1.1 "), operation


@pytest.mark.parametrize(
    "request_octets",
    [
        post(b""),
        post(b"<a/>", "text/plain"),
        post(b"<a/>", extra="Content-Encoding: gzip\r\n"),
        post(envelope("3.0", "PingURL"), extra="Connection: keep-alive\r\n"),
        post(envelope("3.0", "PingURL"), extra="Connection: close\r\n"),
        post(envelope("3.0", "PingURL"), extra="Expect: 100-continue\r\n"),
        post(envelope("3.0", "PingURL"), extra="X-Folded: a\r\n b\r\n"),
        post(envelope("3.0", "PingURL"), extra="X Bad: a\r\n"),
        post(envelope("3.0", "PingURL"), extra="Content-Length: 4\r\n"),
        post(envelope("3.0", "PingURL")) * 3,
        post(envelope("3.0", "PingURL")).replace(b"HTTP/1.1", b"HTTP/1.0"),
        post(envelope("3.0", "PingURL")).replace(b"POST /x", b"POST /x?a=1"),
        post(envelope("3.0", "PingURL") + b" " * WHOLE_POST_OCTETS_MAX),
    ],
)
def test_odd_requests_are_answered_alike(request_octets: bytes) -> None:
    usual, short = answers("3.0", request_octets)
    assert usual == short
    assert usual.startswith(b"HTTP/1.")


@pytest.mark.parametrize("pieces", [2, WHOLE_POST_PIECES_MAX, WHOLE_POST_PIECES_MAX + 1, 60])
def test_in_however_many_pieces_it_comes(pieces: int) -> None:
    octets = post(envelope("3.0", "PingURL"))
    size = len(octets) // pieces
    cut = [octets[i : i + size] for i in range(0, len(octets), size)]
    usual, short = answers("3.0", *cut, octets)
    assert usual == short
    assert usual.count(b"HTTP/1.1 200 ") == 2


def test_what_is_ordinary() -> None:
    octets = post(b"<a/>", extra="SOAPAction:  x \r\n")
    assert whole_post(octets) == WholePost(
        b"/x",
        {b"host": b"x", b"content-type": b"text/xml; charset=utf-8", b"soapaction": b"x", b"content-length": b"4"},
        b"<a/>",
    )
    assert {whole_post(octets[:size]) for size in range(1, len(octets))} == {NotYet.MORE}
    many = "".join(f"X-{i}: 1\r\n" for i in range(HEADERS_MAX))
    for other in (octets + b"P", octets.replace(b"POST", b"PUT"), post(b"", extra=many), post(b"", extra="A: b\nc\r\n"), b"GET / HTTP/1.1"):
        assert whole_post(other) is NotYet.NEVER


@given(st.binary(max_size=400), st.integers(0, 300))
def test_damaged_octets_are_whole_or_not(octets: bytes, place: int) -> None:
    ordinary = post(b"<a/>")
    assert isinstance(whole_post(octets), WholePost | NotYet)
    damaged = ordinary[:place] + octets + ordinary[place:]
    assert isinstance(whole_post(damaged), WholePost | NotYet)
