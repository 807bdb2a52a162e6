"""The HeadEndError tree: four branches by who must act; facts are attributes, the message is derived from them."""

SHOWN_CHARACTERS_MAX = 80
"""Characters of a caller's own text that an error repeats: enough to recognize it, too few to be of use to someone else."""


def shown(text: str) -> str:
    """A caller's own text, quoted, and cut where it is long."""
    return repr(text if len(text) <= SHOWN_CHARACTERS_MAX else f"{text[:SHOWN_CHARACTERS_MAX]}…")


class HeadEndError(Exception):
    """Anything this head-end reports as its own; never raised itself."""


class RequestError(HeadEndError):
    """The caller must act: what was asked for cannot be."""


class UnknownMeterError(RequestError):
    """No endpoint of the utility has this meter number."""

    def __init__(self, meter_no: str) -> None:
        self.meter_no = meter_no
        super().__init__(f"meter {shown(meter_no)} is not known")


class RestrictedPartnerError(RequestError):
    """What was asked is not answered to a partner that knows only some of the meters."""

    def __init__(self) -> None:
        super().__init__("this is not answered to a partner whose profile names the meters that it knows")


class EndpointRefusedError(HeadEndError):
    """The device said no.

    `code` is the C12.22 response code (reference/field-protocol-c1222.md 1.4), `service` what was asked of it.
    """

    def __init__(self, code: int, service: str) -> None:
        self.code = code
        self.service = service
        super().__init__(f"endpoint refused {service} with response code {code:#04x}")


class LinkError(HeadEndError):
    """Silence or an unreachable address: worth another try later."""


class WireError(HeadEndError):
    """Octets that break the standard, whoever sent them."""


class TruncatedError(WireError):
    """The octets end before the field does.

    `offset` is where the field begins, `wanted` and `had` are octet counts.
    """

    def __init__(self, offset: int, wanted: int, had: int) -> None:
        self.offset = offset
        self.wanted = wanted
        self.had = had
        super().__init__(f"truncated at octet {offset}: {wanted} octets wanted, {had} left")


class ChecksumError(WireError):
    """Table data whose octets and checksum do not add up to zero."""

    def __init__(self, offset: int) -> None:
        self.offset = offset
        super().__init__(f"table data ending at octet {offset} has a wrong checksum")


class SecurityError(WireError):
    """A message authentication code, key id, mode or replay check failed; says which, never with what key."""


class StoreError(HeadEndError):
    """The database cannot do what was asked: locked, corrupted, gone; names which and why, never its password."""
