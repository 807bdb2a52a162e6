"""What knowing the caller and noting an exchange add to a call: CPU on the reactor's thread, and on the thread that packs the log."""

import asyncio
import base64
import hashlib
import os
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from headend.model.partner import Caller, Partner
from headend.partner_directory import PartnerDirectory
from headend.passwords import make_hash
from multispeak.authentication import Evidence, PartnerAuthenticator
from multispeak.exchange_notes import EndpointNotes
from multispeak.message_header import RequestHeader
from multispeak.message_log import NotedExchange, packed_exchanges
from multispeak.soap_protocol import Exchange
from multispeak.ws_security import UsernameToken
from tests.fakes.soap_world import UTILITY, ask, check_at_once, demo_queries, envelope, server

NOW = datetime(2026, 3, 3, 15, tzinfo=UTC)
CALLS = 20_000
ROUNDS = 3


class _Kept:
    """A log that keeps the last exchange only."""

    envelope_octets_max = 64 * 1024
    last: NotedExchange

    def log_of(self, caller: Caller | None, user_id: str) -> "_Kept":
        return self

    def note(self, exchange: NotedExchange) -> None:
        self.last = exchange


def microseconds(work: Callable[[int], object], count: int = CALLS) -> float:
    """The least CPU time of one call, over a few rounds."""
    spent = []
    for _ in range(ROUNDS):
        before = time.thread_time()
        for number in range(count):
            work(number)
        spent.append(time.thread_time() - before)
    return min(spent) / count * 1e6


def logins() -> dict[str, float]:
    hashed = make_hash("open sesame", os.urandom)
    directory = PartnerDirectory([(UTILITY, [Partner("clear", "", "pass-word"), Partner("hashed", "", hashed)])])
    door = PartnerAuthenticator(directory, lambda: NOW, check_at_once, os.urandom(32))

    def opening(header: RequestHeader) -> None:
        coroutine = door.authenticate(Evidence(header, "192.0.2.1", 0.0))
        try:
            coroutine.send(None)
        except StopIteration:
            return
        raise AssertionError("a login that is known waits for nothing")

    def digest(number: int) -> None:
        created = (NOW + timedelta(microseconds=number)).isoformat()
        nonce = os.urandom(16)
        octets = base64.b64encode(hashlib.sha1(nonce + created.encode() + b"pass-word").digest()).decode()
        opening(RequestHeader(token=UsernameToken("clear", digest=octets, nonce=base64.b64encode(nonce).decode(), created=created)))

    clear, known = RequestHeader("clear", "pass-word"), RequestHeader("hashed", "open sesame")
    opening(known)
    return {
        "login, password in the clear": microseconds(lambda _: opening(clear)),
        "login, hashed password that is known": microseconds(lambda _: opening(known)),
        "login, digest (and making it)": microseconds(digest, 5_000),
    }


def noting() -> dict[str, float]:
    request = envelope("3.0", "GetLatestReadingByMeterNo", "<meterNo>E2</meterNo>")
    _, answer = ask(server(demo_queries(), "3.0"), request)
    exchange = Exchange("192.0.2.1", "", 0.0)
    exchange.header = RequestHeader("cis", "s3cret-word")
    exchange.caller = Caller(UTILITY, Partner("cis", "Billing", "s3cret-word"))
    exchange.operation = "GetLatestReadingByMeterNo"
    exchange.answer_head, exchange.octets_out = answer, len(answer)
    kept = _Kept()
    notes = EndpointNotes(kept, "MR_Server", "3.0", lambda: NOW)
    on_reactor = microseconds(lambda _: notes.note(exchange, "1.1", request, 0.001))
    batch = [kept.last] * 500
    packing = microseconds(lambda _: packed_exchanges(batch, 64 * 1024), 4) / len(batch)
    return {"message log, noting an exchange": on_reactor, "message log, packing one, on a thread": packing}


def main() -> None:
    asyncio.set_event_loop(None)
    for name, cpu in (logins() | noting()).items():
        print(f"{name:60} {cpu:9.1f} us")
