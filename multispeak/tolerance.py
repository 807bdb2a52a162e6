"""A second look at an invalid message: puts right what its sender is tolerated and whose meaning is plain.

Each habit is one switch (`headend.model.habits`); a partner's profile says which are on. Values are not guessed, but for the one habit
that says so.
Source  reference/multispeak.md 14
"""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lxml import etree

from headend.model.habits import Habit
from multispeak.contract import XSI_NAMESPACE, Contract, ElementDef, Particle, ServiceDef, TypeDef
from multispeak.limits import REPAIRS_MAX
from multispeak.odd_values import nearest_value, plain_timestamp, same_value

_XSI = f"{{{XSI_NAMESPACE}}}"
_NIL = _XSI + "nil"
_elements = etree.XPath("count(descendant::*)")

_MISSING: dict[str, Callable[[datetime], str]] = {
    "requestDate": lambda now: now.isoformat(timespec="seconds"),
    "expirationTime": lambda now: "0",
    "PhaseCode": lambda now: "Unknown",
}
"""Required parameters that say nothing new, and what stands for them: asked now, no expiration named, no phase meant."""


class Tolerance:
    """Repairs messages of one service, by its contract."""

    def __init__(self, contract: Contract, service: ServiceDef) -> None:
        self._contract = contract
        self._messages = {contract.tag(o.name): o.request for o in service.operations.values()}

    def repair(self, message: etree._Element, habits: Collection[Habit], now: Callable[[], datetime]) -> None:
        """Change `message` in place where that helps; the schema has the last word. A larger one than REPAIRS_MAX stays as it is."""
        members = self._messages.get(str(message.tag))
        # Counted beforehand, with what is never visited: lxml takes the square of its size to remove or move an element.
        if members is None or _elements(message) > REPAIRS_MAX:
            return
        repair = _Repair(self._contract, habits)
        repair.attributes(message, {})
        repair.members(message, list(members), None)
        if Habit.MISSING_PARAMETERS in habits:
            _fill_in(self._contract, message, members, now)


@dataclass(frozen=True, slots=True)
class _Repair:
    """One message under repair, with the habits its sender is tolerated."""

    contract: Contract
    habits: Collection[Habit]

    def members(self, parent: etree._Element, members: list[ElementDef], particle: Particle | None) -> None:
        """Put the children of an element right, and into the contract's order where that is a plain sequence."""
        by_tag = {self.contract.tag(m.name): (i, m) for i, m in enumerate(members)}
        loosely = {self._loosely(tag): tag for tag in by_tag}
        ranked: list[tuple[int, etree._Element]] = []
        for child in list(parent):
            tag = str(child.tag)
            if tag not in by_tag and loosely.get(self._loosely(tag), tag) in by_tag:
                child.tag = tag = loosely[self._loosely(tag)]
            if tag not in by_tag:
                if Habit.FOREIGN_ELEMENTS in self.habits:
                    parent.remove(child)
                    continue
                ranked.append((len(members), child))
                continue
            rank, member = by_tag[tag]
            if self._absent(child, member):
                parent.remove(child)
                continue
            ranked.append((rank, child))
            self._value(child, member.type_name)
        if particle is not None and Habit.BOTH_CHOICES in self.habits:
            _keep_one_branch(parent, particle, self.contract)
        elif particle is None and Habit.ORDER in self.habits:
            parent[:] = [child for _, child in sorted(ranked, key=lambda pair: pair[0])]

    def attributes(self, element: etree._Element, known: dict[str, TypeDef | None]) -> None:
        """Drop or rename attributes that the contract does not know, and put the values of those that it does right."""
        loosely = {self._loosely(name): name for name in known}
        for name in element.attrib:
            text = str(name)
            if text in known or text.startswith(_XSI):
                continue
            value = element.attrib[name]
            meant = loosely.get(self._loosely(text), text)
            if meant in known and element.get(meant) is None:
                del element.attrib[name]
                element.set(meant, value)
            elif Habit.FOREIGN_ATTRIBUTES in self.habits:
                del element.attrib[name]
        for name, kind in known.items():
            if kind is not None and element.get(name) is not None:
                element.set(name, self._enumerated(element.get(name, ""), kind))

    def _absent(self, child: etree._Element, member: ElementDef) -> bool:
        """Whether a child counts as absent: nil where nothing may be, or without the value that one may leave out."""
        if member.name in _MISSING and Habit.MISSING_PARAMETERS in self.habits and not (child.text or "").strip():
            return True
        nil = child.get(_NIL) in {"true", "1"} and not member.nillable and not member.low
        return nil and Habit.NIL in self.habits

    def _value(self, element: etree._Element, type_name: str) -> None:
        kind = self.contract.types.get(type_name)
        if kind is not None and not kind.simple:
            self._complex(element, type_name)
            return
        self.attributes(element, {})
        text = element.text or ""
        if kind is not None and kind.enum:
            element.text = self._enumerated(text, kind)
        elif Habit.TIMESTAMPS in self.habits and self.contract.built_in(type_name) == "dateTime":
            element.text = plain_timestamp(text)

    def _complex(self, element: etree._Element, type_name: str) -> None:
        chain = self.contract.lineage(type_name)
        self.attributes(element, {a.name: self.contract.types.get(a.type_name or "") for kind in chain for a in kind.attributes})
        if chain[-1].content is None and element.get(_XSI + "type") is None:
            members = [e for kind in chain for e in kind.elements]
            self.members(element, members, next((kind.particle for kind in chain if kind.particle), None))

    def _enumerated(self, text: str, kind: TypeDef) -> str:
        if Habit.LETTER_CASE in self.habits:
            text = same_value(text, kind.enum)
        if Habit.MISSPELT_VALUES in self.habits and text not in kind.enum:
            text = nearest_value(text, kind.enum)
        return text

    def _loosely(self, tag: str) -> str:
        if Habit.LETTER_CASE in self.habits:
            tag = tag.casefold()
        return tag.removesuffix("s") if Habit.PLURAL in self.habits else tag


def _keep_one_branch(parent: etree._Element, particle: Particle, contract: Contract) -> None:
    """Of the branches of each choice that may be taken once, keep the contract's first that has something in it."""
    for choice in _choices(particle):
        branches = [contract.tag(name) for name in choice[3] if isinstance(name, str)]
        filled = [tag for tag in branches if parent.find(tag) is not None]
        for tag in filled[1:]:
            for child in parent.findall(tag):
                parent.remove(child)


def _choices(particle: Particle) -> Iterator[Any]:
    kind, _, high, *rest = particle
    if kind == "choice" and str(high) == "1":
        yield particle
    for member in rest[0] if kind != "any" else ():
        if not isinstance(member, str):
            yield from _choices(member)


def _fill_in(contract: Contract, message: etree._Element, members: Collection[ElementDef], now: Callable[[], datetime]) -> None:
    place = 0
    for member in members:
        tag = contract.tag(member.name)
        if message.find(tag) is None and member.low and member.name in _MISSING:
            child = etree.Element(tag)
            child.text = _MISSING[member.name](now())
            message.insert(place, child)
        place += len(message.findall(tag))
