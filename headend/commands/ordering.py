"""Orders of people: a request for commands that no partner sent, as the same kind of request. Pure."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from headend.deferred_requests import Known, settle
from headend.model.deferred import DeferredKind, DeferredRequest, SwitchAction, TargetKey, WantedTarget
from headend.model.refusal import Refusal
from headend.model.utility import Utility

REQUESTER = "person:"
"""What the name of a requester begins with who is no partner; no partner's may, as settings see to it."""


def wanted_of(meter_nos: Sequence[str], action: SwitchAction | None) -> list[WantedTarget]:
    """Meters as the targets that are wanted."""
    return [WantedTarget(TargetKey.METER_NO, meter_no, meter_no, action) for meter_no in meter_nos]


def order(
    kind: DeferredKind,
    wanted: Sequence[WantedTarget],
    known: Known,
    utility: Utility,
    who: str,
    order_id: str,
    now: datetime,
    expires_seconds: float,
    parameters: Mapping[str, str],
) -> tuple[DeferredRequest, list[Refusal]]:
    """(the request to accept, what cannot be ordered and why)."""
    targets, refusals = settle(wanted, known, kind, utility)
    request = DeferredRequest(
        kind=kind,
        operation="",
        server="",
        version="",
        partner=REQUESTER + who,
        transaction_id=order_id,
        response_url="",
        answers=(),
        parameters=dict(parameters),
        accepted=now,
        begins=None,
        expires=now + timedelta(seconds=expires_seconds),
        fingerprint=hashlib.sha256(order_id.encode()).digest(),
        targets=tuple(targets),
        refusals=tuple(refusals),
    )
    return request, refusals
