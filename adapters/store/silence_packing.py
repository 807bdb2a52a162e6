"""A silence as the store keeps it whole: JSON octets; what a newer version adds has a default there, so older octets stay readable."""

from functools import lru_cache

from pydantic import TypeAdapter, ValidationError

from headend.errors import StoreError
from headend.silence import Silence


def pack_silence(silence: Silence) -> bytes:
    """Octets of it."""
    return _adapter().dump_json(silence, exclude_defaults=True)


def unpack_silence(endpoint_id: int, octets: bytes) -> Silence:
    """Raises StoreError for octets that are none."""
    try:
        return _adapter().validate_json(octets)
    except ValidationError as error:
        raise StoreError(f"the stored silence of endpoint {endpoint_id} cannot be read: {error.error_count()} mistakes in it") from None


@lru_cache
def _adapter() -> TypeAdapter[Silence]:
    return TypeAdapter(Silence)
