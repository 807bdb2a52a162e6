"""Batches of people: the meters of a file as requests, one for each kind of command and reason for an override. Pure."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from headend.commands.batch_file import BatchItem
from headend.commands.ordering import order
from headend.deferred_requests import Known
from headend.model.command import OVERRIDE
from headend.model.deferred import DeferredKind, DeferredRequest, TargetKey, WantedTarget
from headend.model.refusal import Refusal
from headend.model.utility import Utility


@dataclass(frozen=True, slots=True)
class BatchWish:
    """How a batch is wanted: by whom, under which title, when it begins (now, where that is not said) and within which time.

    The same items wished again by the same person are the same batch, unless `salt` tells them apart.
    """

    who: str
    title: str
    now: datetime
    begins: datetime | None
    within: timedelta
    salt: str = ""


def batch_requests(
    items: Sequence[BatchItem], known: Known, utility: Utility, wish: BatchWish
) -> tuple[list[DeferredRequest], list[Refusal]]:
    """(the requests to accept together, what cannot be ordered and why)."""
    groups: dict[tuple[DeferredKind, str], list[WantedTarget]] = {}
    for item in items:
        wanted = WantedTarget(TargetKey.METER_NO, item.meter_no, item.meter_no, item.action)
        groups.setdefault((item.kind, item.override), []).append(wanted)
    digest = _digest(items, wish)
    requests: list[DeferredRequest] = []
    refusals: list[Refusal] = []
    for number, ((kind, override), targets) in enumerate(groups.items(), 1):
        parameters: Mapping[str, str] = {OVERRIDE: override} if override else {}
        order_id = f"{digest}-{number}"
        expires_seconds = ((wish.begins or wish.now) + wish.within - wish.now).total_seconds()
        request, refused = order(kind, targets, known, utility, wish.who, order_id, wish.now, expires_seconds, parameters)
        requests.append(replace(request, begins=wish.begins, many=True, title=wish.title))
        refusals += refused
    return requests, refusals


def _digest(items: Sequence[BatchItem], wish: BatchWish) -> str:
    text = repr([(item.meter_no, item.kind.value, item.action and item.action.value, item.override) for item in items])
    return hashlib.sha256(f"{wish.salt}\n{wish.begins}\n{text}".encode()).hexdigest()[:24]
