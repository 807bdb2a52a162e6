"""Kinds of events: what a code of a device means, to people and to the standards that the head-end speaks."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from headend.model.endpoint import Commodity


class Severity(StrEnum):
    """How much it matters."""

    CRITICAL = "critical"
    MAJOR = "major"
    MINOR = "minor"
    INFORMATION = "information"


class Category(StrEnum):
    """What it is about."""

    POWER = "power"
    TAMPER = "tamper"
    CLOCK = "clock"
    BATTERY = "battery"
    HARDWARE = "hardware"
    FLOW = "flow"
    SWITCH = "switch"
    METERING = "metering"
    ACCESS = "access"
    LOG = "log"


class OutageMeaning(StrEnum):
    """What it says of the supply, where it says anything."""

    OUTAGE = "outage"
    RESTORATION = "restoration"


@dataclass(frozen=True, slots=True)
class CimCode:
    """An end-device event as IEC 61968-9 numbers it, but for the kind of device: domain, sub-domain, event or action."""

    domain: int
    sub_domain: int
    event: int

    def of_device(self, commodity: Commodity) -> str:
        """The whole code of a meter, e.g. `3.26.0.47`."""
        return f"{DEVICE_KINDS[commodity]}.{self.domain}.{self.sub_domain}.{self.event}"


DEVICE_KINDS = {Commodity.ELECTRIC: 3, Commodity.GAS: 4, Commodity.WATER: 24}
"""Kinds of device in IEC 61968-9.

Source  reference/multispeak.md 10
"""


@dataclass(frozen=True, slots=True)
class EventKind:
    """One entry of the catalogue.

    `code` is our own: the C12.19 event number, manufacturer events from 2048 on. `cim` is None where no source shows a code. `phrase` is
    MultiSpeak 3.0's for it, exactly as in that enumeration, empty where it has none. `clears` is the code of the event whose condition
    this one ends.
    """

    code: int
    name: str
    commodities: frozenset[Commodity]
    severity: Severity
    category: Category
    cim: CimCode | None = None
    phrase: str = ""
    outage: OutageMeaning | None = None
    clears: int | None = None


@dataclass(frozen=True)
class EventCatalogue:
    """Kinds by code; a utility may have its own."""

    kinds: Mapping[int, EventKind]
    cleared_by: Mapping[int, int] = field(init=False)
    """Code of a condition → code of the event that ends it."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "cleared_by", {kind.clears: kind.code for kind in self.kinds.values() if kind.clears is not None})

    @classmethod
    def of(cls, kinds: Iterable[EventKind]) -> "EventCatalogue":
        """The catalogue of some kinds, each code once."""
        by_code: dict[int, EventKind] = {}
        for kind in kinds:
            assert kind.code not in by_code, f"event {kind.code} stands in the catalogue twice"
            by_code[kind.code] = kind
        return cls(by_code)

    def with_phrase(self, phrase: str) -> frozenset[int]:
        """Codes of the kinds that MultiSpeak 3.0 calls so."""
        return frozenset(code for code, kind in self.kinds.items() if kind.phrase == phrase)
