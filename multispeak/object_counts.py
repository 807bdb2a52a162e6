"""How many objects a request brings and an answer holds: what stands in lists, counted without looking at it."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any, Protocol

from multispeak.records import Record

_OF_LISTS = {"meters", "meterExchanges"}
"""Types of 4.1.6 that hold one list for each kind of object."""


class Counter(Protocol):
    """Whoever wants to know how many objects went out."""

    objects_out: int


def objects_asked(request: Record) -> int:
    """Objects in the lists of a request's parameters."""
    return sum(_listed(getattr(request, slot)) for slot in type(request).__slots__)


def objects_told(result: Any) -> int:
    """Objects of an answer that is there whole: the items of a list, else the one that it is."""
    if isinstance(result, Record):
        return _listed(result) if _is_list(result) or result.type_name in _OF_LISTS else 1
    return 0 if result is None else 1


async def counted(counter: Counter, batches: AsyncGenerator[Sequence[Any], None]) -> AsyncGenerator[Sequence[Any], None]:
    """The batches of a streamed answer, their objects counted as they pass. Closes its source."""
    async with aclosing(batches):
        async for batch in batches:
            counter.objects_out += len(batch)
            yield batch


def _is_list(value: Record) -> bool:
    return len(type(value).__slots__) == 1


def _listed(value: Any) -> int:
    if isinstance(value, list):
        return len(value)
    if isinstance(value, Record) and (_is_list(value) or value.type_name in _OF_LISTS):
        return sum(_listed(getattr(value, slot)) for slot in type(value).__slots__)
    return 0
