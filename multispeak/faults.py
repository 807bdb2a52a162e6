"""What a caller is told when a call fails: one cause, one code, one sentence that names the object.

`FAULT_CODES` is the only table from errors to codes; errors that this package finds itself carry their code.
"""

from enum import StrEnum

from headend.deferred_expiry import ExpirationError
from headend.deferred_requests import TransactionReusedError
from headend.errors import (
    EndpointRefusedError,
    HeadEndError,
    LinkError,
    RequestError,
    RestrictedPartnerError,
    StoreError,
    UnknownMeterError,
)
from headend.meter_groups import UnknownGroupError
from headend.registrations import UnknownRegistrationError
from headend.schedules import UnknownScheduleError
from multispeak.spyne_import import NS_SOAP11_ENV, NS_SOAP12_ENV, Fault
from multispeak.writers import escape
from multispeak.xml_values import UnreadableValueError


class FaultCode(StrEnum):
    """Codes of the faults that the SOAP face itself raises; `Client` is who must act."""

    MALFORMED_XML = "Client.MalformedXML"
    ENCODING = "Client.Encoding"
    TOO_LARGE = "Client.TooLarge"
    ENVELOPE = "Client.Envelope"
    MUST_UNDERSTAND = "MustUnderstand"
    VERSION_MISMATCH = "VersionMismatch"
    SOAP_ACTION = "Client.SOAPAction"
    UNKNOWN_OPERATION = "Client.UnknownOperation"
    WRONG_ENDPOINT = "Client.WrongEndpoint"
    INVALID_MESSAGE = "Client.InvalidMessage"
    AUTHENTICATION = "Client.Authentication"
    TOO_MANY_ATTEMPTS = "Client.TooManyAttempts"
    NOT_ALLOWED = "Client.NotAllowed"
    MISSING_PARAMETER = "Client.MissingParameter"
    INVALID_PERIOD = "Client.InvalidPeriod"
    INVALID_LAST_RECEIVED = "Client.InvalidLastReceived"
    INVALID_EXPIRATION = "Client.InvalidExpiration"
    RESPONSE_URL = "Client.ResponseURL"
    TRANSACTION_REUSED = "Client.TransactionReused"
    TOO_MANY_OBJECTS = "Client.TooManyObjects"
    UNKNOWN_METER = "Client.UnknownMeter"
    NO_SWITCH = "Client.NoSwitch"
    UNKNOWN_REGISTRATION = "Client.UnknownRegistration"
    UNKNOWN_DOMAIN = "Client.UnknownDomain"
    UNKNOWN_FIELD_NAME = "Client.UnknownFieldName"
    UNKNOWN_READING_TYPE = "Client.UnknownReadingType"
    UNKNOWN_UNIT = "Client.UnknownUnit"
    UNKNOWN_BILL_CYCLE = "Client.UnknownBillCycle"
    UNKNOWN_EVENT_CODE = "Client.UnknownEventCode"
    NOT_IMPLEMENTED = "Server.NotImplemented"
    BUSY = "Server.Busy"
    INTERNAL = "Server.HeadEnd"


class RefusedCallError(RequestError):
    """A call that the SOAP face itself turns down."""

    def __init__(self, code: FaultCode, sentence: str) -> None:
        self.code = code
        self.sentence = sentence
        super().__init__(sentence)


FAULT_CODES: dict[type[HeadEndError], str] = {
    UnknownMeterError: FaultCode.UNKNOWN_METER,
    UnknownGroupError: "Client.UnknownGroup",
    UnknownScheduleError: "Client.UnknownSchedule",
    ExpirationError: FaultCode.INVALID_EXPIRATION,
    TransactionReusedError: FaultCode.TRANSACTION_REUSED,
    UnknownRegistrationError: FaultCode.UNKNOWN_REGISTRATION,
    RestrictedPartnerError: FaultCode.NOT_ALLOWED,
    UnreadableValueError: FaultCode.INVALID_MESSAGE,
    RequestError: "Client.InvalidRequest",
    EndpointRefusedError: "Server.EndpointRefused",
    LinkError: "Server.EndpointUnreachable",
    StoreError: "Server.Store",
    HeadEndError: FaultCode.INTERNAL,
}


def fault_code(error: HeadEndError) -> str:
    """The code for an error, by the nearest of its ancestors in the table."""
    if isinstance(error, RefusedCallError):
        return error.code
    return next(FAULT_CODES[kind] for kind in type(error).__mro__ if kind in FAULT_CODES)


def as_fault(error: HeadEndError) -> Fault:
    """Spyne's fault for one of our errors."""
    return Fault(faultcode=str(fault_code(error)), faultstring=str(error))


def internal_fault() -> Fault:
    """What a caller is told of our own mistake; the log has the traceback."""
    return Fault(faultcode=str(FaultCode.INTERNAL), faultstring="the head-end failed to answer; its log says why")


_ENVELOPE_CODES = {"Client": "Sender", "Server": "Receiver"}


def render_fault(fault: Fault, envelope_namespace: str, namespace: str) -> bytes:
    """A whole fault envelope.

    SOAP 1.1 takes the dotted code as it is; SOAP 1.2 has Sender or Receiver and the rest as a subcode in the contract's namespace.
    """
    code, text = str(fault.faultcode), escape(fault.faultstring)
    start = f'<?xml version="1.0" encoding="utf-8"?>\n<soap:Envelope xmlns:soap="{envelope_namespace}"><soap:Body><soap:Fault>'
    end = "</soap:Fault></soap:Body></soap:Envelope>"
    if envelope_namespace == NS_SOAP11_ENV:
        return f"{start}<faultcode>soap:{code}</faultcode><faultstring>{text}</faultstring>{end}".encode()
    assert envelope_namespace == NS_SOAP12_ENV
    first, _, rest = code.partition(".")
    subcode = f'<soap:Subcode><soap:Value xmlns:ms="{namespace}">ms:{rest}</soap:Value></soap:Subcode>' if rest else ""
    value = f"<soap:Code><soap:Value>soap:{_ENVELOPE_CODES.get(first, first)}</soap:Value>{subcode}</soap:Code>"
    reason = f'<soap:Reason><soap:Text xml:lang="en">{text}</soap:Text></soap:Reason>'
    return f"{start}{value}{reason}{end}".encode()
