"""Commands: one endpoint of a deferred request on its way to one terminal state, and what came of it."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from headend.model.collection import Collected, Progress
from headend.model.deferred import DeferredKind, Priority, SwitchAction, TargetState
from headend.model.endpoint import CONFIGURATIONS, Configuration, EndpointId, NativeAddress
from headend.model.readings import RegisterRead
from headend.switches import SwitchState


class CommandId(NamedTuple):
    """Which request, and which endpoint of it."""

    request_id: int
    endpoint_id: EndpointId


class FailureCode(StrEnum):
    """Why a command did not succeed; each has one cause."""

    UNSUPPORTED = "unsupported"
    SWITCH_DISABLED = "switch disabled"
    IMPOSSIBLE = "impossible transition"
    LOAD_SIDE_VOLTAGE = "load-side voltage present"
    LOAD_SIDE_UNKNOWN = "load-side voltage not measured"
    SWITCH_ERROR = "switch error"
    NOT_CARRIED_OUT = "not carried out"
    REFUSED = "refused by the meter"
    NOT_UNDERSTOOD = "not understood"
    NO_ANSWER = "no answer"
    INDETERMINATE = "indeterminate"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    PROTECTED = "protected"
    UNREACHABLE = "no key or address"


OVERRIDE = "override"
"""The parameter that says why a command is given against what holds it back: voltage on the load side, the protected list, quiet times."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a meter was told, recorded before it is: from then on the command may have been carried out, whatever is heard.

    `sequence` is ST7's, unlike the one ST8 held before, so that ST8 says whether this very procedure was executed.
    """

    procedure: int
    sequence: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Found:
    """What an endpoint was found to be when it was last asked; None where that was not asked or not told.

    `load_side_volts` is None too where it is not measured. `registers` are those read with it. `period` bounds the intervals that were
    read into the store.
    """

    switch: SwitchState | None = None
    load_side_volts: Decimal | None = None
    registers: tuple[RegisterRead, ...] = ()
    period: tuple[datetime, datetime] | None = None
    powered: bool | None = None
    clock_off_seconds: float | None = None
    enabled: bool | None = None


NOTHING_FOUND = Found()


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a command ended: a terminal state, why where it is no success, and what was found."""

    state: TargetState
    found: Found = NOTHING_FOUND
    code: FailureCode | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Command:
    """One endpoint of a request. `began` is when it was first taken up; `told` what was, once anything was.

    `override` is why it is given against what would hold it back (see OVERRIDE), empty where it is not. `every_seconds` is how often
    a monitoring asks, `reported` whether it has told of the silence that lasts.
    """

    command_id: CommandId
    kind: DeferredKind
    action: SwitchAction | None
    priority: Priority
    state: TargetState
    attempts: int
    accepted: datetime
    expires: datetime
    began: datetime | None = None
    told: Told | None = None
    override: str = ""
    every_seconds: float = 0.0
    period: tuple[datetime, datetime] | None = None
    reported: bool = False

    @property
    def actuates(self) -> bool:
        """Whether it moves a switch."""
        return self.action in {SwitchAction.CONNECT, SwitchAction.DISCONNECT, SwitchAction.ARM}


@dataclass(frozen=True, slots=True)
class Hindrance:
    """What stands in the way of a command: it was cancelled (why), the meter is protected (why), nobody is disconnected until then."""

    cancelled: str = ""
    protection: str = ""
    quiet_until: datetime | None = None


UNHINDERED = Hindrance()


@dataclass(frozen=True, slots=True)
class CommandAssignment:
    """A command handed out with all that the conversation needs; see `Assignment`.

    It is held until `until`. `switch_enabled` says whether its switch obeys.
    """

    lease_no: int
    until: datetime
    command: Command
    meter_no: str
    ap_title: bytes
    address: NativeAddress
    router: str | None
    configuration: str
    key_id: int
    key: bytes = field(repr=False)
    program: bytes | None
    progress: Progress
    collect_from: datetime
    first_invocation_id: int
    invocation_ids: int
    switch_enabled: bool = True
    hindrance: Hindrance = UNHINDERED

    @property
    def configured(self) -> Configuration:
        return CONFIGURATIONS[self.configuration]

    @property
    def endpoint_id(self) -> EndpointId:
        return self.command.command_id.endpoint_id


@dataclass(frozen=True, slots=True)
class CommandUpdate:
    """What became of a command that was handed out; stored in one transaction with what was read, and with what is told of it.

    `due` is when it is to be taken up next, None for one that is done. `keeps_lease` while whoever has it goes on. `outcome` is given with
    the terminal state, and with what a monitoring reports before its own.
    """

    command: Command
    lease_no: int
    due: datetime | None
    keeps_lease: bool = False
    outcome: Outcome | None = None
    collected: Collected | None = None


@dataclass(frozen=True, slots=True)
class CommandView:
    """A command as people see it."""

    meter_no: str
    kind: DeferredKind
    action: SwitchAction | None
    state: TargetState
    reason: str
    code: FailureCode | None
    found: Found
    changed: datetime
