"""How routers are watched: intervals, thresholds and what may be done to them, as data with the defaults that suit most."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Limit:
    """A threshold with slack: the condition begins at `at` and ends only where the value is `slack` better."""

    at: float
    slack: float


@dataclass(frozen=True, slots=True)
class RouterThresholds:
    """When a value is bad. Units: dBm, degrees Celsius, percent; mesh counts in percent of the nodes expected."""

    rssi_dbm: Limit = Limit(-105, 5)
    rsrp_dbm: Limit = Limit(-118, 4)
    temperature_minor_c: Limit = Limit(60, 5)
    temperature_major_c: Limit = Limit(70, 5)
    modem_temperature_c: Limit = Limit(70, 5)
    mesh_minor_percent: Limit = Limit(90, 4)
    mesh_major_percent: Limit = Limit(50, 10)
    battery_percent: Limit = Limit(30, 10)
    cpu_percent: Limit = Limit(90, 10)


@dataclass(frozen=True, slots=True)
class RouterPolicy:
    """Seconds, counts and permissions.

    A router is down after `missed_polls` polls in a row and `silence_seconds` without anything else from it; it is unheard
    `unheard_seconds` after it was made known and never answered. A condition raised `flap_raises` times within `flap_seconds` ends only
    after `flap_hold_seconds` without it. Troubleshooting asks `retries` times at `retry_seconds` a path, requests a reboot where
    `may_reboot` says so, and waits `wait_seconds` before it is the utility's turn.
    """

    poll_seconds: float = 300
    missed_polls: int = 3
    silence_seconds: float = 900
    unheard_seconds: float = 86_400
    flap_raises: int = 3
    flap_seconds: float = 3_600
    flap_hold_seconds: float = 1_800
    retries: int = 2
    retry_seconds: float = 30
    may_reboot: bool = False
    wait_seconds: float = 900
    thresholds: RouterThresholds = field(default=RouterThresholds())
