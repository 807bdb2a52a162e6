"""The contract's schema, compiled once for each service, and what it has to say about a message."""

import re
from collections.abc import Callable, Collection
from datetime import datetime
from typing import Any

from lxml import etree

from headend.model.habits import Habit
from multispeak.contract import Contract, ServiceDef
from multispeak.faults import FaultCode, RefusedCallError
from multispeak.limits import LONG_MESSAGE_OCTETS, PLACED_ERRORS_MAX, REPAIRS_MAX
from multispeak.tolerance import Tolerance
from multispeak.wsdl_rendering import render_xsds
from multispeak.xsd_rendering import schema_name

_CLARK = re.compile(r"\{[^}]*\}")
_elements = etree.XPath("count(descendant::*)")


class _InMemory(etree.Resolver):
    """Serves the imports between a service's schemas, and nothing else."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self._files = files

    def resolve(self, system_url: str | None, public_id: str | None, context: Any) -> Any:
        return self.resolve_string(self._files[(system_url or "").rpartition("/")[2]], context)


def compile_schema(contract: Contract, service: ServiceDef) -> etree.XMLSchema:
    """The schema of all messages of a service."""
    files = render_xsds(contract, service)
    parser = etree.XMLParser(no_network=True, load_dtd=False, resolve_entities=False)
    parser.resolvers.add(_InMemory(files))
    return etree.XMLSchema(etree.fromstring(files[schema_name(service, "tns")], parser))


class MessageCheck:
    """Holds messages against the schema; gives one that fails a second, lenient look."""

    def __init__(self, contract: Contract, service: ServiceDef) -> None:
        self._schema = compile_schema(contract, service)
        self._tolerance = Tolerance(contract, service)

    def require_valid(
        self, message: etree._Element, habits: Collection[Habit], now: Callable[[], datetime], octets: int = LONG_MESSAGE_OCTETS
    ) -> None:
        """Accept a message, put right where its sender is tolerated that; `octets` is how long it came.

        Raises  RefusedCallError naming the element, its line and what is wrong with it
        """
        if octets >= LONG_MESSAGE_OCTETS and _elements(message) > REPAIRS_MAX:
            self._require_few_errors(message)
        if self._schema.validate(message):
            return
        first = self._first_error(message)
        self._tolerance.repair(message, habits, now)
        if not self._schema.validate(message):
            raise RefusedCallError(FaultCode.INVALID_MESSAGE, self._first_error(message) or first)

    def _require_few_errors(self, message: etree._Element) -> None:
        """Accept a large message with so few errors that each may be placed.

        libxml2 counts an element's elder siblings for every error in a tree: 100,000 wrong objects in one list would take minutes, in
        which nobody else is answered. While it parses it has no tree, and none of this; but then no error has a line.
        """
        parser = etree.XMLParser(schema=self._schema, resolve_entities=False, no_network=True, load_dtd=False)
        try:
            etree.fromstring(etree.tostring(message), parser)
        except etree.XMLSyntaxError as error:
            count = len(parser.error_log)
            if count > PLACED_ERRORS_MAX:
                said = _CLARK.sub("", error.msg or "")
                name = etree.QName(message).localname
                raise RefusedCallError(FaultCode.INVALID_MESSAGE, f"{name}: {count} errors, of which the first: {said}") from None

    def _first_error(self, message: etree._Element) -> str:
        error = self._schema.error_log[0]
        name = etree.QName(message).localname
        where = element_path(message, error.path) or name
        return f"{where}, line {error.line}: {_CLARK.sub('', error.message)}"


def element_path(message: etree._Element, path: str | None) -> str:
    """Names from the message down to what `path` points at; empty where it points nowhere.

    `path` is libxml2's, absolute, the message being its first step.
    """
    steps = (path or "").split("/", 2)[2:]
    prefixes = {p: n for p, n in message.nsmap.items() if p}
    try:
        found = message.xpath(steps[0], namespaces=prefixes) if steps else [message]
    except etree.XPathError:
        return ""
    if not isinstance(found, list) or not found or not isinstance(found[0], etree._Element):
        return ""
    above = [*reversed(list(found[0].iterancestors())), found[0]]
    return "/".join(etree.QName(element).localname for element in above[above.index(message) :])
