"""When battery endpoints wake as they left the factory: four times a day, each at a phase of its own."""

from typing import Final

from emulators.seeding import mix

WAKE_SECONDS: Final = 21_600
"""World seconds between wake-ups: four a day."""

JITTER_SECONDS: Final = 240
"""World seconds by which a wake-up may come late."""


def wake_phase(seed: int, index: int) -> int:
    """Seconds after each quarter of a UTC day."""
    return mix(seed, 82, index) % WAKE_SECONDS


def factory_wake_ups(seed: int, index: int) -> tuple[int, ...]:
    """Seconds of the UTC day."""
    return tuple(range(wake_phase(seed, index), 86_400, WAKE_SECONDS))


def wake_jitter(seed: int, index: int, turn: int) -> int:
    """By how many seconds one wake-up comes late."""
    return mix(seed, 83, index, turn) % JITTER_SECONDS
