"""C12.22 messages: octets to meaning and back; the face of this package to those who need no more than messages.

Source  reference/field-protocol-c1222.md 1, 2
"""

from dataclasses import dataclass

from headend.c1222.acse import parse_apdu
from headend.c1222.apdu import ORDINARY_FORM, Apdu, Form
from headend.c1222.ber import unsigned_element
from headend.c1222.elements import CONTEXT, MECHANISM, apdu_octets, authentication_element, information_head, title_element
from headend.c1222.epsem import (
    CONTROL,
    ED_CLASS_INCLUDED,
    ED_CLASS_OCTETS,
    PROXY,
    RECOVERY,
    RESPONSE_CONTROL_MASK,
    SECURITY_MODE_MASK,
    ResponseControl,
    join_services,
    split_services,
)
from headend.c1222.errors import KeyMissingError, SegmentError
from headend.c1222.identifiers import ApTitle
from headend.c1222.security import MAC_OCTETS, Cipher, SecurityMode
from headend.errors import TruncatedError

__all__ = [
    "NOTIFICATION",
    "ORDINARY_FORM",
    "TEST",
    "URGENT",
    "ApTitle",
    "Apdu",
    "Cipher",
    "Form",
    "Message",
    "ResponseControl",
    "SecurityMode",
    "encode_message",
    "open_apdu",
    "open_services",
    "parse_apdu",
]

TEST, URGENT, NOTIFICATION = 1, 2, 4
"""Bits of the qualifier."""

_MODES = tuple(SecurityMode)
_RESPONSE_CONTROLS = tuple(ResponseControl)


@dataclass(frozen=True, slots=True)
class Message:
    """One message: who to whom, which, what, and how it is protected.

    `services` are bodies: code and parameters. `reply_to` is the invocation id of the request this answers; None makes it a request
    or, with NOTIFICATION in `qualifier`, an unsolicited one. `iv` is in UNIX seconds; modes 1 and 2 need it and `key_id`.
    """

    called: ApTitle
    calling: ApTitle
    invocation_id: int
    services: tuple[bytes, ...]
    reply_to: int | None = None
    qualifier: int | None = None
    mode: SecurityMode = SecurityMode.CLEAR
    response_control: ResponseControl = ResponseControl.ALWAYS
    key_id: int | None = None
    iv: int | None = None
    ed_class: bytes | None = None
    recovery: bool = False
    proxy: bool = False
    form: Form = ORDINARY_FORM

    @property
    def is_reply(self) -> bool:
        return self.reply_to is not None

    @property
    def is_notification(self) -> bool:
        return self.reply_to is None and bool((self.qualifier or 0) & NOTIFICATION)

    @property
    def control(self) -> int:
        """The EPSEM control octet."""
        return (
            CONTROL
            | (RECOVERY if self.recovery else 0)
            | (PROXY if self.proxy else 0)
            | (ED_CLASS_INCLUDED if self.ed_class is not None else 0)
            | self.mode << 2
            | self.response_control
        )


def encode_message(message: Message, cipher: Cipher | None) -> bytes:
    """The APDU of a message. Raises KeyMissingError, BoundError."""
    form = message.form
    context = CONTEXT if form.context else b""
    reply_element = b"" if message.reply_to is None else unsigned_element(0xA4, message.reply_to)
    after = _after_titles(message)
    services = join_services(message.services)
    payload = services if message.ed_class is None else message.ed_class + services
    mac_octets = MAC_OCTETS if message.mode else 0
    head = information_head(1 + len(payload) + mac_octets) + bytes((message.control,))
    if message.mode:
        if cipher is None or message.key_id is None or message.iv is None:
            raise KeyMissingError("sealing takes a key, a key id and an initialization vector")
        called = title_element(0xA2, message.called, absolute=True)
        calling = title_element(0xA6, message.calling, absolute=True)
        suffix = bytes((message.key_id,)) + message.iv.to_bytes(4)
        cleartext_n = b"".join((context, called, reply_element, after, head, calling, suffix))
        payload = b"".join(cipher.seal(message.mode, cleartext_n, payload))
    called = title_element(0xA2, message.called, form.called_absolute)
    calling = title_element(0xA6, message.calling, form.calling_absolute)
    return apdu_octets(b"".join((context, called, reply_element, calling, after, head, payload)))


def open_apdu(apdu: Apdu, cipher: Cipher | None) -> Message:
    """The message in an APDU, verified (and only then decrypted) where it is secured.

    Raises SecurityError, SegmentError, WireError. A clear message is returned as it is: whether that may be is for the caller to say.
    """
    payload = open_payload(apdu, cipher)
    control = apdu.control
    ed_class = payload[:ED_CLASS_OCTETS] if control & ED_CLASS_INCLUDED else None
    return Message(
        apdu.called,
        apdu.calling,
        apdu.invocation_id,
        split_services(payload, 0 if ed_class is None else ED_CLASS_OCTETS),
        apdu.reply_to,
        apdu.qualifier,
        _MODES[(control & SECURITY_MODE_MASK) >> 2],
        _RESPONSE_CONTROLS[control & RESPONSE_CONTROL_MASK],
        apdu.key_id,
        apdu.iv,
        ed_class,
        bool(control & RECOVERY),
        bool(control & PROXY),
        apdu.form,
    )


def open_services(apdu: Apdu, cipher: Cipher | None) -> tuple[bytes, ...]:
    """The services alone of the message in an APDU; as `open_apdu`, for those who read the rest off the APDU."""
    payload = open_payload(apdu, cipher)
    if apdu.control & ED_CLASS_INCLUDED:
        return split_services(payload, ED_CLASS_OCTETS)
    return split_services(payload)


def open_payload(apdu: Apdu, cipher: Cipher | None) -> bytes:
    """ED class and services in the clear, the code checked and taken away. Raises as `open_apdu`."""
    if apdu.segment is not None:
        raise SegmentError("a segment is no message before it is put together")
    payload = apdu.payload
    if apdu.control & SECURITY_MODE_MASK:
        if cipher is None:
            raise KeyMissingError("opening takes a key")
        if len(payload) < MAC_OCTETS:
            raise TruncatedError(0, MAC_OCTETS, len(payload))
        mode = _MODES[(apdu.control & SECURITY_MODE_MASK) >> 2]
        payload = cipher.open(mode, apdu.cleartext_n, payload[:-MAC_OCTETS], payload[-MAC_OCTETS:])
    if apdu.control & ED_CLASS_INCLUDED and len(payload) < ED_CLASS_OCTETS:
        raise TruncatedError(0, ED_CLASS_OCTETS, len(payload))
    return payload


def _after_titles(message: Message) -> bytes:
    """A7, A8, 8B and AC."""
    form = message.form
    octets = unsigned_element(0xA8, message.invocation_id)
    if message.qualifier is not None:
        octets = unsigned_element(0xA7, message.qualifier) + octets
    if form.mechanism:
        octets += MECHANISM
    if message.iv is not None:
        octets += authentication_element(message.key_id, message.iv, form.reference)
    return octets
