"""Spyne protocols that read and write with compiled readers and writers instead of Spyne's own tree walk.

Spyne calls them in its order: create_in_document, decompose_incoming_envelope, deserialize, (the operation), serialize,
create_out_string; what is wrong becomes a Fault that it carries on.
Source  reference/spyne.md 3
"""

from collections.abc import AsyncGenerator, Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from headend.errors import HeadEndError
from headend.model.habits import Habit
from headend.model.partner import Caller, ClientCertificate
from multispeak.binding import ServiceBinding
from multispeak.calls import Answer, ListAnswer
from multispeak.contract import local_name
from multispeak.endpoints import Endpoints
from multispeak.envelope import Envelope, open_envelope, parse_request, request_parser
from multispeak.faults import FaultCode, RefusedCallError, as_fault, render_fault
from multispeak.message_header import NOTHING_SAID, HeaderWriter, RequestHeader, read_header, require_version
from multispeak.object_counts import counted, objects_asked, objects_told
from multispeak.spyne_import import Soap11, Soap12
from multispeak.streaming import stream_list


@dataclass(slots=True)
class Exchange:
    """What the transport knows of a request, and what is found in it and becomes of it; travels as Spyne's `ctx.udc`."""

    address: str
    soap_action: str
    seconds: float
    certificate: ClientCertificate | None = None
    envelope: Envelope | None = None
    header: RequestHeader = NOTHING_SAID
    operation: str = ""
    caller: Caller | None = None
    utility_name: str = ""
    fault_code: str = ""
    transaction_id: str = ""
    objects_in: int = 0
    objects_out: int = 0
    answer_head: bytes = field(default=b"", repr=False)
    octets_out: int = 0
    cut_off: bool = False
    chunks: AsyncGenerator[bytes, None] | None = None


class _Faults:
    """Turns our errors into Spyne's on the way out of a `with` block."""

    def __enter__(self) -> None:
        """Nothing to do."""

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, HeadEndError):
            raise as_fault(error) from None
        if isinstance(error, (ValueError, ArithmeticError)):
            # What a schema lets through and Python does not hold, such as an integer of 5,000 digits.
            raise as_fault(RefusedCallError(FaultCode.INVALID_MESSAGE, f"a value cannot be held here: {error}")) from None


_FAULTS = _Faults()


class _Compiled:
    """What both SOAP versions share; stands before a Spyne protocol among the bases."""

    ns_soap_env: str

    def __init__(self, binding: ServiceBinding, endpoints: Endpoints, header_writer: HeaderWriter, now: Callable[[], datetime]) -> None:
        super().__init__()
        self._binding = binding
        self._endpoints = endpoints
        self._header_writer = header_writer
        self._now = now
        self._parser = request_parser()

    def create_in_document(self, ctx: Any, charset: str | None = None) -> None:
        """Octets → ctx.in_document, parsed safely."""
        with _FAULTS:
            ctx.in_document = parse_request(b"".join(ctx.in_string), self._parser)

    def decompose_incoming_envelope(self, ctx: Any, message: object = None) -> None:
        """Find header, body and operation; refuse what belongs elsewhere."""
        exchange: Exchange = ctx.udc
        with _FAULTS:
            exchange.envelope = open_envelope(ctx.in_document, self.ns_soap_env)
            exchange.header = read_header(exchange.envelope)
            ctx.in_body_doc = exchange.envelope.payload
            ctx.method_request_string = str(ctx.in_body_doc.tag)
            self._endpoints.require_here(self._binding, ctx.method_request_string)
            require_version(exchange.header, self._binding.contract)
            exchange.operation = local_name(ctx.method_request_string.replace("}", ":"))

    def deserialize(self, ctx: Any, message: object = None) -> None:
        """Validate the operation's element, with what its sender is tolerated, and read it into a record."""
        exchange: Exchange = ctx.udc
        assert exchange.caller is not None, "nothing is made of a stranger's message"
        habits = exchange.caller.partner.tolerated
        with _FAULTS:
            self._require_action(exchange, habits)
            self._binding.check.require_valid(ctx.in_body_doc, habits, self._now, len(ctx.in_string[0]))
            ctx.in_object = self._binding.operations[ctx.descriptor.name].read(ctx.in_body_doc)
        exchange.transaction_id = getattr(ctx.in_object, "transactionID", None) or ""
        exchange.objects_in = objects_asked(ctx.in_object)
        ctx.in_header = ctx.udc.header

    def _require_action(self, exchange: Exchange, habits: Collection[Habit]) -> None:
        """An absent or empty SOAPAction is taken, with or without quotes; another operation's is not."""
        action = exchange.soap_action.strip().strip('"')
        if Habit.SOAP_ACTION in habits:
            action = action.strip()
        expected = self._binding.service.operations[exchange.operation].soap_action
        if action and action != expected:
            sentence = f"SOAPAction is {action[:200]!r}, but the Body holds {exchange.operation}, whose SOAPAction is {expected!r}"
            raise RefusedCallError(FaultCode.SOAP_ACTION, sentence)

    def serialize(self, ctx: Any, message: object = None) -> None:
        """The answer, or the fault, as text or as a stream of octets."""
        exchange: Exchange = ctx.udc
        if ctx.out_error is not None:
            exchange.fault_code = str(ctx.out_error.faultcode)
            ctx.out_document = render_fault(ctx.out_error, self.ns_soap_env, self._binding.contract.namespace)
            return
        answer: Answer | ListAnswer = ctx.out_object[0]
        start = (
            f'<?xml version="1.0" encoding="utf-8"?>\n<soap:Envelope xmlns:soap="{self.ns_soap_env}"><soap:Header>'
            f"{self._header_writer.write(exchange.utility_name, answer.paging)}</soap:Header><soap:Body>"
        )
        end = "</soap:Body></soap:Envelope>"
        operation = self._binding.operations[ctx.descriptor.name]
        if isinstance(answer, ListAnswer):
            batches = counted(exchange, answer.batches)
            exchange.chunks = stream_list(start, operation.list_shape, batches, end, written=answer.written)
            ctx.out_document = b""
        elif answer.written:
            exchange.objects_out = 1
            shape = operation.result_shape
            ctx.out_document = f"{start}{shape.opening}{answer.result}{shape.closing}{end}".encode()
        else:
            exchange.objects_out = objects_told(answer.result)
            ctx.out_document = f"{start}{operation.write(answer.result)}{end}".encode()

    def create_out_string(self, ctx: Any, charset: str | None = None) -> None:
        """ctx.out_document is octets already."""
        ctx.out_string = (ctx.out_document,)


class CompiledSoap11(_Compiled, Soap11):  # type: ignore[misc]  # Spyne says no types
    """SOAP 1.1."""


class CompiledSoap12(_Compiled, Soap12):  # type: ignore[misc]
    """SOAP 1.2."""
