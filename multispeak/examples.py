"""Contract → example messages: for each operation a valid request and a valid answer, small enough to read.

Required members are always there; of the optional ones those whose meaning is known, or the first few. Pure.
"""

import re
from collections.abc import Iterable, Iterator, Mapping

from lxml import etree

from multispeak.contract import HEADER_NAME, AttributeDef, Contract, ElementDef, OperationDef, Particle, TypeDef, local_name
from multispeak.example_values import (
    COMES_IN,
    END,
    METER,
    NEW_METER,
    OBJECT_SUBJECTS,
    PARTS,
    PREFERRED_VALUES,
    ROW_TEXT,
    ROWS,
    SUBJECT_OF,
    SUBJECTS,
    TEXTS,
)
from multispeak.spyne_import import NS_SOAP11_ENV, NS_SOAP12_ENV

SOAP_NAMESPACES = {"1.1": NS_SOAP11_ENV, "1.2": NS_SOAP12_ENV}

MEMBERS_MAX = 8
"""Optional members of one object, past which only those of known meaning are shown: some objects have sixty."""

DEPTH_MAX = 8
"""Levels below a message on which optional members are shown."""

_BUILT_IN = {
    "dateTime": "2026-03-02T00:00:00-06:00",
    "date": "2026-03-02",
    "boolean": "true",
    "anyURI": "https://cis.example/multispeak",
    "base64Binary": "AAAA",
    "QName": "example",
    "float": "1.5",
    "double": "1.5",
    "decimal": "1.5",
}
_NUMBERS = {"integer", "int", "long", "unsignedInt", "unsignedByte"}
_LEFT_OUT = {
    *("extensions", "comments", "extensionsList", "identifiedObject", "contentID", "relativeTimeInterval"),
    *(f"{kind}{things}" for kind in ("water", "gas", "propane", "other") for things in ("Meters", "MeterExchanges", "ServiceList")),
}
"""Members that no example has: of lists by commodity the electric one is enough."""
_words = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+").findall


class Examples:
    """Example messages of one contract; `subjects` are values that replace the usual ones, by subject."""

    def __init__(self, contract: Contract, subjects: Mapping[str, str] | None = None) -> None:
        self._contract = contract
        self._subjects = {**SUBJECTS, **(subjects or {})}

    def request(self, operation: OperationDef) -> etree._Element:
        """The element that asks."""
        return self._message(operation.name, operation.request)

    def answer(self, operation: OperationDef) -> etree._Element:
        """The element that answers."""
        return self._message(operation.name + "Response", operation.response)

    def _message(self, name: str, members: tuple[ElementDef, ...]) -> etree._Element:
        prefixes: dict[str | None, str] = {prefix: ns for prefix, ns in self._contract.namespaces.items() if prefix != "tns"}
        prefixes[None] = self._contract.namespace
        message = etree.Element(self._contract.tag(name), nsmap=prefixes)
        for member in members:
            self._member(message, member, ())
        etree.cleanup_namespaces(message)
        return message

    def _member(self, parent: etree._Element, member: ElementDef, above: tuple[str, ...]) -> None:
        """One element, or the elements of a list; none where an optional one would hold nothing."""
        rows: tuple[Mapping[str, str], ...] = ROWS.get(member.name, ({},)) if member.many else ({},)
        for row in rows:
            element = etree.SubElement(parent, self._contract.tag(member.name))
            self._fill(element, member.name, member.type_name, above, row)
            if not member.low and not len(element) and not element.text and not element.attrib and self._is_complex(member.type_name):
                parent.remove(element)

    def _fill(self, element: etree._Element, name: str, type_name: str, above: tuple[str, ...], row: Mapping[str, str]) -> None:
        if not self._is_complex(type_name):
            element.text = row.get(local_name(name)) or self._text(name, type_name, above)
            return
        chain = self._contract.lineage(type_name)
        for attribute in (a for kind in chain for a in kind.attributes):
            value = self._attribute(attribute, type_name, above)
            if value:
                element.set(attribute.name, value)
        if chain[0].content:
            element.text = self._text(name, chain[0].content, above)
            return
        for member in self._shown(chain, type_name, above):
            if not row or member.low or row.get(local_name(member.name)):
                self._part(element, member, (*above, type_name, name), row)

    def _part(self, element: etree._Element, member: ElementDef, above: tuple[str, ...], row: Mapping[str, str]) -> None:
        text = row.get(local_name(member.name))
        if text:
            etree.SubElement(element, self._contract.tag(member.name)).text = text
        else:
            self._member(element, member, above)

    def _shown(self, chain: list[TypeDef], type_name: str, above: tuple[str, ...]) -> Iterator[ElementDef]:
        """Members of an object that an example has, in the contract's order."""
        branches = self._branches(chain)
        members = [e for kind in chain for e in kind.elements if e.name not in branches or branches[e.name]]
        optional = [m for m in members if not m.low and self._may_show(m, type_name, above)]
        if len(optional) > MEMBERS_MAX:
            optional = [m for m in optional if self._is_known(m)] or optional[:MEMBERS_MAX]
        shown = {id(m) for m in optional} | {id(m) for m in members if m.low}
        return (m for m in members if id(m) in shown)

    def _branches(self, chain: list[TypeDef]) -> dict[str, bool]:
        """Names of elements in choices, and whether each is the one taken."""
        found: dict[str, bool] = {}
        for kind in chain:
            for choice in _choices(kind.particle) if kind.particle else ():
                names = [n for n in choice[3] if isinstance(n, str)]
                simple = [n for n in names if not self._is_complex(next(e.type_name for e in kind.elements if e.name == n))]
                taken = (simple or names)[0] if choice[1] or simple else None
                found.update({name: name == taken for name in names})
        return found

    def _may_show(self, member: ElementDef, type_name: str, above: tuple[str, ...]) -> bool:
        name = local_name(member.name)
        if name in _LEFT_OUT or (name == "objectName" and "mspObject" in {k.name for k in self._contract.lineage(type_name)}):
            return False
        kind = self._contract.types.get(member.type_name)
        if kind is not None and not kind.simple:
            return not kind.abstract and member.type_name not in (*above, type_name) and len(above) < 2 * DEPTH_MAX
        return True

    def _is_known(self, member: ElementDef) -> bool:
        if self._is_complex(member.type_name):
            return local_name(member.name) in PARTS
        return member.name in SUBJECT_OF or member.name in TEXTS

    def _is_complex(self, type_name: str) -> bool:
        kind = self._contract.types.get(type_name)
        return kind is not None and not kind.simple

    def _attribute(self, attribute: AttributeDef, type_name: str, above: tuple[str, ...]) -> str:
        """The text of an attribute, empty for one that is left out."""
        if attribute.name == "objectID" and type_name != "meterID":
            subject = OBJECT_SUBJECTS.get(type_name)
            return self._subjects[subject] if subject else "1001"
        if attribute.name in {"meterNo", "serviceType", "codeString", "units"} or attribute.use == "required":
            return self._text(attribute.name, attribute.type_name or "xs:string", above)
        return ""

    def _text(self, name: str, type_name: str, above: tuple[str, ...]) -> str:
        """The text of a value: what its name means, or its list's name, as far as its type takes that."""
        kind = self._contract.types.get(type_name)
        if kind is not None and kind.enum:
            wanted = [self._meant(n, above) for n in (name, *above[-1:])]
            return next((v for v in kind.enum if v in wanted), next((v for v in kind.enum if v in PREFERRED_VALUES), kind.enum[0]))
        built_in = self._contract.built_in(type_name)
        name = local_name(name)
        if name == "val":
            return ROW_TEXT.format(meter=self._subjects[METER], end=self._subjects[END])
        meant = self._meant(name, above)
        if meant is None:
            # `fieldName/string`: the list says what its items are.
            meant = self._meant(above[-1], above) if above else None
        if built_in in _NUMBERS:
            return meant if meant is not None and meant.isdecimal() else "1"
        if built_in in _BUILT_IN:
            return meant if meant and _fits(meant, built_in) else _BUILT_IN[built_in]
        return " ".join(_words(name)).lower() if meant is None else meant

    def _meant(self, name: str, above: tuple[str, ...]) -> str | None:
        subject = SUBJECT_OF.get(name)
        if subject == METER and not COMES_IN.isdisjoint(above):
            subject = NEW_METER
        return TEXTS.get(name) if subject is None else self._subjects[subject]


def _fits(text: str, built_in: str) -> bool:
    if built_in in {"dateTime", "date"}:
        return bool(re.match(r"\d{4}-\d\d-\d\d" + ("T" if built_in == "dateTime" else "$"), text))
    if built_in in {"float", "double", "decimal"}:
        return bool(re.fullmatch(r"-?\d+(\.\d+)?", text))
    return built_in == "anyURI"


def _choices(particle: Particle) -> Iterator[Particle]:
    if particle[0] == "choice":
        yield particle
    for member in particle[3] if particle[0] != "any" else ():
        if not isinstance(member, str):
            yield from _choices(member)


def header_element(contract: Contract, **said: str) -> etree._Element:
    """A MultiSpeakMsgHeader of this version with these attributes."""
    header = etree.Element(contract.tag(HEADER_NAME), nsmap={None: contract.namespace})
    if "MajorVersion" in {attribute.name for attribute in contract.header.attributes}:
        major, minor, build = contract.version.split(".")
        header.attrib.update({"MajorVersion": major, "MinorVersion": minor, "Build": build, "BuildString": "Release"})
    else:
        header.set("Version", contract.version)
    header.attrib.update(said)
    return header


def envelope(soap_version: str, headers: Iterable[etree._Element], body: etree._Element) -> bytes:
    """A whole envelope, laid out for people."""
    soap = SOAP_NAMESPACES[soap_version]
    root = etree.Element(f"{{{soap}}}Envelope", nsmap={"soap": soap})
    listed = list(headers)
    if listed:
        etree.SubElement(root, f"{{{soap}}}Header").extend(listed)
    etree.SubElement(root, f"{{{soap}}}Body").append(body)
    etree.indent(root, "  ")
    return etree.tostring(root, xml_declaration=True, encoding="utf-8", pretty_print=True)
