"""One APDU as a value, taken apart as far as no key is needed."""

from dataclasses import dataclass
from typing import NamedTuple

from headend.c1222.epsem import SECURITY_MODE_MASK
from headend.c1222.identifiers import ApTitle


@dataclass(frozen=True, slots=True)
class Form:
    """Choices of encoding that change no meaning, kept so that a message can be encoded again octet for octet.

    `reference` is the `02 01 00` some devices put at the start of the authentication value.
    """

    context: bool = False
    called_absolute: bool = False
    calling_absolute: bool = False
    mechanism: bool = False
    reference: bool = False


ORDINARY_FORM = Form()


class SegmentPlace(NamedTuple):
    """Where a segment belongs: octets of the whole APDU, offset of this slice in it."""

    apdu_octets: int
    offset: int


class Apdu(NamedTuple):
    """One APDU taken apart as far as no key is needed.

    `payload` is what follows the control octet, MAC included, or the slice of a segment, whose `control` is 0.
    `cleartext_n` is the canonical cleartext, empty where nothing is secured. `iv` is in UNIX seconds.
    """

    called: ApTitle
    calling: ApTitle
    invocation_id: int
    reply_to: int | None
    qualifier: int | None
    key_id: int | None
    iv: int | None
    control: int
    payload: bytes
    cleartext_n: bytes
    segment: SegmentPlace | None = None
    form: Form = ORDINARY_FORM

    @property
    def mode(self) -> int:
        """Security mode 0, 1 or 2."""
        return (self.control & SECURITY_MODE_MASK) >> 2

    @property
    def is_segment(self) -> bool:
        return self.segment is not None
