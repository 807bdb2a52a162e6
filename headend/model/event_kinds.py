"""Kinds of events: what a code of a device means, to people and to the standards that the head-end speaks."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from headend.errors import RequestError
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
    VOLTAGE = "voltage"
    TAMPER = "tamper"
    CLOCK = "clock"
    BATTERY = "battery"
    HARDWARE = "hardware"
    FLOW = "flow"
    SWITCH = "switch"
    METERING = "metering"
    ACCESS = "access"
    LOG = "log"
    USAGE = "usage"
    NETWORK = "network"


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

    def of_device(self, commodity: Commodity | None) -> str:
        """The whole code of a meter's event, e.g. `3.26.0.47`; of a router's where `commodity` is None."""
        return f"{DEVICE_KINDS[commodity]}.{self.domain}.{self.sub_domain}.{self.event}"


DEVICE_KINDS = {Commodity.ELECTRIC: 3, Commodity.GAS: 4, Commodity.WATER: 24, None: 5}
"""Kinds of device in IEC 61968-9; None stands for a router, which is a gateway there.

Source  reference/multispeak.md 10
"""


@dataclass(frozen=True, slots=True)
class VoltsArgument:
    """How the argument of an event holds a voltage: its first two octets × 10^`exponent` V, in a meter's order of octets."""

    exponent: int = 0
    little_endian: bool = False

    def volts(self, argument: bytes) -> Decimal | None:
        """The voltage; None where the argument is too short to hold one."""
        if len(argument) < 2:
            return None
        return Decimal(int.from_bytes(argument[:2], "little" if self.little_endian else "big")).scaleb(self.exponent)


@dataclass(frozen=True, slots=True)
class EventKind:
    """One entry of the catalogue.

    `code` is our own: the C12.19 event number, manufacturer events from 2048 on, those of routers (`router_catalogue`), which have no
    `commodities`. `cim` is None where no source shows a code. `phrase` is
    MultiSpeak 3.0's for it, exactly as in that enumeration, empty where it has none. `clears` is the code of the event whose condition
    this one ends. `volts` is None where the argument holds no voltage, or nobody said how.
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
    volts: VoltsArgument | None = None


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

    def changed(self, kinds: Iterable[EventKind]) -> "EventCatalogue":
        """The same with other entries for some codes, or more of them. Raises RequestError for what ends a condition that is not there."""
        changed = {**self.kinds, **{kind.code: kind for kind in kinds}}
        lost = [kind for kind in changed.values() if kind.clears is not None and kind.clears not in changed]
        if lost:
            raise RequestError(f"event {lost[0].code} clears {lost[0].clears}, which the catalogue has not got")
        return EventCatalogue(changed)

    def name_of(self, code: int) -> str:
        """What people call it."""
        kind = self.kinds.get(code)
        return f"event {code}" if kind is None else kind.name

    def with_phrase(self, phrase: str) -> frozenset[int]:
        """Codes of the kinds that MultiSpeak 3.0 calls so."""
        return frozenset(code for code, kind in self.kinds.items() if kind.phrase == phrase)
