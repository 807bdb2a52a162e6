"""Looks for endpoints that are not heard, regularly: judges each, opens and closes work items, has endpoints asked that are back.

One process a utility does so at a time. What a look comes to is recorded a page of endpoints at a time, each page in one transaction.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from twisted.logger import Logger

from headend.collection_plan import longest_pause
from headend.errors import StoreError
from headend.limits import SILENCES_PER_LOOK
from headend.model.utility import Utility
from headend.model.work_item import HEAD_END, WorkItemChange, WorkItemEntry, WorkItemKind, WorkItemState
from headend.regular_work import RegularWork
from headend.router_health import RouterHealth
from headend.silence import EndpointContact, Judgement, SilencePolicy, judge
from headend.silence_diagnosis import Evidence, diagnose
from headend.silence_ports import Contacts, SilenceRecord, SilenceStore
from headend.waking import WakingPlans

SILENCE = "silence"
"""The name of this work among those that processes claim."""

LOOK_SECONDS = 60.0
"""How often silences are looked at: an endpoint that is heard again waits so long for the end of its work item."""

THOROUGH_LOOK = timedelta(minutes=15)
"""How often battery endpoints and all that are still silent are looked at: it takes hours for them to change, but for a router's doing."""

CLAIM_SECONDS = 5 * LOOK_SECONDS
"""How long others leave it to the process that looked last."""


@dataclass(slots=True)
class Looked:
    """What one look found."""

    changed: int = 0
    opened: int = 0
    closed: int = 0
    asked: int = 0


class SilenceWatch:
    """One utility's endpoints. `wake` is called when some of them became due."""

    log = Logger()

    def __init__(
        self,
        utility: Utility,
        store: SilenceStore,
        *,
        now: Callable[[], datetime],
        wake: Callable[[], None],
        owner: str,
        policy: SilencePolicy,
    ) -> None:
        self._utility = utility
        self._store = store
        self._now = now
        self._wake = wake
        self._work = RegularWork(store, SILENCE, owner, now, CLAIM_SECONDS)
        self._policy = policy
        self._looked_thoroughly: datetime | None = None
        self._routers_down: Mapping[str, tuple[bool, datetime | None]] = {}
        self._waking = WakingPlans()

    async def look(self) -> Looked:
        """Judge all that may have changed. Never raises for a store that cannot answer: the next look finds the same."""
        looked = Looked()
        now = self._now()
        try:
            if await self._work.is_ours():
                await self._look_at_all(now, looked)
        except StoreError as error:
            self.log.warn("silences of {utility} not looked at: {error}", utility=self._utility.utility_id, error=error)
        if looked.asked:
            self._wake()
        return looked

    async def _look_at_all(self, now: datetime, looked: Looked) -> None:
        routers = await self._store.router_healths()
        down = {name: (health.silent, health.restored) for name, health in routers.items()}
        before = self._looked_thoroughly
        thoroughly = before is None or now - before >= THOROUGH_LOOK or down != self._routers_down
        if thoroughly:
            await self._waking.read(self._store)
        suspects = await self._store.silence_suspects(now, self._policy, all_of_them=thoroughly)
        for start in range(0, len(suspects), SILENCES_PER_LOOK):
            if not await self._work.lasts():
                return
            contacts = await self._store.contacts(suspects[start : start + SILENCES_PER_LOOK])
            await self._judge(contacts, routers, now, looked)
        await self._work.is_done()
        if thoroughly:
            self._looked_thoroughly, self._routers_down = now, down

    async def _judge(self, contacts: Contacts, routers: Mapping[str, RouterHealth], now: datetime, looked: Looked) -> None:
        known = [(self._with_wakeups(contact), before) for contact, before in contacts]
        judged = [(contact, judge(before, contact, routers, now, self._policy)) for contact, before in known]
        changed = [(contact, judgement) for contact, judgement in judged if judgement is not None]
        if not changed:
            return
        opened = [judgement.silence.endpoint_id for _, judgement in changed if judgement.opens]
        evidence = await self._store.silence_evidence(opened) if opened else {}
        records = [_record(contact, judgement, evidence.get(contact.endpoint_id), now) for contact, judgement in changed]
        await self._store.record_silences(records, now)
        looked.changed += len(records)
        looked.opened += len(opened)
        looked.closed += sum(judgement.closes for _, judgement in changed)
        looked.asked += sum(record.ask for record in records)
        for contact, judgement in changed:
            if judgement.why:
                state = judgement.silence.state.value
                self.log.debug("meter {meter_no} is {state}: {why}", meter_no=contact.meter_no, state=state, why=judgement.why)

    def _with_wakeups(self, contact: EndpointContact) -> EndpointContact:
        """With how often it wakes: what it said itself, else what its plan says."""
        plan = self._waking.of(contact.endpoint_id) if contact.battery and contact.wake is None else None
        return contact if plan is None else replace(contact, wake=longest_pause(plan.begins))


def _record(contact: EndpointContact, judgement: Judgement, evidence: Evidence | None, now: datetime) -> SilenceRecord:
    items: tuple[WorkItemChange, ...] = ()
    if judgement.opens and evidence is not None:
        items = (_opened(contact, judgement, evidence, now),)
    elif judgement.closes:
        entry = WorkItemEntry(now, HEAD_END, f"closed by itself: {judgement.why}")
        items = (WorkItemChange(WorkItemKind.SILENT_ENDPOINT, contact.meter_no, now, WorkItemState.CLOSED, (entry,)),)
    return SilenceRecord(judgement.silence, judgement.exceptions, items, judgement.ask)


def _opened(contact: EndpointContact, judgement: Judgement, evidence: Evidence, now: datetime) -> WorkItemChange:
    """An item with the whole history of this silence, and what the first tier found."""
    diagnosis = diagnose(evidence)
    entries = [WorkItemEntry(step.at, HEAD_END, f"{step.state.value}: {step.why}") for step in judgement.silence.present_steps]
    entries.append(WorkItemEntry(now, HEAD_END, f"diagnosis: {diagnosis.text}"))
    return WorkItemChange(
        WorkItemKind.SILENT_ENDPOINT, contact.meter_no, now, WorkItemState.OPEN, tuple(entries), diagnosis.text, diagnosis.routed_to
    )
