"""Compiled readers: valid elements → records of the contract."""

from collections.abc import Callable
from typing import Any

from lxml import etree

from multispeak.contract import XSI_NAMESPACE, Contract, TypeDef, local_name
from multispeak.records import Field, Records, fields_of
from multispeak.unheld_values import or_unheld
from multispeak.xml_values import READERS, UnreadableValueError
from multispeak.xsd_rendering import type_label

Reader = Callable[[etree._Element], Any]

_XSI_NIL = f"{{{XSI_NAMESPACE}}}nil"
_XSI_TYPE = f"{{{XSI_NAMESPACE}}}type"


class Readers:
    """Readers of one contract, each compiled when first needed. They trust the schema, which has passed what they are given.

    A value that cannot be held fails the reading, but within an object (of a list, or a parameter) it stands in the record as an
    `Unheld`: `lenient` readers are those that read such an object again.
    """

    def __init__(self, contract: Contract, records: Records, *, lenient: bool = False) -> None:
        self._contract = contract
        self._records = records
        self._readers: dict[str, Reader] = {}
        self._lenient = self if lenient else Readers(contract, records, lenient=True)

    def message(self, kind: TypeDef) -> Reader:
        """A reader of an operation's wrapper element."""
        cls = self._records.message(kind)
        fields = [Field(slot, "element", e.name, e.type_name, e) for slot, e in zip(cls.__slots__, kind.elements, strict=True)]
        return self._complex(cls, fields, are_parameters=True)

    def of(self, type_name: str) -> Reader:
        """A reader of elements of one type."""
        found = self._readers.get(type_name)
        if found is None:

            def later(element: etree._Element) -> Any:
                return self._readers[type_name](element)

            # In place before its members are compiled: some types contain themselves.
            self._readers[type_name] = later
            found = self._readers[type_name] = self._compile(type_name)
        return found

    def _compile(self, type_name: str) -> Reader:
        kind = self._contract.types.get(type_name)
        if kind is None or kind.simple:
            return _text_reader(self._converter(self._contract.built_in(type_name)))
        plain = self._complex(self._records[type_name], fields_of(self._contract, type_name))
        subtypes = {type_label(name): name for name in self._contract.derived.get(type_name, ()) if name in self._contract.types}
        if not subtypes:
            return plain

        def read_subtype(element: etree._Element) -> Any:
            name = subtypes.get(local_name(element.get(_XSI_TYPE, "")))
            return self.of(name)(element) if name else plain(element)

        return read_subtype

    def _complex(self, cls: type[Any], fields: list[Field], *, are_parameters: bool = False) -> Reader:
        members = [f for f in fields if f.place == "element"]
        children = {self._contract.tag(f.wire_name): (f.slot, self._member(f, apart=f.many or are_parameters), f.many) for f in members}
        attributes = [(f.slot, f.wire_name, self._value(f.type_name)) for f in fields if f.place == "attribute"]
        text = next(((f.slot, self._value(f.type_name)) for f in fields if f.place == "text"), None)

        def read(element: etree._Element) -> Any:
            record = cls()
            for child in element:
                known = children.get(str(child.tag))
                if known is None or child.get(_XSI_NIL) in {"true", "1"}:
                    continue
                slot, reader, many = known
                if not many:
                    setattr(record, slot, reader(child))
                elif getattr(record, slot) is None:
                    setattr(record, slot, [reader(child)])
                else:
                    getattr(record, slot).append(reader(child))
            for slot, name, convert in attributes:
                value = element.get(name)
                if value is not None:
                    setattr(record, slot, convert(value))
            if text is not None:
                setattr(record, text[0], text[1](element.text or ""))
            return record

        return read

    def _member(self, field: Field, *, apart: bool) -> Reader:
        """The reader of a member; an object that is read `apart` does not concern the others if a value of it cannot be held."""
        reader = self.of(field.type_name)
        kind = self._contract.types.get(field.type_name)
        if not apart or self._lenient is self or kind is None or kind.simple:
            return reader

        def read_one(element: etree._Element) -> Any:
            try:
                return reader(element)
            except (UnreadableValueError, ValueError, ArithmeticError):
                return self._lenient.of(field.type_name)(element)

        return read_one

    def _value(self, type_name: str) -> Callable[[str], Any]:
        return self._converter(self._contract.built_in(type_name)) or str

    def _converter(self, built_in: str) -> Callable[[str], Any] | None:
        convert = READERS.get(built_in)
        return convert if convert is None or self._lenient is not self else or_unheld(convert, built_in)


def _text_reader(convert: Callable[[str], Any] | None) -> Reader:
    if convert is None:
        return lambda element: element.text or ""
    return lambda element: convert(element.text or "")
