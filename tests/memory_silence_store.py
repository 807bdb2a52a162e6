"""A SilenceStore in memory, over the endpoints of a MemoryStore and the routers of a MemoryRouterStore, for tests of the watch."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from headend.collection_plan import CollectionPlan, longest_pause
from headend.model.endpoint import CONFIGURATIONS, EndpointId
from headend.router_health import RouterHealth
from headend.silence import EndpointContact, Silence, SilencePolicy, SilenceState
from headend.silence_diagnosis import Evidence
from headend.silence_ports import Contacts, SilenceEntry, SilenceRecord
from tests.memory_router_store import MemoryRouterStore
from tests.memory_store import MemoryEndpoint, MemoryStore


class MemorySilenceStore:
    """`installed` is since when battery endpoints that were never heard are there; `records` lists what was recorded."""

    def __init__(self, collection: MemoryStore, routers: MemoryRouterStore, installed: datetime | None = None) -> None:
        self.collection = collection
        self.routers = routers
        self.installed = installed
        self.kept: dict[EndpointId, Silence] = {}
        self.records: list[SilenceRecord] = []
        self.failures: list[Exception] = []
        self.plans: list[tuple[CollectionPlan, frozenset[EndpointId] | None]] = []

    async def claim_work(self, work: str, owner: str, now: datetime, until: datetime, done_before: datetime) -> bool:
        if self.failures:
            raise self.failures.pop(0)
        return True

    async def finish_work(self, work: str, owner: str, done: datetime, *, keep: bool = False) -> None:
        """Nobody asks for it."""

    async def wake_up_plans(self) -> Sequence[tuple[CollectionPlan, frozenset[EndpointId] | None]]:
        return self.plans

    async def router_healths(self) -> Mapping[str, RouterHealth]:
        return {case.router.profile.name: case.health for case in self.routers.states.values()}

    async def silence_suspects(self, now: datetime, policy: SilencePolicy, *, all_of_them: bool) -> Sequence[EndpointId]:
        late = now - timedelta(seconds=policy.late_seconds)
        found = await self.contacts(sorted(self.collection.endpoints))
        return [c.endpoint_id for c, kept in found if _is_suspect(c, kept, late, policy, all_of_them=all_of_them)]

    async def contacts(self, endpoint_ids: Sequence[EndpointId]) -> Contacts:
        return [(self._contact(self.collection.endpoints[number]), self.kept.get(number)) for number in endpoint_ids]

    def _contact(self, e: MemoryEndpoint) -> EndpointContact:
        battery = CONFIGURATIONS[e.configuration].battery
        misses, times = e.misses, e.progress.wake_ups
        return EndpointContact(
            e.endpoint_id,
            e.meter_no,
            e.router,
            battery,
            e.active,
            e.heard,
            self.installed,
            misses.in_a_row,
            misses.since,
            longest_pause(times) if times else None,
        )

    async def silence_evidence(self, endpoint_ids: Sequence[EndpointId]) -> Mapping[EndpointId, Evidence]:
        endpoints = self.collection.endpoints
        here = Counter(e.router for e in endpoints.values() if e.active)
        silent = Counter(endpoints[number].router for number, kept in self.kept.items() if kept.state is not SilenceState.OK)
        healths = await self.router_healths()
        found = {}
        for number in endpoint_ids:
            e = endpoints[number]
            found[number] = Evidence(
                route=str(e.address),
                battery=CONFIGURATIONS[e.configuration].battery,
                heard=e.heard,
                router=e.router,
                health=None if e.router is None else healths.get(e.router),
                neighbours=0 if e.router is None else here[e.router] - 1,
                neighbours_silent=0 if e.router is None else max(0, silent[e.router] - 1),
                last_exception=max(e.exceptions, key=lambda x: x.occurred, default=None),
            )
        return found

    async def record_silences(self, records: Sequence[SilenceRecord], now: datetime) -> None:
        self.records += records
        for record in records:
            number = record.silence.endpoint_id
            self.kept[number] = record.silence
            e = self.collection.endpoints[number]
            told = {(x.occurred, x.kind) for x in e.exceptions}
            e.exceptions += [x for x in record.exceptions if (x.occurred, x.kind) not in told]
            for change in record.work_items:
                await self.routers.change_work_item(change)
            if record.ask and e.leased is None and e.collect_from is not None and (e.due is None or e.due > now):
                e.due = now

    async def silences(self, states: Sequence[SilenceState], limit: int) -> list[SilenceEntry]:
        chosen = [kept for kept in self.kept.values() if kept.state in states]
        entries = [self._entry(kept) for kept in chosen]
        return sorted(entries, key=lambda entry: (entry.silence.changed, entry.meter_no))[:limit]

    async def silence_of(self, meter_no: str) -> SilenceEntry | None:
        return next((self._entry(k) for n, k in self.kept.items() if self.collection.endpoints[n].meter_no == meter_no), None)

    def _entry(self, kept: Silence) -> SilenceEntry:
        e = self.collection.endpoints[kept.endpoint_id]
        return SilenceEntry(e.meter_no, e.router, e.heard, kept)


def _is_suspect(contact: EndpointContact, kept: Silence | None, late: datetime, policy: SilencePolicy, *, all_of_them: bool) -> bool:
    if kept is not None and kept.state is not SilenceState.OK:
        return all_of_them or (contact.heard is not None and kept.since is not None and contact.heard > kept.since - policy.wake_grace)
    if contact.battery:
        return all_of_them and contact.present and (contact.heard is None or contact.heard <= late)
    since = contact.missed_since
    return since is not None and since <= late and (contact.heard is None or contact.heard < since)
