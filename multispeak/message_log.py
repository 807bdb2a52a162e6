"""Writes the message log of one utility: exchanges are taken note of on the reactor, packed on a thread, stored in batches.

Noting costs microseconds and never fails a call: what finds the queue full, or a store that is in trouble, is dropped and counted.
"""
# mypy: disable-error-code="no-untyped-call"

from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from twisted.internet.defer import Deferred, DeferredLock
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from headend.errors import StoreError
from headend.message_log import MessageEntry, MessagePack, MessageStore
from multispeak.limits import (
    LOG_BATCH_MAX,
    LOG_FLUSH_SECONDS,
    LOG_PACK_CHARACTERS_MAX,
    LOG_PACK_MAX,
    LOG_PURGE_SECONDS,
    LOG_QUEUE_MAX,
    LOG_QUEUE_OCTETS_MAX,
)
from multispeak.packed_envelopes import packed
from multispeak.redaction import redacted_text

OnThread = Callable[..., Awaitable[Any]]
"""Runs a function with its arguments on some thread."""


@dataclass(frozen=True, slots=True)
class LogPolicy:
    """How long exchanges are kept, how large all of them may be together, and how much of an envelope is kept."""

    days: float
    octets_max: int
    envelope_octets_max: int


@dataclass(frozen=True, slots=True)
class NotedExchange:
    """An exchange as it was: its heads of request and answer, and secrets that stand in them."""

    entry: MessageEntry
    request: bytes = field(repr=False)
    answer: bytes = field(repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)


class MessageLog:
    """The log of one utility, for exchanges of both directions."""

    _log = Logger()

    def __init__(self, store: MessageStore, policy: LogPolicy, now: Callable[[], datetime], clock: Any, on_thread: OnThread) -> None:
        self._store = store
        self._policy = policy
        self._now = now
        self._on_thread = on_thread
        self._queue: deque[NotedExchange] = deque()
        self._queued_octets = 0
        self._dropped = 0
        self.dropped = 0
        self._writing = DeferredLock()
        self._loops = [
            (LOG_FLUSH_SECONDS, LoopingCall(lambda: Deferred.fromCoroutine(self._flush()))),
            (LOG_PURGE_SECONDS, LoopingCall(lambda: Deferred.fromCoroutine(self._purge()))),
        ]
        for _, loop in self._loops:
            loop.clock = clock

    @property
    def envelope_octets_max(self) -> int:
        """Octets of an envelope worth handing over; of a longer one the head."""
        return self._policy.envelope_octets_max

    def start(self) -> None:
        """From now on write what is noted, and forget what is old."""
        for seconds, loop in self._loops:
            loop.start(seconds, now=False)

    async def stop(self) -> None:
        """Write what is queued, and end."""
        for _, loop in self._loops:
            if loop.running:
                loop.stop()
        await self._flush()

    def note(self, exchange: NotedExchange) -> None:
        """Take note of an exchange; returns at once."""
        octets = len(exchange.request) + len(exchange.answer)
        if len(self._queue) >= LOG_QUEUE_MAX or self._queued_octets + octets > LOG_QUEUE_OCTETS_MAX:
            self._dropped += 1
            self.dropped += 1
            return
        self._queue.append(exchange)
        self._queued_octets += octets

    async def _flush(self) -> None:
        """Write all that is queued, after a flush that is under way."""
        await self._writing.acquire()
        try:
            while self._queue:
                batch = [self._queue.popleft() for _ in range(min(len(self._queue), LOG_BATCH_MAX))]
                self._queued_octets -= sum(len(one.request) + len(one.answer) for one in batch)
                await self._write(batch)
        finally:
            self._writing.release()
        if self._dropped:
            self._log.warn("{count} exchanges are missing from the message log: its queue was full", count=self._dropped)
            self._dropped = 0

    async def _write(self, batch: Sequence[NotedExchange]) -> None:
        try:
            packs = await self._on_thread(packed_exchanges, batch, self._policy.envelope_octets_max)
            await self._store.add_messages(packs)
        except StoreError as error:
            self.dropped += len(batch)
            self._log.warn("{count} exchanges are missing from the message log: {error}", count=len(batch), error=error)
        except Exception:  # noqa: BLE001 - our bug: the log must not end with it
            self.dropped += len(batch)
            self._log.failure("exchanges not written to the message log")

    async def _purge(self) -> None:
        try:
            while await self._store.purge_messages(self._now() - timedelta(days=self._policy.days), self._policy.octets_max):
                pass
        except StoreError as error:
            self._log.warn("the message log was not purged: {error}", error=error)


def packed_exchanges(batch: Sequence[NotedExchange], octets_max: int) -> list[MessagePack]:
    """What is stored of exchanges: heads of their envelopes without secrets, packed. Runs on a thread."""
    packs: list[MessagePack] = []
    entries: list[MessageEntry] = []
    envelopes: list[tuple[str, str]] = []
    characters = 0
    for number, one in enumerate(batch, 1):
        texts = redacted_text(one.request[:octets_max], one.secrets), redacted_text(one.answer[:octets_max], one.secrets)
        entries.append(one.entry)
        envelopes.append(texts)
        characters += len(texts[0]) + len(texts[1])
        if number == len(batch) or len(entries) == LOG_PACK_MAX or characters >= LOG_PACK_CHARACTERS_MAX:
            packs.append(MessagePack(tuple(entries), packed(envelopes)))
            entries, envelopes, characters = [], [], 0
    return packs
