"""A CollectionStore in memory, for tests of the collection engine: merges as the real one does, and remembers every call."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from headend.c1222.exchange import next_invocation_id
from headend.collection_plan import CollectionPlan, GroupPlan, PlanKind, place_of
from headend.collection_plans import FollowedPlan
from headend.limits import INVOCATION_IDS_PER_LEASE
from headend.model.collection import Assignment, Collected, CollectionSummary, EndpointSecurity, Gap, MeterProgramRecord, Progress
from headend.model.endpoint import EndpointId, NativeAddress
from headend.model.events import DeviceEvent, EarlyEvent, EarlySender, ExceptionRecord
from headend.model.interval_runs import IntervalRuns
from headend.model.readings import IntervalBlock, RegisterRead
from headend.retries import NO_MISSES, NO_RETRIES, Misses, RetryPolicy, is_missed, with_miss


@dataclass(slots=True)
class MemoryEndpoint:
    """One endpoint and what was collected of it."""

    endpoint_id: EndpointId
    meter_no: str
    ap_title: bytes
    address: NativeAddress
    router: str | None
    configuration: str
    key_id: int
    key: bytes = field(repr=False)
    active: bool = True
    due: datetime | None = None
    collect_from: datetime | None = None
    leased: tuple[str, datetime, int] | None = None
    next_id: int = 1
    program: bytes | None = None
    progress: Progress = field(default=Progress())
    replay_window: bytes = b""
    registers: dict[tuple, RegisterRead] = field(default_factory=dict)
    blocks: dict[tuple, IntervalBlock] = field(default_factory=dict)
    events: dict[tuple, DeviceEvent] = field(default_factory=dict)
    exceptions: list[ExceptionRecord] = field(default_factory=list)
    notices: list[ExceptionRecord] = field(default_factory=list)
    heard: datetime | None = None
    polled: bool = True
    gaps: tuple[Gap, ...] = ()
    ever_due: bool = False
    misses: Misses = NO_MISSES
    early: list[EarlyEvent] = field(default_factory=list)


class MemoryStore:
    """`recorded` lists every item in order; `failures` are errors to raise from record, one a call."""

    def __init__(self, endpoints: Sequence[MemoryEndpoint]) -> None:
        self.endpoints = {e.endpoint_id: e for e in endpoints}
        self.titles = {e.ap_title: e for e in endpoints}
        self.programs: dict[bytes, MeterProgramRecord] = {}
        self.recorded: list[Collected] = []
        self.transactions = 0
        self.failures: list[Exception] = []
        self.leases = 0
        self.followed: dict[str, FollowedPlan] = {}
        self.groups: dict[str, set[EndpointId]] = {}

    async def lease(self, owner: str, count: int, now: datetime, until: datetime) -> list[Assignment]:
        due = [e for e in self.endpoints.values() if e.due is not None and e.due <= now and (e.leased is None or e.leased[1] <= now)]
        return [self._assign(e, owner, until) for e in due[:count]]

    def _assign(self, e: MemoryEndpoint, owner: str, until: datetime) -> Assignment:
        self.leases += 1
        e.leased = (owner, until, self.leases)
        first, e.next_id = e.next_id, next_invocation_id(e.next_id, INVOCATION_IDS_PER_LEASE)
        return Assignment(
            lease_id=self.leases,
            endpoint_id=e.endpoint_id,
            meter_no=e.meter_no,
            ap_title=e.ap_title,
            address=e.address,
            router=e.router,
            configuration=e.configuration,
            key_id=e.key_id,
            key=e.key,
            program=e.program,
            progress=e.progress,
            collect_from=e.collect_from,
            first_invocation_id=first,
            invocation_ids=INVOCATION_IDS_PER_LEASE,
            gaps=e.gaps,
        )

    async def record(
        self, collected: Sequence[Collected], now: datetime, runs: Sequence[IntervalRuns] = (), retries: RetryPolicy = NO_RETRIES
    ) -> None:
        self.transactions += 1
        if self.failures:
            raise self.failures.pop(0)
        collected = with_runs(collected, runs)
        for item in collected:
            self._record(item, now, retries)
        self.recorded += collected

    def _record(self, item: Collected, now: datetime | None = None, retries: RetryPolicy = NO_RETRIES) -> None:
        e = self.endpoints[item.endpoint_id]
        e.registers |= {(r.channel_id, r.instant, r.source): r for r in item.register_reads}
        e.events = {(v.code, v.occurred, v.sequence): v for v in item.events} | e.events  # the first to tell of an event is believed
        for block in item.interval_blocks:
            key = (block.channel_id, block.day, block.interval_seconds)
            before = e.blocks.get(key)
            e.blocks[key] = block if before is None else merged(before, block)
        if item.exception is not None:
            e.exceptions.append(item.exception)
        e.notices += item.notices
        e.early = [one for one in (*e.early, *item.early_events) if one not in item.early_understood]
        if item.program is not None:
            self.programs[item.program.fingerprint] = item.program
            e.program = item.program.fingerprint
        e.progress = item.progress or e.progress
        e.replay_window = e.replay_window if item.replay_window is None else item.replay_window
        e.address = item.address or e.address
        if item.lease_id is not None and e.leased is not None and item.lease_id == e.leased[2]:
            missed = is_missed(item, item.exception is not None)
            e.misses = with_miss(e.misses, e.heard, item.heard, now) if missed and now is not None else NO_MISSES
            e.due, e.leased = None if now is None else retries.retry_at(e.endpoint_id, e.misses, now), None
        if item.heard is not None and (e.heard is None or item.heard > e.heard):
            e.heard = item.heard

    async def early_events(self, after: int, limit: int) -> list[EarlySender]:
        ready = [e for e in self.endpoints.values() if e.early and e.program is not None and e.endpoint_id > after]
        return [EarlySender(e.endpoint_id, e.program, tuple(e.early)) for e in sorted(ready, key=lambda one: one.endpoint_id)][:limit]

    async def early_events_of(self, endpoint_ids: Sequence[EndpointId]) -> dict[EndpointId, tuple[EarlyEvent, ...]]:
        return {one: tuple(self.endpoints[one].early) for one in endpoint_ids if self.endpoints[one].early}

    async def release(self, owner: str) -> None:
        for e in self.endpoints.values():
            if e.leased is not None and e.leased[0] == owner:
                e.leased = None

    async def schedule(self, due: datetime, collect_from: datetime, meter_nos: Sequence[str] | None = None) -> int:
        chosen = [e for e in self.endpoints.values() if meter_nos is None or e.meter_no in meter_nos]
        for e in chosen:
            e.due, e.collect_from = due, collect_from
        return len(chosen)

    def keep_interrogations(self, plan: CollectionPlan, now: datetime, group_id: str = "") -> None:
        """A plan that is followed from now on."""
        self.followed[group_id] = FollowedPlan(GroupPlan(PlanKind.INTERROGATIONS, group_id, plan), now)

    async def followed_plans(self) -> list[FollowedPlan]:
        return list(self.followed.values())

    async def follow_plan(self, plan: FollowedPlan, places: Sequence[range], until: datetime, collect_from: datetime) -> int:
        group_id = plan.plan.group_id
        if self.followed[group_id] != plan:
            return 0
        self.followed[group_id] = replace(plan, followed=until)
        turn = [e for e in self.endpoints.values() if any(place_of(e.endpoint_id) in one for one in places)]
        return self._make_due([e for e in turn if self._plan_of(e) == group_id], until, collect_from)

    async def collect_new(self, due: datetime, collect_from: datetime) -> int:
        return self._make_due([e for e in self.endpoints.values() if not e.ever_due], due, collect_from)

    def _plan_of(self, e: MemoryEndpoint) -> str:
        return min((group for group in self.followed if e.endpoint_id in self.groups.get(group, ())), default="")

    @staticmethod
    def _make_due(chosen: Sequence[MemoryEndpoint], due: datetime, collect_from: datetime) -> int:
        chosen = [e for e in chosen if e.active and e.polled]
        for e in chosen:
            e.due = min(e.due or due, due)
            e.collect_from, e.ever_due = collect_from, True
        return len(chosen)

    async def summary(self) -> CollectionSummary:
        items = self.recorded
        failed = sum(i.exception is not None for i in items)
        intervals = sum(v is not None for i in items for b in i.interval_blocks for v in b.values)
        reads, events = sum(len(i.register_reads) for i in items), sum(len(i.events) for i in items)
        return CollectionSummary(len(self.endpoints), len(items), len(items) - failed, failed, reads, intervals, events)

    async def program(self, fingerprint: bytes) -> MeterProgramRecord | None:
        return self.programs.get(fingerprint)

    async def security(self, ap_title: bytes) -> EndpointSecurity | None:
        e = self.titles.get(ap_title)
        if e is None:
            return None
        keys = ((e.key_id, e.key),)
        return EndpointSecurity(
            e.endpoint_id, e.meter_no, e.ap_title, e.configuration, e.active, keys, e.program, e.progress, e.replay_window, e.address
        )

    async def exceptions(self, limit: int) -> list[tuple[str, ExceptionRecord]]:
        return [(e.meter_no, x) for e in self.endpoints.values() for x in e.exceptions][-limit:]


def with_runs(collected: Sequence[Collected], runs: Sequence[IntervalRuns]) -> list[Collected]:
    """The items with all their intervals as blocks."""
    blocks: dict[EndpointId, list[IntervalBlock]] = {}
    for run in runs:
        for block in run.blocks():
            blocks.setdefault(block.endpoint_id, []).append(block)
    return [replace(item, interval_blocks=(*blocks.pop(item.endpoint_id, ()), *item.interval_blocks)) for item in collected]


def merged(before: IntervalBlock, after: IntervalBlock) -> IntervalBlock:
    """The later value where it has one, flags with it."""
    values, flags = list(before.values), list(before.flags)
    for i, (value, flag) in enumerate(zip(after.values, after.flags, strict=True)):
        if value is not None or (flag and values[i] is None):
            values[i], flags[i] = value, flag
    return replace(after, values=values, flags=flags)
