"""Who is subscribed to events: those who registered, and those whom the settings name."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Protocol

from headend.model.partner import Partner
from headend.model.registration import Registration
from headend.model.subscription import Subscription, of_registration, of_settings, watching


class KnownRegistrations(Protocol):
    """What partners have registered for."""

    def registration(self, registration_id: str, partner: str) -> Awaitable[Registration | None]:
        """A partner's registration; None where the id is not its own, or nothing is registered under it."""


class SubscriptionBook:
    """The subscriptions of one utility. `partners` by UserID."""

    def __init__(self, store: KnownRegistrations, partners: Mapping[str, Partner], now: Callable[[], datetime]) -> None:
        self._store = store
        self._partners = partners
        self._now = now
        self._standing = {one.subscription_id: one for partner in partners.values() for one in of_settings(partner)}

    async def subscription(self, subscription_id: str, partner: str) -> Subscription | None:
        """One by its id; None where it has ended, or its lease is over. Raises StoreError."""
        if subscription_id in self._standing:
            return self._standing[subscription_id]
        known = self._partners.get(partner)
        if known is not None and (answer := watching(subscription_id, known)) is not None:
            return answer
        registration = None if known is None else await self._store.registration(subscription_id, partner)
        if known is None or registration is None:
            return None
        found = of_registration(registration, known)
        return None if found.is_over(self._now()) else found
