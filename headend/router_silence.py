"""Who owns an endpoint's silence: its router while that is down, else nobody but the endpoint itself; pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from headend.router_health import RouterHealth


@dataclass(frozen=True, slots=True)
class SilenceOwner:
    """Whose a silence is, and how long it has lasted; `router` is None where it is the endpoint's own.

    `router_back` is since when its router is heard again, where the silence counts from that.
    """

    router: str | None
    lasted: timedelta
    router_back: datetime | None = None


def silence_owner(router: str | None, since: datetime, routers: Mapping[str, RouterHealth], now: datetime) -> SilenceOwner:
    """Of an endpoint that should have been heard `since` then. A router that nobody watches owns nothing.

    A silence that is its own is counted at the earliest from when its router was heard again: nobody could answer before.
    """
    health = None if router is None else routers.get(router)
    if health is None:
        return SilenceOwner(None, now - since)
    if health.silent:
        return SilenceOwner(router, now - since)
    if health.restored is not None and health.restored > since:
        return SilenceOwner(None, now - health.restored, health.restored)
    return SilenceOwner(None, now - since)
