"""Subscriptions: who is told which events, where, how many at once; registered at run time or written in the settings."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from urllib.parse import quote, unquote

from headend.event_catalogue import MOMENTARIES, SWITCH_ARMED, SWITCH_CLOSED, SWITCH_OPENED, THRESHOLD_REACHED, USAGE_SEEN
from headend.model.endpoint import Commodity
from headend.model.event_kinds import Category, EventKind, Severity
from headend.model.partner import Credentials, EventChoice, Partner
from headend.model.registration import Registration
from headend.monitoring import Monitoring


class Subject(StrEnum):
    """What a notification tells of an event."""

    OUTAGE = "outage"
    EVENT = "event"
    LOG = "log"
    SWITCH = "switch"
    VOLTAGE = "voltage"
    BLINK = "blink"
    USAGE = "usage"
    THRESHOLD = "threshold"


EVENT_NOTIFICATION = "MeterEventNotification"
"""What answers a request for monitoring of events."""

SUBJECT_OF: Mapping[str, Subject] = {
    "ODEventNotification": Subject.OUTAGE,
    EVENT_NOTIFICATION: Subject.EVENT,
    "HistoryLogChangedNotification": Subject.LOG,
    "CDStatesChangedNotification": Subject.SWITCH,
    "CDStateChangedNotification": Subject.SWITCH,
    "VoltageAlarmNotification": Subject.VOLTAGE,
    "BlinkAlarmNotification": Subject.BLINK,
    "UsageMonitoringNotification": Subject.USAGE,
    "ThresholdEventNotification": Subject.THRESHOLD,
}
"""What each notification of events tells, as MultiSpeak names it; of several with one subject the first that is wanted is used."""

NOT_IN_V3 = frozenset({"VoltageAlarmNotification", "BlinkAlarmNotification", "ThresholdEventNotification"})
"""Those that MultiSpeak 3.0 has not got."""

MONITORING = "monitoring"
"""How the id of a subscription begins that is an answer to a request for monitoring."""

SWITCHED = frozenset({SWITCH_OPENED, SWITCH_CLOSED, SWITCH_ARMED})

WATCHED: Mapping[int, Subject] = {USAGE_SEEN: Subject.USAGE, THRESHOLD_REACHED: Subject.THRESHOLD}
"""Events that only the partner is told who has the meter watched."""


def subjects_of(code: int, kind: EventKind | None) -> frozenset[Subject]:
    """What can be told of an event of a kind; a router's, which is no meter's, as an event only."""
    if kind is not None and kind.category is Category.NETWORK:
        return frozenset({Subject.EVENT})
    if code in WATCHED:
        return frozenset({WATCHED[code]})
    subjects = {Subject.EVENT, Subject.LOG}
    if kind is not None and kind.outage is not None:
        subjects.add(Subject.OUTAGE)
    if kind is not None and kind.category is Category.VOLTAGE:
        subjects.add(Subject.VOLTAGE)
    if code in SWITCHED:
        subjects.add(Subject.SWITCH)
    if code == MOMENTARIES:
        subjects.add(Subject.BLINK)
    return frozenset(subjects)


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Which events are wanted; an empty choice takes all. Events of routers are wanted only where `routers` says so.

    `only_group`, where it is given, is the group whose meters are known to the subscriber at all.
    """

    categories: frozenset[Category] = frozenset()
    severities: frozenset[Severity] = frozenset()
    commodities: frozenset[Commodity] = frozenset()
    groups: frozenset[str] = frozenset()
    routers: bool = False
    only_group: str = ""

    def refusal(self, kind: EventKind | None, commodity: Commodity | None, groups: Collection[str]) -> str:
        """Why an event is not wanted, in words; empty where it is. An event that the catalogue has not got is of no category."""
        if commodity is None:
            if not self.routers:
                return "events of routers are not wanted"
        elif self.commodities and commodity not in self.commodities:
            return f"{commodity.value} is not wanted"
        if self.categories and (kind is None or kind.category not in self.categories):
            return f"category {'unknown' if kind is None else kind.category.value} is not wanted"
        if self.severities and (kind is None or kind.severity not in self.severities):
            return f"severity {'unknown' if kind is None else kind.severity.value} is not wanted"
        if self.only_group and self.only_group not in groups:
            return "the meter is unknown to this partner"
        if self.groups and self.groups.isdisjoint(groups):
            return "it is in none of the groups that are wanted"
        return ""


@dataclass(frozen=True, slots=True)
class Subscription:
    """One partner's wish to be told.

    `url` is where, logged in to with `credentials`; `version` and `server` are whence the notifications come. `subscription_id` is their
    RegistrationID. `transaction_id` is that of a request which it answers. `expires` is None where it holds until it is ended;
    `registered` is None for one that stands in the settings.
    """

    subscription_id: str
    partner: str
    version: str
    server: str
    url: str
    credentials: Credentials | None
    notifications: tuple[str, ...]
    choice: EventChoice
    registered: datetime | None = None
    expires: datetime | None = None
    filter: EventFilter = field(default_factory=EventFilter)
    transaction_id: str = ""

    @property
    def groups(self) -> frozenset[str]:
        """Groups that decide whether it wants an event."""
        return self.filter.groups | ({self.filter.only_group} if self.filter.only_group else frozenset())

    def is_over(self, now: datetime) -> bool:
        """Whether its lease has run out."""
        return self.expires is not None and self.expires <= now

    def wanted(self, subjects: Collection[Subject]) -> list[tuple[Subject, str]]:
        """(subject, notification that tells it) for each subject that this subscription wants."""
        found: dict[Subject, str] = {}
        for name, subject in SUBJECT_OF.items():
            if subject in subjects and name in self.notifications:
                found.setdefault(subject, name)
        return list(found.items())

    def lane(self, device_id: int, *, urgent: bool, late: bool = False) -> int:
        """Which of its queues a device's events wait in, always the same; bellwethers and what is late have their own."""
        if late:
            return self.choice.connections + 1
        return self.choice.connections if urgent else device_id % self.choice.connections


def filter_of(partner: Partner, choice: EventChoice) -> EventFilter:
    """What a partner may be told, by the meters it knows of, and wants to be told."""
    scope = partner.meters
    commodities = choice.commodities if scope is None or scope.commodity is None else frozenset({scope.commodity})
    only_group = "" if scope is None else scope.group
    return EventFilter(choice.categories, choice.severities, commodities, choice.groups, choice.routers and scope is None, only_group)


def of_monitoring(monitoring: Monitoring, notification: str, partner: Partner) -> Subscription:
    """Where a partner wants to be told of a meter that it has watched; the id says so, so that nothing else need be kept."""
    told = monitoring.answering
    version = str(monitoring.details.get("version", "4.1.6"))
    return _of_monitoring(f"{MONITORING} {notification} {version} {quote(told.transaction_id, safe='')} {told.response_url}", partner)


def _of_monitoring(subscription_id: str, partner: Partner) -> Subscription:
    _, notification, version, transaction_id, url = subscription_id.split(" ", 4)
    profile = partner.notifications
    return Subscription(
        subscription_id=subscription_id,
        partner=partner.user_id,
        version=version,
        server="MR_Server",
        url=url,
        credentials=profile.credentials,
        notifications=(notification,),
        choice=replace(profile.events, connections=1),
        filter=filter_of(partner, EventChoice()),
        transaction_id=unquote(transaction_id),
    )


def watching(subscription_id: str, partner: Partner) -> Subscription | None:
    """What `of_monitoring` made, by its id; None for the id of anything else."""
    return _of_monitoring(subscription_id, partner) if subscription_id.startswith(f"{MONITORING} ") else None


def of_registration(registration: Registration, partner: Partner) -> Subscription:
    """What a partner registered for, as its profile lets it."""
    choice = partner.notifications.events
    lease = timedelta(hours=choice.lease_hours)
    profile = partner.notifications
    return Subscription(
        subscription_id=registration.registration_id,
        partner=partner.user_id,
        version=registration.version,
        server=registration.server,
        url=registration.response_url,
        credentials=registration.credentials or profile.credentials,
        notifications=tuple(name for name in registration.notifications if name in SUBJECT_OF),
        choice=choice,
        registered=registration.registered,
        expires=registration.registered + lease if choice.lease_hours else None,
        filter=filter_of(partner, choice),
    )


def of_settings(partner: Partner) -> list[Subscription]:
    """What the settings say that a partner is to be told."""
    profile = partner.notifications
    return [
        Subscription(
            subscription_id=f"{partner.user_id}:{one.name}",
            partner=partner.user_id,
            version=one.version,
            server="MR_Server",
            url=one.url,
            credentials=profile.credentials,
            notifications=one.notifications,
            choice=one.choice,
            filter=filter_of(partner, one.choice),
        )
        for one in profile.subscriptions
    ]
