"""The port that keeps registrations; ids are handed out first and registered under afterwards, and each belongs to one partner."""

from collections.abc import Awaitable
from datetime import datetime
from typing import Protocol

from headend.errors import RequestError, shown
from headend.model.registration import Registration


class UnknownRegistrationError(RequestError):
    """The partner has no registration of this id; one of another partner is just as unknown."""

    def __init__(self, registration_id: str) -> None:
        self.registration_id = registration_id
        super().__init__(f"registration {shown(registration_id)} is not known; RequestRegistrationID gives an id")


class Registrations(Protocol):
    """Registrations of a utility."""

    def reserve_registration(self, registration_id: str, partner: str, now: datetime) -> Awaitable[None]:
        """Keep a new id for a partner. Raises RequestError for one too many."""

    def register(self, registration: Registration) -> Awaitable[None]:
        """Store a registration in place of the one before. Raises UnknownRegistrationError for an id that its partner was not given."""

    def registration(self, registration_id: str, partner: str) -> Awaitable[Registration | None]:
        """A partner's registration; None where the id is not its own, or nothing is registered under it."""

    def unregister(self, registration_id: str, partner: str) -> Awaitable[None]:
        """End a registration and forget its id. Raises UnknownRegistrationError."""
