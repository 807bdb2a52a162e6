"""What watching routers needs from the outside, and how others ask about them; like `ports`, for routers and work items."""

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from headend.errors import HeadEndError
from headend.model.endpoint import RouterId
from headend.model.router import Router, RouterPath, RouterProfile, RouterStatus
from headend.model.work_item import WorkItem, WorkItemChange, WorkItemId, WorkItemKind
from headend.router_case import RouterCase
from headend.router_health import RouterEvent, RouterHealth
from headend.router_troubleshooting import Troubleshooting


class RouterRefusedError(HeadEndError):
    """A router said no, or may not be asked."""

    def __init__(self, name: str, reason: str) -> None:
        self.name = name
        self.reason = reason
        super().__init__(f"router {name!r} refused: {reason}")


class RouterLink(Protocol):
    """A way to routers' management agents."""

    def poll(self, router: Router, path: RouterPath) -> Awaitable[RouterStatus]:
        """What a router says of itself. Raises LinkError for silence and for a path that the router does not have."""

    def request_reboot(self, router: Router, path: RouterPath) -> Awaitable[None]:
        """Ask it to reboot. Raises LinkError, RouterRefusedError."""


@dataclass(frozen=True, slots=True)
class RouterRecord:
    """What came of a poll, a trap or a step of troubleshooting, to be stored in one transaction."""

    case: RouterCase
    events: tuple[RouterEvent, ...] = ()
    finished: tuple[Troubleshooting, ...] = ()
    work_items: tuple[WorkItemChange, ...] = ()


class RouterStore(Protocol):
    """Where routers are kept while they are watched. Store errors are StoreErrors."""

    def claim_routers(self, owner: str, now: datetime, until: datetime) -> Awaitable[bool]:
        """Whether `owner` watches the routers until `until`: one process at a time does."""

    def release_routers(self, owner: str) -> Awaitable[None]:
        """Let another process watch them."""

    def router_cases(self) -> Awaitable[list[RouterCase]]:
        """All routers with a profile, as they were recorded last."""

    def record_routers(self, records: Sequence[RouterRecord]) -> Awaitable[None]:
        """Store `records` wholly or not at all. Twice changes nothing."""


@dataclass(frozen=True, slots=True)
class RouterEntry:
    """One router as lists show it; `profile` and `health` are None for one that is only named by endpoints."""

    router_id: RouterId
    name: str
    endpoints: int
    profile: RouterProfile | None
    health: RouterHealth | None
    troubleshooting: Troubleshooting | None


class RouterQueries(Protocol):
    """Routers and work items as people and other systems ask for them."""

    def router_entries(self) -> Awaitable[list[RouterEntry]]:
        """All routers, by name."""

    def router_entry(self, name: str) -> Awaitable[RouterEntry | None]:
        """One router."""

    def router_events(self, name: str, limit: int) -> Awaitable[list[RouterEvent]]:
        """The newest events of a router, newest first; [] for an unknown one."""

    def router_troubleshootings(self, name: str, limit: int) -> Awaitable[list[Troubleshooting]]:
        """The newest troubleshootings of a router that have ended, newest first."""

    def work_items(
        self, limit: int, *, closed: bool = False, subject: str | None = None, kind: WorkItemKind | None = None
    ) -> Awaitable[list[WorkItem]]:
        """Work items, newest first; without `closed` ones unless asked for, of one `subject` or `kind` or of all."""

    def work_item(self, work_item_id: WorkItemId) -> Awaitable[WorkItem | None]:
        """One by its number."""

    def change_work_item(self, change: WorkItemChange) -> Awaitable[WorkItem | None]:
        """A person's note, acknowledgement or closing; the item afterwards, None where none is open."""


class RouterProvisioning(Protocol):
    """Makes routers known; idempotent, whole call in one transaction."""

    def import_routers(self, profiles: Sequence[RouterProfile], now: datetime) -> Awaitable[int]:
        """Add or update routers by name; how many changed. Those named in shipments are the same by name."""
