"""Batches are fetched while others are written: in order, one ahead; failures come in their turn, and no source stays open."""

import asyncio
from collections.abc import AsyncGenerator

import pytest

from headend.read_ahead import read_ahead


class Source:
    """Numbers that notes what was asked for and whether it was closed."""

    def __init__(self, count: int, *, fails_at: int = -1) -> None:
        self.count = count
        self.fails_at = fails_at
        self.asked = 0
        self.closed = False

    async def batches(self) -> AsyncGenerator[list[int], None]:
        try:
            for number in range(self.count):
                self.asked += 1
                if number == self.fails_at:
                    raise LookupError(f"batch {number}")
                yield [number]
        finally:
            self.closed = True


def test_batches_come_in_order_one_ahead() -> None:
    source = Source(4)

    async def read() -> list[tuple[int, int]]:
        return [(batch[0], source.asked) async for batch in read_ahead(source.batches())]

    assert asyncio.run(read()) == [(0, 2), (1, 3), (2, 4), (3, 4)]
    assert source.closed


def test_an_empty_source_ends_at_once() -> None:
    async def read() -> list[list[int]]:
        return [batch async for batch in read_ahead(Source(0).batches())]

    assert asyncio.run(read()) == []


def test_a_failure_comes_after_the_batches_before_it() -> None:
    source, seen = Source(4, fails_at=2), []

    async def read() -> None:
        async for (number,) in read_ahead(source.batches()):
            seen.append(number)

    with pytest.raises(LookupError, match="batch 2"):
        asyncio.run(read())
    assert seen == [0, 1]
    assert source.closed


@pytest.mark.parametrize("fails_at", [-1, 1])
def test_who_leaves_early_closes_the_source_and_hears_of_no_failure(fails_at: int) -> None:
    source = Source(9, fails_at=fails_at)

    async def read() -> int:
        batches = read_ahead(source.batches())
        first = await anext(batches)
        await batches.aclose()
        return first[0]

    assert asyncio.run(read()) == 0
    assert (source.closed, source.asked) == (True, 2)
