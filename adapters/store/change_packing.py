"""Which endpoints one recording transaction changed, and on which days, as the octets of one row.

Layout  for each span of days: int32 first day | int32 last day | uint32 endpoints | uint32 id of each, ascending
        Integers little-endian.
Raises  PackingError
"""

import struct
from collections.abc import Mapping

from adapters.store.segments import PackingError

_SPAN = struct.Struct("<iiI")

Span = tuple[int, int]
"""First and last day."""


def pack_changes(spans: Mapping[int, Span]) -> bytes:
    """The octets of the span of each endpoint; most of a batch have the same."""
    alike: dict[Span, list[int]] = {}
    for endpoint_id in sorted(spans):
        alike.setdefault(spans[endpoint_id], []).append(endpoint_id)
    return b"".join([_SPAN.pack(*span, len(ids)) + struct.pack(f"<{len(ids)}I", *ids) for span, ids in sorted(alike.items())])


def unpack_changes(octets: bytes) -> dict[int, Span]:
    """The span of each endpoint."""
    spans: dict[int, Span] = {}
    at = 0
    while at < len(octets):
        try:
            first, last, count = _SPAN.unpack_from(octets, at)
            ids = struct.unpack_from(f"<{count}I", octets, at + _SPAN.size)
        except struct.error:
            raise PackingError(f"{len(octets)} octets that are no list of changes") from None
        spans.update(dict.fromkeys(ids, (first, last)))
        at += _SPAN.size + 4 * count
    return spans
