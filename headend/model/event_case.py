"""An event as a case: numbered when it is recorded, judged by the event desk, and never forgotten before its reason is."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple, Self

from headend.errors import RequestError, shown
from headend.model.endpoint import Commodity, EndpointId
from headend.model.events import EventPath
from headend.model.meters import Meter


class EventNumber(NamedTuple):
    """Which event: the change that recorded it, and its place there. Later ones are greater."""

    change_seq: int
    position: int

    def __str__(self) -> str:
        return f"{self.change_seq}.{self.position}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """As `str` writes it. Raises RequestError."""
        change_seq, _, position = text.partition(".")
        if not (change_seq.isascii() and change_seq.isdigit() and position.isascii() and position.isdigit() and len(text) < 30):
            raise RequestError(f"{shown(text)} is no number of an event, such as 4711.0")
        return cls(int(change_seq), int(position))


MOMENTARY = "momentary: restored"
"""How the reason of an outage begins that was over before anybody was told."""


class CaseState(StrEnum):
    """What was decided of an event.

    NEW: nothing yet. HELD: it waits, as it may be over before anybody need be told. TOLD: everybody who wants it is told. LOGGED: it is
    told as something that happened, but raises no outage alarm. WITHHELD: nobody is told.
    """

    NEW = "new"
    HELD = "held"
    TOLD = "told"
    LOGGED = "logged"
    WITHHELD = "withheld"


class Device(NamedTuple):
    """Whose event it is: an endpoint or, where `commodity` is None, a router.

    `router` is the one an endpoint sits behind. `groups` are the meter groups it belongs to, of those that anybody asks about.
    """

    device_id: int
    name: str
    commodity: Commodity | None
    configuration: str = ""
    serial_no: str = ""
    ap_title: str = ""
    router: str | None = None
    muted: bool = False
    groups: frozenset[str] = frozenset()

    @property
    def meter(self) -> Meter | None:
        """An endpoint as answers name it; None for a router."""
        if self.commodity is None:
            return None
        return Meter(EndpointId(self.device_id), self.name, self.serial_no, self.ap_title, self.configuration, True, None)


@dataclass(frozen=True, slots=True)
class EventCase:
    """One event of a device, as it was recorded; `argument` are its octets as logged, of a router's event words in UTF-8."""

    number: EventNumber
    device: Device
    code: int
    occurred: datetime
    sequence: int
    path: EventPath
    argument: bytes
    received: datetime
    state: CaseState = CaseState.NEW
    reason: str = ""

    @property
    def momentary(self) -> bool:
        """Whether it is an outage that was over before anybody was told."""
        return self.state is CaseState.LOGGED and self.reason.startswith(MOMENTARY)


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of a case: why, and when it is looked at again where it waits."""

    state: CaseState
    reason: str = ""
    due: datetime | None = None


@dataclass(frozen=True, slots=True)
class CaseFilter:
    """Which cases a list is to have; what is empty or None does not matter. `before` goes on from an earlier list."""

    meter: str = ""
    codes: Sequence[int] = field(default_factory=tuple)
    states: Sequence[CaseState] = field(default_factory=tuple)
    since: datetime | None = None
    before: EventNumber | None = None
