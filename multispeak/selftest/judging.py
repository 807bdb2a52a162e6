"""Octets that came back from a call → a verdict on them, by the contract. Pure.

Source  reference/multispeak.md 1, 2, 5
"""

from collections.abc import Iterable
from dataclasses import dataclass

from lxml import etree

from multispeak.contract import HEADER_NAME, Contract
from multispeak.envelope import request_parser
from multispeak.examples import SOAP_NAMESPACES
from multispeak.redaction import SECRET_CHARACTERS_MIN
from multispeak.selftest.assertions import Judgement, Verdict
from multispeak.selftest.posting import HttpAnswer
from multispeak.writers import escape

MEDIA_TYPES = {"1.1": "text/xml", "1.2": "application/soap+xml"}
_FAULT_STATUSES = {"1.1": (500,), "1.2": (400, 500)}
_NOT_THERE = ("notimplemented", "not implemented", "not supported", "did not recognize", "not recognized", "unknownoperation")
_TEXT_SHOWN = 160


@dataclass(frozen=True, slots=True)
class Heard:
    """An answer, looked at: the verdict, the element in its Body, and its MultiSpeak header, as far as there are any."""

    judgement: Judgement
    body: etree._Element | None = None
    header: etree._Element | None = None


class _ContractError(Exception):
    """What is wrong with an answer."""


class Judge:
    """Holds answers of one service against its schema; `secret` must not be in any of them."""

    def __init__(self, contract: Contract, schema: etree.XMLSchema, soap: str, secret: str) -> None:
        self._contract = contract
        self._schema = schema
        self._soap = soap
        self._secret = secret

    def invalid(self, message: etree._Element) -> str:
        """What the schema has against a message; empty where nothing."""
        if self._schema.validate(message):
            return ""
        error = self._schema.error_log[0]
        return f"line {error.line}: {error.message}".replace("{" + self._contract.namespace + "}", "")

    def judge(self, operation: str, answer: HttpAnswer) -> Heard:
        """The verdict on the answer to a valid request."""
        try:
            body, header, notes = self._opened(answer)
            if etree.QName(body).localname == "Fault":
                return Heard(self._fault(body, answer.status, notes), body, header)
            self._expected(operation, body, answer.status)
        except _ContractError as error:
            return Heard(Judgement(Verdict.FAILED, str(error)))
        return Heard(Judgement(Verdict.PASSED, "; ".join([*notes, *_told(body, header)])), body, header)

    def _opened(self, answer: HttpAnswer) -> tuple[etree._Element, etree._Element | None, list[str]]:
        """The one element of the Body, the header, and what is odd and does no harm."""
        notes = []
        media_type = answer.content_type.partition(";")[0].strip().lower()
        if answer.status not in {200, 400, 500}:
            where = f" to {answer.location[:100]}" if answer.location else ""
            raise _ContractError(f"HTTP {answer.status}{where}{_shown(answer.octets)}")
        if "xml" not in media_type:
            raise _ContractError(f"HTTP {answer.status} with content type {media_type[:60] or 'none'}{_shown(answer.octets)}")
        if media_type != MEDIA_TYPES[self._soap]:
            notes.append(f"content type {media_type} instead of {MEDIA_TYPES[self._soap]}")
        if len(self._secret) >= SECRET_CHARACTERS_MIN and any(s.encode() in answer.octets for s in (self._secret, escape(self._secret))):
            raise _ContractError("the answer repeats the caller's password")
        root = _parsed(answer.octets)
        soap = f"{{{SOAP_NAMESPACES[self._soap]}}}"
        if root.tag != f"{soap}Envelope":
            raise _ContractError(f"the document element is {etree.QName(root).text[:120]}, not the Envelope of SOAP {self._soap}")
        body = root.find(f"{soap}Body")
        if body is None or len(body) != 1:
            raise _ContractError("the envelope has no Body" if body is None else f"the Body holds {len(body)} elements")
        header = root.find(f"{soap}Header/{self._contract.tag(HEADER_NAME)}")
        if header is not None and (wrong := self.invalid(header)):
            raise _ContractError(f"{HEADER_NAME} is not valid: {wrong}")
        if header is None and etree.QName(body[0]).localname != "Fault":
            notes.append(f"no {HEADER_NAME} in the answer")
        return body[0], header, notes

    def _expected(self, operation: str, body: etree._Element, status: int) -> None:
        wanted = self._contract.tag(operation + "Response")
        if body.tag != wanted:
            raise _ContractError(f"the Body holds {etree.QName(body).text[:120]}, not {operation}Response of this version")
        if wrong := self.invalid(body):
            raise _ContractError(f"the answer is not valid: {wrong}")
        if status != 200:
            raise _ContractError(f"an answer that is no fault came with HTTP {status}")

    def _fault(self, fault: etree._Element, status: int, notes: Iterable[str]) -> Judgement:
        codes = [(e.text or "").strip().rpartition(":")[2] for e in fault.iter("faultcode", "{*}Value")]
        text = (fault.findtext("faultstring") or fault.findtext("{*}Reason/{*}Text") or "").strip()
        code = ".".join(codes)
        said = "; ".join([*notes, f"fault {code}: {text[:400]}"])
        if status not in _FAULT_STATUSES[self._soap]:
            said += f" (with HTTP {status})"
        if any(word in f"{code} {text}".lower() for word in _NOT_THERE):
            return Judgement(Verdict.FAILED, f"advertised, but {said}")
        caller_must_act = code.startswith(("Client", "Sender", "MustUnderstand", "VersionMismatch"))
        return Judgement(Verdict.REFUSED if caller_must_act else Verdict.FAILED, said)


def _told(body: etree._Element, header: etree._Element | None) -> list[str]:
    """What a valid answer holds, in a few words."""
    notes = []
    errors = [e for e in body.iter("{*}errorObject") if e.get("errorString") or e.get("objectID")]
    if errors:
        more = f" and {len(errors) - 1} more" if len(errors) > 1 else ""
        notes.append(f"refused {errors[0].get('objectID', '')}: {errors[0].get('errorString', '')[:200]}{more}")
    elif len(body):
        result = body[0]
        objects = f"{len(result)} {'object' if len(result) == 1 else 'objects'}" if len(result) else (result.text or "").strip()[:80]
        notes.append(objects or "empty")
    remaining = (header.get("ObjectsRemaining") or "0") if header is not None else "0"
    if remaining not in {"0", "-1"}:
        notes.append(f"{remaining} more to come")
    return notes


def _parsed(octets: bytes) -> etree._Element:
    try:
        root = etree.fromstring(octets, request_parser())
    except (etree.XMLSyntaxError, ValueError) as error:
        raise _ContractError(f"the answer is no well-formed XML: {error}{_shown(octets)}") from None
    if root.getroottree().docinfo.internalDTD is not None:
        raise _ContractError("the answer has a DOCTYPE, which SOAP forbids")
    return root


def _shown(octets: bytes) -> str:
    text = " ".join(octets[: 4 * _TEXT_SHOWN].decode("utf-8", "replace").split())[:_TEXT_SHOWN]
    return f": {text}" if text else ""
