"""How long people wait for a meter behind a mesh while all of it is collected: seconds of a simulation, and CPU of the whole of it.

The field is emulated, datagrams take 0.6 s each way in the mean, exponentially, and one in a hundred is lost. Meters are known, as they
are after their first collection. Waits are from acceptance to the recorded answer.
"""

import time
from collections.abc import Sequence

from emulators.faults import Fault, FaultKind
from headend.model.deferred import DeferredKind, SwitchAction
from tests.simulation.waiting import MESH, OFF, ON, PING, READ, STATE, Kind, Waits, wait_for_meters

ENDPOINTS, ASKED = 1_000, 2_000
TROUBLE = (Fault(FaultKind.SILENCE, percent=5), Fault(FaultKind.LOSS, 0.1))


def name_of(kind: Kind) -> str:
    """`read`, `disconnect`."""
    what, action = kind
    assert isinstance(what, DeferredKind)
    return what.value if action is None else SwitchAction(action).value


def told(label: str, kinds: Sequence[Kind], faults: Sequence[Fault]) -> Waits:
    """Run it and say what came of it."""
    cpu = time.process_time()
    waits = wait_for_meters(1, ENDPOINTS, ASKED, kinds, faults, apart_seconds=0.25)
    cpu = time.process_time() - cpu
    ends = ", ".join(f"{count:,} {name}" for name, count in waits.ends.most_common())
    print(f"{label}: {ASKED:,} commands at 4 a second, {waits.collected:,} interrogations beside them: {ends}; {cpu:.0f} s of CPU")
    for kind in kinds:
        parts = ", ".join(f"p{100 * part:.0f} {waits.percentile(kind, part):.1f} s" for part in (0.5, 0.95, 0.99))
        print(f"  {name_of(kind):<12} {parts}, longest {max(waits.seconds[kind]):.1f} s")
    return waits


def main() -> None:
    kinds = (READ, PING, STATE, OFF, ON)
    calm = told("a mesh as it is", kinds, MESH)
    assert all(calm.percentile(kind, 0.95) < 5.0 for kind in (READ, PING))
    trouble = told("a mesh in trouble (5 % silent, 10 % lost each way)", kinds, (*MESH, *TROUBLE))
    assert max(calm.longest, trouble.longest) < 45.0


if __name__ == "__main__":
    main()
