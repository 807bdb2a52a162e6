"""Registers that went back: begun anew or not, of any scale, and those that may."""

import pytest

from headend.model.channels import CHANNEL_BY_NAME
from headend.model.events import ExceptionKind
from headend.model.readings import IntervalFlag, ReadSource, RegisterRow
from headend.register_checks import register_notices


def row(value: int, day: int, *, exponent: int = 0, channel: str = "energy_delivered", flags: int = 0) -> RegisterRow:
    return RegisterRow(1, day * 86_400_000_000, CHANNEL_BY_NAME[channel].channel_id, ReadSource.SELF_READ, exponent, flags, value)


@pytest.mark.parametrize(
    ("before", "after", "kind"),
    [
        (row(99_998, 1), row(3, 2), ExceptionKind.ROLLOVER),
        (row(999_985, 1, exponent=-1), row(4, 2), ExceptionKind.ROLLOVER),
        (row(50_000, 1), row(49_999, 2), ExceptionKind.REGISTER),
        (row(99_998, 1), row(20_000, 2), ExceptionKind.REGISTER),
        (row(12_000, 1), row(3, 2), ExceptionKind.REGISTER),
    ],
)
def test_what_went_back_is_told(before, after, kind):
    (notice,) = register_notices([after, before])
    assert notice.kind is kind
    assert notice.occurred.timestamp() == 2 * 86_400
    assert str(before.value) in notice.reason


@pytest.mark.parametrize(
    "rows",
    [
        [row(5, 1), row(5, 2), row(6, 3)],
        [row(50, 1, exponent=-1), row(5, 2)],
        [row(99_998, 1, flags=int(IntervalFlag.CLOCK_BACK)), row(3, 2)],
        [row(500, 1, channel="energy_net"), row(-3, 2, channel="energy_net")],
        [row(9, 1), row(3, 2, channel="energy_received")],
    ],
)
def test_what_did_not_go_back_or_may_is_not(rows):
    assert list(register_notices(rows)) == []
