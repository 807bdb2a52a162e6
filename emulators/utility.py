"""A world with what makes it live: its sockets' nodes, its wake-ups, and the things that can be done to it from outside."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from emulators.device_events import EVENT_NAMES, POWER_DOWN, POWER_UP, LoggedEvent
from emulators.faults import Fault, FaultKind, matches
from emulators.meter_procedures import set_device_clock
from emulators.router_fleet import RouterFleet
from emulators.router_node import Traffic
from emulators.storm import StormOrder, Strike, counted, plan_storm, strikes_from_json
from emulators.storms import Storms
from emulators.switch import press_button, settle_switch
from emulators.timeline import POWER_FAIL_BIT, Mark
from emulators.wakeups import Wakeups
from emulators.world import World
from headend.c1219.manufacturer_tables import SwitchPosition
from headend.errors import RequestError, UnknownMeterError

PAGE_MAX = 10_000
"""Endpoints in one page of the control port's list."""

SWITCH_FIELDS = {"stuck", "load_side_volts", "press_button"}
VOLTS_MAX = 6_000
"""Most volts the load side may be said to have: what MT1 holds."""

DAY = 86_400
DRIFT_SECONDS_A_DAY_MAX = 600.0
"""Fastest drift a fault may set: a clock that gains ten minutes a day."""


@dataclass(slots=True)
class Utility:
    """One running utility; `head_end` is (host, UDP port) for what endpoints send on their own, None while they have nobody to speak to.

    `routers` are None where there are no agents to manage them by.
    """

    world: World
    traffic: Mapping[str, Traffic]
    wakeups: Wakeups | None = None
    head_end: tuple[str, int] | None = None
    routers: RouterFleet | None = None
    storms: Storms | None = None

    def speak_to(self, head_end: tuple[str, int], wake_within: float | None) -> None:
        """Endpoints speak to this head-end from now on; from the first time they are given one, they wake and register."""
        first, self.head_end = self.head_end is None, head_end
        if self.wakeups is None:
            raise RequestError("head-end: these endpoints only answer")
        if first:
            self.wakeups.start(wake_within, register=True)
        elif wake_within is not None:
            self.wake(wake_within, None)

    @property
    def fleet(self) -> RouterFleet:
        """The routers as managed devices. Raises RequestError."""
        if self.routers is None:
            raise RequestError("routers: there are no agents to manage them by")
        return self.routers

    def index(self, meter_no: str) -> int:
        """The endpoint with a meter number. Raises UnknownMeterError."""
        index = self.world.population.index_of(meter_no)
        if index is None:
            raise UnknownMeterError(meter_no)
        return index

    def endpoints(self, first: int, limit: int) -> list[dict[str, Any]]:
        """A page of the endpoints, in order of their index."""
        population = self.world.population
        return [
            {
                "meter_no": population.meter_no(index),
                "configuration": population.configuration(index),
                "model": self.world.kind(index).form.name,
                "ap_title": population.ap_title_text(index),
                "router": self.world.target(index).router,
                "battery": self.world.kind(index).battery,
            }
            for index in range(first, min(population.size, first + min(limit, PAGE_MAX)))
        ]

    def install_faults(self, faults: Sequence[Fault]) -> None:
        """Replace the faults; those that strike once do so now and are not kept."""
        self.world.faults.install([fault for fault in faults if not fault.at_once])
        for fault in faults:
            if fault.at_once:
                for index in self._struck(fault):
                    self._strike(index, fault)

    def _struck(self, fault: Fault) -> Iterator[int]:
        candidates = range(self.world.population.size) if fault.meter_no is None else [self.index(fault.meter_no)]
        chance = self.world.faults.random
        return (i for i in candidates if matches(fault, self.world.target(i)) and chance.random() < fault.probability)

    def _strike(self, index: int, fault: Fault) -> None:
        meter = self.world.meter(index)
        state = meter.state
        match fault.kind:
            case FaultKind.REBOOT:
                state.silent_until = self.world.wire() + abs(fault.seconds)
                state.log(LoggedEvent(meter.now, POWER_DOWN))
                state.log(LoggedEvent(meter.now + 1, POWER_UP))
                state.timeline = meter.timeline.mark(meter.now, Mark(0, POWER_FAIL_BIT))
            case FaultKind.CLOCK_JUMP:
                set_device_clock(meter, meter.device_now + int(fault.seconds))
            case FaultKind.SWAP:
                self.world.swap(index)
            case FaultKind.CLOCK_DRIFT:
                seconds = max(-DRIFT_SECONDS_A_DAY_MAX, min(DRIFT_SECONDS_A_DAY_MAX, fault.seconds))
                state.timeline = meter.timeline.drift(meter.now, int(seconds * 1_000_000 / DAY))

    def cause_event(self, meter_no: str, name: str, argument: int, alarm: bool) -> None:
        """Something happens to an endpoint now; `alarm` tells the head-end at once. Raises RequestError."""
        code = EVENT_NAMES.get(name)
        if code is None:
            raise RequestError(f"event: {name!r} is none of {', '.join(EVENT_NAMES)}")
        index = self.index(meter_no)
        event = LoggedEvent(self.world.now, code, argument)
        self.world.state(index).log(event)
        if alarm and self.wakeups is not None:
            self.wakeups.alarm(index, event)

    @property
    def weather(self) -> Storms:
        """The storms under way. Raises RequestError."""
        if self.storms is None:
            raise RequestError("storm: these endpoints only answer")
        return self.storms

    def storm(self, order: StormOrder) -> dict[str, object]:
        """Begin a storm; what it comes to. The same storms in the same world come to the same. Raises RequestError."""
        strikes = plan_storm(order, self.world.population, self.world.faults.random)
        self._begin(strikes)
        return counted(strikes)

    def replay(self, body: dict[str, object]) -> dict[str, object]:
        """Let a part of a recording happen; what it comes to, and meters of it that there are none of. Raises RequestError."""
        strikes, strangers = strikes_from_json(body, self.world.population)
        self._begin(strikes)
        return {**counted(strikes), "unknown": strangers}

    def _begin(self, strikes: Sequence[Strike]) -> None:
        if self.head_end is None:
            raise RequestError("storm: endpoints have no head-end to tell")
        self.weather.begin(strikes)

    def switch_of(self, meter_no: str) -> dict[str, Any]:
        """How a switch stands. Raises RequestError where there is none."""
        meter = self.world.meter(self.index(meter_no))
        if not meter.kind.has_switch:
            raise RequestError(f"switch: {meter_no} has none")
        settle_switch(meter, self.world.wire())
        state = meter.state
        position = SwitchPosition.MOVING if state.motion is not None else state.switch
        volts = None if state.back_feed_decivolts is None else state.back_feed_decivolts / 10
        return {
            "position": position.name.lower(),
            "stuck": state.switch_stuck,
            "load_side_volts": volts,
            "actuations": state.actuations,
            "resets": state.resets,
        }

    def set_switch(self, meter_no: str, body: dict[str, Any]) -> dict[str, Any]:
        """Something is done to a switch, or to what is behind it. Raises RequestError."""
        self.switch_of(meter_no)
        meter = self.world.meter(self.index(meter_no))
        stuck, volts, pressed = body.get("stuck"), body.get("load_side_volts", 0), body.get("press_button", False)
        if not isinstance(stuck, bool | None) or not isinstance(pressed, bool):
            raise RequestError("switch: stuck and press_button are true or false")
        if volts is not None and (isinstance(volts, bool) or not isinstance(volts, int | float) or not 0 <= volts <= VOLTS_MAX):
            raise RequestError(f"load_side_volts: {volts!r} is neither null nor a number within 0 and {VOLTS_MAX}")
        if stuck is not None:
            meter.state.switch_stuck = stuck
        if "load_side_volts" in body:
            meter.state.back_feed_decivolts = None if volts is None else round(volts * 10)
        if pressed and not press_button(meter, self.world.wire()):
            raise RequestError(f"press_button: the switch of {meter_no} is not armed")
        return self.switch_of(meter_no)

    def wake(self, within_seconds: float, meter_no: str | None) -> int:
        """Wake the battery endpoints (or one) within so many real seconds; how many. Raises RequestError."""
        if self.wakeups is None or self.head_end is None:
            raise RequestError("wake: endpoints have no head-end to push to")
        indices = range(self.world.population.size) if meter_no is None else [self.index(meter_no)]
        batteries = [index for index in indices if self.world.kind(index).battery]
        self.wakeups.wake(batteries, within_seconds)
        return len(batteries)
