"""People who wait for meters of a mesh while all of it is collected: how long, in the time of a simulation."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random

from emulators.faults import Fault, FaultKind
from headend.model.deferred import DeferredKind, SwitchAction
from tests.simulation.commanding import CommandedField
from tests.simulation.heap_clock import HeapClock

MESH = (Fault(FaultKind.DELAY, 1.0, seconds=0.6, seconds_max=20.0), Fault(FaultKind.LOSS, 0.01))
"""Each way takes 0.6 s in the mean, exponentially: there and back 1.0 s in the median, one in twenty 2.9 s, one in a hundred 4 s."""

READ, PING = (DeferredKind.READ, None), (DeferredKind.PING, None)
STATE = (DeferredKind.SWITCH_STATE, None)
OFF, ON = (DeferredKind.SWITCH, SwitchAction.DISCONNECT), (DeferredKind.SWITCH, SwitchAction.CONNECT)
Kind = tuple[DeferredKind, SwitchAction | None]


@dataclass
class Waits:
    """Seconds from acceptance to the recorded answer, by kind; how many of each ended how."""

    seconds: dict[Kind, list[float]] = field(default_factory=dict)
    ends: Counter[str] = field(default_factory=Counter)
    collected: int = 0

    @property
    def longest(self) -> float:
        return max(max(all_of) for all_of in self.seconds.values())

    def percentile(self, kind: Kind, part: float) -> float:
        """So many of all waits are shorter."""
        ordered = sorted(self.seconds[kind])
        return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


def wait_for_meters(
    seed: int,
    endpoints: int,
    asked: int,
    kinds: Sequence[Kind],
    faults: Sequence[Fault] = MESH,
    *,
    apart_seconds: float = 0.5,
    at_once: int = 1,
    known: bool = True,
) -> Waits:
    """So many commands, `at_once` of them together every `apart_seconds`, while every endpoint is collected again and again.

    `known`: all meters have been collected once before, as meters have.
    """
    clock = HeapClock()
    one = CommandedField(seed, endpoints, clock=clock)
    random, homes = Random(seed), one.switched()
    if known:
        one.schedule()
        one.collector.start()
        clock.run_until(120)
        assert all(e.due is None for e in one.polled), "all have been collected"
    one.world.faults.install(faults)
    one.collector.start()
    waits = Waits()
    recorded = len(one.store.recorded)
    for number in range(0, asked, at_once):
        if all(e.due is None or e.due > one.world_clock.now() for e in one.polled):
            one.schedule()
        kind, action = kinds[number // at_once % len(kinds)]
        for home in random.sample(homes, at_once):
            one.order([home], kind, action, expires=timedelta(minutes=10))
        clock.run_until(clock.seconds() + apart_seconds)
    until = clock.seconds() + 120
    while one.open_commands() and clock.seconds() < until:
        clock.run_until(clock.seconds() + 1)
    assert not one.open_commands(), "each is answered"
    assert set(one.told().values()) == {1}, "once"
    for row in one.commands.rows.values():
        assert row.changed is not None
        assert row.outcome is not None
        kind = (row.request.kind, row.target.action)
        waits.seconds.setdefault(kind, []).append((row.changed - row.request.accepted).total_seconds())
        waits.ends[row.outcome.state.value if row.outcome.code is None else row.outcome.code.value] += 1
    waits.collected = len(one.store.recorded) - recorded
    return waits
