"""One service of one version, ready to serve: its schema, and a reader and a writer for each operation."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from lxml import etree

from multispeak.contract import Contract, ElementDef, OperationDef, ServiceDef, TypeDef
from multispeak.publications import Publications
from multispeak.readers import Reader, Readers
from multispeak.records import Records
from multispeak.schema import MessageCheck
from multispeak.writers import Writer, Writers


@dataclass(frozen=True, slots=True)
class ListShape:
    """How a list answer is written piecewise: what opens it, what closes it, and its item's writer."""

    opening: str
    closing: str
    item_name: str
    write: Writer


class OperationBinding:
    """Reads requests and writes answers of one operation; compiled on its first use."""

    def __init__(self, contract: Contract, operation: OperationDef, readers: Readers, writers: Writers) -> None:
        self.operation = operation
        self._contract = contract
        self._readers = readers
        self._writers = writers
        self._read: Reader | None = None
        self._write: Callable[[Any], str] | None = None
        self._write_request: Callable[[Any], str] | None = None

    def read(self, payload: etree._Element) -> Any:
        """The request as a record with one slot a parameter."""
        if self._read is None:
            self._read = self._readers.message(TypeDef(self.operation.name, simple=False, elements=self.operation.request))
        return self._read(payload)

    def write(self, result: Any) -> str:
        """The response element; None leaves an optional result out."""
        if self._write is None:
            self._write = self._writers.message(self._response())
        return self._write((result,) if self.operation.response else ())

    def write_request(self, values: Sequence[Any]) -> str:
        """The request element, as a client sends it; None leaves an optional parameter out."""
        if self._write_request is None:
            self._write_request = self._writers.message(TypeDef(self.operation.name, simple=False, elements=self.operation.request))
        return self._write_request(values)

    @cached_property
    def result_shape(self) -> ListShape:
        """For a response whose one result is written before: what stands around it, and its writer."""
        (result,) = self.operation.response
        name = self.operation.name + "Response"
        return ListShape(f"<{name}{self._writers.namespaces}>", f"</{name}>", result.name, self._writers.of(result.type_name))

    @cached_property
    def list_shape(self) -> ListShape:
        """For a response whose result is an ArrayOf…."""
        result, item = self._result_item()
        name = self.operation.name + "Response"
        return ListShape(
            opening=f"<{name}{self._writers.namespaces}><{result.name}>",
            closing=f"</{result.name}></{name}>",
            item_name=item.name,
            write=self._writers.of(item.type_name),
        )

    def _response(self) -> TypeDef:
        return TypeDef(self.operation.name + "Response", simple=False, elements=self.operation.response)

    def _result_item(self) -> tuple[ElementDef, ElementDef]:
        (result,) = self.operation.response
        (item,) = self._contract.types[result.type_name].elements
        assert item.many, f"{self.operation.name} answers no list"
        return result, item


class ServiceBinding:
    """Everything compiled from the contract for one service."""

    def __init__(self, contract: Contract, service: ServiceDef, records: Records) -> None:
        self.contract = contract
        self.service = service
        self.records = records
        self.publications = Publications.of(contract)
        readers, writers = Readers(contract, records), Writers(contract, records)
        self.operations = {name: OperationBinding(contract, o, readers, writers) for name, o in service.operations.items()}

    @cached_property
    def check(self) -> MessageCheck:
        """Holds messages against the schema, which takes a while to compile."""
        return MessageCheck(self.contract, self.service)

    def ready(self) -> "ServiceBinding":
        """The same, its schema compiled now rather than at the first call."""
        assert self.check is not None
        return self

    @property
    def published(self) -> tuple[str, ...]:
        """Notifications that this server publishes."""
        return self.publications.by_server[self.service.name]
