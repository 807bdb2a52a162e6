"""Composition of what tells a utility's partners: its dispatcher, and the SOAP client that the dispatcher tells by."""

from datetime import datetime
from importlib.metadata import version

from adapters.peer_tls import PeerPolicy
from adapters.store import Store
from headend.dispatcher import Dispatcher
from headend.event_desk import EventDesk
from headend.event_dispatcher import EventDispatcher
from headend.model.event_case import Device, EventCase, EventNumber
from headend.model.event_telling import EventTelling, ToldEvent
from headend.model.events import EventPath
from headend.model.subscription import SUBJECT_OF, WATCHED, Subject, Subscription
from headend.model.telling import Attempt, MessageId
from headend.model.watched_use import WatchedUse
from headend.process_name import process_name
from headend.settings import UtilitySettings
from headend.subscription_book import SubscriptionBook
from headend.surrounding import Surrounding
from headend.usage_watch import UsageWatch
from multispeak.event_notifier import EventNotifier
from multispeak.message_log import MessageLog
from multispeak.notifier import Notifier, Surroundings

POWER_UP, TEST_MODE = 2, 32
"""Events that a subscription is tried out with."""

_NO_USE = WatchedUse("", "test", 1, 0, 0, 0, 0)


class TellingService:
    """What tells the partners of one utility: outcomes of what they asked for, and events. `desk` decides about these, `usage` finds some.

    Raises RequestError naming a certificate file that cannot be used.
    """

    def __init__(self, settings: UtilitySettings, store: Store, around: Surrounding, messages: MessageLog | None) -> None:
        surroundings = Surroundings(
            utility=settings.utility,
            partners={each.partner.user_id: each.partner for each in settings.partners},
            policies={each.user_id: PeerPolicy(each.partner.notifications.tls) for each in settings.partners},
            store=store,
            now=around.now,
            random=around.random,
            app_version=version("open-ami-headend"),
            notes=messages,
        )
        self._notifier = Notifier(surroundings, around.reactor)
        self._dispatcher = Dispatcher(store, self._notifier, around.reactor, around.now)
        owner, partners = process_name(), surroundings.partners
        book = SubscriptionBook(store, partners, around.now)
        self._teller = teller = EventNotifier(surroundings, self._notifier)
        self._events = EventDispatcher(store, book, teller, around.reactor, around.now, owner)
        self.usage = UsageWatch(store, around.now, owner)
        self.desk = EventDesk(settings.utility, store, around.now, owner, partners, settings.alarms.policy)

    def start(self) -> None:
        """Begin to tell."""
        self._dispatcher.start()
        self._events.start()

    async def stop(self) -> None:
        """End what is under way, close connections."""
        await self._dispatcher.stop()
        await self._events.stop()
        await self._notifier.stop()

    async def try_out(self, subscription: Subscription, device: Device, now: datetime) -> list[tuple[str, Attempt]]:
        """Tell a subscriber that test mode began at a device, or that its supply is back: (notification, what came of it) each.

        Nothing of it is stored; the number of such an event is 0 and its place.
        """
        came = []
        for place, name in enumerate(subscription.notifications):
            code = POWER_UP if SUBJECT_OF[name] is Subject.OUTAGE else TEST_MODE
            argument = _NO_USE.pack() if SUBJECT_OF[name] in WATCHED.values() else b""
            case = EventCase(EventNumber(0, place), device, code, now, 0, EventPath.FOUND, argument, now)
            told = ToldEvent(MessageId(place.to_bytes(16)), name, case, 1)
            attempts = await self._teller.tell_events(EventTelling(subscription.partner, subscription, (told,)))
            came.append((name, attempts[0]))
        return came
