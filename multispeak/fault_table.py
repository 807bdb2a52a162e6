"""What can go wrong with a call, cause by cause: the code of its fault, what it means, and how a list of objects tells it of one of them.

The rule behind the table: what is wrong with a call as a whole is a fault and nothing takes effect; what is wrong with one of the objects
that a call names is told of that object, and the others are answered or take effect.
Source  reference/multispeak.md 5, 14; reference/peers-and-practice.md
"""

from dataclasses import dataclass

from multispeak.faults import FaultCode

ERROR_OBJECT = "errorObject"
ERROR_STRING = "errorObject; in readings a row, object or comment with errorString"


@dataclass(frozen=True, slots=True)
class Cause:
    """One row. `of_one` is how it is told of one object among several, empty where it always concerns the call."""

    code: str
    meaning: str
    of_one: str = ""


CAUSES = (
    Cause(FaultCode.MALFORMED_XML, "The request is no well-formed XML document, is empty, or has a DOCTYPE."),
    Cause(FaultCode.ENCODING, "The request is in another encoding than UTF-8 or UTF-16."),
    Cause(FaultCode.TOO_LARGE, "An element has more attributes or a longer start tag than any real one; too large a body is HTTP 413."),
    Cause(FaultCode.ENVELOPE, "The document is no SOAP envelope, or its Body does not hold exactly one element."),
    Cause(FaultCode.VERSION_MISMATCH, "The Content-Type says one SOAP version, the envelope is of the other."),
    Cause(FaultCode.MUST_UNDERSTAND, "A header block must be understood and is not; MultiSpeakMsgHeader and a UsernameToken are."),
    Cause(FaultCode.SOAP_ACTION, "SOAPAction names another operation than the Body."),
    Cause(FaultCode.UNKNOWN_OPERATION, "The contract has no such operation, or the namespace is none of MultiSpeak's."),
    Cause(FaultCode.WRONG_ENDPOINT, "The operation belongs to another server or version; the fault says which address has it."),
    Cause(FaultCode.INVALID_MESSAGE, "A value or element is not what the contract says; the fault names element, line and value."),
    Cause(FaultCode.AUTHENTICATION, "No login, or one that does not match."),
    Cause(FaultCode.TOO_MANY_ATTEMPTS, "Too many wrong logins in a minute; wait, then try again."),
    Cause(FaultCode.NOT_ALLOWED, "The partner's profile does not have this operation."),
    Cause(FaultCode.MISSING_PARAMETER, "A parameter that the contract lets out is needed here, or no object is named.", ERROR_OBJECT),
    Cause(FaultCode.INVALID_PERIOD, "A date is none that can be meant, or a period ends before it begins."),
    Cause(FaultCode.INVALID_LAST_RECEIVED, "lastReceived is no place in this list; send the header's LastSent as it came."),
    Cause(FaultCode.INVALID_EXPIRATION, "An expiration has passed on arrival, lies too far ahead, or has an unknown unit."),
    Cause(FaultCode.RESPONSE_URL, "There is no address that the outcome may be sent to."),
    Cause(FaultCode.TRANSACTION_REUSED, "Another request had this transactionID; the same one again is answered as before."),
    Cause(FaultCode.TOO_MANY_OBJECTS, "The call brings or names more objects than are taken at once; split it."),
    Cause(FaultCode.UNKNOWN_METER, "No such meter, or not one of this partner's.", ERROR_STRING),
    Cause(FaultCode.NO_SWITCH, "The meter has no connect/disconnect device.", ERROR_OBJECT),
    Cause(FaultCode.UNKNOWN_REGISTRATION, "No registration of this partner's has this id.", ERROR_OBJECT),
    Cause("Client.UnknownGroup", "No meter group or configuration group has this id.", ERROR_OBJECT),
    Cause("Client.UnknownSchedule", "No schedule or reading schedule has this id.", ERROR_OBJECT),
    Cause(FaultCode.UNKNOWN_DOMAIN, "No code list has this name; GetDomainNames tells them."),
    Cause(FaultCode.UNKNOWN_FIELD_NAME, "None of the fieldNames is known; GetSupportedFieldNames tells them.", "comment of the block"),
    Cause(FaultCode.UNKNOWN_READING_TYPE, "The readingType is not known; GetSupportedReadingTypes tells them."),
    Cause(FaultCode.UNKNOWN_UNIT, "Nothing is measured in this unit here."),
    Cause(FaultCode.UNKNOWN_BILL_CYCLE, "No account has this bill cycle."),
    Cause(FaultCode.UNKNOWN_EVENT_CODE, "No event has this code."),
    Cause("Client.InvalidRequest", "What is asked for cannot be; the sentence says why.", ERROR_OBJECT),
    Cause(FaultCode.NOT_IMPLEMENTED, "The contract has the operation, this server does not implement it; GetMethods tells what it does."),
    Cause(FaultCode.BUSY, "Too many calls are in progress; try again."),
    Cause("Server.EndpointRefused", "The device said no."),
    Cause("Server.EndpointUnreachable", "The device cannot be reached."),
    Cause("Server.Store", "The database does not answer; nothing has taken effect."),
    Cause(FaultCode.INTERNAL, "A mistake of the head-end's own; its log says more."),
)
"""All of them; tests hold the table against what the code can raise."""
