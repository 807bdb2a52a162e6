"""What looks like theft: tampering, flow the wrong way, a live load behind an open switch, no use though there is voltage. Pure.

A suspicion is no proof: a vacant house uses nothing, a generator feeds in. It names what was seen and since when; a person looks.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from headend.event_catalogue import LOAD_SIDE_VOLTAGE, MANUFACTURER
from headend.model.channels import CHANNEL_BY_NAME, CHANNELS, Flow, Statistic, Unit
from headend.model.endpoint import CONFIGURATIONS, Commodity, EndpointId
from headend.model.event_kinds import Category, EventCatalogue, EventKind
from headend.model.instants import from_us
from headend.model.quality import DOUBTFUL, WORTHLESS
from headend.model.readings import IntervalBlock, RegisterRow

REVERSE_CODES = frozenset({48, MANUFACTURER | 9})
"""Events of flow the wrong way: reverse rotation, reverse flow of water."""


def tamper_codes(catalogue: EventCatalogue) -> frozenset[int]:
    """Events that a utility's catalogue counts among tampering, but for those that only end it."""
    return frozenset(kind.code for kind in catalogue.kinds.values() if _is_tampering(kind)) - {*REVERSE_CODES, LOAD_SIDE_VOLTAGE}


def _is_tampering(kind: EventKind) -> bool:
    return kind.category is Category.TAMPER and kind.clears is None


def suspicious_codes(catalogue: EventCatalogue) -> frozenset[int]:
    """All events that are looked at."""
    return tamper_codes(catalogue) | REVERSE_CODES | {LOAD_SIDE_VOLTAGE}


PRESENT_PART = Decimal("0.9")
"""Voltage is present where so much of a period has it: an outage of hours is no reason to look away."""

DELIVERED, RECEIVED = CHANNEL_BY_NAME["energy_delivered"].channel_id, CHANNEL_BY_NAME["energy_received"].channel_id
VOLTAGES = frozenset(c.channel_id for c in CHANNELS.values() if c.unit is Unit.VOLT and c.statistic is Statistic.AVERAGE)


LASTS = timedelta(days=3)
"""What was seen within this time and is seen again is the same."""


class SuspicionKind(StrEnum):
    """What is suspected of; a meter has at most one of each that lasts."""

    TAMPER = "tamper"
    REVERSE = "reverse flow"
    LIVE_LOAD = "live load behind an open switch"
    NO_USE = "no use with voltage"


@dataclass(frozen=True, slots=True)
class SuspicionPolicy:
    """Thresholds; energy in Wh. `no_use_days` of 0 looks for none.

    A meter uses nothing where it counts at most `no_use_wh` in `no_use_days`. `reverse_wh` is the least fed in, in a day, by one that is
    not to feed in, and `open_wh` the least that passes a switch which is open.
    """

    no_use_days: int = 14
    no_use_wh: int = 0
    present_volts: int = 90
    reverse_wh: int = 500
    open_wh: int = 500


@dataclass(frozen=True, slots=True)
class Suspicion:
    """What was seen of a meter, since when, in words. One that `lasts` is seen again and again, and told once."""

    endpoint_id: EndpointId
    meter_no: str
    kind: SuspicionKind
    since: datetime
    detail: str
    lasts: bool = True

    @property
    def text(self) -> str:
        """In one line."""
        return f"{self.kind.value}: {self.detail}"


@dataclass(frozen=True, slots=True)
class Suspect:
    """A meter that is looked at; `open_since` is since when its switch is known to be open, None where it is not known so."""

    endpoint_id: EndpointId
    meter_no: str
    configuration: str
    open_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class SuspectEvent:
    """An event of a meter, one of `suspicious_codes`."""

    suspect: Suspect
    code: int
    occurred: datetime
    sequence: int = 0
    argument: bytes = b""


def of_event(event: SuspectEvent, catalogue: EventCatalogue) -> Suspicion | None:
    """What an event says, by the catalogue of the utility."""
    suspect = event.suspect
    if event.code == LOAD_SIDE_VOLTAGE:
        volts = Decimal(int.from_bytes(event.argument[:2])) / 10
        detail = f"{volts} V were measured behind the open switch"
        return _told(event, SuspicionKind.LIVE_LOAD, detail)
    kind = catalogue.kinds.get(event.code)
    if kind is None:
        return None
    if event.code not in REVERSE_CODES:
        return _told(event, SuspicionKind.TAMPER, f"the meter told of a {kind.name}") if _is_tampering(kind) else None
    return None if _may_feed_in(suspect.configuration) else _told(event, SuspicionKind.REVERSE, f"the meter told of a {kind.name}")


def _told(event: SuspectEvent, kind: SuspicionKind, detail: str) -> Suspicion:
    return Suspicion(event.suspect.endpoint_id, event.suspect.meter_no, kind, event.occurred, detail, lasts=False)


def of_open_switch(suspect: Suspect, registers: Sequence[RegisterRow], policy: SuspicionPolicy) -> Suspicion | None:
    """What passed a switch since it was opened: by the first and the last good read since then."""
    if suspect.open_since is None:
        return None
    reads = _good(registers, DELIVERED, suspect.open_since)
    if len(reads) < 2:
        return None
    used = reads[-1][1] - reads[0][1]
    if used < policy.open_wh:
        return None
    detail = f"{used} Wh passed the switch from {_day(reads[0][0])} to {_day(reads[-1][0])}, which is open since {_day(suspect.open_since)}"
    return Suspicion(suspect.endpoint_id, suspect.meter_no, SuspicionKind.LIVE_LOAD, suspect.open_since, detail)


def of_no_use(
    suspect: Suspect, registers: Sequence[RegisterRow], blocks: Sequence[IntervalBlock], policy: SuspicionPolicy
) -> Suspicion | None:
    """Whether nothing was used between the first and the last register while there was voltage nearly all the time."""
    if suspect.open_since is not None or CONFIGURATIONS[suspect.configuration].commodity is not Commodity.ELECTRIC:
        return None
    reads = _good(registers, DELIVERED, None)
    if len(reads) < 2 or reads[-1][0] - reads[0][0] < timedelta(days=policy.no_use_days) - timedelta(hours=1):
        return None
    used = reads[-1][1] - reads[0][1]
    present = _present_part(blocks, policy.present_volts)
    if not 0 <= used <= policy.no_use_wh or present is None or present < PRESENT_PART:
        return None
    since, until = reads[0][0], reads[-1][0]
    detail = f"{used} Wh from {_day(since)} to {_day(until)}, with voltage in {present:.0%} of its intervals"
    return Suspicion(suspect.endpoint_id, suspect.meter_no, SuspicionKind.NO_USE, since, detail)


def of_feeding_in(suspect: Suspect, blocks: Sequence[IntervalBlock], since: datetime, policy: SuspicionPolicy) -> Suspicion | None:
    """Whether a meter that is not to feed in did, in the day whose intervals these are."""
    if _may_feed_in(suspect.configuration):
        return None
    fed = Decimal(0)
    for block in blocks:
        if block.channel_id == RECEIVED:
            good = (v for v, flags in zip(block.values, block.flags, strict=True) if v is not None and not flags & (WORTHLESS | DOUBTFUL))
            fed += sum((Decimal(value).scaleb(block.exponent) for value in good), Decimal(0))
    if fed < policy.reverse_wh:
        return None
    return Suspicion(suspect.endpoint_id, suspect.meter_no, SuspicionKind.REVERSE, since, f"{fed} Wh were fed in on {_day(since)}")


MEASURES_FEEDING_IN = tuple(
    c.name
    for c in CONFIGURATIONS.values()
    if any(CHANNEL_BY_NAME[name].flow is Flow.RECEIVED and CHANNEL_BY_NAME[name].unit is Unit.WATT_HOUR for name, _ in c.intervals)
    and not any(CHANNEL_BY_NAME[name].flow is Flow.NET for name, _ in c.intervals)
)
"""Configurations that measure what is fed in, and are not those of customers who may do so."""


def _may_feed_in(configuration: str) -> bool:
    """Whether a customer of such a meter has an agreement to feed in: those have a net channel."""
    return any(CHANNEL_BY_NAME[name].flow is Flow.NET for name, _ in CONFIGURATIONS[configuration].intervals)


def _good(registers: Sequence[RegisterRow], channel: int, since: datetime | None) -> list[tuple[datetime, Decimal]]:
    """Good reads of a channel in the order of time, from `since` on."""

    def reads() -> Iterator[tuple[datetime, Decimal]]:
        for row in registers:
            instant = from_us(row.instant_us)
            if row.channel_id == channel and not row.flags & (WORTHLESS | DOUBTFUL) and (since is None or instant >= since):
                yield instant, Decimal(row.value).scaleb(row.exponent)

    return sorted(reads())


def _present_part(blocks: Sequence[IntervalBlock], least: int) -> Decimal | None:
    """Of the intervals with a voltage: the part in which any phase had at least so much. None where there are none."""
    present: dict[datetime, bool] = {}
    for block in blocks:
        if block.channel_id not in VOLTAGES:
            continue
        for index, value in enumerate(block.values):
            if value is not None:
                end = block.end_of(index)
                present[end] = present.get(end, False) or Decimal(value).scaleb(block.exponent) >= least
    return Decimal(sum(present.values())) / len(present) if present else None


def _day(instant: datetime) -> str:
    return f"{instant:%Y-%m-%d}"
