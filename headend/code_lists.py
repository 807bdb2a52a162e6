"""The port to code lists that a utility's own data make: codes that partners may meet and cannot know from the contract."""

from collections.abc import Awaitable
from typing import Protocol


class CodeLists(Protocol):
    """Code lists of a utility."""

    def bill_cycles(self) -> Awaitable[list[str]]:
        """Bill cycles that service points are billed in, in order."""
