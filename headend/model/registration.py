"""Registrations: what a partner wants to be told without asking each time, and where."""

from dataclasses import dataclass
from datetime import datetime

from headend.model.partner import Credentials


@dataclass(frozen=True, slots=True)
class Registration:
    """A partner's subscription; a second one under the same id takes its place.

    `partner` is the UserID of its owner, `server` and `version` are where it came in, and what it is told comes from there. `function` is
    the MultiSpeak function that the partner's server has, in its own words. `credentials` are what we log in with at `response_url`.
    """

    registration_id: str
    partner: str
    version: str
    server: str
    response_url: str
    credentials: Credentials | None
    function: str
    notifications: tuple[str, ...]
    registered: datetime
