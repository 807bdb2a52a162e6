"""What watching routers costs the head-end: CPU, exchanges and octets of a poll, and of a trap; the net and the clock are in memory.

What the emulated agents take in the same process is measured and left out.
"""

import time
from collections.abc import Callable
from typing import Any

from headend.model.router import CommunityAccess, RouterPath
from headend.router_policy import RouterPolicy
from tests.simulation.routers import RouterField

POLLS = 200
ROUTERS = 500
EVERY_SECONDS = 300


class Apart:
    """CPU seconds spent in something, so that it can be left out."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def timed(self, work: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*arguments: Any) -> Any:
            begin = time.thread_time()  # what other threads do meanwhile is none of it
            try:
                return work(*arguments)
            finally:
                self.seconds += time.thread_time() - begin

        return timed


def polls(number: int) -> tuple[float, float, int]:
    """CPU milliseconds of the head-end, exchanges, and octets of one poll of the emulated router `number`."""
    field = RouterField(4, RouterPolicy(poll_seconds=10**6), traps=False)
    field.start()
    field.run(2)
    router = field.case(number).router
    apart, octets = Apart(), 0
    for managed in field.fleet.routers.values():
        managed.agent.receive = apart.timed(managed.agent.receive)  # type: ignore[method-assign]
    send = field.net.send

    def counted(datagram: bytes, source: tuple[str, int], to: tuple[str, int]) -> None:
        nonlocal octets
        octets += len(datagram) + 28
        send(datagram, source, to)

    field.net.send = counted  # type: ignore[method-assign]
    sent, begin = field.net.sent, time.process_time()
    agents = field.watch._link
    for _ in range(POLLS):
        field.wait(agents.poll(router, RouterPath.PRIMARY))
    milliseconds = (time.process_time() - begin - apart.seconds) / POLLS * 1e3
    exchanges = (field.net.sent - sent) / 2 / POLLS
    field.stop()
    return milliseconds, exchanges, octets // POLLS


def main() -> None:
    field = RouterField(4)
    for number in (1, 0, 2):
        access = field.devices[number].access
        kind = "2c" if isinstance(access, CommunityAccess) else f"3, {access.auth.value} and {access.privacy.value}"
        milliseconds, exchanges, octets = polls(number)
        share = milliseconds / 1e3 * ROUTERS / EVERY_SECONDS * 100
        print(
            f"version {kind}: {milliseconds:.1f} ms of CPU a poll, {exchanges:.0f} exchanges, {octets:,} octets with IP and UDP; "
            f"{ROUTERS} routers every {EVERY_SECONDS} s: {share:.1f} % of a core"
        )


if __name__ == "__main__":
    main()
