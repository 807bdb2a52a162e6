"""What the store of master data does for those who tell of it and ask for it."""

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from headend.master_data.records import Document
from headend.master_data.statements import Said
from headend.model.endpoint import MeterEntry
from headend.model.refusal import Refusal
from headend.ports import Page


@dataclass(frozen=True, slots=True)
class Author:
    """Who says something, and by which operation; both go into the change log."""

    partner: str
    operation: str


@dataclass(frozen=True, slots=True)
class LoggedChange:
    """One object's change as the log has it; `before` and `after` are JSON, None where the object was not or is no more."""

    change_no: int
    at: datetime
    author: Author
    kind: str
    object_key: str
    before: str | None
    after: str | None


class MasterData(Protocol):
    """Master data of a utility."""

    def take(self, said: Sequence[Said], author: Author, now: datetime) -> Awaitable[list[Refusal]]:
        """Let each object take effect or refuse it, in one transaction, and log what changed. The same again changes nothing."""

    def meter_at(self, location_no: str) -> Awaitable[MeterEntry | None]:
        """The meter installed at a service location; the electric one where there are several."""

    def document(self, document_kind: str, object_id: str) -> Awaitable[Document | None]:
        """An object that is only kept."""

    def documents(self, document_kind: str, after: str, limit: int) -> Awaitable[Page[Document]]:
        """Objects of a kind in order of their ids, from the one after `after`."""

    def master_changes(self, after: int, limit: int) -> Awaitable[list[LoggedChange]]:
        """The change log from the one after number `after`; a number is that of a transaction, whose changes are never parted."""
