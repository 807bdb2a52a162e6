"""Bounds of time and memory at the HTTP edge, on a clock turned by hand: deadlines, backpressure, answers cut off."""

from collections.abc import AsyncGenerator
from typing import Any

import pytest
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.web.resource import Resource

from multispeak import gate, http_hardening
from multispeak.gate import Gate
from multispeak.http_hardening import BoundedSite
from multispeak.limits import (
    BODY_OCTETS_MAX,
    CALL_WAIT_SECONDS,
    CHUNK_OCTETS,
    CONNECTIONS_MAX,
    IDLE_SECONDS,
    RECEIVE_SECONDS,
    STALL_SECONDS,
)
from multispeak.soap_resource import EndpointResource
from multispeak.soap_server import Reply
from tests.fakes.soap_world import PASSWORD, demo_queries, envelope, server
from tests.fakes.transports import StringTransport


class Source:
    """An answer in pieces that counts what was asked of it, and may break."""

    def __init__(self, pieces: int, breaks_after: int = -1) -> None:
        self.pieces = pieces
        self.breaks_after = breaks_after
        self.given = 0
        self.closed = False

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        try:
            while self.given < self.pieces:
                if self.given == self.breaks_after:
                    raise OSError("the database went away")
                self.given += 1
                yield b"piece-%d;" % self.given
        finally:
            self.closed = True

    async def respond(self, octets: bytes, exchange: object) -> Reply:
        return Reply(200, "text/xml; charset=utf-8", b"start;", self.chunks())


class StepClock(Clock):
    """A clock on which `callLater(0)` is the next turn and not still this one, as on a reactor."""

    def callLater(self, delay: float, *rest: Any, **named: Any) -> Any:
        return super().callLater(max(delay, TURN), *rest, **named)


TURN = 1e-6


class Line:
    """One connection to a site with one endpoint; requests take the short way where the site has seen the path before."""

    short = False

    def __init__(self, answering: Any) -> None:
        self.clock = StepClock()
        self.root = Resource()
        self.gate = Gate(self.clock)
        endpoint = EndpointResource("x", {"text/xml": answering}, lambda: b"<wsdl/>", self.gate, self.clock)
        self.root.putChild(b"x", endpoint)
        self.site = BoundedSite(self.root, self.clock)
        if self.short:
            self.site.endpoints[b"/x"] = endpoint
        self.connect()

    def connect(self) -> None:
        self.transport = StringTransport()
        self.channel = self.site.buildProtocol(None)
        self.channel.makeConnection(self.transport)

    def post(self, body: bytes = b"<a/>") -> None:
        self.channel.dataReceived(b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Type: text/xml\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    def turn(self, times: int = 1) -> None:
        for _ in range(times):
            self.clock.advance(TURN)

    def leave(self) -> None:
        self.channel.connectionLost(Failure(ConnectionDone()))


@pytest.fixture(autouse=True, params=[False, True], ids=["usual way", "short way"])
def _way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Line, "short", request.param)


def test_a_stream_is_sent_whole_and_ended() -> None:
    source = Source(3)
    line = Line(source)
    line.post()
    line.turn(10)
    assert line.transport.value().endswith(b"piece-3;\r\n0\r\n\r\n")
    assert (source.closed, line.gate.busy) == (True, 0)


def test_nothing_is_asked_of_the_source_while_the_client_does_not_read() -> None:
    source = Source(1000)
    line = Line(source)
    line.post()
    line.turn(3)
    line.transport.producer.pauseProducing()
    line.turn(20)
    given = source.given
    assert given <= 5
    line.turn(20)
    assert source.given == given
    line.transport.producer.resumeProducing()
    line.turn(10)
    assert source.given > given
    assert line.gate.busy == 1


def test_a_client_that_leaves_closes_the_source() -> None:
    for paused in (False, True):
        source = Source(1000)
        line = Line(source)
        line.post()
        line.turn(3)
        if paused:
            line.transport.producer.pauseProducing()
            line.turn(3)
        line.leave()
        line.turn(3)
        assert source.closed
        assert source.given < 10
        assert line.gate.busy == 0


def test_a_client_that_never_reads_is_cut_off() -> None:
    source = Source(1000)
    line = Line(source)
    line.post()
    line.turn(3)
    line.transport.producer.pauseProducing()
    line.clock.advance(STALL_SECONDS - 1)
    assert not line.transport.disconnected
    line.transport.producer.resumeProducing()
    line.turn(2)
    line.transport.producer.pauseProducing()
    line.clock.advance(STALL_SECONDS - 1)
    assert not line.transport.disconnected
    line.clock.advance(2)
    assert line.transport.disconnected
    line.leave()
    line.turn(2)
    assert (source.closed, line.gate.busy) == (True, 0)


def test_a_large_answer_in_one_piece_is_sent_as_it_is_taken() -> None:
    large = b"x" * (5 * CHUNK_OCTETS + 1)

    class Whole:
        async def respond(self, octets: bytes, exchange: object) -> Reply:
            return Reply(200, "text/xml; charset=utf-8", large)

    line = Line(Whole())
    line.post()
    line.transport.producer.pauseProducing()
    line.turn(20)
    assert len(line.transport.value()) < 2 * CHUNK_OCTETS
    line.transport.producer.resumeProducing()
    line.turn(20)
    assert line.transport.value().endswith(b"\r\n\r\n" + large)
    assert b"\r\nContent-Length: %d\r\n" % len(large) in line.transport.value()
    assert line.gate.busy == 0


def test_an_answer_that_fails_in_the_middle_is_cut_off_and_never_ended() -> None:
    source = Source(10, breaks_after=2)
    line = Line(source)
    line.post()
    line.turn(10)
    assert line.transport.disconnected
    assert not line.transport.value().endswith(b"0\r\n\r\n")
    assert (source.closed, line.gate.busy) == (True, 0)


@pytest.mark.parametrize("sent", [b"P", b"POST /x HTTP/1.1\r\nHost: x\r\n", b"POST /x HTTP/1.1\r\nContent-Length: 900\r\n\r\nabc"])
def test_a_slow_request_is_cut_however_steadily_it_drips(sent: bytes) -> None:
    line = Line(Source(1))
    line.channel.dataReceived(sent)
    for _ in range(RECEIVE_SECONDS - 1):
        line.clock.advance(1)
        line.channel.dataReceived(b"x")
    assert not line.transport.disconnected
    line.clock.advance(1)
    assert line.transport.disconnected


def test_the_deadline_ends_with_the_request_not_with_the_answer() -> None:
    line = Line(Source(1_000_000))
    line.post()
    line.turn()
    line.clock.advance(10 * RECEIVE_SECONDS)
    assert not line.transport.disconnected
    line.leave()
    line.turn()
    assert not [call for call in line.clock.getDelayedCalls() if call.getTime() > line.clock.seconds()], "no timer is left behind"


def test_connections_are_counted_and_the_surplus_is_turned_away() -> None:
    line = Line(Source(1))
    channels = [line.site.buildProtocol(None) for _ in range(CONNECTIONS_MAX - 1)]
    assert all(channels)
    assert line.site.buildProtocol(None) is None
    line.leave()
    assert line.site.buildProtocol(None) is not None


def test_large_bodies_are_taken_where_they_may_be_some_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_hardening, "LARGE_BODIES_MAX", 1)
    line = Line(Source(1))
    line.site.body_octets_max[b"/x"] = BODY_OCTETS_MAX + 100
    head = b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Type: text/xml\r\nContent-Length: %d\r\n\r\n"
    line.channel.dataReceived(head % (BODY_OCTETS_MAX + 1) + b"first")
    line.clock.advance(RECEIVE_SECONDS + 1)
    assert (line.site.large_bodies, line.transport.disconnected) == (1, False)
    first = line.transport, line.channel
    line.connect()
    line.channel.dataReceived(head % (BODY_OCTETS_MAX + 1))
    assert b" 503 " in line.transport.value()
    line.transport, line.channel = first
    line.channel.dataReceived(b"x" * (BODY_OCTETS_MAX + 1 - len(b"first")))
    line.turn(5)
    assert line.transport.value().startswith(b"HTTP/1.1 200 ")
    assert line.site.large_bodies == 0
    line.connect()
    line.channel.dataReceived(head % (BODY_OCTETS_MAX + 101))
    assert b" 413 " in line.transport.value()
    line.connect()
    line.channel.dataReceived(head % (BODY_OCTETS_MAX + 1) + b"first")
    line.leave()
    assert line.site.large_bodies == 0
    line.connect()
    line.channel.dataReceived(head.replace(b"Content-Length: %d", b"Transfer-Encoding: chunked"))
    for _ in range(9):
        line.channel.dataReceived(b"100000\r\n" + b"x" * 0x100000 + b"\r\n")
    assert b" 413 " in line.transport.value()
    line.leave()
    assert line.site.large_bodies == 0


def test_past_the_bound_of_calls_one_waits_and_is_told_to_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "CALLS_MAX", 1)
    line = Line(server(demo_queries(), "3.0"))
    line.gate.busy = 1
    line.post(envelope("3.0", "PingURL"))
    assert line.transport.value() == b""
    line.gate.leave()
    assert line.transport.value().startswith(b"HTTP/1.1 200 ")
    assert line.gate.busy == 0
    line.transport.clear()
    line.gate.busy = 1
    line.post(envelope("3.0", "PingURL"))
    line.clock.advance(CALL_WAIT_SECONDS)
    assert b"Server.Busy" in line.transport.value()
    assert PASSWORD.encode() not in line.transport.value()
    monkeypatch.setattr(gate, "CALLS_WAITING_MAX", 0)
    line.transport.clear()
    line.post(envelope("3.0", "PingURL"))
    assert b"Server.Busy" in line.transport.value()
    assert line.gate.busy == 1


def test_a_client_that_leaves_while_it_waits_is_not_called_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "CALLS_MAX", 1)
    source = Source(3)
    line = Line(source)
    line.gate.busy = 1
    line.post()
    line.leave()
    line.gate.leave()
    line.turn(3)
    assert (source.given, line.gate.busy) == (0, 0)


def test_a_connection_is_idle_from_its_last_answer_on() -> None:
    line = Line(server(demo_queries(), "3.0"))
    for _ in range(3):
        line.clock.advance(IDLE_SECONDS - 1)
        line.post(envelope("3.0", "PingURL"))
        assert line.transport.value().startswith(b"HTTP/1.1 200 ")
        line.transport.clear()
    line.clock.advance(IDLE_SECONDS - 1)
    assert not line.transport.disconnecting
    line.clock.advance(2)
    assert line.transport.disconnecting


def test_a_stream_over_the_real_server() -> None:
    line = Line(server(demo_queries(), "3.0"))
    line.post(envelope("3.0", "GetLatestReadings"))
    line.turn(5)
    assert line.transport.value().startswith(b"HTTP/1.1 200 OK\r\n")
    assert line.transport.value().endswith(b"</soap:Envelope>\r\n0\r\n\r\n")
