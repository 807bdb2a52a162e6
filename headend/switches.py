"""Connect/disconnect devices: which meters have one, and the state it is in as far as that is known."""

from collections.abc import Awaitable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from headend.model.endpoint import MeterEntry
from headend.ports import Page


class SwitchState(StrEnum):
    """Where a switch stands; an armed one is closed by the customer."""

    CONNECTED = "connected"
    DISCONNECTED = "disconnected"
    ARMED = "armed"
    UNKNOWN = "unknown"


class KnownBy(StrEnum):
    """How a state is known: as the outcome of a command, or read from the meter."""

    COMMAND = "command"
    READ = "read"


@dataclass(frozen=True, slots=True)
class MeterSwitch:
    """The switch of a meter. `since` and `known_by` are None while the state is unknown; one that is not `enabled` obeys no command."""

    entry: MeterEntry
    present: bool
    enabled: bool
    state: SwitchState
    since: datetime | None
    known_by: KnownBy | None


class Switches(Protocol):
    """Switches of a utility's meters."""

    def switch(self, meter_no: str) -> Awaitable[MeterSwitch | None]:
        """A meter's switch, present or not; None for an unknown meter."""

    def switch_meters(self, after: str, limit: int) -> Awaitable[Page[MeterEntry]]:
        """Active meters that have a switch, in order of meter number, from the one after `after`."""

    def note_switch_state(self, meter_no: str, state: SwitchState, since: datetime, known_by: KnownBy) -> Awaitable[None]:
        """A switch stands so since then; older news than what is known changes nothing. Raises UnknownMeterError."""

    def enable_switch(self, meter_no: str, *, enabled: bool) -> Awaitable[None]:
        """From now on a switch obeys commands, or does not. Raises UnknownMeterError."""
