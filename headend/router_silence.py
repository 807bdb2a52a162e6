"""Who owns an endpoint's silence: its router while that is down, else nobody but the endpoint itself; pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from headend.model.endpoint import EndpointId
from headend.router_health import RouterHealth


@dataclass(frozen=True, slots=True)
class SilentEndpoint:
    """An endpoint that is not heard; `router` is None for one with an address of its own, `heard` None for one that never was."""

    endpoint_id: EndpointId
    meter_no: str
    router: str | None
    heard: datetime | None


@dataclass(frozen=True, slots=True)
class SilenceOwners:
    """Who needs a work item: endpoints on their own, and routers with the endpoints whose silence is theirs."""

    endpoints: tuple[SilentEndpoint, ...]
    by_router: Mapping[str, tuple[SilentEndpoint, ...]]


def silence_owners(
    silent: Iterable[SilentEndpoint], routers: Mapping[str, RouterHealth], now: datetime, silent_seconds: float
) -> SilenceOwners:
    """Share out silences: those behind a router that is down are the router's, however long they last.

    Of the others, those become work items of their own that have lasted `silent_seconds`, counted at the earliest from when their
    router was heard again: nobody could answer before.
    """
    own: list[SilentEndpoint] = []
    owned: dict[str, list[SilentEndpoint]] = {}
    for endpoint in silent:
        health = None if endpoint.router is None else routers.get(endpoint.router)
        if endpoint.router is not None and health is not None and health.silent:
            owned.setdefault(endpoint.router, []).append(endpoint)
        elif _lasted(endpoint, health, now) >= timedelta(seconds=silent_seconds):
            own.append(endpoint)
    return SilenceOwners(tuple(own), {name: tuple(endpoints) for name, endpoints in owned.items()})


def _lasted(endpoint: SilentEndpoint, health: RouterHealth | None, now: datetime) -> timedelta:
    begins = [instant for instant in (endpoint.heard, None if health is None else health.restored) if instant is not None]
    return now - max(begins) if begins else timedelta.max
