"""A file of an SFTP server, read in order with several reads under way."""

from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable
from itertools import islice
from typing import Any

from twisted.conch.error import ConchError
from twisted.internet import defer
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone, ConnectionLost

from headend.model.delivery import DeliveryError

CHUNK_OCTETS = 32_768
"""Octets of one read or write: what every server takes."""

CHUNKS_UNDER_WAY = 32
"""Reads or writes under way at once: a MiB, which fills 100 Mbit/s over 80 ms."""

WINDOW_OCTETS = CHUNK_OCTETS * CHUNKS_UNDER_WAY

ANSWER_SECONDS = 60.0
"""How long a server may take for one answer."""

LOST = (ConnectionLost, ConnectionDone, ConchError, defer.TimeoutError)
"""How it shows that a server is gone."""

Ask = Callable[["Deferred[Any]"], "Deferred[Any]"]
"""What comes to a request, or a timeout."""


async def octets_of(remote: Any, begin: int, size: int, ask: Ask) -> AsyncIterator[bytes]:
    """An open file of so many octets from `begin` on, in pieces. Raises DeliveryError where it ends before."""
    under_way: deque[tuple[int, Deferred[Any]]] = deque()
    offsets = iter(range(begin, size, CHUNK_OCTETS))
    try:
        while True:
            for offset in islice(offsets, CHUNKS_UNDER_WAY - len(under_way)):
                under_way.append((offset, ask(remote.readChunk(offset, min(CHUNK_OCTETS, size - offset)))))
            if not under_way:
                return
            async for octets in _whole(remote, *under_way.popleft(), size, ask):
                yield octets
    finally:
        leave(answer for _, answer in under_way)


async def _whole(remote: Any, offset: int, answer: "Deferred[Any]", size: int, ask: Ask) -> AsyncIterator[bytes]:
    """A chunk, and what a short answer left out of it."""
    end = min(offset + CHUNK_OCTETS, size)
    while True:
        try:
            octets = await answer
        except EOFError:
            octets = b""
        if not octets:
            raise DeliveryError(f"ends at octet {offset} of {size}")
        yield octets
        offset += len(octets)
        if offset >= end:
            return
        answer = ask(remote.readChunk(offset, end - offset))


def leave(answers: "Iterable[Deferred[Any]]") -> None:
    """Nobody waits for these any more, whatever comes of them: another has failed already."""
    for answer in answers:
        answer.addErrback(lambda _: None)
