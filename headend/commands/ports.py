"""The port that hands commands out and keeps what became of them."""

from collections.abc import Awaitable, Sequence
from datetime import datetime
from typing import Protocol

from headend.model.command import CommandAssignment, CommandUpdate, CommandView
from headend.model.deferred import DeferredRequest
from headend.model.interval_runs import IntervalRuns
from headend.model.refusal import Refusal


class CommandStore(Protocol):
    """Commands of a utility. A command is a target of a deferred request."""

    def command_due(self, now: datetime) -> Awaitable[bool]:
        """Whether any command's time has come; cheap enough to be asked twice a second."""

    def take_commands(
        self, owner: str, persons_max: int, batch_max: int, now: datetime, until: datetime
    ) -> Awaitable[list[CommandAssignment]]:
        """Up to so many commands that are due of each priority, now `owner`'s until `until`; of each endpoint one at a time.

        Of batches no more than the utility's rules let begin now: the rest, and whatever is late beside it, gets new turns.
        """

    def record_commands(
        self, updates: Sequence[CommandUpdate], now: datetime, runs: Sequence[IntervalRuns] = ()
    ) -> Awaitable[list[bool]]:
        """Store what became of commands, what was read with it and what is told of it, in one transaction; which of them counted.

        One does not count whose command is another's by now, or done, or would actuate an endpoint that is being actuated. What was read
        is stored all the same. `runs` hold further intervals of the endpoints that were read.
        """

    def release_commands(self, owner: str, now: datetime) -> Awaitable[None]:
        """What `owner` has is due again."""

    def accept_deferred(self, request: DeferredRequest) -> Awaitable[tuple[Refusal, ...]]:
        """See DeferredRequests."""

    def command_views(self, requester: str, transaction_id: str) -> Awaitable[list[CommandView]]:
        """The commands of a request as they stand, in the order in which they were named."""
