"""readingType strings: what a readingValue's type says, and what a request's means."""

import re
from dataclasses import replace
from functools import lru_cache

from headend.model.endpoint import CONFIGURATIONS
from headend.model.selections import Quantities, quantities
from multispeak.faults import FaultCode, RefusedCallError

REGISTER_TYPE = "Register"
INTERVAL_TYPE = "Interval"
"""Intervals of whatever length; an answer says the length behind it."""

_INTERVAL = re.compile(r"interval(?: pt(\d{1,5})([hms]))?", re.IGNORECASE)
_SECONDS = {"h": 3600, "m": 60, "s": 1}


@lru_cache(maxsize=64)
def interval_type(interval_seconds: int) -> str:
    """readingType of an interval value: its length as an ISO 8601 duration."""
    if interval_seconds % 60:
        return f"{INTERVAL_TYPE} PT{interval_seconds}S"
    return f"{INTERVAL_TYPE} PT{interval_seconds // 60}M"


def supported_reading_types() -> list[str]:
    """What endpoints of the known configurations give."""
    lengths = {seconds for c in CONFIGURATIONS.values() for _, seconds in c.intervals}
    return [REGISTER_TYPE, INTERVAL_TYPE, *(interval_type(seconds) for seconds in sorted(lengths))]


def of_type(wanted: Quantities, reading_type: str) -> Quantities:
    """Those of `wanted` that are of a type; all of them where it is empty.

    Raises  RefusedCallError naming the type, and those there are
    """
    text = reading_type.strip()
    if not text:
        return wanted
    if text.lower() == REGISTER_TYPE.lower():
        return quantities(registers=wanted.registers)
    match = _INTERVAL.fullmatch(text)
    if match is None:
        sentence = f"readingType {text[:80]!r} is not known; there are {', '.join(supported_reading_types())}"
        raise RefusedCallError(FaultCode.UNKNOWN_READING_TYPE, sentence)
    of_intervals = quantities(intervals=wanted.intervals)
    if match[1] is None:
        return of_intervals
    return replace(of_intervals, interval_seconds=int(match[1]) * _SECONDS[match[2].lower()])
