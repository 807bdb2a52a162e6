"""What is wrong with a file."""

from typing import NamedTuple


class Problem(NamedTuple):
    """One thing that is wrong, and the line it is in; 0 where it is in none."""

    line: int
    what: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.what}" if self.line else self.what
