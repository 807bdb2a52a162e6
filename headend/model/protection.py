"""The protected list: meters that are not disconnected, because somebody there depends on it or the weather forbids it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import NewType

ProtectionId = NewType("ProtectionId", int)


class ProtectionKind(StrEnum):
    """Why one is protected."""

    MEDICAL = "medical"
    WEATHER = "weather"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Protection:
    """One entry: a meter, or all meters of an account, or everyone where it names neither.

    It holds on the utility's days from `first_day` to `last_day`, both included; without a last day until it is changed.
    """

    meter_no: str
    account_no: str
    kind: ProtectionKind
    first_day: date
    last_day: date | None
    note: str = ""

    def holds_on(self, day: date) -> bool:
        """Whether it holds on a day."""
        return self.first_day <= day and (self.last_day is None or day <= self.last_day)

    @property
    def subject(self) -> str:
        """Whom it protects, in words."""
        if self.meter_no:
            return f"meter {self.meter_no}"
        return f"account {self.account_no}" if self.account_no else "everyone"


@dataclass(frozen=True, slots=True)
class ListedProtection:
    """An entry as it stands in the list; `removed` where it was taken out, which leaves it there to be seen."""

    protection_id: ProtectionId
    protection: Protection
    entered: datetime
    entered_by: str
    removed: datetime | None = None
    removed_by: str = ""


def protected_because(protections: Iterable[Protection], day: date) -> str:
    """Why a meter is not disconnected on a day: what holds longest of its entries; empty where none holds."""
    held = [one for one in protections if one.holds_on(day)]
    if not held:
        return ""
    longest = max(held, key=lambda one: one.last_day or date.max)
    until = "" if longest.last_day is None else f" until {longest.last_day.isoformat()}"
    whom = "" if longest.meter_no else f" as {longest.subject} is"
    return f"protected{whom} ({longest.kind.value}){until}"
