"""A lean SOAP client for measurements: raw sockets that are kept open, requests as ready octets, answers looked at no further than needed.

`python -m tests.bench.soap_peers.load URL READINGS START END` asks for lists that long again and again, until it is ended;
says when it begins.
"""

import re
import selectors
import socket
import sys
import time
from collections import deque
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from tests.fakes.soap_world import NAMESPACES, envelope

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)
_LAST_CHUNK = b"\r\n0\r\n\r\n"
_BUFFER_OCTETS = 256 * 1024
SECONDS_MAX = 120.0
"""How long an answer is waited for before a measurement fails."""


@dataclass(slots=True)
class Load:
    """What came of many small calls; `seconds` are those of each, where one at a time is asked."""

    calls: int = 0
    failures: int = 0
    wall_seconds: float = 0.0
    seconds: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Large:
    """One large answer as it came."""

    octets: int
    readings: int
    first_seconds: float
    wall_seconds: float


def small_request(url: str, meter_no: str) -> bytes:
    """GetLatestReadingByMeterNo."""
    return _http(url, "GetLatestReadingByMeterNo", f"<meterNo>{meter_no}</meterNo>", "cis-10")


def large_request(url: str, readings: int, period: tuple[str, str]) -> bytes:
    """GetReadingsByDate of a partner that takes so many readings a page."""
    dates = f"<startDate>{period[0]}</startDate><endDate>{period[1]}</endDate><lastReceived/>"
    return _http(url, "GetReadingsByDate", dates, f"cis-{readings}")


def connect(url: str) -> socket.socket:
    """A connection to the server of a URL."""
    parts = urlsplit(url)
    connection = socket.create_connection((parts.hostname, parts.port), timeout=SECONDS_MAX)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def one_by_one(url: str, request: bytes, count: int) -> Load:
    """So many calls over one connection, one after another, each timed."""
    load = Load()
    began = time.perf_counter()
    with connect(url) as connection:
        for _ in range(count):
            asked = time.perf_counter()
            connection.sendall(request)
            answer = b""
            while not _is_whole(answer):
                received = connection.recv(65536)
                if not received:
                    raise ConnectionError("the server hung up")
                answer += received
            load.seconds.append(time.perf_counter() - asked)
            _count(load, answer)
    load.wall_seconds = time.perf_counter() - began
    return load


def side_by_side(url: str, requests: list[bytes], connections: int) -> Load:
    """Calls over so many connections at once, each asking again as soon as it is answered."""
    load, waiting = Load(), deque(requests)
    selector = selectors.EpollSelector()
    opened = [connect(url) for _ in range(connections)]
    answers: dict[socket.socket, bytes] = {}
    began = time.perf_counter()
    try:
        for connection in opened:
            selector.register(connection, selectors.EVENT_READ)
            _ask(connection, waiting, answers)
        while answers:
            ready = selector.select(SECONDS_MAX)
            if not ready:
                raise TimeoutError(f"{len(answers)} of {connections} clients got no answer within {SECONDS_MAX:.0f} s")
            for key, _ in ready:
                connection = key.fileobj  # type: ignore[assignment]
                try:
                    received = connection.recv(65536)
                except ConnectionError:
                    received = b""
                answer = answers[connection] = answers[connection] + received
                if not received:
                    load.failures += 1
                elif not _is_whole(answer):
                    continue
                else:
                    _count(load, answer)
                del answers[connection]
                if received:
                    _ask(connection, waiting, answers)
                else:
                    selector.unregister(connection)
    finally:
        selector.close()
        for connection in opened:
            connection.close()
    load.wall_seconds = time.perf_counter() - began
    return load


def large_answer(url: str, request: bytes, *, look: bool = False) -> Large:
    """Ask once on a new connection; octets are counted and dropped, readings counted only if one is to `look`."""
    buffer = bytearray(_BUFFER_OCTETS)
    with connect(url) as connection:
        began = time.perf_counter()
        connection.sendall(request)
        first, octets, readings, tail = 0.0, 0, 0, b""
        wanted = 0
        while not (octets >= wanted if wanted else octets and tail.endswith(_LAST_CHUNK)):
            size = connection.recv_into(buffer)
            if not size:
                raise ConnectionError(f"the answer ended after {octets} octets")
            if not octets:
                first = time.perf_counter() - began
                wanted = _announced(bytes(buffer[:size]))
            if look:
                readings += (tail + buffer[:size]).count(b"meterNo>") - tail.count(b"meterNo>")
            tail = (tail + buffer[:size])[-16:] if size < 16 else bytes(buffer[size - 16 : size])
            octets += size
        return Large(octets, readings // 2, first, time.perf_counter() - began)


def _ask(connection: socket.socket, waiting: deque[bytes], answers: dict[socket.socket, bytes]) -> None:
    if waiting:
        answers[connection] = b""
        connection.sendall(waiting.popleft())


def _count(load: Load, answer: bytes) -> None:
    load.calls += 1
    if b" 200 " not in answer[:20] or b"posKWh>" not in answer:
        load.failures += 1


def _is_whole(answer: bytes) -> bool:
    wanted = _announced(answer)
    return len(answer) >= wanted if wanted else answer.endswith(_LAST_CHUNK)


def _announced(answer: bytes) -> int:
    """Octets of an answer, head and body, where its head says so."""
    end = answer.find(b"\r\n\r\n")
    found = _LENGTH.search(answer, 0, end + 2) if end >= 0 else None
    return end + 4 + int(found[1]) if found else 0


def _http(url: str, operation: str, inside: str, user: str) -> bytes:
    body = envelope("3.0", operation, inside, user=user)
    parts = urlsplit(url)
    head = (
        f"POST {parts.path or '/'} HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Type: text/xml; charset=utf-8\r\n"
        f'SOAPAction: "{NAMESPACES["3.0"]}/{operation}"\r\nContent-Length: {len(body)}\r\n\r\n'
    )
    return head.encode() + body


if __name__ == "__main__":
    url, readings, start, end = sys.argv[1:]
    again = large_request(url, int(readings), (start, end))
    sys.stdout.write("taking\n")
    sys.stdout.flush()
    while True:
        large_answer(url, again)
