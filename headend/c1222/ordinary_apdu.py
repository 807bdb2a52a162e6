"""The shape nearly every APDU has, taken apart by one regular expression: a third of the time of reading element by element.

Ordinary is: relative titles without an octet 80, no A1, A3 or 8B, integers of one or two octets, an authentication value with key id and
without reference. Anything else, and anything wrong, is left to `acse.parse_apdu`, which means the same and names mistakes.
"""

import re

from headend.c1222.apdu import Apdu
from headend.c1222.epsem import CONTROLS, SECURITY_MODE_MASK
from headend.c1222.identifiers import TITLE_ROOT, ApTitle
from headend.c1222.limits import AP_TITLE_OCTETS_MAX, APDU_OCTETS_MAX

_RELATIVE_OCTETS_MAX = AP_TITLE_OCTETS_MAX - len(TITLE_ROOT)
_LENGTH = rb"([\x00-\x7f]|\x81[\x80-\xff]|\x82[\x01-\xff].)"
_INTEGER = rb"(?:\x03\x02\x01.|\x04\x02\x02(?:\x00[\x80-\xff]|[\x01-\xff].))"
_TITLE = rb"(.\x80.)([^\x80]{0,%d}?[\x00-\x7f])" % (_RELATIVE_OCTETS_MAX - 1)
_APDU = re.compile(
    rb"\x60" + _LENGTH
    + rb"\xa2" + _TITLE + rb"(\xa4" + _INTEGER + rb")?"
    + rb"\xa6" + _TITLE + rb"((?:\xa7\x03\x02\x01(.))?(\xa8" + _INTEGER + rb")(\xac\x0f\xa2\x0d\xa0\x0b\xa1\x09\x80\x01.\x81\x04....)?)"
    + rb"(\xbe" + _LENGTH + rb"\x28" + _LENGTH + rb"\x81" + _LENGTH + rb"(.))",
    re.DOTALL,
)  # fmt: skip

_TITLE_LENGTHS = tuple(bytes((n + 2, 0x80, n)) for n in range(_RELATIVE_OCTETS_MAX + 1))
_CALLED_HEADS = tuple(bytes((0xA2, n + 10, 0x06, n + 8)) + TITLE_ROOT for n in range(_RELATIVE_OCTETS_MAX + 1))
_CALLING_HEADS = tuple(bytes((0xA6, n + 10, 0x06, n + 8)) + TITLE_ROOT for n in range(_RELATIVE_OCTETS_MAX + 1))


def parse(octets: bytes) -> Apdu | None:
    """An ordinary APDU taken apart; None when it is not ordinary or not right."""
    match = _APDU.match(octets)
    total = len(octets)
    if match is None or total > APDU_OCTETS_MAX:
        return None
    (length, called_lengths, called, reply_element, calling_lengths, calling, after, qualifier, invocation_element, authentication,
     head, outer, middle, inner, control) = match.groups()  # fmt: skip
    called_octets, calling_octets = len(called), len(calling)
    start = match.end() - 1
    mode_bits = control[0] & SECURITY_MODE_MASK
    if (
        control not in CONTROLS
        or called_lengths != _TITLE_LENGTHS[called_octets]
        or calling_lengths != _TITLE_LENGTHS[calling_octets]
        or _length(inner) != total - start
        or _length(middle) != total - start + 1 + len(inner)
        or _length(outer) != total - start + 2 + len(inner) + len(middle)
        or _length(length) != total - 1 - len(length)
        or (mode_bits and not authentication)
    ):
        return None
    if mode_bits:
        cleartext_n = b"".join((
            _CALLED_HEADS[called_octets], called, reply_element or b"", after, head,
            _CALLING_HEADS[calling_octets], calling, authentication[10:11], authentication[13:],
        ))  # fmt: skip
    else:
        cleartext_n = b""
    return Apdu(
        ApTitle(TITLE_ROOT + called),
        ApTitle(TITLE_ROOT + calling),
        int.from_bytes(invocation_element[4:]),
        int.from_bytes(reply_element[4:]) if reply_element else None,
        qualifier[0] if qualifier else None,
        authentication[10] if authentication else None,
        int.from_bytes(authentication[13:]) if authentication else None,
        control[0],
        octets[start + 1 :],
        cleartext_n,
    )


def _length(field: bytes) -> int:
    return field[-1] if len(field) < 3 else field[1] << 8 | field[2]
