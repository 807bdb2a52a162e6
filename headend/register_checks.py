"""Registers that went back: begun anew at zero after their last digit, or for a reason that somebody must find. Pure."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from headend.model.channels import CHANNELS, ChannelId, Statistic
from headend.model.endpoint import EndpointId
from headend.model.events import ExceptionKind, ExceptionRecord
from headend.model.instants import from_us
from headend.model.quality import DOUBTFUL, WORTHLESS
from headend.model.readings import RegisterRow

ROLLOVER_PART = 10
"""A register began anew where it stood in the last tenth of its digits and stands in the first tenth now."""


def register_notices(registers: Sequence[RegisterRow]) -> Iterator[ExceptionRecord]:
    """What is to be said of one endpoint's reads, each dated by the read that is lower than the one before; the same again is the same."""
    by_channel: dict[ChannelId, list[RegisterRow]] = {}
    for row in registers:
        # A net register may go either way; a doubtful read proves nothing.
        if CHANNELS[row.channel_id].statistic is Statistic.TOTAL and not row.flags & (WORTHLESS | DOUBTFUL):
            by_channel.setdefault(row.channel_id, []).append(row)
    for channel_id, rows in by_channel.items():
        rows.sort(key=lambda row: (row.instant_us, row.source))
        for before, after in pairwise(rows):
            notice = _notice(CHANNELS[channel_id].name, before, after)
            if notice is not None:
                yield ExceptionRecord(EndpointId(after.endpoint_id), notice[0], from_us(after.instant_us), notice[1])


def _notice(name: str, before: RegisterRow, after: RegisterRow) -> tuple[ExceptionKind, str] | None:
    least = min(before.exponent, after.exponent)
    low, high = (row.value * 10 ** (row.exponent - least) for row in (after, before))
    if low >= high:
        return None
    # How many digits a register has is told by the least of them that hold what it stood at.
    modulus = 10 ** len(str(before.value)) * 10 ** (before.exponent - least)
    if 0 <= low <= modulus // ROLLOVER_PART and high >= modulus - modulus // ROLLOVER_PART:
        return ExceptionKind.ROLLOVER, f"{name} began anew at zero: {_shown(before)}, then {_shown(after)}"
    return ExceptionKind.REGISTER, f"{name} went back: {_shown(before)}, then {_shown(after)}"


def _shown(row: RegisterRow) -> str:
    return f"{row.value}e{row.exponent}" if row.exponent else str(row.value)
