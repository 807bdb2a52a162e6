"""Fetches the next batch while the present one is written: a database and its client work at the same time."""

from collections.abc import AsyncGenerator
from typing import TypeVar

from twisted.internet.defer import Deferred

T = TypeVar("T")


async def read_ahead(batches: AsyncGenerator[T, None]) -> AsyncGenerator[T, None]:
    """The same batches, each asked for before its forerunner is handed out; holds two at once.

    Raises  what the source raises, when its turn comes
    """
    pending = _begin(batches)
    try:
        while (batch := await pending) is not None:
            pending = _begin(batches)
            yield batch
    finally:
        # Who leaves early waits for nothing: the source is closed when it has answered, and what it answered is dropped.
        pending.addBoth(lambda _: Deferred.fromCoroutine(_close(batches)))


def _begin(batches: AsyncGenerator[T, None]) -> Deferred[T | None]:
    return Deferred.fromCoroutine(_next(batches))


async def _next(batches: AsyncGenerator[T, None]) -> T | None:
    return await anext(batches, None)


async def _close(batches: AsyncGenerator[T, None]) -> None:
    await batches.aclose()
