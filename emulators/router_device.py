"""One emulated router's hardware: what it is, what goes wrong with it, and what follows from that as time passes; sans-IO.

Timers of the router (uptime, reboot, battery) are of the wire's clock, in seconds.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from emulators.population import Population, router_name
from emulators.seeding import between, mix
from headend.errors import RequestError
from headend.model.router import AuthProtocol, CommunityAccess, PrivacyProtocol, RouterAccess, UserAccess

BATTERY_SECONDS = 8 * 3_600
"""How long a full battery carries a router."""

CHARGE_SECONDS = 16 * 3_600
"""How long an empty one takes to be full again."""

REBOOT_SECONDS_MAX = 3_600.0

@dataclass(frozen=True, slots=True)
class RouterFaults:
    """What is wrong with a router, as the control port sets it. None: as it is by itself.

    `down` is dead silence, `hung` a mesh service that only a reboot starts again, `primary_lost` an uplink that is cut (with it the way
    to the endpoints), `second_lost` the other one.
    """

    down: bool = False
    hung: bool = False
    primary_lost: bool = False
    second_lost: bool = False
    on_battery: bool = False
    battery_failed: bool = False
    battery_percent: int | None = None
    door_open: bool = False
    temperature_c: int | None = None
    rssi_dbm: int | None = None
    mesh_nodes: int | None = None
    cpu_percent: int | None = None
    ignores_reload: bool = False


_RANGES: Mapping[str, tuple[int, int]] = {
    "battery_percent": (0, 100),
    "temperature_c": (-60, 150),
    "rssi_dbm": (-150, 0),
    "mesh_nodes": (0, 100_000),
    "cpu_percent": (0, 100),
}


def faults_from_json(body: Mapping[str, Any], before: RouterFaults) -> RouterFaults:
    """`before` with the fields that `body` names. Raises RequestError naming what is wrong."""
    known = {f.name for f in fields(RouterFaults)}
    for name, value in body.items():
        if name not in known:
            raise RequestError(f"unknown field {name!r}; known are {', '.join(sorted(known))}")
        if name not in _RANGES:
            if not isinstance(value, bool):
                raise RequestError(f"{name}: {value!r} is neither true nor false")
            continue
        low, high = _RANGES[name]
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high):
            raise RequestError(f"{name}: {value!r} is neither null nor a whole number within {low} and {high}")
    return replace(before, **body)


@dataclass(frozen=True, slots=True)
class RouterFacts:
    """What its agent tells of a router at one moment; traps follow from the difference of two."""

    boots: int
    uptime_seconds: float
    mesh_running: bool
    mesh_nodes: int
    cellular_up: bool
    ethernet_up: bool
    on_battery: bool
    battery_percent: int
    battery_failed: bool
    door_open: bool
    temperature_c: int
    modem_temperature_c: int
    rssi_dbm: int
    cpu_percent: int


class RouterDevice:
    """One router. `wire` gives unix seconds; `nodes` is the size of its mesh."""

    def __init__(self, seed: int, number: int, name: str, nodes: int, wire: Callable[[], float]) -> None:
        self.number = number
        self.name = name
        self.nodes = nodes
        self.faults = RouterFaults()
        self._seed = seed
        self._wire = wire
        self._chance = mix(seed, 91, number)
        self._boots = between(self._chance, 1, 40)
        self._booted = wire() - between(self._chance >> 8, 86_400, 200 * 86_400)
        self._back_at = 0.0
        self._battery_percent = 100.0
        self._battery_since = wire()

    @property
    def has_second_path(self) -> bool:
        """Every other router has a second uplink."""
        return self.number % 2 == 0

    @property
    def mac(self) -> bytes:
        """The first of its hardware addresses: a locally administered one."""
        return b"\x02" + (self._chance & 0xFFFFFFFF).to_bytes(4) + bytes((self.number & 0xFF,))

    @property
    def engine_id(self) -> bytes:
        """Its SNMP engine: Cisco's enterprise number and its hardware address (RFC 3411 5, format 3)."""
        return (0x80000009).to_bytes(4) + b"\x03" + self.mac

    @property
    def access(self) -> RouterAccess:
        """Its credentials: two of four speak version 3."""
        secret = f"{mix(self._seed, 92, self.number):016x}"
        match self.number % 4:
            case 0:
                return UserAccess("headend", AuthProtocol.SHA256, f"auth-{secret}", PrivacyProtocol.AES128, f"priv-{secret}")
            case 2:
                return UserAccess("headend", AuthProtocol.SHA512, f"auth-{secret}", PrivacyProtocol.AES256, f"priv-{secret}")
            case _:
                return CommunityAccess(f"read-{secret}", f"write-{secret}")

    @property
    def informs(self) -> bool:
        """Whether it wants its notifications acknowledged."""
        return self.number % 4 >= 2

    @property
    def is_running(self) -> bool:
        """Whether it does anything at all: powered, not dead, not starting."""
        return not self.faults.down and self._wire() >= self._back_at and (not self.faults.on_battery or self.battery_percent > 0)

    @property
    def relays(self) -> bool:
        """Whether its endpoints are reached through it."""
        return self.is_running and not self.faults.primary_lost and self._mesh_running

    def reached_by(self, second: bool) -> bool:
        """Whether its agent is reached over its second address, or its first."""
        return self.is_running and not (self.faults.second_lost if second else self.faults.primary_lost)

    @property
    def battery_percent(self) -> int:
        """Charge of its battery."""
        if self.faults.battery_percent is not None:
            return self.faults.battery_percent
        passed = self._wire() - self._battery_since
        rate = -100 / BATTERY_SECONDS if self.faults.on_battery else 100 / CHARGE_SECONDS
        return int(min(100.0, max(0.0, self._battery_percent + rate * passed)))

    @property
    def boots(self) -> int:
        """How often its SNMP engine has started."""
        return self._boots

    @property
    def uptime_seconds(self) -> float:
        """Since when it runs."""
        return max(0.0, self._wire() - self._booted)

    def set_faults(self, faults: RouterFaults) -> None:
        """From now on this is wrong; a router that was without power starts anew."""
        was_powered = self.is_running or self._wire() < self._back_at
        percent = self.battery_percent
        if faults.on_battery != self.faults.on_battery:
            self._battery_percent, self._battery_since = float(percent), self._wire()
        self.faults = faults
        if not was_powered and self.is_running:
            self._start(self._wire())

    def reboot(self, seconds: float) -> None:
        """Stop, and start again after so long."""
        if not 0 <= seconds <= REBOOT_SECONDS_MAX:
            raise RequestError(f"seconds: {seconds:g} is not within 0 and {REBOOT_SECONDS_MAX:g}")
        self._start(self._wire() + seconds)

    def _start(self, at: float) -> None:
        self._back_at = self._booted = at
        self._boots += 1
        self.faults = replace(self.faults, hung=False)

    @property
    def _mesh_running(self) -> bool:
        return not self.faults.hung

    def facts(self) -> RouterFacts:
        """What it would tell of itself now."""
        faults, hour = self.faults, int(self._wire() // 3_600)
        wander = mix(self._seed, 93, self.number, hour)
        expected = self.nodes if self._mesh_running else 0
        return RouterFacts(
            boots=self._boots,
            uptime_seconds=self.uptime_seconds,
            mesh_running=self._mesh_running,
            mesh_nodes=expected if faults.mesh_nodes is None else faults.mesh_nodes,
            cellular_up=not faults.primary_lost,
            ethernet_up=self.has_second_path and not faults.second_lost,
            on_battery=faults.on_battery,
            battery_percent=self.battery_percent,
            battery_failed=faults.battery_failed,
            door_open=faults.door_open,
            temperature_c=between(wander, 28, 41) if faults.temperature_c is None else faults.temperature_c,
            modem_temperature_c=between(wander >> 8, 38, 49),
            rssi_dbm=between(wander >> 16, -89, -61) if faults.rssi_dbm is None else faults.rssi_dbm,
            cpu_percent=between(wander >> 24, 4, 23) if faults.cpu_percent is None else faults.cpu_percent,
        )

    def to_json(self) -> dict[str, Any]:
        """As the control port shows it."""
        return {
            "name": self.name,
            "running": self.is_running,
            "relays": self.relays,
            "second_path": self.has_second_path,
            "faults": asdict(self.faults),
            **asdict(self.facts()),
        }


def router_devices(population: Population, wire: Callable[[], float]) -> list[RouterDevice]:
    """All routers of a population, each with the size of its mesh."""
    nodes: Counter[int | None] = Counter(population.router(index) for index in range(population.size))
    return [RouterDevice(population.seed, n, router_name(n), nodes[n], wire) for n in range(population.routers)]
