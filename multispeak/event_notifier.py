"""Tells subscribers of events by SOAP, over the connections by which partners are told the outcomes of what they asked for."""

from collections.abc import Sequence

from twisted.logger import Logger

from headend.model.event_telling import EventTelling
from headend.model.partner import Caller, Partner
from headend.model.subscription import Subscription
from headend.model.telling import Attempt, Delivery
from multispeak.calls import Call
from multispeak.event_bodies import EventBodies
from multispeak.message_header import RequestHeader
from multispeak.notifier import Notifier, Surroundings
from multispeak.outcome_bodies import Notice


class EventNotifier:
    """An EventTeller."""

    log = Logger()

    def __init__(self, around: Surroundings, notifier: Notifier) -> None:
        self._around = around
        self._notifier = notifier

    async def tell_events(self, telling: EventTelling) -> Sequence[Attempt]:
        """See EventTeller."""
        everything = tuple(told.message_id for told in telling.objects)
        partner, subscription = self._around.partners.get(telling.partner), telling.subscription
        if partner is None or subscription is None:
            return [Attempt(everything, Delivery.PARKED, "there is no such subscription any more")]
        try:
            notices = self._notices(telling, partner, subscription)
        except Exception as error:  # noqa: BLE001  # job ended: our mistake with one batch must not stop the others
            self.log.failure("events for {partner}", partner=telling.partner)
            return [Attempt(everything, Delivery.PARKED, f"not understood: {type(error).__name__}")]
        attempts: list[Attempt] = []
        for notice in notices:
            attempts.append(await self._notifier.send(telling, partner, notice))
            if attempts[-1].delivery is not Delivery.ACKNOWLEDGED:
                break  # what comes after waits behind it
        return attempts

    def _notices(self, telling: EventTelling, partner: Partner, subscription: Subscription) -> list[Notice]:
        face = self._notifier.face(partner.notifications.version or subscription.version)
        call = Call(
            operation="RegisterForService",
            caller=Caller(self._around.utility, partner),
            header=RequestHeader(),
            request=None,
            store=self._around.store,
            binding=face.binding,
            now=self._around.now(),
            new_id=face.header.new_id,
        )
        return EventBodies(call, plural=partner.notifications.plural).notices(telling, subscription)
