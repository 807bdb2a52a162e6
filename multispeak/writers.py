"""Compiled writers: records of the contract → XML text.

A writer is one generated function a type: it looks once over the texts of a record for anything that needs an escape, and otherwise
formats the record in one go. Members of other namespaces are written with the contract's prefixes, which the message's wrapper declares.
Source  reference/spyne.md 3.b
"""

import re
from collections.abc import Callable
from typing import Any

from multispeak.contract import XSI_NAMESPACE, Contract, TypeDef
from multispeak.records import Field, Records, fields_of
from multispeak.xml_values import WRITERS
from multispeak.xsd_rendering import type_label

Writer = Callable[[Any, str], str]
"""(value, element name) → the whole element."""

_NOT_XML = "\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff"
search_special = re.compile(f'[&<>"\t\n\r{_NOT_XML}]').search
_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\t": "&#9;", "\n": "&#10;", "\r": "&#13;"})
_replace_not_xml = re.compile(f"[{_NOT_XML}]").sub


def escape(value: Any) -> str:
    """Text fit for content and for attributes in double quotes; characters that XML cannot carry become U+FFFD."""
    text = str(value)
    if search_special(text) is None:
        return text
    return _replace_not_xml("\ufffd", text.translate(_ESCAPES))


class Writers:
    """Writers of one contract, each compiled when first needed."""

    def __init__(self, contract: Contract, records: Records) -> None:
        self._contract = contract
        self._records = records
        self._writers: dict[str, Writer] = {}
        others = (f' xmlns:{p}="{n}"' for p, n in contract.namespaces.items() if p != "tns")
        self.namespaces = f' xmlns="{contract.namespace}" xmlns:xsi="{XSI_NAMESPACE}"{"".join(others)}'

    def message(self, kind: TypeDef) -> Callable[[Any], str]:
        """A writer of a wrapper element, which declares the namespaces that everything inside relies on."""
        members = [(e.name, self.member(e.type_name, many=e.many)) for e in kind.elements]
        opening, closing = f"<{kind.name}{self.namespaces}>", f"</{kind.name}>"

        def write(values: Any) -> str:
            inside = (writer(v, name) for v, (name, writer) in zip(values, members, strict=True) if v is not None)
            return f"{opening}{''.join(inside)}{closing}"

        return write

    def member(self, type_name: str, *, many: bool = False) -> Writer:
        """A writer of a member of a type, or of a list of such members."""
        one = self.of(type_name)
        if not many:
            return one
        return lambda values, name: "".join([one(v, name) for v in values])

    def of(self, type_name: str) -> Writer:
        """A writer of elements of one type; a record of a subtype is written as that, with xsi:type."""
        found = self._writers.get(type_name)
        if found is None:

            def later(value: Any, name: str) -> str:
                return self._writers[type_name](value, name)

            # In place before its members are compiled: some types contain themselves.
            self._writers[type_name] = later
            found = self._writers[type_name] = self._compile(type_name)
        return found

    def _compile(self, type_name: str) -> Writer:
        kind = self._contract.types.get(type_name)
        if kind is None or kind.simple:
            convert = WRITERS.get(self._contract.built_in(type_name), escape)
            return lambda value, name: f"<{name}>{convert(value)}</{name}>"
        cls = self._records[type_name]
        plain = self._function(type_name, "")
        if not self._contract.derived.get(type_name):
            return plain

        def write(value: Any, name: str) -> str:
            return plain(value, name) if type(value) is cls else self._subtype(type(value).type_name)(value, name)

        return write

    def _subtype(self, type_name: str) -> Writer:
        key = "xsi:type " + type_name
        if key not in self._writers:
            prefix = self._contract.prefix_of(type_name)
            label = type_label(type_name) if prefix == "tns" else f"{prefix}:{type_label(type_name)}"
            self._writers[key] = self._function(type_name, f' xsi:type="{label}"')
        return self._writers[key]

    def _function(self, type_name: str, extra: str) -> Writer:
        source, names = self._source(fields_of(self._contract, type_name), extra)
        exec(source, names)  # noqa: S102 - generated from the contract in this package, never from a request
        writer: Writer = names["write"]
        return writer

    def _source(self, fields: list[Field], extra: str) -> tuple[str, dict[str, Any]]:
        """Python source of a writer and the names it uses; local `v3` is the third field's value, `x3` its XML."""
        names: dict[str, Any] = {"search_special": search_special, "escape": escape}
        lines = ["def write(r, tag):"]
        texts = []
        for i, field in enumerate(fields):
            lines.append(f"    v{i} = r.{field.slot}")
            if self._is_text(field):
                texts.append(i)
        if texts:
            lines.append(f'    if search_special(f"{"".join(f"{{v{i}}}" for i in texts)}"):')
            lines += [f"        if v{i} is not None: v{i} = escape(v{i})" for i in texts]
        for i, field in enumerate(fields):
            lines.append(f"    x{i} = '' if v{i} is None else {self._expression(i, field, names)}")
        attributes = "".join(f"{{x{i}}}" for i, f in enumerate(fields) if f.place == "attribute")
        inside = "".join(f"{{x{i}}}" for i, f in enumerate(fields) if f.place != "attribute")
        lines.append(f"    return f'<{{tag}}{extra}{attributes}>{inside}</{{tag}}>'")
        return "\n".join(lines), names

    def _is_text(self, field: Field) -> bool:
        kind = self._contract.types.get(field.type_name)
        simple = field.place != "element" or kind is None or kind.simple
        return simple and not field.many and self._contract.built_in(field.type_name) not in WRITERS

    def _expression(self, i: int, field: Field, names: dict[str, Any]) -> str:
        kind = self._contract.types.get(field.type_name)
        if field.place == "element" and (field.many or (kind is not None and not kind.simple)):
            names[f"w{i}"] = self.member(field.type_name, many=field.many)
            return f"w{i}(v{i}, {field.wire_name!r})"
        convert = WRITERS.get(self._contract.built_in(field.type_name))
        value = f"v{i}"
        if convert is not None and convert is not str:
            names[f"c{i}"] = convert
            value = f"c{i}(v{i})"
        if field.place == "attribute":
            return f"f' {field.wire_name}=\"{{{value}}}\"'"
        if field.place == "text":
            return f"f'{{{value}}}'"
        return f"f'<{field.wire_name}>{{{value}}}</{field.wire_name}>'"
