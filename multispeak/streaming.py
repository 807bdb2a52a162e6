"""Large answers: records → octets in bounded chunks, sent no faster than the client takes them.

Source  reference/spyne.md 3.d
"""
# mypy: disable-error-code="no-untyped-call"
# ruff: noqa: N802
# Twisted's web package is only partly typed, and its names are what they are.

from collections.abc import AsyncGenerator, Iterable, Iterator, Sequence
from contextlib import aclosing
from itertools import islice
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IPushProducer, IReactorTime
from twisted.web.server import Request
from zope.interface import implementer

from multispeak.binding import ListShape
from multispeak.limits import CHUNK_OCTETS, RECORDS_PER_STEP, STALL_SECONDS
from multispeak.post_request import PostRequest


async def stream_list(
    start: str, shape: ListShape, batches: AsyncGenerator[Sequence[Any], None], end: str, *, written: bool = False
) -> AsyncGenerator[bytes, None]:
    """The octets of a list answer; every chunk but the last holds at least `CHUNK_OCTETS`.

    `start` and `end` are what stands around the response element; `written` batches are texts already. Closes its source.
    """
    held = [start, shape.opening]
    size = 0
    async with aclosing(batches):
        async for batch in batches:
            for text in _steps(batch if written else _texts(shape, batch)):
                held.append(text)
                size += len(text)
                if size >= CHUNK_OCTETS:
                    yield "".join(held).encode()
                    held.clear()
                    size = 0
    held += (shape.closing, end)
    yield "".join(held).encode()


def _texts(shape: ListShape, batch: Sequence[Any]) -> Iterator[str]:
    write, name = shape.write, shape.item_name
    return (write(record, name) for record in batch)


def _steps(texts: Iterable[str]) -> Iterator[str]:
    rest = iter(texts)
    while step := list(islice(rest, RECORDS_PER_STEP)):
        yield "".join(step)


async def one_batch(objects: Sequence[Any]) -> AsyncGenerator[Sequence[Any], None]:
    """Objects that are there already, as the batches of a list."""
    yield objects


async def in_chunks(octets: bytes) -> AsyncGenerator[bytes, None]:
    """A large answer that is there already, in the pieces of a stream, so that it is sent no faster than it is taken."""
    for begin in range(0, len(octets), CHUNK_OCTETS):
        yield octets[begin : begin + CHUNK_OCTETS]


@implementer(IPushProducer)
class StreamProducer:
    """Sends chunks of an answer over a request: waits while the transport's buffer is full, ends the source when the client leaves.

    A client that takes nothing for `STALL_SECONDS` is cut off.
    """

    def __init__(self, request: Request | PostRequest, chunks: AsyncGenerator[bytes, None], clock: IReactorTime) -> None:
        self._request = request
        self._chunks = chunks
        self._clock = clock
        self._paused: Deferred[None] | None = None
        self._stall: IDelayedCall | None = None
        self._stopped = False
        self.octets_sent = 0

    async def run(self) -> None:
        """Send everything.

        Raises  whatever the source raises; the source is closed in every case
        """
        self._request.notifyFinish().addErrback(lambda _: self.stopProducing())
        self._request.registerProducer(self, True)
        try:
            async for chunk in self._chunks:
                if self._stopped:
                    return
                self._request.write(chunk)
                self.octets_sent += len(chunk)
                await self._turn()
        finally:
            await self._chunks.aclose()
            if not self._stopped:
                self._request.unregisterProducer()

    async def _turn(self) -> None:
        """Let other requests have the reactor; wait longer while the transport is full."""
        turn: Deferred[None] = Deferred()
        self._clock.callLater(0, turn.callback, None)
        await turn
        if self._paused is not None:
            await self._paused

    def pauseProducing(self) -> None:
        """The transport's buffer is full."""
        if self._paused is None and not self._stopped:
            self._paused = Deferred()
            self._stall = self._clock.callLater(STALL_SECONDS, self._cut_off)

    def resumeProducing(self) -> None:
        """There is room again."""
        stall, self._stall = self._stall, None
        if stall is not None:
            stall.cancel()
        waiting, self._paused = self._paused, None
        if waiting is not None:
            waiting.callback(None)

    def stopProducing(self) -> None:
        """The client has left."""
        self._stopped = True
        self.resumeProducing()

    def _cut_off(self) -> None:
        self._stall = None
        self._request.channel.forceAbortClient()
        self.stopProducing()
