"""Contract → XML Schema: one schema a namespace, as they stand in a WSDL or as files of their own."""

from collections.abc import Iterable

from lxml import etree

from multispeak.contract import HEADER_NAME, XS_NAMESPACE, Contract, ElementDef, OperationDef, Particle, ServiceDef, TypeDef, local_name

XS = f"{{{XS_NAMESPACE}}}"


def schema_name(service: ServiceDef, prefix: str) -> str:
    """File name of the schema of one namespace, relative to the others."""
    return f"{service.name}.xsd" if prefix == "tns" else f"{service.name}-{prefix}.xsd"


class SchemaRendering:
    """Renders the schemas of one service.

    `located` gives every import a schemaLocation, which schemas outside of a WSDL need.
    """

    def __init__(self, contract: Contract, service: ServiceDef, *, located: bool) -> None:
        self._contract = contract
        self._service = service
        self._located = located
        self._types = contract.reachable(service)
        self._by_prefix: dict[str, list[TypeDef]] = {prefix: [] for prefix in contract.namespaces}
        for kind in self._types:
            if not kind.anonymous:
                self._by_prefix[contract.prefix_of(kind.name)].append(kind)

    def schemas(self) -> dict[str, etree._Element]:
        """One xs:schema for each prefix that has types; `tns` comes first and holds the elements of all messages."""
        return {prefix: self._schema(prefix, kinds) for prefix, kinds in self._by_prefix.items() if kinds}

    def _schema(self, prefix: str, kinds: list[TypeDef]) -> etree._Element:
        nsmap = {"s": XS_NAMESPACE, **self._contract.namespaces}
        schema = etree.Element(XS + "schema", nsmap=nsmap)
        schema.set("elementFormDefault", "qualified")
        schema.set("targetNamespace", self._contract.namespaces[prefix])
        for other in self._imports(prefix, kinds):
            attributes = {"namespace": self._contract.namespaces[other]}
            if self._located:
                attributes["schemaLocation"] = schema_name(self._service, other)
            etree.SubElement(schema, XS + "import", attributes)
        if prefix == "tns":
            for operation in self._service.operations.values():
                self._wrappers(schema, operation)
            etree.SubElement(schema, XS + "element", name=HEADER_NAME, type=f"tns:{HEADER_NAME}")
        for kind in kinds:
            self._type(schema, kind, type_label(kind.name))
        return schema

    def _imports(self, prefix: str, kinds: Iterable[TypeDef]) -> list[str]:
        names = {name for kind in kinds for name in kind.references()}
        names |= {name for kind in self._types if kind.anonymous for name in kind.references()}
        if prefix == "tns":
            names |= {e.type_name for o in self._service.operations.values() for e in (*o.request, *o.response)}
        prefixes = {self._contract.prefix_of(name) for name in names} - {prefix, "xs"}
        return sorted(p for p in prefixes if self._by_prefix.get(p))

    def _wrappers(self, schema: etree._Element, operation: OperationDef) -> None:
        for name, members in ((operation.name, operation.request), (operation.name + "Response", operation.response)):
            body = etree.SubElement(etree.SubElement(schema, XS + "element", name=name), XS + "complexType")
            if members:
                sequence = etree.SubElement(body, XS + "sequence")
                for member in members:
                    self._element(sequence, member)

    def _type(self, parent: etree._Element, kind: TypeDef, name: str | None) -> None:
        named = {"name": name} if name else {}
        if kind.simple:
            node = etree.SubElement(parent, XS + "simpleType", named)
            restriction = etree.SubElement(node, XS + "restriction", base=self._reference(kind.base or "xs:string"))
            for value in kind.enum:
                etree.SubElement(restriction, XS + "enumeration", value=value)
            return
        node = etree.SubElement(parent, XS + "complexType", named)
        if kind.abstract:
            node.set("abstract", "true")
        if kind.base or kind.content:
            wrapper = "simpleContent" if kind.content else "complexContent"
            base = self._reference(kind.content or kind.base or "")
            node = etree.SubElement(etree.SubElement(node, XS + wrapper), XS + "extension", base=base)
        self._members(node, kind)

    def _members(self, node: etree._Element, kind: TypeDef) -> None:
        elements = {e.name: e for e in kind.elements}
        if kind.particle:
            self._particle(node, kind.particle, elements)
        elif elements:
            sequence = etree.SubElement(node, XS + "sequence")
            for element in kind.elements:
                self._element(sequence, element)
        for attribute in kind.attributes:
            child = etree.SubElement(node, XS + "attribute", name=attribute.name)
            if attribute.use != "optional":
                child.set("use", attribute.use)
            if attribute.default is not None:
                child.set("default", attribute.default)
            self._typed(child, attribute.type_name or "xs:string")
        if kind.any_attribute:
            namespace, _, process = kind.any_attribute.rpartition("/")
            _wildcard(etree.SubElement(node, XS + "anyAttribute"), namespace, process)

    def _particle(self, parent: etree._Element, particle: Particle, elements: dict[str, ElementDef]) -> None:
        kind, low, high, *rest = particle
        node = etree.SubElement(parent, XS + kind)
        _occurs(node, low, str(high))
        if kind == "any":
            _wildcard(node, *rest)
            return
        for member in rest[0]:
            if isinstance(member, str):
                self._element(node, elements[member])
            else:
                self._particle(node, member, elements)

    def _element(self, parent: etree._Element, element: ElementDef) -> None:
        node = etree.SubElement(parent, XS + "element", minOccurs=str(element.low), maxOccurs=element.high, name=local_name(element.name))
        if element.nillable:
            node.set("nillable", "true")
        if element.default is not None:
            node.set("default", element.default)
        self._typed(node, element.type_name)

    def _typed(self, node: etree._Element, type_name: str) -> None:
        kind = self._contract.types.get(type_name)
        if kind is not None and kind.anonymous:
            self._type(node, kind, None)
        else:
            node.set("type", self._reference(type_name))

    def _reference(self, type_name: str) -> str:
        if type_name.startswith("xs:"):
            return "s:" + type_name[3:]
        return f"{self._contract.prefix_of(type_name)}:{type_label(type_name)}"


def type_label(type_name: str) -> str:
    """The name a type has in the schema: `ArrayOfString.crewID` becomes `ArrayOfStringCrewID`, an identifier in every language."""
    label, _, item = local_name(type_name).partition(".")
    return label + item[:1].upper() + item[1:]


def _occurs(node: etree._Element, low: int, high: str) -> None:
    if low != 1:
        node.set("minOccurs", str(low))
    if high != "1":
        node.set("maxOccurs", high)


def _wildcard(node: etree._Element, namespace: str, process: str) -> None:
    if namespace != "##any":
        node.set("namespace", namespace)
    if process != "strict":
        node.set("processContents", process)
