"""What is said of an object of a call that did not take effect while others of the same call did."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Refusal:
    """One object that was not taken: its identifier as the caller wrote it, empty where it had none, and why in one sentence."""

    object_id: str
    reason: str
