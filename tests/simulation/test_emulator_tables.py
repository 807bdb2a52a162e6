"""What emulated meters' tables say, read by their own programs, is what the truth says, whatever the model and the clock."""

from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise

import numpy as np
import pytest

from emulators.meter_procedures import set_device_clock
from emulators.models import MODELS
from emulators.profile import slot_rows
from emulators.timeline import POWER_FAIL_BIT, Mark
from emulators.truth import endpoint_truth
from headend.c1219.program import MeterProgram
from headend.model.endpoint import SHIPPABLE
from headend.model.readings import IntervalFlag
from tests.simulation.emulated import decoded_intervals, make_world, meters, one_of, truth_intervals

DAY = 86_400
STARTS = {
    "summer": datetime(2026, 7, 15, 6, 30, tzinfo=UTC),
    "spring forward": datetime(2026, 3, 8, 18, 20, tzinfo=UTC),
    "in the skipped hour": datetime(2026, 3, 8, 8, 40, tzinfo=UTC),
    "autumn back": datetime(2026, 11, 1, 19, 50, tzinfo=UTC),
    "in the first of the double hours": datetime(2026, 11, 1, 6, 35, tzinfo=UTC),
    "in the second of the double hours": datetime(2026, 11, 1, 7, 35, tzinfo=UTC),
    "midnight": datetime(2026, 1, 1, 6, 0, tzinfo=UTC),
}


def everything(meter, days=60):
    """Truth over the last days; 60 are more than any meter holds."""
    return endpoint_truth(meter, meter.now - days * DAY, meter.now + 3 * DAY)


def assert_tables_tell_the_truth(meter, days=60):
    truth = truth_intervals(everything(meter, days))
    decoded = decoded_intervals(meter)
    assert decoded.keys() == truth.keys()
    for name, expected in truth.items():
        assert expected, name
        assert {end: value for end, value in decoded[name].items() if end > meter.now - days * DAY} == expected, name


@pytest.mark.parametrize("start", STARTS.values(), ids=STARTS)
def test_all_models_are_read_alike(start):
    world = make_world(seed=5, endpoints=60, start=start, tou=30)
    seen = set()
    for meter in meters(world):
        if (meter.kind.form.name, meter.kind.configuration) not in seen:
            seen.add((meter.kind.form.name, meter.kind.configuration))
            assert_tables_tell_the_truth(meter, 60 if start is STARTS["summer"] else 2)
    assert {model for model, _ in seen} == set(MODELS)
    assert {configuration for _, configuration in seen} == set(SHIPPABLE)


@pytest.mark.parametrize("start", STARTS.values(), ids=STARTS)
def test_registers_equal_the_sum_of_the_intervals(start):
    world = make_world(seed=2, endpoints=40, start=start, tou=30)
    for meter in meters(world):
        truth = everything(meter, 12)
        values = next(c["values"] for c in truth["intervals"] if c["channel"] == meter.kind.register_channel)
        registers = [r for r in truth["registers"] if r["channel"] == meter.kind.register_channel]
        held = {datetime.fromisoformat(r["instant"]): Decimal(r["quantity"]) for r in registers}
        oldest = datetime.fromisoformat(values[0][0])
        checked = 0
        for (before, first), (after, second) in pairwise(sorted(held.items())):
            if before < oldest:
                continue
            used = sum(Decimal(v[2]) for v in values if before < datetime.fromisoformat(v[0]) <= after)
            assert used == second - first
            checked += 1
        assert checked >= 5


@pytest.mark.parametrize("start", STARTS.values(), ids=STARTS)
def test_rates_share_the_total_by_the_hours_of_the_day(start):
    """Tier A counts from 14:00 to 20:00 on working days, wherever the clocks are; tier B the rest."""
    world = make_world(seed=2, endpoints=40, start=start, tou=30)
    homes = [meter for meter in meters(world) if meter.kind.configuration == "residential-tou"]
    assert len(homes) > 3
    assert {meter.kind.configuration for meter in meters(world) if meter.tiers(meter.now)} == {"residential-tou"}
    for meter in homes:
        midnights = [int(datetime.fromisoformat(r["instant"]).timestamp()) for r in everything(meter, 12)["registers"]]
        for before, after in pairwise(sorted(set(midnights))):
            day = datetime.fromtimestamp(before, meter.zone)
            peak = [int(day.replace(hour=hour).timestamp()) for hour in (14, 20)]
            used = meter.register(peak[1]) - meter.register(peak[0]) if day.weekday() < 5 else 0
            first, second = meter.tiers(before), meter.tiers(after)
            assert second[0] - first[0] == used
            assert sum(second) == meter.register(after)


@pytest.mark.parametrize("jump", [-30 * 3600, -7_300, -20, 1_700, 5_000])
def test_tables_tell_the_truth_after_a_clock_jumped(jump):
    world = make_world(seed=5, endpoints=40, start=datetime(2026, 7, 15, 6, 47, 11, tzinfo=UTC))
    for meter in (world.meter(one_of(world, model)) for model in MODELS):
        set_device_clock(meter, meter.device_now + jump)
    world.clock.advance(9 * 3600 + 700)
    for model in MODELS:
        assert_jump_is_told(world.meter(one_of(world, model)), jump)


def assert_jump_is_told(meter, jump):
    assert_tables_tell_the_truth(meter, 4)
    codes = [flags for *_, flags in everything(meter, 4)["intervals"][0]["values"]]
    if meter.kind.form.status.value == "extended":
        assert any(flags & (IntervalFlag.CLOCK_FORWARD if jump > 0 else IntervalFlag.CLOCK_BACK) for flags in codes)
    events = [event.code for event in meter.events()]
    assert {3, 4} <= set(events)


def recorded_total(meter):
    """Sum of all slots ever recorded of the register's channel, cut ones included."""
    spec = meter.kind.specs[0]
    total = 0
    for run in meter.timeline.runs[0]:
        done = run.slots_done(meter.now) if run.began < meter.now else 0
        if done:
            total += int(slot_rows(meter.consumer, spec, run, 0, done)[0].sum())
    return total


def test_everything_used_is_recorded_once_over_many_jumps():
    world = make_world(seed=8, endpoints=20)
    index = one_of(world, "HE-R100")
    for jump in (700, -500, 4_000, -9_000, 86_400, -86_400, 3, -3):
        world.clock.advance(5_000)
        meter = world.meter(index)
        set_device_clock(meter, meter.device_now + jump)
    world.clock.advance(7_200)
    meter = world.meter(index)
    runs = meter.timeline.runs[0]
    last = runs[-1]
    through = last.world_of(last.start + last.slots_done(meter.now) * last.length)
    assert recorded_total(meter) == meter.register(through) - meter.register(runs[0].world_of(runs[0].start))
    assert_tables_tell_the_truth(meter)


def test_interval_length_changes_in_mid_history():
    world = make_world(seed=5, endpoints=40)
    meter = world.meter(one_of(world, "HE-R150"))
    lengths = {seconds for _, seconds, *_ in everything(meter)["intervals"][0]["values"]}
    assert lengths == {3600, 900, 300}
    program = MeterProgram.decode({t: meter.table(t) for t in (0, 1, 11, 12, 16, 21, 22, 61, 62, 71, 0x802)})
    assert [era.minutes for era in program.sets[0].eras] == [60, 15, 5]


def test_power_failure_marks_the_interval():
    world = make_world(seed=5, endpoints=40)
    index = one_of(world, "HE-C300")
    meter = world.meter(index)
    meter.state.timeline = meter.timeline.mark(meter.now, Mark(0, POWER_FAIL_BIT))
    world.clock.advance(3600)
    meter = world.meter(index)
    assert_tables_tell_the_truth(meter)
    for channel in everything(meter)["intervals"]:
        assert sum(bool(flags & IntervalFlag.POWER_FAIL) for *_, flags in channel["values"]) == 1


def test_voltage_is_plausible():
    world = make_world(seed=3, endpoints=20)
    for meter in meters(world):
        if meter.kind.configuration.startswith(("residential", "commercial")):
            rows = meter.consumer.voltage(200_000, 96 * 30, 3)
            for phase in range(3):
                highest, lowest, average = rows[3 * phase : 3 * phase + 3]
                assert (lowest <= average).all()
                assert (average <= highest).all()
                assert 2_200 < lowest.min() < highest.max() < 2_600


def test_net_metered_homes_deliver_at_noon_and_nobody_at_night():
    world = make_world(seed=3, endpoints=20)
    meter = next(m for m in meters(world) if m.kind.configuration == "residential-net")
    noon = (meter.now // DAY * DAY + 18 * 3600 - DAY - 1_578_268_800) // 900
    hours = np.diff(meter.consumer.totals("energy_received", noon - 48, 25, 4))
    assert hours[12] > 500
    assert hours[0] == 0


def test_same_seed_same_history_whenever_the_world_starts():
    early, late, other = make_world(seed=9), make_world(seed=9, start=datetime(2026, 8, 1, tzinfo=UTC)), make_world(seed=10)
    instant = int(datetime(2026, 7, 14, 3, tzinfo=UTC).timestamp())
    registers = [[meter.register(instant) for meter in meters(world)] for world in (early, late, other)]
    assert registers[0] == registers[1]
    assert registers[0] != registers[2]
    assert [m.table(64) for m in meters(early)] == [m.table(64) for m in meters(make_world(seed=9))]


def test_self_reads_stand_at_local_midnight_for_a_month():
    world = make_world(seed=5, endpoints=40, start=datetime(2026, 3, 20, 12, tzinfo=UTC))
    for model in MODELS:
        meter = world.meter(one_of(world, model))
        reads = meter.kind.program.registers.decode_self_reads(meter.table(26)).chronological()
        assert len(reads) >= 26
        truth = everything(meter)["registers"]
        assert len(truth) == len(reads)
        scaling = meter.kind.program.registers.summations[0]
        for read, expected in zip(reads, truth, strict=True):
            instant = meter.time_base.to_utc(read.end)
            assert instant.isoformat() == expected["instant"]
            assert instant.astimezone(meter.zone).hour == 0
            mantissa, exponent = scaling.value(read.values.total.summations[0])
            assert Decimal(mantissa).scaleb(exponent) == Decimal(expected["quantity"])
