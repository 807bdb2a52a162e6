"""Batches: many commands that were given together, as people see them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NewType

from headend.model.command import CommandView
from headend.model.deferred import TargetState
from headend.model.refusal import Refusal

BatchId = NewType("BatchId", int)


@dataclass(frozen=True, slots=True)
class BatchSummary:
    """How a batch stands. `what` are its commands in words, `counts` how many are in each state, `refused` how many never were taken.

    `next_due` and `last_due` are the first and the last turn of those not begun yet, None where all are. `cancelled` is why it was, empty
    where it was not.
    """

    batch_id: BatchId
    requester: str
    title: str
    what: tuple[str, ...]
    accepted: datetime
    expires: datetime
    counts: Mapping[TargetState, int]
    refused: int
    next_due: datetime | None
    last_due: datetime | None
    cancelled: str

    @property
    def total(self) -> int:
        """How many commands it has."""
        return sum(self.counts.values())

    @property
    def open(self) -> int:
        """How many have not ended."""
        return sum(count for state, count in self.counts.items() if not state.terminal)

    @property
    def state(self) -> str:
        """In a word."""
        if self.open:
            return "being cancelled" if self.cancelled else "under way"
        return "cancelled" if self.cancelled else "done"


@dataclass(frozen=True, slots=True)
class AcceptedBatch:
    """A batch that was accepted: its number, None where nothing of it was; what was refused. `again`: it had been before."""

    batch_id: BatchId | None
    refusals: tuple[Refusal, ...]
    again: bool = False


@dataclass(frozen=True, slots=True)
class BatchLine:
    """One command of a batch; `due` is when it is due next, None once it has ended."""

    view: CommandView
    due: datetime | None
    attempts: int


@dataclass(frozen=True, slots=True)
class BatchReport:
    """A batch with all that became of it: its commands in the order in which they were named, and what was refused."""

    summary: BatchSummary
    lines: tuple[BatchLine, ...]
    refusals: tuple[Refusal, ...]
