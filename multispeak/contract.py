"""The contract of a MultiSpeak version as values: types, elements, operations, and what follows from them.

Source  wsdl/SOURCES.md for the encoding; reference/multispeak.md 1
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from wsdl import contract_text

XS_NAMESPACE = "http://www.w3.org/2001/XMLSchema"
XSI_NAMESPACE = "http://www.w3.org/2001/XMLSchema-instance"
HEADER_NAME = "MultiSpeakMsgHeader"

Particle = list[Any]
"""`[sequence|choice|all, min, max, [members]]`; a member is an element name, a particle or `[any, min, max, namespace, process]`."""


@dataclass(frozen=True, slots=True)
class ElementDef:
    """One element of a complex type or of a message; `many` when it may repeat."""

    name: str
    type_name: str
    low: int
    high: str
    nillable: bool
    default: str | None = None

    @property
    def many(self) -> bool:
        return self.high != "1"

    @classmethod
    def read(cls, item: list[Any]) -> "ElementDef":
        name, type_name, low, high, nillable, *rest = item
        return cls(name, type_name, low, str(high), nillable, rest[0].get("default") if rest else None)


@dataclass(frozen=True, slots=True)
class AttributeDef:
    """One attribute; `type_name` is None for an untyped one."""

    name: str
    type_name: str | None
    use: str
    default: str | None


@dataclass(frozen=True, slots=True)
class TypeDef:
    """One type: simple (with `enum`), complex, or complex with simple content (`content`)."""

    name: str
    simple: bool
    base: str | None = None
    content: str | None = None
    abstract: bool = False
    enum: tuple[str, ...] = ()
    elements: tuple[ElementDef, ...] = ()
    attributes: tuple[AttributeDef, ...] = ()
    any_attribute: str | None = None
    particle: Particle | None = None

    @property
    def anonymous(self) -> bool:
        return "/" in self.name

    def references(self) -> Iterator[str]:
        """Names of the types this one mentions, built-in ones included."""
        yield from (name for name in (self.base, self.content) if name)
        yield from (e.type_name for e in self.elements)
        yield from (a.type_name for a in self.attributes if a.type_name)


@dataclass(frozen=True, slots=True)
class OperationDef:
    """One operation; `request` and `response` are the members of its two wrapper elements."""

    name: str
    soap_action: str
    request: tuple[ElementDef, ...]
    response: tuple[ElementDef, ...]


@dataclass(frozen=True)
class ServiceDef:
    """One server of the contract, e.g. MR_Server, and its operations by name."""

    name: str
    operations: Mapping[str, OperationDef]


@dataclass(frozen=True)
class Contract:
    """All of one version."""

    version: str
    namespace: str
    namespaces: Mapping[str, str]
    types: Mapping[str, TypeDef]
    services: Mapping[str, ServiceDef]
    derived: Mapping[str, tuple[str, ...]] = field(repr=False)

    @cached_property
    def header(self) -> TypeDef:
        return self.types[HEADER_NAME]

    def prefix_of(self, name: str) -> str:
        """Namespace prefix of a type or element name; `tns` for one without."""
        return name.partition(":")[0] if ":" in name else "tns"

    def tag(self, name: str) -> str:
        """`{namespace}local` of an element name."""
        return f"{{{self.namespaces[self.prefix_of(name)]}}}{local_name(name)}"

    def lineage(self, type_name: str) -> list[TypeDef]:
        """The type after its bases, outermost base first."""
        chain: list[TypeDef] = []
        kind = self.types.get(type_name)
        while kind is not None:
            chain.append(kind)
            kind = self.types.get(kind.base or kind.content or "")
        return chain[::-1]

    def built_in(self, type_name: str) -> str:
        """Local name of the XML Schema built-in that holds the text of a simple type or of simple content."""
        while not type_name.startswith("xs:"):
            kind = self.types[type_name]
            type_name = kind.base or kind.content or "xs:string"
        return type_name[3:]

    def reachable(self, service: ServiceDef) -> list[TypeDef]:
        """Types that the service's messages can hold, in order of name; subtypes of abstract ones included."""
        todo = [HEADER_NAME, *(e.type_name for o in service.operations.values() for e in (*o.request, *o.response))]
        seen: set[str] = set()
        while todo:
            name = todo.pop()
            if name in seen or name not in self.types:
                continue
            seen.add(name)
            todo += self.types[name].references()
            if self.types[name].abstract and name != "mspObject":
                todo += self.derived.get(name, ())
        return [self.types[name] for name in sorted(seen)]


def local_name(name: str) -> str:
    """A name without its prefix."""
    return name.rpartition(":")[2]


def load_contract(version: str) -> Contract:
    """Read one version's contract from the package `wsdl`.

    Raises  LookupError for a version that is not published
    """
    facts = json.loads(contract_text(version))
    return Contract(
        version=facts["version"],
        namespace=facts["namespace"],
        namespaces=facts["namespaces"],
        types={name: _type(name, item) for name, item in facts["types"].items()},
        services={name: _service(name, item["operations"]) for name, item in facts["services"].items()},
        derived={name: tuple(kinds) for name, kinds in facts["abstractDerived"].items()},
    )


def _elements(items: Iterable[list[Any]]) -> tuple[ElementDef, ...]:
    return tuple(ElementDef.read(item) for item in items)


def _service(name: str, operations: Mapping[str, Any]) -> ServiceDef:
    return ServiceDef(
        name,
        {n: OperationDef(n, o["soapAction"], _elements(o["input"]), _elements(o["output"])) for n, o in operations.items()},
    )


def _type(name: str, item: Mapping[str, Any]) -> TypeDef:
    return TypeDef(
        name=name,
        simple=item["kind"] == "simple",
        base=item.get("base"),
        content=item.get("simpleContent"),
        abstract=bool(item.get("abstract")),
        enum=tuple(item.get("enum") or ()),
        elements=_elements(item.get("elements", ())),
        attributes=tuple(AttributeDef(*a[:4]) for a in item.get("attributes", ())),
        any_attribute=item.get("anyAttribute"),
        particle=item.get("particle"),
    )
