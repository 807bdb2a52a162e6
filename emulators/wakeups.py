"""When endpoints speak up: battery endpoints wake four times a day and push, cellular ones register, alarms go out at once."""

import heapq
from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from emulators.device_events import LoggedEvent
from emulators.initiator import Initiator
from emulators.meter import Meter
from emulators.meter_node import MeterNode
from emulators.push import RESULTS_MAX, PushState, Write, acknowledge, build_push, has_news
from emulators.seeding import mix
from emulators.wake_phases import WAKE_SECONDS, wake_jitter, wake_phase
from emulators.world import DAY, World
from headend.c1222.identifiers import ApTitle
from headend.c1222.message import NOTIFICATION, URGENT, SecurityMode
from headend.c1222.network_services import CONNECTION_ACCEPTS_CONNECTIONLESS, CONNECTION_CONNECTIONLESS, NODE_END_DEVICE, Register
from headend.c1222.responses import REQUEST_CODE_MIN
from headend.c1222.services import FullWrite
from headend.model.endpoint import Transport

TICK_SECONDS = 0.2
"""Real seconds between looks at who has to wake."""

WAKES_PER_TICK = 200
"""Endpoints woken at one look, so that a clock turned by a day does not stop everything else."""

PUSHES_PER_WAKE = 64
"""Pushes of one wake-up: 40 days at 1,100 octets each are fewer."""

AGAIN_SECONDS = 5.0
"""Real seconds until an endpoint whose first push met silence tries again, where a first wake-up was asked for soon."""

REGISTRATION_PERIOD_SECONDS = 86_400
REGISTRATION_AGAIN_SECONDS_MAX = 300.0


class Wakeups:
    """Runs what endpoints of a world do on their own."""

    def __init__(
        self,
        reactor: IReactorTime,
        world: World,
        initiator: Initiator,
        native_address: Callable[[int], bytes],
        tick_seconds: float = TICK_SECONDS,
    ) -> None:
        self._reactor = reactor
        self._world = world
        self._initiator = initiator
        self._native_address = native_address
        self._tick_seconds = tick_seconds
        self._pushes: dict[int, PushState] = {}
        self._scheduled: list[tuple[int, int]] = []
        self._moved: dict[int, int] = {}
        """When those wake next that were told other times; what else is scheduled of them is void."""
        self._soon: list[tuple[float, int]] = []
        self._registrations: list[tuple[float, int, float]] = []
        self._eager: set[int] = set()
        self._timer: IDelayedCall | None = None
        self.silences = 0
        """Wake-ups that ended without an acknowledgement."""

    def start(self, wake_within: float | None, register: bool) -> None:
        """Begin; `wake_within` real seconds every battery endpoint wakes for the first time, else by its schedule."""
        now = self._world.now
        batteries = [i for i in range(self._world.population.size) if self._world.kind(i).battery]
        self._scheduled = [(self._next_wake(i, now), i) for i in batteries]
        heapq.heapify(self._scheduled)
        if wake_within is not None:
            self._eager = set(batteries)
            self.wake(batteries, wake_within)
        if register:
            population = self._world.population
            for index in filter(population.is_cellular, range(population.size)):
                if population.transport(index) is Transport.UDP:
                    self._register(index, AGAIN_SECONDS)
        self._tick()

    def stop(self) -> None:
        """No more wake-ups."""
        self._initiator.stop()
        if self._timer is not None and self._timer.active():
            self._timer.cancel()

    def wake(self, indices: list[int], within_seconds: float) -> None:
        """Wake these battery endpoints, spread over so many real seconds."""
        now = self._reactor.seconds()
        for index in indices:
            spread = mix(self._world.population.seed, 81, index) % 1_000 / 1_000
            heapq.heappush(self._soon, (now + spread * within_seconds, index))

    def _next_wake(self, index: int, now: int) -> int:
        """The next wake-up after `now`, by what the endpoint was told if it was, else by its phase."""
        seed, state = self._world.population.seed, self._world.states[index]
        if state is None or not state.wake_ups:
            phase = wake_phase(seed, index)
            turn = (now - phase) // WAKE_SECONDS + 1
            return turn * WAKE_SECONDS + phase + wake_jitter(seed, index, turn)
        meter = self._world.meter(index)
        shown = meter.stamp(meter.device_now)
        midnight = shown - shown % DAY
        at = next(s for day in (0, DAY) for m in state.wake_ups if (s := midnight + day + m * 60) > shown)
        return now + at - shown + wake_jitter(seed, index, at // 60)

    def _tick(self) -> None:
        self._timer = self._reactor.callLater(self._tick_seconds, self._tick)
        budget = WAKES_PER_TICK
        now = self._world.now
        while budget and self._scheduled and self._scheduled[0][0] <= now and not self._initiator.full:
            at, index = self._scheduled[0]
            if self._moved.get(index, at) != at:
                heapq.heappop(self._scheduled)
                continue
            following = self._next_wake(index, now)
            if index in self._moved:
                self._moved[index] = following
            heapq.heapreplace(self._scheduled, (following, index))
            self._push(index, PUSHES_PER_WAKE)
            budget -= 1
        real = self._reactor.seconds()
        while budget and self._soon and self._soon[0][0] <= real and not self._initiator.full:
            self._push(heapq.heappop(self._soon)[1], PUSHES_PER_WAKE)
            budget -= 1
        while budget and self._registrations and self._registrations[0][0] <= real:
            _, index, again_seconds = heapq.heappop(self._registrations)
            self._register(index, again_seconds)
            budget -= 1

    # --- pushes -----------------------------------------------------------------------------------------------------

    def _push(self, index: int, left: int) -> None:
        if left <= 0:
            return
        if self._initiator.is_waiting(index):
            heapq.heappush(self._soon, (self._reactor.seconds() + AGAIN_SECONDS, index))
            return
        state = self._pushes.setdefault(index, PushState())
        writes = build_push(self._world.meter(index), state)
        self._initiator.ask(
            index,
            [write.body for write in writes],
            lambda services: self._answered(index, writes, services, left - 1),
            qualifier=NOTIFICATION,
        )

    def _answered(self, index: int, writes: list[Write], services: tuple[bytes, ...] | None, left: int) -> None:
        if services is None:
            self.silences += 1
            if index in self._eager:
                heapq.heappush(self._soon, (self._reactor.seconds() + AGAIN_SECONDS, index))
            return
        self._eager.discard(index)
        state = self._pushes[index]
        knew_program = state.program_known
        accepted = acknowledge(state, writes, services)
        meter = self._world.meter(index)
        before = meter.wake_ups
        results = len(state.results)
        self._execute(meter, state, services[len(writes) :])
        if meter.wake_ups != before:
            self._reschedule(index)
        changed = accepted or len(state.results) > results or knew_program != state.program_known
        if changed and (has_news(meter, state) or not state.program_known):
            self._push(index, left)

    def _reschedule(self, index: int) -> None:
        """Another wake-up takes the place of the one planned."""
        at = self._moved[index] = self._next_wake(index, self._world.now)
        heapq.heappush(self._scheduled, (at, index))

    def _execute(self, meter: Meter, state: PushState, commands: tuple[bytes, ...]) -> None:
        """Carry out requests that came with an acknowledgement; ST8 goes into the next push."""
        node = MeterNode(meter, SecurityMode.ENCRYPTED, self._world.wire())
        for body in commands:
            if not body or body[0] < REQUEST_CODE_MIN:
                continue
            meter.state.procedure_result = b""
            node.answer((body,))
            if meter.state.procedure_result:
                state.results = [*state.results, meter.state.procedure_result][-RESULTS_MAX:]

    # --- registrations and alarms -----------------------------------------------------------------------------------

    def _register(self, index: int, again_seconds: float) -> None:
        identity = self._world.device(index).identity
        service = Register(
            node_type=NODE_END_DEVICE,
            connection_type=CONNECTION_CONNECTIONLESS | CONNECTION_ACCEPTS_CONNECTIONLESS,
            device_class=self._world.kind(index).general.device_class,
            ap_title=identity.ap_title,
            serial_number=ApTitle.parse(f".156.{int(identity.serial_no)}").absolute,
            native_address=self._native_address(index),
            period_seconds=REGISTRATION_PERIOD_SECONDS,
        )

        def ended(services: tuple[bytes, ...] | None) -> None:
            accepted = services is not None and bool(services) and services[0][:1] == b"\0"
            seconds = REGISTRATION_PERIOD_SECONDS / 2 if accepted else again_seconds
            again = AGAIN_SECONDS if accepted else min(again_seconds * 2, REGISTRATION_AGAIN_SECONDS_MAX)
            heapq.heappush(self._registrations, (self._reactor.seconds() + seconds, index, again))

        if self._initiator.is_waiting(index):
            heapq.heappush(self._registrations, (self._reactor.seconds() + again_seconds, index, again_seconds))
            return
        self._initiator.ask(index, [service.encode()], ended)

    def alarm(self, index: int, event: LoggedEvent, delay_seconds: float = 0.0) -> None:
        """Send an event of an endpoint at once, as one entry of ST76; it arrives `delay_seconds` real seconds later than others."""
        meter = self._world.meter(index)
        events = meter.events()
        number = next((n for n in range(len(events) - 1, -1, -1) if events[n] == event), None)
        if number is not None:
            entry = meter.log_entry(number, event)
            self._initiator.tell(index, [FullWrite(76, entry).encode()], NOTIFICATION | URGENT, delay_seconds)
