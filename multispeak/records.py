"""Plain record classes for the contract's types, compiled when first asked for."""

import keyword
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from multispeak.contract import AttributeDef, Contract, ElementDef, TypeDef, local_name

Place = Literal["element", "attribute", "text"]
_SECRET = ("pwd", "password")


@dataclass(frozen=True, slots=True)
class Field:
    """One slot of a record: where its value stands in XML, under which wire name, and of which type."""

    slot: str
    place: Place
    wire_name: str
    type_name: str
    element: ElementDef | None = None

    @property
    def many(self) -> bool:
        return self.element is not None and self.element.many


def fields_of(contract: Contract, type_name: str) -> list[Field]:
    """Slots of a type, inherited ones first: elements in wire order, then the text, then attributes.

    A slot is called as on the wire; a Python keyword gets a trailing underscore, an attribute that shares its name with an element
    the ending `_attribute`.
    """
    chain = contract.lineage(type_name)
    taken: set[str] = set()
    fields = [Field(_slot(e.name, taken), "element", e.name, e.type_name, e) for kind in chain for e in kind.elements]
    if chain and chain[0].content:
        fields.append(Field(_slot("text", taken), "text", "", chain[0].content))
    fields += [_attribute_field(a, taken) for kind in chain for a in kind.attributes]
    return fields


def _attribute_field(attribute: AttributeDef, taken: set[str]) -> Field:
    return Field(_slot(attribute.name, taken), "attribute", attribute.name, attribute.type_name or "xs:string")


def _slot(wire_name: str, taken: set[str]) -> str:
    name = local_name(wire_name)
    if keyword.iskeyword(name):
        name += "_"
    if name in taken:
        name += "_attribute"
    taken.add(name)
    return name


class Record:
    """Ancestor of every compiled class; a slot is None where nothing was said. Passwords stay out of the representation."""

    __slots__: tuple[str, ...] = ()
    type_name: str = ""

    def _items(self) -> Iterator[tuple[str, Any]]:
        return ((slot, getattr(self, slot)) for slot in type(self).__slots__)

    def __repr__(self) -> str:
        shown = (f"{s}={'…' if s.lower().endswith(_SECRET) else repr(v)}" for s, v in self._items() if v is not None)
        return f"{self.type_name}({', '.join(shown)})"

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and list(self._items()) == list(other._items())

    __hash__ = None  # type: ignore[assignment]  # records change


class Records:
    """The record classes of one contract by type name: `records["meterRead"](meterNo="1")`."""

    def __init__(self, contract: Contract) -> None:
        self._contract = contract
        self._classes: dict[str, type[Any]] = {}

    def __getitem__(self, type_name: str) -> type[Any]:
        found = self._classes.get(type_name)
        if found is None:
            if type_name not in self._contract.types:
                raise LookupError(f"MultiSpeak {self._contract.version} has no type {type_name}")
            found = self._classes[type_name] = compile_record(type_name, fields_of(self._contract, type_name))
        return found

    def message(self, kind: TypeDef) -> type[Any]:
        """The class of an operation's wrapper element, which is a type of its own only here."""
        return compile_record(kind.name, [Field(_slot(e.name, set()), "element", e.name, e.type_name, e) for e in kind.elements])


def compile_record(type_name: str, fields: list[Field]) -> type[Any]:
    """A class with one slot a field and an initializer that takes them by keyword."""
    slots = tuple(f.slot for f in fields)
    # Written out and compiled: an initializer that loops over keywords costs five times as much, and lists hold thousands.
    source = "def __init__(self{}):\n{}".format(
        "".join(f", {s}=None" for s in slots),
        "".join(f"    self.{s} = {s}\n" for s in slots) or "    pass\n",
    )
    namespace: dict[str, Any] = {}
    exec(source, namespace)  # noqa: S102 - names come from the contract in this package, never from a request
    return type(local_name(type_name), (Record,), {"__slots__": slots, "__init__": namespace["__init__"], "type_name": type_name})
