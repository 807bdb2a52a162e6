"""CPU time of decoding and encoding one residential endpoint's day: `python -m tests.bench.bench_tables`."""

from collections.abc import Callable
from dataclasses import replace
from time import process_time

from headend.c1219.load_profile_tables import ProfileStatus, SetStatus
from headend.c1219.profile_blocks import ProfileBlock
from headend.c1219.profile_sets import ProfileSet
from headend.c1219.program import MeterProgram
from headend.c1219.register_tables import DatedRegisters, RegisterBlock, RegisterValues
from headend.model.readings import IntervalFlag
from tests.codec.c1219_programs import DESIGNS, LOCAL_BCD, MINUTES_CHARACTERS, UTC_SECONDS, Design

END = 1_753_056_000
Row = tuple[str, float]


def microseconds(work: Callable[[], object], runs: int = 1500) -> float:
    """CPU microseconds of one call, the best of three batches."""
    best = float("inf")
    for _ in range(3):
        start = process_time()
        for _ in range(runs):
            work()
        best = min(best, process_time() - start)
    return best / runs * 1e6


def day_blocks(profile_set: ProfileSet, flag: Callable[[int], int]) -> list[ProfileBlock]:
    """A day of blocks; `flag` gives an interval's flags."""
    per_block, channels = profile_set.intervals_per_block, range(len(profile_set.channels))
    unit = 10**-profile_set.layout.number.exponent
    blocks = []
    for first in range(0, 1440 // profile_set.interval_minutes, per_block):
        columns = tuple(tuple((2000 + first + i + c) * unit for i in range(per_block)) for c in channels)
        flags = tuple(tuple(flag(first + i) for i in range(per_block)) for _ in channels)
        blocks.append(ProfileBlock(END, columns, flags))
    return blocks


def day_rows(name: str, design: Design, flag: Callable[[int], int] = lambda _: 0) -> list[Row]:
    program = design.program()
    octets = [(s, [s.encode_block(block) for block in day_blocks(s, flag)]) for s in program.sets]
    blocks = [(s, day_blocks(s, flag)) for s in program.sets]

    def decode() -> None:
        for profile_set, stored in octets:
            for block_octets in stored:
                block = profile_set.decode_block(block_octets)
                for channel, column in zip(profile_set.channels, block.values, strict=True):
                    channel.scaling.apply(column)

    def encode() -> None:
        for profile_set, day in blocks:
            for block in day:
                profile_set.encode_block(block)

    return [(f"{name}: decode 24 + 96x3 values", microseconds(decode)), (f"{name}: encode", microseconds(encode))]


def rest_rows() -> list[Row]:
    """What comes with the blocks: state of the sets, a self read, a known and an unknown program."""
    program = UTC_SECONDS.program()
    formats, registers = program.general.formats, program.registers
    status = ProfileStatus((SetStatus(40, 3, 812, 1, 24), SetStatus(40, 3, 812, 1, 96))).encode(formats)
    read = registers.encode_self_read(DatedRegisters(RegisterValues(RegisterBlock(((12345678, -3),))), END, 0, 812))
    tables = dict(program.tables)
    counters = iter(range(2, 65_000))
    variants = [replace(UTC_SECONDS, manufacturer=f"M{i:03d}").tables() for i in range(300)]
    fresh = iter(variants * 2)
    return [
        ("ST63: decode", microseconds(lambda: program.decode_profile_status(status))),
        ("ST26 entry: decode", microseconds(lambda: registers.decode_self_read(read))),
        ("program: decode, known make-up", microseconds(lambda: MeterProgram.decode(tables))),
        (
            "program: decode, known make-up, new counter",
            microseconds(lambda: MeterProgram.decode(tables | {0x802: next(counters).to_bytes(2, "little") + tables[0x802][2:]})),
        ),
        ("program: decode, new make-up", microseconds(lambda: MeterProgram.decode(next(fresh)), 100)),
    ]


def run() -> list[Row]:
    """(what, CPU microseconds)."""
    dst, gone = int(IntervalFlag.DST), int(IntervalFlag.SKIPPED | IntervalFlag.POWER_FAIL)
    assert len(DESIGNS) == 3
    return [
        *day_rows("extended status, u32/u16", UTC_SECONDS),
        *day_rows("the same, daylight saving all day", UTC_SECONDS, lambda _: dst),
        *day_rows("the same, an outage in it", UTC_SECONDS, lambda i: gone if 5 <= i < 9 else dst),
        *day_rows("BCD, one's complement, end readings", LOCAL_BCD),
        *day_rows("float intervals, signed", MINUTES_CHARACTERS),
        *rest_rows(),
    ]


def main() -> None:
    for what, cost in run():
        print(f"{what:60} {cost:9.1f} us")


if __name__ == "__main__":
    main()
