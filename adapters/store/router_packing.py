"""Routers' values as the store keeps them whole: JSON octets of health, troubleshooting, histories and credentials.

What a newer version adds to a value has a default there, so older octets stay readable; what it does not know it passes over.
"""

from functools import lru_cache
from typing import Any

from pydantic import TypeAdapter, ValidationError

from headend.errors import StoreError
from headend.model.router import CommunityAccess, RouterAccess, UserAccess
from headend.model.work_item import WorkItemEntry
from headend.router_health import RouterHealth
from headend.router_troubleshooting import Troubleshooting

History = tuple[WorkItemEntry, ...]


def pack(value: RouterHealth | Troubleshooting | CommunityAccess | UserAccess | History) -> bytes:
    """Octets of a value."""
    kind: Any = History if isinstance(value, tuple) else type(value)
    return _adapter(kind).dump_json(value, exclude_defaults=True)


def unpack_health(octets: bytes) -> RouterHealth:
    """Raises StoreError for octets that are none."""
    health: RouterHealth = _unpacked(RouterHealth, octets)
    return health


def unpack_troubleshooting(octets: bytes) -> Troubleshooting:
    """Raises StoreError for octets that are none."""
    troubleshooting: Troubleshooting = _unpacked(Troubleshooting, octets)
    return troubleshooting


def unpack_history(octets: bytes) -> History:
    """Raises StoreError for octets that are none."""
    history: History = _unpacked(History, octets)
    return history


def unpack_access(octets: bytes) -> RouterAccess:
    """Raises StoreError for octets that are none; never shows them."""
    access: RouterAccess = _unpacked(UserAccess if b'"user"' in octets else CommunityAccess, octets)
    return access


def _unpacked(kind: Any, octets: bytes) -> Any:
    try:
        return _adapter(kind).validate_json(octets)
    except ValidationError as error:
        raise StoreError(f"a stored {getattr(kind, '__name__', 'history')} cannot be read: {error.error_count()} mistakes in it") from None


@lru_cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)
