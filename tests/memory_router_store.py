"""A RouterStore in memory, for tests of the watch: keeps what the real one keeps, and every transaction."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from headend.limits import ROUTER_EVENTS_KEPT
from headend.model.endpoint import RouterId
from headend.model.router import Router, RouterProfile
from headend.model.work_item import WorkItem, WorkItemChange, WorkItemId, WorkItemKind, WorkItemState
from headend.router_case import TROUBLES, RouterCase
from headend.router_health import RouterEvent, RouterHealth
from headend.router_ports import RouterEntry, RouterRecord
from headend.router_troubleshooting import Troubleshooting


class MemoryRouterStore:
    """`transactions` lists what was recorded; `failures` are errors to raise from record, one a call."""

    def __init__(self) -> None:
        self.routers: dict[str, Router] = {}
        self.states: dict[RouterId, RouterCase] = {}
        self.events: dict[RouterId, dict[int, RouterEvent]] = {}
        self.finished: dict[RouterId, list[Troubleshooting]] = {}
        self.items: list[WorkItem] = []
        self.watcher: tuple[str, datetime] | None = None
        self.transactions: list[Sequence[RouterRecord]] = []
        self.failures: list[Exception] = []

    async def import_routers(self, profiles: Sequence[RouterProfile], now: datetime) -> int:
        changed = 0
        for profile in profiles:
            before = self.routers.get(profile.name)
            if before is None or before.profile != profile:
                router_id = RouterId(len(self.routers) + 1) if before is None else before.router_id
                self.routers[profile.name] = Router(router_id, now if before is None else before.created, profile)
                changed += 1
        return changed

    async def claim_routers(self, owner: str, now: datetime, until: datetime) -> bool:
        if self.watcher is not None and self.watcher[0] != owner and self.watcher[1] > now:
            return False
        self.watcher = (owner, until)
        return True

    async def release_routers(self, owner: str) -> None:
        if self.watcher is not None and self.watcher[0] == owner:
            self.watcher = None

    async def router_cases(self) -> list[RouterCase]:
        is_open = {(i.kind, i.subject) for i in self.items if i.state is not WorkItemState.CLOSED}
        return [self._case(self.routers[name], is_open) for name in sorted(self.routers)]

    def _case(self, router: Router, is_open: set[tuple[WorkItemKind, str]]) -> RouterCase:
        known = self.states.get(router.router_id)
        codes = frozenset(code for code, kind in TROUBLES.items() if (kind, router.profile.name) in is_open)
        if known is None:
            return RouterCase(router, RouterHealth(router.router_id), None, codes)
        return RouterCase(router, known.health, known.troubleshooting, codes)

    async def record_routers(self, records: Sequence[RouterRecord]) -> None:
        if self.failures:
            raise self.failures.pop(0)
        self.transactions.append(records)
        for record in records:
            router_id = record.case.router.router_id
            self.states[router_id] = record.case
            kept = self.events.setdefault(router_id, {})
            kept.update({event.sequence: event for event in record.events})
            self.events[router_id] = dict(sorted(kept.items())[-ROUTER_EVENTS_KEPT:])
            ended = self.finished.setdefault(router_id, [])
            ended += [one for one in record.finished if one not in ended]
            for change in record.work_items:
                await self.change_work_item(change)

    async def router_entries(self) -> list[RouterEntry]:
        cases = await self.router_cases()
        known = self.states
        return [
            RouterEntry(
                c.router.router_id, c.router.profile.name, 0, c.router.profile,
                c.health if c.router.router_id in known else None, c.troubleshooting,
            )
            for c in cases
        ]  # fmt: skip

    async def router_entry(self, name: str) -> RouterEntry | None:
        return next((entry for entry in await self.router_entries() if entry.name == name), None)

    async def router_events(self, name: str, limit: int) -> list[RouterEvent]:
        router = self.routers.get(name)
        events = {} if router is None else self.events.get(router.router_id, {})
        return [events[sequence] for sequence in sorted(events, reverse=True)][:limit]

    async def router_troubleshootings(self, name: str, limit: int) -> list[Troubleshooting]:
        router = self.routers.get(name)
        return [] if router is None else sorted(self.finished.get(router.router_id, []), key=lambda one: one.began, reverse=True)[:limit]

    async def work_items(
        self, limit: int, *, closed: bool = False, subject: str | None = None, kind: WorkItemKind | None = None
    ) -> list[WorkItem]:
        listed = [i for i in self.items if (closed or i.state is not WorkItemState.CLOSED) and subject in (None, i.subject)]
        listed = [i for i in listed if kind in (None, i.kind)]
        return sorted(listed, key=lambda item: (item.opened, item.work_item_id), reverse=True)[:limit]

    async def work_item(self, work_item_id: WorkItemId) -> WorkItem | None:
        return next((item for item in self.items if item.work_item_id == work_item_id), None)

    async def change_work_item(self, change: WorkItemChange) -> WorkItem | None:
        key = (change.kind, change.subject)
        is_open = [item.state is not WorkItemState.CLOSED and (item.kind, item.subject) == key for item in self.items]
        place = is_open.index(True) if True in is_open else None
        before = None if place is None else self.items[place]
        if before is not None and change.state is WorkItemState.OPEN and all(entry in before.history for entry in change.entries):
            return before
        after = change.applied(before)
        if after is None:
            return None
        if place is None:
            after = replace(after, work_item_id=WorkItemId(len(self.items) + 1))
            self.items.append(after)
        else:
            self.items[place] = after
        return after
