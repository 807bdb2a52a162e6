"""Files of batches and of the protected list: rows → what is to be done to which meter, and who is protected; what is wrong with others.

Source  columns: headend/OPERATING.md, batches
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from headend.model.deferred import DeferredKind, SwitchAction
from headend.model.protection import Protection, ProtectionKind
from headend.provisioning import ImportFile, RowError, collect, needed
from headend.provisioning_rows import FileFormat, Row, rows

BATCH_COLUMNS = frozenset(("meter_no", "command", "override"))
PROTECTED_COLUMNS = frozenset(("meter_no", "account_no", "kind", "from", "until", "note"))

COMMANDS: dict[str, tuple[DeferredKind, SwitchAction | None]] = {
    "read": (DeferredKind.READ, None),
    "ping": (DeferredKind.PING, None),
    "voltage": (DeferredKind.VOLTAGE, None),
    "switch": (DeferredKind.SWITCH_STATE, None),
    "connect": (DeferredKind.SWITCH, SwitchAction.CONNECT),
    "arm": (DeferredKind.SWITCH, SwitchAction.ARM),
    "disconnect": (DeferredKind.SWITCH, SwitchAction.DISCONNECT),
    "reset-demand": (DeferredKind.DEMAND_RESET, None),
    "set-clock": (DeferredKind.CLOCK_SET, None),
}
"""What a batch may do, by the words of the command line."""


@dataclass(frozen=True, slots=True)
class BatchItem:
    """One meter of a batch; `override` is why it is done against what holds it back."""

    meter_no: str
    kind: DeferredKind
    action: SwitchAction | None
    override: str = ""


def read_batch(octets: bytes, file_format: FileFormat, command: str | None, override: str = "") -> ImportFile[BatchItem]:
    """Meters of a batch, each once. `command` and `override` stand where a row says nothing. Raises ProvisioningFileError."""
    seen: dict[str, int] = {}

    def item_of(row: Row) -> BatchItem:
        word = row["command"].lower() or (command or "")
        if not word:
            raise RowError("command is missing, and none was given for all")
        if word not in COMMANDS:
            raise RowError(f"command {word!r} is none of {', '.join(COMMANDS)}")
        kind, action = COMMANDS[word]
        return BatchItem(needed(row, "meter_no"), kind, action, row["override"] or override)

    def unique(line: int, item: BatchItem) -> None:
        first = seen.setdefault(item.meter_no, line)
        if first != line:
            raise RowError(f"meter_no {item.meter_no!r} is on line {first} already")

    return collect(rows(octets, file_format, BATCH_COLUMNS), item_of, unique)


def read_protected(octets: bytes, file_format: FileFormat) -> ImportFile[Protection]:
    """Entries of the protected list; each names a meter or an account. Raises ProvisioningFileError."""
    seen: dict[tuple[str, str, str, date], int] = {}

    def unique(line: int, item: Protection) -> None:
        first = seen.setdefault((item.meter_no, item.account_no, item.kind.value, item.first_day), line)
        if first != line:
            raise RowError(f"{item.subject} is on line {first} already, of the same kind and from the same day")

    return collect(rows(octets, file_format, PROTECTED_COLUMNS), _protection, unique)


def protected_problems(wanted: Sequence[Protection], unknown: set[tuple[str, str]]) -> list[str]:
    """What is wrong with entries whose meter or account is not known."""
    return [f"{one.subject} is not known" for one in wanted if (one.meter_no, one.account_no) in unknown]


def _protection(row: Row) -> Protection:
    if bool(row["meter_no"]) is bool(row["account_no"]):
        raise RowError("meter_no or account_no is to be given, and not both")
    kind = needed(row, "kind").lower()
    if kind not in frozenset(ProtectionKind):
        raise RowError(f"kind {kind!r} is none of {', '.join(ProtectionKind)}")
    first_day = _day(row, "from")
    last_day = _day(row, "until") if row["until"] else None
    if last_day is not None and last_day < first_day:
        raise RowError("until is before from")
    return Protection(row["meter_no"], row["account_no"], ProtectionKind(kind), first_day, last_day, row["note"])


def _day(row: Row, column: str) -> date:
    text = needed(row, column)
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise RowError(f"{column} {text!r} is not a date like 2026-12-25") from None
