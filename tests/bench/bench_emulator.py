"""What the emulated utility costs: memory of 100,000 endpoints in one process, CPU of a residential day served in mode 2.

A day is one hour-set block, one voltage block, status, clock, the newest self-read and the head of the event log: 313 values and what a
head-end needs around them, in as many exchanges as replies of 1,200 octets take (one). No sockets: the codec benchmark has those.
"""

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import median

from twisted.internet.task import Clock

from emulators.clock import WorldClock
from emulators.router_node import RouterNode
from emulators.service import EmulatorOptions, make_world
from emulators.world import World
from headend.c1222.acse import parse_apdu
from headend.c1222.association import Association
from headend.c1222.identifiers import ApTitle
from headend.c1222.message import Cipher, SecurityMode
from headend.c1222.services import FullRead, PartialReadOffset, encode_request

MODEL = "HE-R100"
DAYS = 1_500
CHUNK = 50
ENDPOINTS = 100_000


@dataclass(frozen=True)
class Row:
    """One measurement."""

    name: str
    value: float
    unit: str


def day_request(world: World, index: int, number: int) -> bytes:
    """One message that asks a residential endpoint for yesterday."""
    device = world.device(index)
    meter = world.meter(index)
    kind = device.kind
    services = [FullRead(63), FullRead(52)]
    for set_number, spec in enumerate(kind.specs):
        place = meter.place(set_number)
        assert place is not None
        element = (place.seq - 1) % spec.blocks
        services.append(PartialReadOffset(64 + set_number, element * spec.block_octets, spec.block_octets))
    entry = kind.registers.entry_size
    services.append(PartialReadOffset(26, 6 + (meter.self_read_count() - 1) % kind.registers.self_reads * entry, entry))
    services.append(PartialReadOffset(76, 0, 11))
    association = Association(world.head_end, device.identity.ap_title, SecurityMode.ENCRYPTED, 2, Cipher(device.identity.key))
    return association.encode([encode_request(s) for s in services], number, int(world.wire()))


def served(seed: int = 1, endpoints: int = 4_000) -> list[float]:
    """CPU microseconds of serving a residential day to a new caller, and the next day: median and best of chunks, each."""
    clock = Clock()
    clock.advance(1_795_000_000)
    world = make_world(clock, EmulatorOptions(endpoints=endpoints, routers=1, seed=seed, cellular=False), clock.seconds)
    homes = [i for i in range(endpoints) if world.kind(i).form.name == MODEL and world.population.configuration(i) == "residential"][:DAYS]
    node = RouterNode(world, 0)
    times = []
    for turn in (1, 2):
        requests = [day_request(world, index, turn) for index in homes]
        world.device.cache_clear()  # type: ignore[attr-defined]
        replies, chunks = [], []
        for at in range(0, len(requests), CHUNK):
            begin = time.process_time()
            replies += [octets for request in requests[at : at + CHUNK] for _, octets in node.receive(request)]
            chunks.append((time.process_time() - begin) / CHUNK * 1e6)
        times += [median(chunks), min(chunks)]
        assert len(replies) == len(requests)
        assert min(map(len, replies)) > 900
        clock.advance(86_400)
    return times


def codec(count: int = 2_000) -> float:
    """CPU microseconds of a request built, opened, answered with 1,000 octets and that answer opened: what the wire alone costs."""
    key, far = bytes(range(16)), ApTitle.parse(".100.1")
    near = Association(ApTitle.parse(".1.4"), far, SecurityMode.ENCRYPTED, 2, Cipher(key))
    meter = Association(far, near.near, SecurityMode.ENCRYPTED, 2, Cipher(key))
    chunks = []
    for _ in range(count // CHUNK):
        begin = time.process_time()
        for number in range(1, CHUNK + 1):
            meter.open(parse_apdu(near.encode([bytes(8)] * 6, number, 1)))
            near.open(parse_apdu(meter.encode([bytes(1_000)], number, 1, reply_to=number)))
        chunks.append((time.process_time() - begin) / CHUNK * 1e6)
    return median(chunks)


def resident_octets() -> int:
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGESIZE")


def memory(endpoints: int) -> dict[str, float]:
    """Resident octets of this process with a world of so many endpoints, new and after each was spoken to once."""
    clock = WorldClock(Clock(), datetime(2026, 7, 15, tzinfo=UTC), 0)
    before = resident_octets()
    begin = time.process_time()
    world = make_world(Clock(), EmulatorOptions(endpoints=endpoints, start=clock.now(), rate=0), lambda: clock.seconds)
    made = resident_octets()
    seconds = time.process_time() - begin
    for index in range(endpoints):
        world.state(index).replay = bytes(index % 256 for _ in range(48))
    return {"before": before, "new": made, "spoken": resident_octets(), "seconds": seconds}






def run() -> list[Row]:
    """Measured in processes of their own, so that memory is theirs alone."""
    code = f"import json; from tests.bench.bench_emulator import memory; print(json.dumps(memory({ENDPOINTS})))"
    found = json.loads(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout)
    first, first_best, again, again_best = served()
    wire = codec()
    return [
        Row(f"resident, {ENDPOINTS} endpoints, each spoken to", found["spoken"] / 2**20, "MiB"),
        Row("per endpoint, new world", (found["new"] - found["before"]) / ENDPOINTS, "octets"),
        Row("per endpoint, spoken to once", (found["spoken"] - found["before"]) / ENDPOINTS, "octets"),
        Row(f"make a world of {ENDPOINTS}", found["seconds"], "CPU s"),
        Row("serve a residential day (mode 2), median of chunks", first, "CPU us"),
        Row("serve a residential day (mode 2), best chunk", first_best, "CPU us"),
        Row("serve the next day, median of chunks", again, "CPU us"),
        Row("serve the next day, best chunk", again_best, "CPU us"),
        Row("codec of both ends for such an exchange, in this run", wire, "CPU us"),
        Row("serving a day / that codec", first / wire, "times"),
    ]


def main() -> None:
    for row in run():
        print(f"{row.name:55} {row.value:12,.1f} {row.unit}")


if __name__ == "__main__":
    main()
