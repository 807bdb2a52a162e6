"""A second look at an invalid message: puts right what clients get wrong and whose meaning is plain.

Foreign attributes and elements are dropped, `xsi:nil` on an optional element counts as absence, names and enumeration values are matched
without case and plural, members are put into the contract's order. Values are never guessed.
Source  reference/multispeak.md 14
"""

from lxml import etree

from multispeak.contract import XSI_NAMESPACE, Contract, ElementDef, ServiceDef, TypeDef
from multispeak.limits import REPAIRS_MAX

_XSI = f"{{{XSI_NAMESPACE}}}"
_NIL = _XSI + "nil"
_elements = etree.XPath("count(descendant::*)")


class Tolerance:
    """Repairs messages of one service, by its contract."""

    def __init__(self, contract: Contract, service: ServiceDef) -> None:
        self._contract = contract
        self._messages = {contract.tag(o.name): o.request for o in service.operations.values()}

    def repair(self, message: etree._Element) -> None:
        """Change `message` in place where that helps; the schema has the last word. A larger one than REPAIRS_MAX stays as it is."""
        members = self._messages.get(str(message.tag))
        # Counted beforehand, with what is never visited: lxml takes the square of its size to remove or move an element.
        if members is None or _elements(message) > REPAIRS_MAX:
            return
        _drop_attributes(message, set())
        self._members(message, list(members), ordered=True)

    def _members(self, parent: etree._Element, members: list[ElementDef], *, ordered: bool) -> None:
        by_tag = {self._contract.tag(m.name): (i, m) for i, m in enumerate(members)}
        loose = {_loosely(tag): tag for tag in by_tag}
        ranked: list[tuple[int, etree._Element]] = []
        for child in list(parent):
            tag = str(child.tag)
            if tag not in by_tag and loose.get(_loosely(tag), tag) in by_tag:
                child.tag = tag = loose[_loosely(tag)]
            if tag not in by_tag:
                parent.remove(child)
                continue
            rank, member = by_tag[tag]
            if self._nil(parent, child, member):
                continue
            ranked.append((rank, child))
            self._value(child, member.type_name)
        if ordered:
            parent[:] = [child for _, child in sorted(ranked, key=lambda pair: pair[0])]

    def _nil(self, parent: etree._Element, child: etree._Element, member: ElementDef) -> bool:
        """Whether the child was dropped for being nil where nothing may be."""
        if child.get(_NIL) not in {"true", "1"} or member.nillable or member.low:
            return False
        parent.remove(child)
        return True

    def _value(self, element: etree._Element, type_name: str) -> None:
        kind = self._contract.types.get(type_name)
        if kind is None:
            _drop_attributes(element, set())
        elif kind.simple:
            _drop_attributes(element, set())
            element.text = _nearest(element.text or "", kind)
        else:
            self._complex(element, type_name)

    def _complex(self, element: etree._Element, type_name: str) -> None:
        chain = self._contract.lineage(type_name)
        attributes = {a.name: a for kind in chain for a in kind.attributes}
        _drop_attributes(element, set(attributes))
        for name, attribute in attributes.items():
            kind = self._contract.types.get(attribute.type_name or "")
            if kind is not None and element.get(name) is not None:
                element.set(name, _nearest(element.get(name, ""), kind))
        if chain[-1].content is None and element.get(_XSI + "type") is None:
            members = [e for kind in chain for e in kind.elements]
            self._members(element, members, ordered=not any(kind.particle for kind in chain))


def _drop_attributes(element: etree._Element, known: set[str]) -> None:
    for name in element.attrib:
        if name not in known and not str(name).startswith(_XSI):
            del element.attrib[name]


def _nearest(text: str, kind: TypeDef) -> str:
    """The enumeration value that `text` is but for case and space around it; else the text."""
    plain = text.strip().casefold()
    return next((value for value in kind.enum if value.casefold() == plain), text)


def _loosely(tag: str) -> str:
    return tag.casefold().removesuffix("s")
