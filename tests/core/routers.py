"""A router and a hand-turned clock, for tests of health and troubleshooting."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from headend.model.endpoint import NativeAddress, RouterId, Transport
from headend.model.router import CommunityAccess, Router, RouterPath, RouterProfile, RouterStatus
from headend.router_case import Outcome, RouterCase
from headend.router_catalogue import RouterCode
from headend.router_health import RouterEvent, RouterHealth
from headend.router_policy import RouterPolicy
from headend.router_troubleshooting import StepOutcome

START = datetime(2026, 7, 2, 6, tzinfo=UTC)
ADDRESS = NativeAddress(Transport.UDP, "10.0.0.1", 161)
SECOND = NativeAddress(Transport.UDP, "10.9.0.1", 161)
PROFILE = RouterProfile("north", ADDRESS, CommunityAccess("public"), expected_nodes=500)
ROUTER = Router(RouterId(7), START, PROFILE)
FINE = RouterStatus(
    mesh_nodes=500, mesh_running=True, cellular_connected=True, rssi_dbm=-70, on_battery=False, battery_percent=100, door_open=False
)


class Watched:
    """A case that time passes for; all it ever told is kept."""

    def __init__(self, policy: RouterPolicy | None = None, *, second: bool = False, router: Router = ROUTER) -> None:
        self.policy = policy or RouterPolicy()
        profile = replace(router.profile, second_address=SECOND) if second else router.profile
        self.router = replace(router, profile=profile)
        self.case = RouterCase(self.router, RouterHealth(router.router_id))
        self.now = START
        self.outcomes: list[Outcome] = []

    @property
    def health(self) -> RouterHealth:
        return self.case.health

    @property
    def events(self) -> list[RouterEvent]:
        return [event for outcome in self.outcomes for event in outcome.events]

    @property
    def codes(self) -> list[RouterCode]:
        return [event.code for event in self.events]

    @property
    def actions(self) -> list[Any]:
        return [action for outcome in self.outcomes for action in outcome.actions]

    @property
    def work_items(self) -> list[Any]:
        return [change for outcome in self.outcomes for change in outcome.work_items]

    def after(self, seconds: float) -> "Watched":
        self.now += timedelta(seconds=seconds)
        return self

    def take(self, step: Callable[[RouterCase], tuple[RouterCase, Outcome]]) -> "Watched":
        self.case, outcome = step(self.case)
        self.outcomes.append(outcome)
        return self

    def polled(self, status: RouterStatus = FINE, path: RouterPath = RouterPath.PRIMARY) -> "Watched":
        return self.take(lambda case: case.polled(status, path, self.now, self.policy))

    def trapped(self, status: RouterStatus) -> "Watched":
        return self.take(lambda case: case.trapped(status, self.now, self.policy))

    def missed(self) -> "Watched":
        return self.take(lambda case: case.missed(self.now, self.policy))

    def probe_missed(self) -> "Watched":
        return self.take(lambda case: case.probe_missed(self.now, self.policy))

    def rebooted(self, outcome: StepOutcome) -> "Watched":
        return self.take(lambda case: case.reboot_answered(outcome, self.now, self.policy))

    def idle(self) -> "Watched":
        return self.take(lambda case: case.time_passed(self.now, self.policy))

    def dies(self) -> "Watched":
        """Three polls in a row, five minutes apart, are not answered."""
        for _ in range(3):
            self.after(300).missed()
        return self
