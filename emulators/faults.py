"""What may go wrong in the field, as data: kinds, whom they strike, and the seeded dice that decide."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from random import Random

from headend.errors import RequestError

FAULTS_MAX = 1_000
"""Faults installed at once: each datagram is held against all of them."""

SECONDS_MAX = 86_400.0
"""Longest delay or outage a fault may cause, in seconds."""


class FaultKind(StrEnum):
    """Loss, delay, duplicate and corrupt strike datagrams; the rest strike the endpoint."""

    LOSS = "loss"
    DELAY = "delay"
    DUPLICATE = "duplicate"
    CORRUPT = "corrupt"
    SILENCE = "silence"
    WRONG_KEY = "wrong-key"
    REBOOT = "reboot"
    CLOCK_DRIFT = "clock-drift"
    CLOCK_JUMP = "clock-jump"
    ANSWER_LOST = "answer-lost"
    SWAP = "swap"


_AT_ONCE = frozenset({FaultKind.REBOOT, FaultKind.CLOCK_JUMP, FaultKind.CLOCK_DRIFT, FaultKind.SWAP})


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong with `probability` (per datagram; per endpoint for the kinds that strike once).

    `seconds`: mean of an exponential delay, length of a reboot, clock jump (may be negative), or drift in seconds a day.
    Targets add up: all that are given must match; `percent` takes a fixed, seeded share of the endpoints.
    """

    kind: FaultKind
    probability: float = 1.0
    seconds: float = 0.0
    seconds_max: float = 15.0
    meter_no: str | None = None
    router: str | None = None
    configuration: str | None = None
    percent: float = 100.0

    @property
    def at_once(self) -> bool:
        """Whether it is done to its endpoints when installed, rather than to every datagram."""
        return self.kind in _AT_ONCE


@dataclass(frozen=True, slots=True)
class Target:
    """The endpoint a datagram belongs to, as faults see it; `share` is its fixed place in 0..100."""

    meter_no: str
    router: str
    configuration: str
    share: float


def matches(fault: Fault, target: Target) -> bool:
    """Whether `fault` is meant for `target`."""
    return (
        fault.meter_no in (None, target.meter_no)
        and fault.router in (None, target.router)
        and fault.configuration in (None, target.configuration)
        and target.share < fault.percent
    )


@dataclass(slots=True)
class FaultTable:
    """The faults that are installed, and the dice thrown for them."""

    random: Random
    faults: tuple[Fault, ...] = ()

    def install(self, faults: Sequence[Fault]) -> None:
        """Replace all faults."""
        if len(faults) > FAULTS_MAX:
            raise RequestError(f"faults: {len(faults)} given, {FAULTS_MAX} allowed")
        self.faults = tuple(faults)

    def strikes(self, kind: FaultKind, target: Target) -> bool:
        """Whether a fault of `kind` happens to `target` this time."""
        return any(f.kind is kind and matches(f, target) and self.random.random() < f.probability for f in self.faults)

    def deliveries(self, octets: bytes, target: Target) -> list[tuple[float, bytes]]:
        """What becomes of one datagram on its way: (delay in seconds, octets) for each copy that arrives."""
        if not self.faults:
            return [(0.0, octets)]
        if self.strikes(FaultKind.LOSS, target) or self.strikes(FaultKind.SILENCE, target):
            return []
        copies = 2 if self.strikes(FaultKind.DUPLICATE, target) else 1
        return [(self._delay(target), self._perhaps_corrupt(octets, target)) for _ in range(copies)]

    def _delay(self, target: Target) -> float:
        return sum(
            min(f.seconds_max, self.random.expovariate(1 / f.seconds))
            for f in self.faults
            if f.kind is FaultKind.DELAY and f.seconds > 0 and matches(f, target) and self.random.random() < f.probability
        )

    def _perhaps_corrupt(self, octets: bytes, target: Target) -> bytes:
        if not octets or not self.strikes(FaultKind.CORRUPT, target):
            return octets
        spoiled = bytearray(octets)
        spoiled[self.random.randrange(len(spoiled))] ^= 1 << self.random.randrange(8)
        return bytes(spoiled)


_NUMBERS = {"probability": (0.0, 1.0), "seconds": (-SECONDS_MAX, SECONDS_MAX), "seconds_max": (0.0, SECONDS_MAX), "percent": (0.0, 100.0)}
_TEXTS = ("meter_no", "router", "configuration")


def fault_from_json(item: object, where: str) -> Fault:
    """A fault as the control port is given it. Raises RequestError naming the field."""
    if not isinstance(item, dict):
        raise RequestError(f"{where}: an object is wanted")
    unknown = sorted(set(item) - {"kind", *_NUMBERS, *_TEXTS})
    if unknown:
        raise RequestError(f"{where}: unknown field {unknown[0]!r}")
    try:
        kind = FaultKind(str(item.get("kind")))
    except ValueError:
        raise RequestError(f"{where}.kind: {item.get('kind')!r} is none of {', '.join(FaultKind)}") from None
    numbers = {name: _number(item[name], name, where) for name in _NUMBERS if name in item}
    texts = {name: _text(item[name], name, where) for name in _TEXTS if item.get(name) is not None}
    return Fault(kind=kind, **numbers, **texts)  # type: ignore[arg-type]  # field names come from the two tables above


def fault_to_json(fault: Fault) -> dict[str, object]:
    """The fault as its control port shows it."""
    return {name: value for name, value in asdict(fault).items() if value is not None}


def _number(value: object, name: str, where: str) -> float:
    low, high = _NUMBERS[name]
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise RequestError(f"{where}.{name}: {value!r} is not a number within {low:g} and {high:g}")
    return float(value)


def _text(value: object, name: str, where: str) -> str:
    if not isinstance(value, str):
        raise RequestError(f"{where}.{name}: text is wanted")
    return value
