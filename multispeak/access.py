"""What a partner may call: its profile held against the operation it asks for, before anything is made of the message."""

from collections.abc import Iterable

from headend.model.partner import Partner
from multispeak.faults import FaultCode, RefusedCallError


def require_allowed(partner: Partner, server: str, operation: str) -> None:
    """Accept a call.

    Raises  RefusedCallError
    """
    if not partner.may_call(server, operation):
        sentence = f"partner {partner.user_id!r} may not call {operation} of {server}; GetMethods lists what it may"
        raise RefusedCallError(FaultCode.NOT_ALLOWED, sentence)


def allowed(partner: Partner, server: str, operations: Iterable[str]) -> list[str]:
    """Those of `operations` that a partner may call, in order of name."""
    return sorted(name for name in operations if partner.may_call(server, name))
