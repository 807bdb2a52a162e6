"""Worlds in memory for tests of the emulators, and a reader that decodes what their meters' tables say."""

from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from twisted.internet.task import Clock

from emulators.clock import WorldClock
from emulators.meter import Meter
from emulators.population import Population
from emulators.world import World
from headend.c1219.program import MeterProgram
from headend.c1222.identifiers import ApTitle
from headend.model.readings import IntervalFlag

CHICAGO = ZoneInfo("America/Chicago")
SUMMER = datetime(2026, 7, 15, 6, 30, tzinfo=UTC)


def make_world(
    seed: int = 1, endpoints: int = 20, start: datetime = SUMMER, zone: ZoneInfo = CHICAGO, routers: int = 2, tou: float = 0.0
) -> World:
    """A world whose wire and world clocks are one, turned by hand."""
    world_clock = WorldClock(Clock(), start, rate=0)
    population = Population(seed, endpoints, min(routers, endpoints), tou=tou)
    return World(population, world_clock, zone, lambda: world_clock.seconds, ApTitle.parse(".1.4"))


def meters(world: World) -> list[Meter]:
    """All meters as they are now."""
    return [world.meter(index) for index in range(world.population.size)]


def one_of(world: World, model: str) -> int:
    """An endpoint of a model."""
    return next(i for i in range(world.population.size) if world.kind(i).form.name == model)


def decoded_intervals(meter: Meter) -> dict[str, dict[int, tuple[Decimal | None, int]]]:
    """Channel name → end (unix seconds) → (quantity, flags), read from ST63-65 by the meter's own tables, the newest block winning."""
    program = MeterProgram.decode({table: meter.table(table) for table in (0, 1, 11, 12, 16, 21, 22, 61, 62, 71, 0x802)})
    status = program.decode_profile_status(meter.table(63))
    found: dict[str, dict[int, tuple[Decimal | None, int]]] = {}
    for profile_set in program.sets:
        state = status.sets[profile_set.index]
        octets = meter.table(profile_set.table_id)
        names = meter.kind.specs[profile_set.index].channels
        for seq in range(state.first_seq, state.last_seq + 1):
            valid = state.valid_intervals if seq == state.last_seq else None
            place = profile_set.block_range(state.element_of(seq, profile_set.blocks))
            block = profile_set.decode_block(octets[place.start : place.stop], valid, state.intervals_descending)
            seconds = profile_set.interval_minutes_at(seq) * 60
            block = block.without_tail(block.cut_short, seconds)
            if not block.intervals:
                continue
            end = int(meter.time_base.to_utc(block.end, block.dst).timestamp())
            for channel, name, raws, flags in zip(profile_set.channels, names, block.values, block.flags, strict=True):
                values, exponent = channel.scaling.apply(raws)
                for back, (value, flag) in enumerate(zip(reversed(values), reversed(flags), strict=True)):
                    if not flag & IntervalFlag.MISSING:
                        found.setdefault(name, {})[end - back * seconds] = (Decimal(value).scaleb(exponent), flag)
    return found


def truth_intervals(truth: dict) -> dict[str, dict[int, tuple[Decimal | None, int]]]:
    """The same shape from what the control port tells, without its gaps."""
    return {
        channel["channel"]: {
            int(datetime.fromisoformat(end).timestamp()): (Decimal(quantity), flags)
            for end, _seconds, quantity, flags in channel["values"]
            if not flags & IntervalFlag.MISSING
        }
        for channel in truth["intervals"]
    }
