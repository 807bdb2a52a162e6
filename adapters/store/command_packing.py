"""What commands were told, found and came to, as JSON texts in the rows of their targets."""

import json
from datetime import datetime
from decimal import Decimal
from typing import Any

from adapters.store.instants import from_us, to_us
from headend.model.channels import ChannelId
from headend.model.command import FailureCode, Found, Outcome, Told
from headend.model.deferred import TargetState
from headend.model.endpoint import EndpointId
from headend.model.readings import ReadSource, RegisterRead
from headend.switches import SwitchState


def pack_told(told: Told | None) -> str | None:
    """None for one that was told nothing."""
    return None if told is None else json.dumps([told.procedure, told.sequence, to_us(told.at)])


def unpack_told(text: str | None) -> Told | None:
    """As it was packed."""
    if text is None:
        return None
    procedure, sequence, at_us = json.loads(text)
    return Told(procedure, sequence, from_us(at_us))


def pack_outcome(outcome: Outcome) -> str:
    """Compact: what was not found is left out."""
    found = outcome.found
    values = {
        "state": outcome.state.value,
        "code": outcome.code and outcome.code.value,
        "reason": outcome.reason or None,
        "switch": found.switch and found.switch.value,
        "volts": None if found.load_side_volts is None else str(found.load_side_volts),
        "registers": [_packed_read(read) for read in found.registers] or None,
        "period": found.period and [to_us(instant) for instant in found.period],
        "powered": found.powered,
        "clock": found.clock_off_seconds,
        "enabled": found.enabled,
    }
    return json.dumps({name: value for name, value in values.items() if value is not None})


def unpack_outcome(text: str) -> Outcome:
    """As it was packed."""
    values: dict[str, Any] = json.loads(text)
    switch, volts, period, code = (values.get(name) for name in ("switch", "volts", "period", "code"))
    found = Found(
        switch=None if switch is None else SwitchState(switch),
        load_side_volts=None if volts is None else Decimal(volts),
        registers=tuple(_unpacked_read(row) for row in values.get("registers", ())),
        period=None if period is None else _pair(period),
        powered=values.get("powered"),
        clock_off_seconds=values.get("clock"),
        enabled=values.get("enabled"),
    )
    return Outcome(TargetState(values["state"]), found, None if code is None else FailureCode(code), values.get("reason", ""))


def _pair(period: list[int]) -> tuple[datetime, datetime]:
    start, end = period
    return from_us(start), from_us(end)


def _packed_read(read: RegisterRead) -> list[int]:
    return [read.endpoint_id, read.channel_id, to_us(read.instant), read.source.value, read.value, read.exponent, read.flags]


def _unpacked_read(row: list[int]) -> RegisterRead:
    endpoint_id, channel_id, instant_us, source, value, exponent, flags = row
    return RegisterRead(EndpointId(endpoint_id), ChannelId(channel_id), from_us(instant_us), ReadSource(source), value, exponent, flags)
