"""What was asked of meters, as people look at it: by whom, how it stands, what was told of it."""

from datetime import timedelta
from typing import Any

import pytest

from headend.model.asked import AskedFor
from headend.model.deferred import TargetState
from tests.contract.commands import NOW, UNTIL, CommandStoreUnderTest, request
from tests.contract.test_command_store import ended, taken


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def commands(request: pytest.FixtureRequest) -> Any:
    """A store of commands."""
    return CommandStoreUnderTest.of(request, endpoints=3)


def test_requests_are_found_by_whom_by_meter_by_transaction_and_by_what_is_open(commands: CommandStoreUnderTest) -> None:
    commands.accept(request(1, 2, transaction="t-1"))
    commands.accept(request(2, transaction="t-2", now=NOW + timedelta(seconds=1)))
    first, second = taken(commands)
    commands.record([ended(first), ended(second)], UNTIL)
    store = commands.opened
    assert store is not None

    def asked(**wanted: Any) -> list[tuple[str, dict[TargetState, int]]]:
        return [(one.transaction_id, dict(one.counts)) for one in store.call("asked", AskedFor(**wanted), 10)]

    done, waits = ("t-1", {TargetState.SUCCEEDED: 2}), ("t-2", {TargetState.ACCEPTED: 1})
    assert asked() == [waits, done], "the newest first"
    assert asked(open_only=True) == [waits]
    assert asked(meter_no="M000001") == [done]
    assert asked(transaction_id="t-2") == asked(request_id=2) == [waits]
    assert asked(requester="somebody else") == []
    assert len(store.call("asked", AskedFor(), 1)) == 1


def test_a_request_is_shown_with_what_was_told_of_each_of_its_commands(commands: CommandStoreUnderTest) -> None:
    commands.accept(request(1, 2))
    first, _ = taken(commands)
    commands.record([ended(first)], NOW)
    store = commands.opened
    assert store is not None
    one, two = store.call("asked_commands", 1, 10)
    assert (one.view.meter_no, one.view.state, one.due) == ("M000001", TargetState.SUCCEEDED, None)
    assert [(told.delivery, told.attempts) for told in one.told] == [("queued", 0)]
    assert (two.view.meter_no, two.due, two.told) == ("M000002", UNTIL, ())
    # The answer to another request about the same meter is that one's.
    commands.accept(request(1, transaction="t-2"))
    assert store.call("asked_commands", 2, 10)[0].told == ()
