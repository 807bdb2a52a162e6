"""A whole utility in memory: its endpoints by index, what they share, and what they answer to a message.

Device objects live while they are spoken to; what lasts is one slot for each endpoint's state, filled when something happened to it.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from random import Random
from typing import Final
from zoneinfo import ZoneInfo

from emulators.clock import WorldClock
from emulators.faults import FaultKind, FaultTable, Target
from emulators.load_curve import REGIONS, LoadCurves
from emulators.meter import Meter
from emulators.meter_node import MeterNode
from emulators.meter_state import DeviceContext, MeterState
from emulators.models import model_of
from emulators.population import Identity, Population, router_name
from emulators.programs import MeterKind, make_kind
from emulators.router_device import router_devices
from emulators.seeding import derive_key, mix
from emulators.timeline import ClockPiece, Run, Timeline
from headend.c1222.apdu import Apdu
from headend.c1222.association import Association
from headend.c1222.errors import MacError, ReplayError
from headend.c1222.exchange import Responder, next_invocation_id
from headend.c1222.identifiers import ApTitle
from headend.c1222.message import Cipher, Message, ResponseControl, SecurityMode, encode_message, open_services
from headend.c1222.replay import MacFailures, ReplayWindow
from headend.c1222.responses import ResponseCode
from headend.c1222.segmentation import split
from headend.errors import WireError

DAY: Final = 86_400
HISTORY_DAYS: Final = 45
"""Days of history every device has when the world starts: five more than battery endpoints must keep."""

DEVICES_KEPT: Final = 1_024
"""Devices whose identity, key and cipher (about 4 KiB) stay in memory after they were spoken to."""

ASSOCIATIONS_PER_DEVICE: Final = 4
"""Peers and modes a device keeps computed: a head-end in its three modes, and one other."""

DRIFT_PPM_MAX: Final = 23
"""Battery clocks gain or lose up to 2 s a day."""

Responses = tuple[bytes, ...]


@dataclass(slots=True)
class Device:
    """An endpoint that is being spoken to."""

    identity: Identity
    kind: MeterKind
    region: int
    cipher: Cipher
    associations: dict[tuple[bytes, int], Association]


class World:
    """One seeded utility. `wire` gives the wire's clock (unix seconds), which security goes by; world time may run otherwise."""

    __slots__ = (
        "_kinds", "_titles", "acknowledged", "clock", "context", "curves", "device", "failures", "faults", "head_end", "population",
        "responder", "router_devices", "start", "states", "swapped", "wire", "zone",
    )  # fmt: skip

    def __init__(
        self,
        population: Population,
        clock: WorldClock,
        zone: ZoneInfo,
        wire: Callable[[], float],
        head_end: ApTitle,
        *,
        history_days: int = HISTORY_DAYS,
    ) -> None:
        self.population = population
        self.clock = clock
        self.zone = zone
        self.wire = wire
        self.head_end = head_end
        self.start = int(clock.seconds)
        self.context = DeviceContext(population.seed, zone, (self.start // DAY - history_days) * DAY)
        self.curves = LoadCurves(population.seed, zone, self.start)
        self.states: list[MeterState | None] = [None] * population.size
        self.swapped: dict[int, str] = {}
        """Serial numbers of devices that took the place of others."""
        self.faults = FaultTable(Random(population.seed))
        self.responder = Responder()
        self.failures = MacFailures()
        self.router_devices = router_devices(population, wire)
        self._kinds: dict[tuple[str, str], MeterKind] = {}
        self._titles = {ApTitle.parse(population.ap_title_text(i)).absolute: i for i in range(population.size)}
        self.acknowledged: Callable[[int, Apdu], Responses] = lambda _index, _apdu: ()
        """What an endpoint does with a reply to something it sent; whoever sends for it puts it here."""
        self.device: Callable[[int], Device] = lru_cache(DEVICES_KEPT)(self._device)

    @property
    def now(self) -> int:
        """World time in whole unix seconds."""
        return int(self.clock.seconds)

    def kind(self, index: int) -> MeterKind:
        """The program of an endpoint, shared by all that run it."""
        configuration = self.population.configuration(index)
        form = model_of(self.population.seed, index, configuration, self.population.is_changed(index))
        kind = self._kinds.get((form.name, configuration))
        if kind is None:
            kind = self._kinds[form.name, configuration] = make_kind(form, configuration, self.context.history_start, self.start)
        return kind

    def _device(self, index: int) -> Device:
        identity = self.population.identity(index)
        if index in self.swapped:
            identity = replace(identity, serial_no=self.swapped[index])
        return Device(identity, self.kind(index), mix(self.population.seed, 71, identity.router or 0) % REGIONS, Cipher(identity.key), {})

    def find(self, title: ApTitle) -> int | None:
        """The endpoint with a title."""
        return self._titles.get(title.absolute)

    def state(self, index: int) -> MeterState:
        """What an endpoint remembers; made when first asked for."""
        state = self.states[index]
        if state is None:
            state = self.states[index] = MeterState(invocation_id=mix(self.population.seed, 72, index) % 30_000 + 1)
            kind = self.kind(index)
            if kind.battery:
                state.timeline = self._drifting(index, kind)
        return state

    def _drifting(self, index: int, kind: MeterKind) -> Timeline:
        """A battery device's clock was set when its history began, and has drifted since."""
        ppm = mix(self.population.seed, 73, index) % (2 * DRIFT_PPM_MAX + 1) - DRIFT_PPM_MAX
        piece = ClockPiece(self.context.history_start, 0, ppm)
        runs = tuple(tuple(Run(r.first_seq, r.start, r.length, r.began, (piece,)) for r in runs) for runs in kind.timeline.runs)
        return Timeline((piece,), runs, kind.timeline.intervals)

    def swap(self, index: int) -> None:
        """Another device of the same kind takes the place of an endpoint, with its title and key; its profile begins now."""
        identity = self.device(index).identity
        self.swapped[index] = str(int(identity.serial_no) + 1 + self.population.size)
        self.device.cache_clear()  # type: ignore[attr-defined]  # an lru_cache
        state = self.state(index)
        timeline, now = state.timeline or self.kind(index).timeline, self.now
        piece = ClockPiece(now)
        last = [runs[-1] for runs in timeline.runs]
        runs = tuple((Run(0, now - (now - run.start) % run.length, run.length, now, (piece,)),) for run in last)
        state.timeline = Timeline((piece,), runs, timeline.intervals)

    def meter(self, index: int) -> Meter:
        """An endpoint's tables as they are now."""
        device = self.device(index)
        consumer = self.curves.consumer(index, device.kind.configuration, device.region)
        return Meter(self.context, device.identity, device.kind, consumer, state=self.state(index), now=self.now)

    def target(self, index: int) -> Target:
        """An endpoint as faults see it."""
        router = self.population.router(index)
        name = "cellular" if router is None else router_name(router)
        return Target(self.population.meter_no(index), name, self.population.configuration(index), self.population.share(index))

    def next_invocation_id(self, index: int) -> int:
        """The next number for what an endpoint sends."""
        state = self.state(index)
        state.invocation_id = next_invocation_id(state.invocation_id)
        return state.invocation_id

    def association(self, index: int, far: ApTitle, mode: SecurityMode) -> Association:
        """What an endpoint shares with a peer."""
        device = self.device(index)
        identity = device.identity
        if self.faults.faults and self.faults.strikes(FaultKind.WRONG_KEY, self.target(index)):
            wrong = Cipher(derive_key(self.population.seed, "wrong-key", index))
            return Association(identity.ap_title, far, mode, identity.key_id, wrong)
        key = (far.absolute, int(mode))
        association = device.associations.get(key)
        if association is None:
            if len(device.associations) >= ASSOCIATIONS_PER_DEVICE:
                device.associations.clear()
            association = device.associations[key] = Association(identity.ap_title, far, mode, identity.key_id, device.cipher)
        return association

    def answer(self, index: int, apdu: Apdu, octets: bytes) -> Responses:
        """The datagrams an endpoint answers a request with; none where it is asleep or silent. Never raises for what came off the wire."""
        if self.kind(index).battery or self.state(index).silent_until > self.wire():
            return ()
        remembered = self.responder.recall(apdu, octets)
        if remembered is not None:
            return remembered
        try:
            services = self._open(index, apdu)
        except MacError:
            self.failures.record(apdu.calling.absolute, self.wire_time())
            return self._refuse(index, apdu, ResponseCode.SME)
        except ReplayError:
            return ()
        except WireError:
            return self._refuse(index, apdu, ResponseCode.SME) if apdu.mode else self._refuse(index, apdu, ResponseCode.ERR)
        reply = self._reply(index, apdu, services)
        self.responder.remember(apdu, octets, reply)
        return reply

    def wire_time(self) -> datetime:
        """The wire's clock as an aware UTC datetime."""
        return datetime.fromtimestamp(self.wire(), UTC)

    def _open(self, index: int, apdu: Apdu) -> tuple[bytes, ...]:
        if not apdu.mode:
            return open_services(apdu, None)
        if self.failures.is_throttled(apdu.calling.absolute, self.wire_time()):
            raise ReplayError("throttled", 0, 0)
        services = self.association(index, apdu.calling, SecurityMode(apdu.mode)).open(apdu)
        state = self.state(index)
        window = ReplayWindow(state.replay)
        window.accept(apdu.iv or 0, apdu.invocation_id, self.wire_time())
        state.replay = window.packed
        return services

    def _reply(self, index: int, apdu: Apdu, services: tuple[bytes, ...]) -> Responses:
        mode = SecurityMode(apdu.mode)
        meter = self.meter(index)
        answers = MeterNode(meter, mode, self.wire()).answer(services)
        control = apdu.control & 3
        if control == ResponseControl.NEVER or (control == ResponseControl.ON_EXCEPTION and not any(a[0] for a in answers)):
            return ()
        reply = self.association(index, apdu.calling, mode).encode(
            answers,
            self.next_invocation_id(index),
            apdu.iv or 0,
            reply_to=apdu.invocation_id,
            response_control=ResponseControl.NEVER,
        )
        segment_octets = meter.kind.form.segment_octets
        return tuple(split(reply, segment_octets)) if segment_octets else (reply,)

    def _refuse(self, index: int, apdu: Apdu, code: ResponseCode) -> Responses:
        return (refusal(apdu, self.next_invocation_id(index), code),)


def refusal(apdu: Apdu, invocation_id: int, code: ResponseCode) -> bytes:
    """A clear reply that says no to a whole message: all that a node can say which cannot verify who asks."""
    message = Message(
        called=apdu.calling,
        calling=apdu.called,
        invocation_id=invocation_id,
        services=(bytes((code,)),),
        reply_to=apdu.invocation_id,
        response_control=ResponseControl.NEVER,
    )
    return encode_message(message, None)
