"""When a missed interrogation is tried again."""

from datetime import UTC, datetime, timedelta

import pytest

from headend.model.collection import Collected
from headend.model.endpoint import EndpointId
from headend.model.events import ExceptionKind, ExceptionRecord
from headend.retries import NO_MISSES, NO_RETRIES, SPREAD, Misses, RetryPolicy, is_missed, with_miss

NOW = datetime(2026, 7, 2, 6, tzinfo=UTC)
POLICY = RetryPolicy()


def wait(in_a_row: int, endpoint_id: int = 1, since: datetime = NOW) -> float | None:
    again = POLICY.retry_at(endpoint_id, Misses(in_a_row, since), NOW)
    return None if again is None else (again - NOW).total_seconds()


@pytest.mark.parametrize(("in_a_row", "minutes"), [(1, 15), (2, 30), (3, 60), (4, 120), (5, 240), (6, 240), (5_000, 240)])
def test_waits_double_up_to_the_longest(in_a_row: int, minutes: int) -> None:
    found = wait(in_a_row)
    assert found is not None
    assert abs(found / (60 * minutes) - 1) <= SPREAD / 2


def test_endpoints_differ_and_each_stays_the_same() -> None:
    waits = [wait(1, endpoint_id) for endpoint_id in range(200)]
    assert len(set(waits)) == 200
    assert waits == [wait(1, endpoint_id) for endpoint_id in range(200)]


def test_after_three_days_nothing_is_tried_again() -> None:
    assert wait(20, since=NOW - timedelta(days=3) + timedelta(seconds=1)) is not None
    assert wait(20, since=NOW - timedelta(days=3)) is None
    assert NO_RETRIES.retry_at(1, Misses(1, NOW), NOW) is None
    assert POLICY.retry_at(1, NO_MISSES, NOW) is None, "nothing was missed"


def test_a_run_is_counted_from_its_first_miss() -> None:
    first = with_miss(NO_MISSES, NOW - timedelta(days=1), None, NOW)
    assert first == Misses(1, NOW)
    assert with_miss(first, NOW - timedelta(days=1), None, NOW + timedelta(hours=1)) == Misses(2, NOW)


def test_silence_after_answers_that_lacked_something_is_a_run_of_its_own() -> None:
    heard = NOW - timedelta(seconds=1)
    refused = with_miss(NO_MISSES, None, heard, NOW)
    again = with_miss(refused, heard, NOW + timedelta(hours=1), NOW + timedelta(hours=1))
    assert again == Misses(2, heard)
    silent = with_miss(again, NOW + timedelta(hours=1), None, NOW + timedelta(days=9))
    assert silent == Misses(1, NOW + timedelta(days=9))
    assert with_miss(silent, NOW + timedelta(hours=1), None, NOW + timedelta(days=10)) == Misses(2, NOW + timedelta(days=9))
    assert with_miss(silent, NOW + timedelta(days=9, hours=1), None, NOW + timedelta(days=10)).in_a_row == 1, "it spoke up in between"


def test_a_doubtful_clock_is_no_miss() -> None:
    def ended(kind: ExceptionKind) -> Collected:
        return Collected(EndpointId(1), NOW, 1, exception=ExceptionRecord(EndpointId(1), kind, NOW, "so"))

    assert not is_missed(ended(ExceptionKind.CLOCK), True)
    assert is_missed(ended(ExceptionKind.NO_ANSWER), True)
    assert is_missed(Collected(EndpointId(1), NOW, 1), True), "the store found something in it that cannot be"
    assert not is_missed(Collected(EndpointId(1), NOW, 1), False)
