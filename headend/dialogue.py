"""What the logic of a conversation is told and what it wants done, whatever the conversation is about; see `conversations`."""

from datetime import datetime
from typing import Any, NamedTuple, Protocol


class Answered(NamedTuple):
    """The reply to what was asked: its services, verified, as `join_services` makes their list."""

    reply: bytes


class Silent(NamedTuple):
    """No reply came to so many transmissions within so many seconds; `hint` is what came instead, in words, where anything did."""

    transmissions: int
    seconds: float
    hint: str = ""
    forged: bool = False

    @property
    def reason(self) -> str:
        """The same in words."""
        if self.transmissions:
            reason = f"no answer to {self.transmissions} transmissions within {self.seconds:.0f} s"
        else:
            reason = "not ended in time"
        return f"{reason}; {self.hint}" if self.hint else reason


class Resumed(NamedTuple):
    """The pause is over."""


class Ask(NamedTuple):
    """Send one message of these services, again on silence unless `once`; their list is as `join_services` makes it."""

    message: bytes
    once: bool = False


class Pause(NamedTuple):
    """Wait before the next message."""

    seconds: float


class Dialogue(Protocol):
    """The logic of one conversation. Actions other than Ask and Pause are for whoever holds the conversation."""

    def step(self, event: Any, now: datetime, /) -> tuple["Dialogue", object]:
        """(what follows, what to do)."""
