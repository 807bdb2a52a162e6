"""Octets of a request → its parts, safely: no DTD, no entities, no network, bounded in every direction.

Source  reference/spyne.md 5
"""

import re
from dataclasses import dataclass

from lxml import etree

from multispeak.contract import HEADER_NAME
from multispeak.faults import FaultCode, RefusedCallError
from multispeak.limits import ATTRIBUTES_CHECKED_FROM_OCTETS, ATTRIBUTES_MAX, START_TAG_OCTETS_MAX
from multispeak.spyne_import import NS_SOAP11_ENV, NS_SOAP12_ENV
from multispeak.ws_security import SECURITY_TAG, not_understood

_ENCODING = re.compile(rb"""<\?xml[^>]{0,200}?encoding\s*=\s*["']([A-Za-z0-9._-]{1,40})["']""")
ENCODINGS = {"utf-8", "utf8", "utf-16", "utf-16le", "utf-16be", "us-ascii", "ascii"}
# A value that holds `>` or UTF-16 gets past this one; then the parsed tree is looked at.
_long_start_tag = re.compile(rb"<[^!?<>][^<>]{%d}" % START_TAG_OCTETS_MAX).search
_PARTS = {one: (f"{{{one}}}Body", f"{{{one}}}Header") for one in (NS_SOAP11_ENV, NS_SOAP12_ENV)}
_TRUE = {"1", "true"}
_wide_elements = etree.XPath(f"boolean(//*[count(@*) > {ATTRIBUTES_MAX}])")


@dataclass(frozen=True, slots=True)
class Envelope:
    """The parts of a request: its MultiSpeak header, its WS-Security header, and the one element of its Body."""

    header: etree._Element | None
    security: etree._Element | None
    payload: etree._Element


def request_parser() -> etree.XMLParser[etree._Element]:
    """A parser for requests; one may be used again and again."""
    return etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        huge_tree=False,
        collect_ids=False,
        remove_comments=True,
        remove_pis=True,
    )


def declared_encoding(octets: bytes) -> str:
    """The encoding that a document's first line names, in small letters; empty where it names none."""
    declared = _ENCODING.search(octets[:300])
    return declared[1].decode().lower() if declared else ""


def parse_request(octets: bytes, parser: etree.XMLParser[etree._Element]) -> etree._Element:
    """The document element.

    Raises  RefusedCallError for anything that is no plain XML document in UTF-8 or UTF-16
    """
    encoding = declared_encoding(octets)
    if encoding and encoding not in ENCODINGS:
        raise RefusedCallError(FaultCode.ENCODING, f"encoding {encoding} is not taken; send UTF-8 or UTF-16")
    if not octets.strip():
        raise RefusedCallError(FaultCode.MALFORMED_XML, "the request has no body")
    if len(octets) > START_TAG_OCTETS_MAX and _long_start_tag(octets):
        raise RefusedCallError(FaultCode.TOO_LARGE, f"a start tag has more than {START_TAG_OCTETS_MAX} octets")
    try:
        root = etree.fromstring(octets, parser)
    except etree.XMLSyntaxError as error:
        raise RefusedCallError(FaultCode.MALFORMED_XML, f"the request is not well-formed XML: {error.msg}") from None
    except ValueError as error:
        raise RefusedCallError(FaultCode.MALFORMED_XML, f"the request is not readable as XML: {error}") from None
    if root.getroottree().docinfo.internalDTD is not None:
        raise RefusedCallError(FaultCode.MALFORMED_XML, "a SOAP message has no DOCTYPE; entities and DTDs are not read")
    if len(octets) > ATTRIBUTES_CHECKED_FROM_OCTETS and _wide_elements(root):
        raise RefusedCallError(FaultCode.TOO_LARGE, f"an element has more than {ATTRIBUTES_MAX} attributes")
    return root


def open_envelope(root: etree._Element, envelope_namespace: str) -> Envelope:
    """Take an envelope apart.

    Raises  RefusedCallError where it is none, is of the other SOAP version, has not exactly one element in its Body, or where a header
            that must be understood is not
    """
    _require_envelope(root, envelope_namespace)
    body = head = None
    body_tag, head_tag = _PARTS[envelope_namespace]
    for part in root:
        tag = part.tag
        if tag == body_tag:
            body = part
        elif tag == head_tag:
            head = part
    if body is None:
        raise RefusedCallError(FaultCode.ENVELOPE, "the envelope has no Body")
    if len(body) != 1:
        found = f"{len(body)} elements" if len(body) else "nothing"
        raise RefusedCallError(FaultCode.ENVELOPE, f"the Body must hold exactly one element, the operation; it holds {found}")
    header = security = None
    for block in head if head is not None else ():
        strange = str(block.tag)
        if strange.rpartition("}")[2] == HEADER_NAME:
            header = block
            continue
        if block.tag == SECURITY_TAG:
            security, strange = block, not_understood(block)
        if strange and block.get(f"{{{envelope_namespace}}}mustUnderstand") in _TRUE:
            raise RefusedCallError(FaultCode.MUST_UNDERSTAND, f"header {strange} is not understood here")
    return Envelope(header, security, body[0])


def _require_envelope(root: etree._Element, envelope_namespace: str) -> None:
    if root.tag == f"{{{envelope_namespace}}}Envelope":
        return
    if root.tag in {f"{{{NS_SOAP11_ENV}}}Envelope", f"{{{NS_SOAP12_ENV}}}Envelope"}:
        named = "1.1 (text/xml)" if envelope_namespace == NS_SOAP11_ENV else "1.2 (application/soap+xml)"
        sentence = f"the content type says SOAP {named}, the envelope is of the other version"
        raise RefusedCallError(FaultCode.VERSION_MISMATCH, sentence)
    raise RefusedCallError(FaultCode.ENVELOPE, f"the document element is {root.tag!s}, not a SOAP Envelope")
