"""What an operation is given and what it gives back."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from headend.errors import RequestError
from headend.ports import Caller
from multispeak.message_header import Paging, RequestHeader
from multispeak.records import Records


@dataclass(frozen=True, slots=True)
class Call:
    """One authenticated call: its operation, who calls, what was asked, and the classes to answer with."""

    operation: str
    caller: Caller
    header: RequestHeader
    request: Any
    records: Records
    now: datetime

    def instant(self, value: datetime) -> datetime:
        """A request's dateTime in UTC; one without offset is local to the utility.

        Raises  RequestError for an instant outside of what a calendar holds
        """
        if value.tzinfo is None:
            value = value.replace(tzinfo=self.caller.utility.time_zone)
        try:
            return value.astimezone(UTC)
        except OverflowError:
            raise RequestError(f"{value.isoformat()} is not a date this server can hold") from None


@dataclass(frozen=True, slots=True)
class Answer:
    """One result; None where the contract lets it out."""

    result: Any
    paging: Paging | None = None


@dataclass(frozen=True, slots=True)
class ListAnswer:
    """Many objects, batch by batch; the first batch is asked for before anything is sent, so that its failure is still a fault."""

    batches: AsyncIterator[Sequence[Any]]
    paging: Paging | None = None


Handler = Callable[[Call], Awaitable[Answer | ListAnswer]]
Handlers = Mapping[str, Handler]
"""Implemented operations of one service of one version."""
