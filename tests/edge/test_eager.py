"""Coroutines begun at once end the same way whether they waited or not."""

from uuid import RFC_4122, UUID

import pytest
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from multispeak.contract import load_contract
from multispeak.eager import begin
from multispeak.message_header import HeaderWriter
from tests.fakes.soap_world import NOW, seeded


class Told:
    """What was told of the end, each time."""

    def __init__(self) -> None:
        self.ends: list[object] = []

    def __call__(self, end: object) -> None:
        self.ends.append(end)


async def _sum(first: "Deferred[int]", second: "Deferred[int]") -> int:
    try:
        one = await first
    except KeyError:
        one = 1_000
    return one + await second


def test_what_never_waits_has_ended_when_begin_returns() -> None:
    ready: Deferred[int] = Deferred()
    ready.callback(2)
    told = Told()
    begin(_sum(ready, ready), told)
    assert told.ends == [4]


def test_what_waits_is_told_once_when_it_ends() -> None:
    first: Deferred[int] = Deferred()
    second: Deferred[int] = Deferred()
    told = Told()
    begin(_sum(first, second), told)
    first.callback(1)
    assert told.ends == []
    second.callback(2)
    assert told.ends == [3]


def test_a_failure_that_is_awaited_may_be_caught_inside() -> None:
    first: Deferred[int] = Deferred()
    second: Deferred[int] = Deferred()
    told = Told()
    begin(_sum(first, second), told)
    first.errback(KeyError("x"))
    second.callback(2)
    assert told.ends == [1_002]


@pytest.mark.parametrize("late", [False, True])
def test_a_failure_is_told_as_one(late: bool) -> None:
    first: Deferred[int] = Deferred()
    second: Deferred[int] = Deferred()
    told = Told()
    if not late:
        first.errback(OSError("gone"))
    begin(_sum(first, second), told)
    if late:
        first.errback(OSError("gone"))
    (end,) = told.ends
    assert isinstance(end, Failure)
    assert end.check(OSError) is OSError


def test_ids_are_uuids_of_version_4() -> None:
    writer = HeaderWriter(load_contract("3.0"), seeded(), lambda: NOW, "1")
    ids = [UUID(writer.new_id()) for _ in range(100)]
    assert {(one.version, one.variant) for one in ids} == {(4, RFC_4122)}
