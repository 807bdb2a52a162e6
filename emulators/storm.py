"""A storm as a plan: who loses supply when, flickers, gets it back, and what of it is told; pure, the same for the same chance.

The grid is as regular as the population: neighbours share a transformer, transformers a feeder. Gas and water meters lose no supply.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final, NamedTuple

from emulators.device_events import EVENT_NAMES, POWER_DOWN, POWER_UP
from emulators.faults import SECONDS_MAX
from emulators.population import Population, router_name
from headend.errors import RequestError
from headend.model.endpoint import CONFIGURATIONS, Commodity

PER_TRANSFORMER: Final = 20
PER_FEEDER: Final = 2_000
"""Endpoints of all commodities that stand where one transformer, one feeder supplies."""

FLICKERS_MAX: Final = 100
"""Times the supply comes and goes before it stays away."""

FLICKER_SECONDS_MIN: Final = 2.0
"""A log dates events to the second: off and on again are to be told apart."""

DELAY_TIMES_MEAN_MAX: Final = 10.0
"""No message takes longer than so many times the mean delay."""

REPLAYED_MAX: Final = 10_000
"""Events of one request to play a recording."""


class Strike(NamedTuple):
    """One event of one endpoint, `at` seconds after the storm began.

    The head-end is told `delay` seconds later; None: it never hears of it at once.
    """

    at: float
    endpoint: int
    code: int
    argument: int = 0
    delay: float | None = 0.0


@dataclass(frozen=True, slots=True)
class StormOrder:
    """What storm there is to be; places add up, all that are given must match.

    `percent` of the electric endpoints there lose supply, spread over `seconds`. Of them `flicker_percent` see it come back `flickers`
    times first, once in `flicker_seconds`. Supply is back `restore_after` seconds after it was lost, give or take `restore_spread`; None:
    never. `lost_percent` of the messages are lost, the others take an exponential delay of the mean `delay_seconds`.
    """

    feeder: str | None = None
    transformer: str | None = None
    router: str | None = None
    percent: float = 100.0
    seconds: float = 0.0
    lost_percent: float = 0.0
    delay_seconds: float = 0.0
    flicker_percent: float = 0.0
    flickers: int = 3
    flicker_seconds: float = 10.0
    restore_after: float | None = None
    restore_spread: float = 0.0


def feeder_name(index: int) -> str:
    """The feeder that an endpoint hangs on."""
    return f"F-{index // PER_FEEDER + 1:03d}"


def transformer_name(index: int) -> str:
    """The transformer that supplies an endpoint."""
    return f"T-{index // PER_TRANSFORMER + 1:05d}"


def is_electric(population: Population, index: int) -> bool:
    """Whether an endpoint has a supply to lose."""
    return CONFIGURATIONS[population.configuration(index)].commodity is Commodity.ELECTRIC


def struck(order: StormOrder, population: Population) -> Iterator[int]:
    """Endpoints in the places that an order names."""
    for index in _range(order, population.size):
        if not is_electric(population, index):
            continue
        router = population.router(index)
        if order.router is None or (router is not None and router_name(router) == order.router):
            yield index


def _range(order: StormOrder, size: int) -> range:
    """Indices within feeder and transformer. Raises RequestError."""
    first, end = 0, size
    for what, text, letter, each in (
        ("feeder", order.feeder, "F", PER_FEEDER),
        ("transformer", order.transformer, "T", PER_TRANSFORMER),
    ):
        if text is None:
            continue
        number = text.removeprefix(f"{letter}-")
        count = -(-size // each)
        if not (number.isascii() and number.isdigit() and len(number) < 8 and 1 <= int(number) <= count):
            raise RequestError(f"{what}: {text!r} is none; they are numbered {letter}-1 to {letter}-{count}")
        first, end = max(first, (int(number) - 1) * each), min(end, int(number) * each)
    return range(first, max(first, end))


def plan_storm(order: StormOrder, population: Population, chance: Random) -> list[Strike]:
    """Every strike of a storm in time order."""
    strikes: list[Strike] = []
    for index in struck(order, population):
        if chance.random() * 100 < order.percent:
            strikes += _strikes_of(index, order, chance)
    return in_order(strikes)


def in_order(strikes: list[Strike]) -> list[Strike]:
    """By time; what is at the same time stays as it was."""
    return sorted(strikes, key=lambda strike: strike.at)


def _strikes_of(index: int, order: StormOrder, chance: Random) -> Iterator[Strike]:
    at = chance.random() * order.seconds
    if chance.random() * 100 < order.flicker_percent:
        for _ in range(order.flickers):
            yield Strike(at, index, POWER_DOWN, 0, _delay(order, chance))
            yield Strike(at + order.flicker_seconds / 2, index, POWER_UP, 0, _delay(order, chance))
            at += order.flicker_seconds
    yield Strike(at, index, POWER_DOWN, 0, _delay(order, chance))
    if order.restore_after is not None:
        spread = (2 * chance.random() - 1) * order.restore_spread
        yield Strike(at + max(0.0, order.restore_after + spread), index, POWER_UP, 0, _delay(order, chance))


def _delay(order: StormOrder, chance: Random) -> float | None:
    if chance.random() * 100 < order.lost_percent:
        return None
    if order.delay_seconds <= 0:
        return 0.0
    return min(chance.expovariate(1 / order.delay_seconds), DELAY_TIMES_MEAN_MAX * order.delay_seconds)


_PERCENT = (0.0, 100.0)
_SECONDS = (0.0, SECONDS_MAX)
_NUMBERS = {
    "percent": _PERCENT,
    "seconds": _SECONDS,
    "lost_percent": _PERCENT,
    "delay_seconds": _SECONDS,
    "flicker_percent": _PERCENT,
    "flickers": (0, FLICKERS_MAX),
    "flicker_seconds": (FLICKER_SECONDS_MIN, SECONDS_MAX),
    "restore_after": _SECONDS,
    "restore_spread": _SECONDS,
}
_TEXTS = {"feeder", "transformer", "router"}
STORM_FIELDS: Final = {*_NUMBERS, *_TEXTS}


def storm_from_json(body: dict[str, object]) -> StormOrder:
    """An order as the control port is given it; its fields are known. Raises RequestError naming the field."""
    values: dict[str, object] = {}
    for name, value in body.items():
        if value is None:
            continue
        values[name] = _text(name, value) if name in _TEXTS else _number(name, value, *_NUMBERS[name])
    if "flickers" in values:
        values["flickers"] = int(body["flickers"])  # type: ignore[call-overload]  # _number has seen that it is one
    return StormOrder(**values)  # type: ignore[arg-type]  # field names come from the two tables above


def strikes_from_json(body: dict[str, object], population: Population) -> tuple[list[Strike], list[str]]:
    """(strikes of a recording, meters of it that there are none of here). Raises RequestError naming the entry.

    An entry is {at, meter_no, code or event, argument?}: seconds from now, whose event, by its number or the name the control port knows.
    """
    items = body.get("events")
    if not isinstance(items, list) or len(items) > REPLAYED_MAX:
        raise RequestError(f"events: a list of {REPLAYED_MAX} at most is wanted")
    strikes: list[Strike] = []
    strangers: list[str] = []
    for number, item in enumerate(items):
        where = f"events[{number}]"
        if not isinstance(item, dict):
            raise RequestError(f"{where}: an object is wanted")
        index = population.index_of(str(item.get("meter_no")))
        if index is None:
            strangers.append(str(item.get("meter_no"))[:40])
            continue
        code = EVENT_NAMES.get(str(item.get("event")), item.get("code"))
        if isinstance(code, bool) or not isinstance(code, int) or not 0 <= code < 65_536:
            raise RequestError(f"{where}: neither an event of {', '.join(EVENT_NAMES)} nor a code")
        at = _number(f"{where}.at", item.get("at", 0.0), *_SECONDS)
        argument = int(_number(f"{where}.argument", item.get("argument", 0), 0, 65_535))
        strikes.append(Strike(at, index, code, argument))
    return in_order(strikes), strangers


def _number(name: str, value: object, low: float, high: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise RequestError(f"{name}: {value!r} is not a number within {low:g} and {high:g}")
    return float(value)


def _text(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise RequestError(f"{name}: text is wanted")
    return value


def counted(strikes: Sequence[Strike]) -> dict[str, object]:
    """What a plan comes to."""
    return {
        "endpoints": len({strike.endpoint for strike in strikes}),
        "events": len(strikes),
        "outages": sum(strike.code == POWER_DOWN for strike in strikes),
        "restorations": sum(strike.code == POWER_UP for strike in strikes),
        "lost": sum(strike.delay is None for strike in strikes),
        "seconds": max((strike.at + (strike.delay or 0.0) for strike in strikes), default=0.0),
    }
