"""What is aimed at, beside what was measured: on two cores, with the emulated fleet on the same two."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Aim:
    """A bound of a figure. `condition` says when it counts."""

    bound: float
    at_least: bool = False
    condition: str = ""

    def verdict(self, value: float) -> str:
        """The bound, and whether a value keeps it."""
        kept = value >= self.bound if self.at_least else value <= self.bound
        words = f"{'≥' if self.at_least else '≤'} {self.bound:g}{', ' if self.condition else ''}{self.condition}"
        return f"[{words}: {'kept' if kept else 'MISSED'}]"


AIMS = {
    "head-end CPU, best day": Aim(0.3),
    "rate, best day": Aim(3_300, at_least=True, condition="where both cores are whole"),
    "stored per further endpoint-day": Aim(1_024),
    "memory for each endpoint more that is known": Aim(1_024),
    "memory for each endpoint more that is known and collected": Aim(1_024),
    "reads of reachable endpoints in by 08:00": Aim(98.5, at_least=True),
    "in within three days": Aim(99.5, at_least=True),
    "work items of others": Aim(0),
    "two collectors ÷ one: rate": Aim(1.6, at_least=True, condition="where cores allow"),
}
"""By the end of what a row is of."""


def line(what: str, value: float, unit: str) -> str:
    """A row of a table."""
    found = [name for name in AIMS if what == name or what.endswith(f": {name}")]
    verdict = AIMS[found[0]].verdict(value) if found else ""
    return f"{what:<80}{value:>12.3f} {unit:<16}{verdict}".rstrip()
