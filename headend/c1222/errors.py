"""What can be wrong with C12.22 octets: one class per kind of mistake, each naming what and where."""

from headend.errors import RequestError, SecurityError, WireError


class ApTitleError(RequestError):
    """A text that is no ApTitle."""

    def __init__(self, text: str, reason: str) -> None:
        self.text = text
        self.reason = reason
        super().__init__(f"{text!r} is not an ApTitle: {reason}")


class LengthError(WireError):
    """A BER length at `offset` that is indefinite, not minimal, of more than two octets, or at odds with what it encloses."""

    def __init__(self, offset: int, reason: str) -> None:
        self.offset = offset
        self.reason = reason
        super().__init__(f"length at octet {offset}: {reason}")


class ElementError(WireError):
    """An element of the APDU that is unknown, out of order, given twice or malformed inside."""

    def __init__(self, offset: int, tag: int, reason: str) -> None:
        self.offset = offset
        self.tag = tag
        self.reason = reason
        super().__init__(f"element {tag:02X} at octet {offset}: {reason}")


class MissingElementError(WireError):
    """An APDU without an element it must have."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"the APDU has no {name}")


class TrailingOctetsError(WireError):
    """Octets after the end of what was to be decoded."""

    def __init__(self, offset: int, count: int) -> None:
        self.offset = offset
        self.count = count
        super().__init__(f"{count} octets too many from octet {offset}")


class BoundError(WireError):
    """More of something than is accepted; `limit` is in the unit `what` names."""

    def __init__(self, what: str, count: int, limit: int) -> None:
        self.what = what
        self.count = count
        self.limit = limit
        super().__init__(f"{count} {what}: {limit} at most")


class ReservedValueError(WireError):
    """A field with a value the standard keeps for later."""

    def __init__(self, field: str, value: int) -> None:
        self.field = field
        self.value = value
        super().__init__(f"{field} has the reserved value {value:#04x}")


class SegmentError(WireError):
    """A segment where a message was expected, the reverse, or one that does not fit the others."""


class MacError(SecurityError):
    """The message authentication code is not that of these octets under this key."""

    def __init__(self) -> None:
        super().__init__("message authentication code is wrong")


class KeyMissingError(SecurityError):
    """A secured message without the key, key id or initialization vector it takes."""


class WeakerModeError(SecurityError):
    """A message less secured than the association wants.

    `services` are its unauthenticated bodies: a hint why a device refuses (a meter that cannot verify us can only answer in clear),
    never data.
    """

    def __init__(self, wanted: int, got: int, services: tuple[bytes, ...]) -> None:
        self.wanted = wanted
        self.got = got
        self.services = services
        super().__init__(f"security mode {got} where {wanted} is wanted")


class ReplayError(SecurityError):
    """A message seen before, or too old or too far ahead to tell."""

    def __init__(self, reason: str, iv: int, invocation_id: int) -> None:
        self.reason = reason
        self.iv = iv
        self.invocation_id = invocation_id
        super().__init__(f"{reason}: iv {iv}, invocation id {invocation_id}")
