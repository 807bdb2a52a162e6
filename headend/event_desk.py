"""The event desk: takes each recorded event up as a case, judges it, and puts what subscribers are to be told into the outbox.

It follows what is recorded, in order: an event is stored before it is looked at, and looked at until its decision is stored with what
follows from it. One process of a utility does so at a time; whoever takes over begins where the last decision is.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from twisted.logger import Logger

from headend.calendars import wall_instant
from headend.errors import StoreError
from headend.event_catalogue import MOMENTARIES
from headend.event_desk_port import DeskStore, DeskWork, EventMessage, Judged
from headend.hygiene import HygienePolicy, Memory, Rules, judge
from headend.limits import CASES_PER_LOOK
from headend.model.endpoint import EndpointId
from headend.model.event_case import CaseState, EventCase
from headend.model.event_kinds import OutageMeaning
from headend.model.events import DeviceEvent, EventPath
from headend.model.partner import Partner
from headend.model.subscription import (
    EVENT_NOTIFICATION,
    SUBJECT_OF,
    WATCHED,
    Subject,
    Subscription,
    of_monitoring,
    of_registration,
    of_settings,
    subjects_of,
)
from headend.model.utility import Utility
from headend.model.watched_use import WATCHED_CODES, WatchedUse, whose
from headend.monitoring import CODES, Monitoring, MonitoringKind

DESK = "event desk"
"""The name of this work among those that processes claim."""

LOOK_SECONDS = 0.25
"""How often it is looked whether a case is due."""

CLAIM_SECONDS = 30.0
"""How long the desk is one process's without a word: so long the alarms of a killed one wait for the next."""

_TOLD = {CaseState.TOLD, CaseState.LOGGED}


class EventDesk:
    """One utility's desk in one process. `partners` by UserID."""

    log = Logger()

    def __init__(
        self,
        utility: Utility,
        store: DeskStore,
        now: Callable[[], datetime],
        owner: str,
        partners: Mapping[str, Partner],
        policy: HygienePolicy | None = None,
    ) -> None:
        self._utility = utility
        self._store = store
        self._now = now
        self._owner = owner
        self._partners = partners
        self._policy = policy or HygienePolicy()
        self._standing = [one for partner in partners.values() for one in of_settings(partner)]
        self._subscriptions: Sequence[Subscription] = self._standing
        self._mine_until: datetime | None = None
        self._outages: deque[datetime] = deque(maxlen=self._policy.storm_outages + 1)
        self._storms = False

    async def look(self) -> int:
        """Judge what is due; how many cases that were. Never raises for a store that cannot answer: the next look finds the same."""
        judged = 0
        try:
            while await self._is_mine():
                groups = self._groups()
                work = await self._store.desk_work(self._now(), CASES_PER_LOOK, groups)
                if not work.cases:
                    break
                # Only now: whoever had registered when an event was recorded is to be told of it.
                await self._read_subscriptions()
                if not self._groups() <= groups:
                    work = await self._store.desk_work(self._now(), CASES_PER_LOOK, self._groups())
                await self._store.keep_judged(self._judged(work), self._now())
                judged += len(work.cases)
                if len(work.cases) < CASES_PER_LOOK:
                    break
        except StoreError as error:
            self.log.warn("events of {utility} wait: {error}", utility=self._utility.utility_id, error=error)
        return judged

    async def _is_mine(self) -> bool:
        """Whether this process has the desk; asks again before the claim ends, and not at each look."""
        now = self._now()
        claim = timedelta(seconds=CLAIM_SECONDS)
        if self._mine_until is None or self._mine_until - now < claim / 2:
            is_mine = await self._store.claim_work(DESK, self._owner, now, now + claim, now)
            self._mine_until = now + claim if is_mine else None
        return self._mine_until is not None

    async def _read_subscriptions(self) -> None:
        registered = await self._store.all_registrations()
        known = [of_registration(one, self._partners[one.partner]) for one in registered if one.partner in self._partners]
        self._subscriptions = [*self._standing, *known]

    def _groups(self) -> frozenset[str]:
        groups = frozenset[str]().union(*(one.groups for one in self._subscriptions))
        return groups | {self._policy.bellwethers} if self._policy.bellwethers else groups

    def _judged(self, work: DeskWork) -> Judged:
        now = self._now()
        rules = Rules(self._policy, self._utility.events, work.silencings, work.planned)
        current = [one for one in self._subscriptions if not one.is_over(now)]
        judged = Judged()
        cases = {case.number: case for case in (*work.held, *work.cases)}
        for case in work.cases:
            # One of an earlier look that is due now may have been cancelled by a case before it in this one.
            if case.number in judged.decisions:
                continue
            device_id = case.device.device_id
            is_meter = case.device.commodity is not None
            memory = judged.memories.get(device_id) or work.memories.get(device_id) or Memory() if is_meter else Memory()
            judgement = judge(case, memory, rules, now)
            if is_meter:
                judged.memories[device_id] = judgement.memory
                self._note_supply(case, judged)
            judged.decisions.update(judgement.decisions)
            if judgement.momentaries:
                judged.findings.append(_momentaries(case, judgement.momentaries))
        self._notice_storm(now)
        for number, decision in judged.decisions.items():
            if decision.state in _TOLD:
                case = replace(cases[number], state=decision.state, reason=decision.reason)
                judged.messages += self._messages(case, self._concerned(case, current, work), now)
        return judged

    def _concerned(self, case: EventCase, current: Sequence[Subscription], work: DeskWork) -> Sequence[Subscription]:
        """Who may be told of a case: all, and where partners have the meter watched; of what was found for one partner only that one."""
        if case.code not in WATCHED:
            return [*current, *self._watching(case, work)]
        use = WatchedUse.unpack(case.argument)
        partner = next((one for one in self._partners.values() if whose(one.user_id) == use.whose), None)
        if partner is None:
            return ()
        found = []
        for one in work.watched.get(case.device.device_id, ()):
            is_it = (one.kind, one.partner, one.item_id) == (WATCHED_CODES[case.code], partner.user_id, use.item_id)
            if is_it and one.answering.response_url:
                name = next(name for name, subject in SUBJECT_OF.items() if subject is WATCHED[case.code])
                found.append(of_monitoring(one, name, partner))
        return found or [one for one in current if one.partner == partner.user_id]

    def _watching(self, case: EventCase, work: DeskWork) -> Sequence[Subscription]:
        """Where partners want to be told of events of the meter, each place once."""
        found: dict[str, Subscription] = {}
        for one in work.watched.get(case.device.device_id, ()) if case.device.commodity is not None else ():
            partner = self._partners.get(one.partner)
            is_it = one.kind is MonitoringKind.EVENTS and _is_watched(one, case.code) and one.starts <= case.received
            if is_it and partner is not None and one.answering.response_url:
                told = of_monitoring(one, EVENT_NOTIFICATION, partner)
                found[told.subscription_id] = told
        return list(found.values())

    def _logged_at(self, case: EventCase) -> datetime:
        """When the daily collection that read a case is over; what is read later in the day is not made to wait for the next one."""
        day = self._utility.local_day(case.received)
        return wall_instant(day, self._policy.logged_minutes, self._utility.time_zone)

    def _note_supply(self, case: EventCase, judged: Judged) -> None:
        kind = self._utility.events.kinds.get(case.code)
        if kind is None or kind.outage is None or case.state is not CaseState.NEW:
            return
        if case.path is EventPath.LOG and kind.outage is OutageMeaning.OUTAGE:
            return
        judged.supplies[case.device.device_id] = (kind.outage, case.occurred)
        if kind.outage is OutageMeaning.OUTAGE:
            self._outages.append(case.received)

    def _notice_storm(self, now: datetime) -> None:
        """A storm is so many outages within so long, and lasts until the newest of them is as old."""
        outages, within = self._outages, timedelta(seconds=self._policy.storm_seconds)
        storms = len(outages) == outages.maxlen and outages[-1] - outages[0] <= within and now - outages[-1] <= within
        if storms is not self._storms:
            self._storms = storms
            self.log.warn("{what} at {utility}", what="a storm begins" if storms else "the storm is over", utility=self._utility.utility_id)

    def _messages(self, case: EventCase, subscriptions: Sequence[Subscription], now: datetime) -> list[EventMessage]:
        """What each subscriber is to be told of a case."""
        kind = self._utility.events.kinds.get(case.code)
        subjects = subjects_of(case.code, kind)
        without_outage = subjects - {Subject.OUTAGE}
        device = case.device
        urgent = bool(self._policy.bellwethers) and self._policy.bellwethers in device.groups
        # What ends an outage that was told is an alarm, however it was learnt.
        is_alarm = case.path is not EventPath.LOG or (case.state is CaseState.TOLD and Subject.OUTAGE in subjects)
        found = []
        for one in subscriptions:
            alarms = case.state is CaseState.TOLD or (case.momentary and one.choice.momentaries)
            wanted = one.wanted(subjects if alarms else without_outage)
            if not wanted or one.filter.refusal(kind, device.commodity, device.groups):
                continue
            seconds = 0.0 if urgent else max(one.choice.delay_seconds, self._policy.storm_delay_seconds if self._storms else 0.0)
            at, lane = now + timedelta(seconds=seconds), one.lane(device.device_id, urgent=urgent)
            if not is_alarm:
                at, lane = max(at, self._logged_at(case)), one.lane(device.device_id, urgent=False, late=True)
            found += [EventMessage(one.partner, one.subscription_id, lane, name, case, at) for _, name in wanted]
        return found


def _is_watched(monitoring: Monitoring, code: int) -> bool:
    """Whether it is about events of this code; one that names no events is about all."""
    details = monitoring.details
    return code in details[CODES] if CODES in details else not details.get("eventTypes")


def _momentaries(case: EventCase, count: int) -> DeviceEvent:
    """The event that an endpoint's supply has been interrupted so often."""
    sequence = int(case.received.timestamp()) & 0x7FFFFFFF
    endpoint_id = EndpointId(case.device.device_id)
    return DeviceEvent(endpoint_id, MOMENTARIES, case.occurred, sequence, count.to_bytes(2), EventPath.FOUND)

