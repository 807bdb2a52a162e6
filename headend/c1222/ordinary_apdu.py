"""The shape nearly every APDU has, taken apart by one regular expression: a tenth of the time of reading element by element.

Ordinary is: relative titles without an octet 80, no A1, A3 or 8B, integers of one or two octets, an authentication value with key id and
without reference. Anything else, and anything wrong, is left to `acse.parse_apdu`, which means the same and names mistakes.
"""

import re

from headend.c1222.apdu import ORDINARY_FORM, Apdu
from headend.c1222.elements import apdu_start, information_head, known_title
from headend.c1222.epsem import CONTROLS, SECURITY_MODE_MASK
from headend.c1222.identifiers import TITLE_ROOT
from headend.c1222.limits import AP_TITLE_OCTETS_MAX, APDU_OCTETS_MAX

_number = int.from_bytes  # binding it at every use would cost as much as the conversion
_new_tuple = tuple.__new__  # half the time of the named tuple's own constructor

_LENGTH = rb"(?:[\x00-\x7f]|\x81[\x80-\xff]|\x82[\x01-\xff].)"
_INTEGER = rb"(?:\x03\x02\x01.|\x04\x02\x02(?:\x00[\x80-\xff]|[\x01-\xff].))"
_TITLE = rb"(.\x80.[^\x80]{0,%d}?[\x00-\x7f])" % (AP_TITLE_OCTETS_MAX - len(TITLE_ROOT) - 1)
_AUTHENTICATION = rb"\xac\x0f\xa2\x0d\xa0\x0b\xa1\x09\x80\x01(.)\x81\x04(....)"
_APDU = re.compile(
    rb"(\x60" + _LENGTH + rb")"
    + rb"\xa2" + _TITLE + rb"(\xa4" + _INTEGER + rb")?"
    + rb"\xa6" + _TITLE + rb"((?:\xa7\x03\x02\x01(.))?(\xa8" + _INTEGER + rb")(?:" + _AUTHENTICATION + rb")?)"
    + rb"(\xbe" + _LENGTH + rb"\x28" + _LENGTH + rb"\x81" + _LENGTH + rb")(.)",
    re.DOTALL,
)  # fmt: skip


def parse(octets: bytes) -> Apdu | None:
    """An ordinary APDU taken apart; None when it is not ordinary or not right."""
    match = _APDU.match(octets)
    total = len(octets)
    if match is None or total > APDU_OCTETS_MAX:
        return None
    start, called_content, reply_element, calling_content, after, qualifier, invocation, key_id, iv, head, control = match.groups()
    called, calling = known_title(called_content), known_title(calling_content)
    body = match.end()
    mode_bits = control[0] & SECURITY_MODE_MASK
    if (
        called is None
        or calling is None
        or control not in CONTROLS
        or start != apdu_start(total - len(start))
        or head != information_head(total - body + 1)
        or (mode_bits and key_id is None)
    ):
        return None
    cleartext_n = b"".join((called[1], reply_element or b"", after, head, control, calling[2], key_id, iv)) if mode_bits else b""
    fields = (
        called[0],
        calling[0],
        _number(invocation[4:]),
        _number(reply_element[4:]) if reply_element else None,
        qualifier[0] if qualifier else None,
        key_id[0] if key_id else None,
        _number(iv) if iv else None,
        control[0],
        octets[body:],
        cleartext_n,
        None,
        ORDINARY_FORM,
    )
    return _new_tuple(Apdu, fields)
