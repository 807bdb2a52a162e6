"""Objects that differ in a few texts only: written once by the compiled writer with marks in their place, then filled.

Filling costs a tenth of making a record and writing it; what stands where stays the writer's business.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

Fill = Callable[..., str]
"""Takes the values of its parameters in order; texts among them are escaped already."""

_FIRST_MARK = 0xE000
MARKS = tuple(chr(_FIRST_MARK + number) for number in range(256))
"""Private characters: XML carries them, and no escape changes them."""


def filler(written: str, parameters: Sequence[str], fragments: Mapping[str, str]) -> Fill:
    """A function that gives `written` with something in place of each mark.

    `fragments` says what, by mark, as it stands in an f-string: `{name}` for a text, or other expressions of the parameters.
    """
    template = written.replace("{", "{{").replace("}", "}}").replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n")
    for mark, fragment in fragments.items():
        template = template.replace(mark, fragment)
    namespace: dict[str, Any] = {}
    exec(f"def fill({', '.join(parameters)}): return f'{template}'", namespace)  # noqa: S102 - text of our own writers, quotes escaped
    fill: Fill = namespace["fill"]
    return fill


def decimal_fragment(parameter: str, power: int, *, negative: bool) -> str:
    """An integer × 10^`power` as a decimal, exactly; `negative` says the sign of all that come."""
    sign, magnitude = ("-", f"-{parameter}") if negative else ("", parameter)
    if power >= 0:
        return f"{sign}{{({magnitude}) * {10**power}}}"
    unit = 10**-power
    return f"{sign}{{({magnitude}) // {unit}}}.{{({magnitude}) % {unit}:0{-power}d}}"


def whole_fragment(parameter: str, power: int, *, negative: bool) -> str:
    """The whole part of the same, towards zero."""
    if power >= 0:
        return f"{{{parameter} * {10**power}}}"
    unit = 10**-power
    return f"{{-(-{parameter} // {unit})}}" if negative else f"{{{parameter} // {unit}}}"
