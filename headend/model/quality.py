"""What is to be thought of a value: the catalogue of its flags in words, and which of them make it doubtful."""

from typing import Final

from headend.model.readings import IntervalFlag

NOT_COLLECTED: Final = 1 << 15
"""Beside the flags, where a value is asked for and nothing at all is known; never stored."""

STATUS_CODES: Final[dict[int, tuple[str, str]]] = {
    IntervalFlag.MISSING: ("MISSING", "the meter says that it has no value"),
    IntervalFlag.PARTIAL: ("PARTIAL", "the interval was shorter than its length"),
    IntervalFlag.LONG: ("LONG", "the interval was longer than its length"),
    IntervalFlag.SKIPPED: ("SKIPPED", "the meter passed over the interval"),
    IntervalFlag.POWER_FAIL: ("POWER_FAIL", "power failed within the interval"),
    IntervalFlag.CLOCK_FORWARD: ("CLOCK_FORWARD", "the meter's clock was set forward, or was found fast"),
    IntervalFlag.CLOCK_BACK: ("CLOCK_BACK", "the meter's clock was set back, or was found slow"),
    IntervalFlag.DST: ("DST", "daylight saving time was in effect"),
    IntervalFlag.OVERFLOW: ("OVERFLOW", "the value was larger than the meter could keep"),
    IntervalFlag.TEST_MODE: ("TEST_MODE", "the meter was in test mode"),
    IntervalFlag.CONFIG_CHANGED: ("CONFIG_CHANGED", "the meter was reconfigured"),
    IntervalFlag.CHECKSUM: ("CHECKSUM", "the meter's memory failed a check"),
    IntervalFlag.ESTIMATED: ("ESTIMATED", "the value is an estimate"),
    IntervalFlag.EDITED: ("EDITED", "the value was edited by hand"),
    IntervalFlag.STOPPED: ("STOPPED", "the recorder had stopped"),
    NOT_COLLECTED: ("NOT_COLLECTED", "no value has been collected"),
}
"""Bit → (name, meaning)."""

WORTHLESS: Final = int(IntervalFlag.MISSING | IntervalFlag.SKIPPED | IntervalFlag.TEST_MODE | IntervalFlag.STOPPED)
"""A register read with one of these says nothing of consumption."""
DOUBTFUL: Final = int(
    IntervalFlag.CLOCK_FORWARD
    | IntervalFlag.CLOCK_BACK
    | IntervalFlag.OVERFLOW
    | IntervalFlag.CHECKSUM
    | IntervalFlag.ESTIMATED
    | IntervalFlag.EDITED
)
"""A register read with one of these gives way to one without."""


def status_names(flags: int) -> list[str]:
    """Names of the bits that are set, in their order; none for a good value."""
    return [name for bit, (name, _) in STATUS_CODES.items() if flags & bit]
