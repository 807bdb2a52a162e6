"""The writer of the message log over a real store: batches, bounds, trouble; and what an endpoint notes of each kind of exchange."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from twisted.internet.task import Clock
from twisted.internet.threads import deferToThreadPool
from twisted.web.resource import Resource

from headend.errors import StoreError
from headend.message_log import ANSWERED, CUT_OFF, REFUSED, MessageEntry, MessageFilter
from headend.model.partner import Caller
from multispeak import message_log
from multispeak.exchange_notes import EndpointNotes
from multispeak.http_hardening import BoundedSite
from multispeak.limits import LOG_PACK_CHARACTERS_MAX, LOG_PACK_MAX, LOG_PURGE_SECONDS
from multispeak.message_log import LogPolicy, MessageLog, NotedExchange, packed_exchanges
from multispeak.object_counts import objects_asked, objects_told
from multispeak.packed_envelopes import unpacked
from multispeak.records import Records
from multispeak.soap_resource import EndpointResource
from tests.conftest import RunningReactor
from tests.edge.test_multispeak_http import Line, Source
from tests.fakes.soap_world import NOW, PASSWORD, demo_queries, envelope, server
from tests.store.test_messages import ENTRY
from tests.store.world import OpenStore

POLICY = LogPolicy(days=30, octets_max=1_000_000, envelope_octets_max=2_000)


class Kept:
    """A directory with one log, which keeps what is noted as it is."""

    envelope_octets_max = 300

    def __init__(self) -> None:
        self.noted: list[NotedExchange] = []
        self.asked_for: list[tuple[str | None, str]] = []

    def log_of(self, caller: Caller | None, user_id: str) -> "Kept":
        self.asked_for.append((caller and caller.partner.user_id, user_id))
        return self

    def note(self, exchange: NotedExchange) -> None:
        self.noted.append(exchange)

    @property
    def last(self) -> MessageEntry:
        return self.noted[-1].entry


def exchange(**changes: Any) -> NotedExchange:
    return NotedExchange(replace(ENTRY, **changes), b'<h Pwd="hunter2"/>', b"<answer/>")


class Writing:
    """A log that writes into a real store; its clock is turned by hand, its thread is a real one."""

    def __init__(self, store: OpenStore, running: RunningReactor, port: Any = None) -> None:
        self._running = running
        self.clock = Clock()
        reactor = running.reactor

        def on_thread(work: Any, *arguments: Any) -> Any:
            return deferToThreadPool(reactor, reactor.getThreadPool(), work, *arguments)

        self.log = MessageLog(port or store.store, POLICY, lambda: NOW, self.clock, on_thread)

    def do(self, *work: Any) -> None:
        """Call something on the reactor's thread."""

        async def call() -> None:
            work[0](*work[1:])

        self._running.wait(call)

    def stop(self) -> None:
        self._running.wait(self.log.stop)


@pytest.fixture
def writing(store: OpenStore, running: RunningReactor) -> Iterator[Writing]:
    one = Writing(store, running)
    yield one
    one.stop()


def stored(store: OpenStore) -> list[MessageEntry]:
    return [entry for _, entry in store.call("messages", MessageFilter(), 10_000)]


def test_what_is_noted_is_written_without_secrets_in_order_and_at_the_end_all_of_it(store: OpenStore, writing: Writing) -> None:
    writing.do(writing.log.start)
    for number in range(1_200):
        writing.do(writing.log.note, exchange(transaction_id=str(number)))
    writing.stop()
    assert [entry.transaction_id for entry in stored(store)] == [str(number) for number in range(1_200)]
    _, envelopes = store.call("message", 1)
    assert unpacked(envelopes.octets, envelopes.place) == ('<h Pwd="…"/>', "<answer/>")
    assert writing.log.dropped == 0


def test_what_finds_the_queue_full_is_dropped_and_counted(store: OpenStore, writing: Writing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(message_log, "LOG_QUEUE_MAX", 3)
    for _ in range(5):
        writing.do(writing.log.note, exchange())
    monkeypatch.setattr(message_log, "LOG_QUEUE_MAX", 100)
    monkeypatch.setattr(message_log, "LOG_QUEUE_OCTETS_MAX", 60)
    writing.do(writing.log.note, exchange())
    writing.stop()
    assert (len(stored(store)), writing.log.dropped) == (3, 3)
    # What has been written makes room.
    writing.do(writing.log.note, exchange())
    writing.stop()
    assert len(stored(store)) == 4


def test_a_store_in_trouble_costs_the_log_and_not_the_calls(store: OpenStore, running: RunningReactor) -> None:
    class Troubled:
        tries = 0

        async def add_messages(self, messages: Any) -> None:
            self.tries += 1
            if self.tries < 3:
                raise StoreError("the database is gone") if self.tries == 1 else ZeroDivisionError
            await store.store.add_messages(messages)

    one = Writing(store, running, Troubled())
    for expected in (1, 2, 2):
        one.do(one.log.note, exchange())
        one.stop()
        assert one.log.dropped == expected
    assert len(stored(store)) == 1


def test_old_exchanges_are_forgotten_as_time_goes_by(store: OpenStore, writing: Writing) -> None:
    store.call("add_messages", packed_exchanges([exchange(began=NOW - timedelta(days=31)), exchange(began=NOW)], 100))
    writing.do(writing.log.start)
    writing.do(writing.clock.advance, LOG_PURGE_SECONDS + 1)
    writing.stop()
    for _ in range(1_000):
        if len(stored(store)) == 1:
            break
    assert [entry.began for entry in stored(store)] == [NOW]


def test_of_a_long_envelope_the_head_is_kept() -> None:
    (pack,) = packed_exchanges([NotedExchange(ENTRY, b"<a>" + b"x" * 5_000, b'<h Pwd="' + b"y" * 5_000)], 1_000)
    assert pack.entries == (ENTRY,)
    assert unpacked(pack.octets, 0) == ("<a>" + "x" * 997, '<h Pwd="…')


def test_a_pack_is_full_after_so_many_exchanges_or_so_much_text() -> None:
    def packs(count: int, request: bytes) -> list[int]:
        return [len(pack.entries) for pack in packed_exchanges([NotedExchange(ENTRY, request, b"")] * count, 1_000_000)]

    assert packs(0, b"") == []
    assert packs(2 * LOG_PACK_MAX + 1, b"<a/>") == [LOG_PACK_MAX, LOG_PACK_MAX, 1]
    assert packs(5, b"x" * (LOG_PACK_CHARACTERS_MAX // 2)) == [2, 2, 1]


def test_nothing_of_a_noted_exchange_shows() -> None:
    assert "hunter2" not in repr(NotedExchange(ENTRY, b"hunter2", b"hunter2", ("hunter2",)))


# What an endpoint notes


class NotedLine(Line):
    """A connection to one endpoint whose exchanges are noted."""

    def __init__(self, answering: Any, kept: Kept) -> None:
        super().__init__(answering)
        self.root = Resource()
        notes = EndpointNotes(kept, "MR_Server", "3.0", lambda: NOW)
        endpoint = EndpointResource("x", {"text/xml": answering}, lambda: b"<wsdl/>", self.gate, self.clock, notes)
        self.root.putChild(b"x", endpoint)
        self.site = BoundedSite(self.root, self.clock)
        self.connect()


def test_an_answered_call_is_noted() -> None:
    kept = Kept()
    line = NotedLine(server(demo_queries(), "3.0"), kept)
    body = envelope("3.0", "IsAMRMeter", "<meterNo>E1</meterNo>").replace(b"BuildString", b'RegistrationID="r-9" BuildString')
    line.post(body)
    entry = kept.last
    assert (entry.partner, entry.server, entry.version, entry.soap) == ("cis", "MR_Server", "3.0", "1.1")
    assert (entry.operation, entry.verdict, entry.objects_in, entry.objects_out) == ("IsAMRMeter", ANSWERED, 0, 1)
    assert (entry.octets_in, entry.registration_id, entry.direction.value) == (len(body), "r-9", "in")
    assert entry.octets_out > 300
    assert kept.asked_for == [("cis", "cis")]
    assert kept.noted[-1].request == body[:300]
    assert len(kept.noted[-1].answer) == 300
    assert PASSWORD in kept.noted[-1].secrets


@pytest.mark.parametrize(
    ("body", "verdict", "operation", "partner"),
    [
        (b"<a/>", "Client.Envelope", "", ""),
        (b"", "Client.MalformedXML", "", ""),
        (envelope("3.0", "IsAMRMeter", password="guess-it"), "Client.Authentication", "IsAMRMeter", "cis"),
        (envelope("3.0", "IsAMRMeter", user="x" * 200), "Client.Authentication", "IsAMRMeter", "x" * 80),
        (envelope("3.0", "IsAMRMeter"), "Client.MissingParameter", "IsAMRMeter", "cis"),
        (envelope("3.0", "GetReadingsByDate"), "Client.InvalidMessage", "GetReadingsByDate", "cis"),
    ],
)
def test_a_refused_call_is_noted_with_the_faults_code(body: bytes, verdict: str, operation: str, partner: str) -> None:
    kept = Kept()
    NotedLine(server(demo_queries(), "3.0"), kept).post(body)
    assert (kept.last.verdict, kept.last.operation, kept.last.partner) == (verdict, operation, partner)
    assert kept.noted[-1].request == body[:300]


def test_what_is_no_soap_is_refused_and_its_body_not_kept() -> None:
    kept = Kept()
    line = NotedLine(server(demo_queries(), "3.0"), kept)
    body = b"\x1f\x8b secret"
    head = b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Type: text/xml\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n"
    line.channel.dataReceived(head % len(body) + body)
    assert (kept.last.verdict, kept.last.octets_in, kept.noted[-1].request) == (REFUSED, len(body), b"")
    assert b"gzip" in kept.noted[-1].answer


def test_a_streamed_list_is_counted_as_it_goes() -> None:
    kept = Kept()
    line = NotedLine(server(demo_queries(), "3.0"), kept)
    line.post(envelope("3.0", "GetLatestReadings"))
    line.turn(5)
    assert (kept.last.verdict, kept.last.objects_out) == (ANSWERED, 5)
    assert kept.last.octets_out > 1_000
    assert len(kept.noted[-1].answer) == 300


@pytest.mark.parametrize("how", ["leaves", "breaks"])
def test_an_answer_that_was_not_taken_to_its_end_is_cut_off(how: str) -> None:
    kept = Kept()
    line = NotedLine(Source(1_000, breaks_after=2 if how == "breaks" else -1), kept)
    line.post()
    line.turn(4)
    if how == "leaves":
        line.leave()
        line.turn(4)
    assert [noted.entry.verdict for noted in kept.noted] == [CUT_OFF]


def test_a_call_past_the_bound_is_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    from multispeak import gate

    monkeypatch.setattr(gate, "CALLS_MAX", 0)
    monkeypatch.setattr(gate, "CALLS_WAITING_MAX", 0)
    kept = Kept()
    NotedLine(server(demo_queries(), "3.0"), kept).post(envelope("3.0", "PingURL"))
    assert kept.last.verdict == "Server.Busy"


def test_durations_are_those_of_the_clock() -> None:
    kept = Kept()
    line = NotedLine(Source(3), kept)
    line.post()
    line.clock.advance(2)
    line.turn(10)
    assert 2_000_000 <= kept.last.duration_us < 3_000_000


def test_objects_of_requests_and_answers() -> None:
    from multispeak.contract import load_contract

    records = Records(load_contract("4.1.6"))
    strings = records["ArrayOfString"](string=["a", "b"])
    meters = records["meters"](
        electricMeters=records["ArrayOfElectricMeter"](electricMeter=[1, 2]), gasMeters=records["ArrayOfGasMeter"](gasMeter=[3])
    )
    assert [objects_told(one) for one in (None, True, "x", strings, meters, records["meterReading"]())] == [0, 1, 1, 2, 3, 1]
    asked = records["registrationInfo"](registrationID="r", methodsList=records["ArrayOfString.methodName"](methodName=["a"] * 3))
    assert objects_asked(asked) == 3
    assert objects_asked(records["ArrayOfString"]()) == 0
