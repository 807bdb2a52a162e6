"""What is remembered of clocks found far off: how long, of how many, and that messages played again spoil nothing of it."""

import pytest
from twisted.internet.task import Clock

from headend.clock_doubts import KEPT_SECONDS, NOTED_SECONDS, ClockDoubts
from headend.model.endpoint import EndpointId
from headend.push import RIGHT, SenderClock

ONE, OTHER = EndpointId(1), EndpointId(2)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_clock_found_off_is_remembered_for_the_pushes_of_a_wakeup(clock: Clock) -> None:
    doubts = ClockDoubts(clock)
    assert doubts.clock_of(ONE, None) is RIGHT
    assert doubts.clock_of(ONE, 5_000) == SenderClock(5_000)
    assert doubts.clock_of(ONE, None) == SenderClock(was_off_seconds=5_000)
    assert doubts.clock_of(OTHER, None) is RIGHT
    clock.advance(KEPT_SECONDS + 1)
    assert doubts.clock_of(ONE, None) is RIGHT


def test_what_an_untimely_message_says_counts_only_if_the_clock_was_set(clock: Clock) -> None:
    doubts = ClockDoubts(clock)
    assert not doubts.note(ONE, -90_000)
    assert doubts.clock_of(ONE, None) == SenderClock(was_off_seconds=-90_000, if_set=True)
    assert doubts.note(ONE, -90_000)
    clock.advance(NOTED_SECONDS)
    assert not doubts.note(ONE, -90_000), "it is noted again after some hours"


def test_old_messages_change_nothing_of_what_a_good_one_told(clock: Clock) -> None:
    doubts = ClockDoubts(clock)
    doubts.clock_of(ONE, 5_000)
    assert not doubts.note(ONE, -90_000)
    assert doubts.note(ONE, -90_000)
    assert doubts.clock_of(ONE, None) == SenderClock(was_off_seconds=5_000)


def test_so_many_are_remembered(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("headend.clock_doubts.ENDPOINTS_MAX", 2)
    doubts = ClockDoubts(clock)
    for number in (1, 2, 3):
        doubts.note(EndpointId(number), 1_000)
    assert len(doubts) == 2
    assert doubts.clock_of(ONE, None) is RIGHT
