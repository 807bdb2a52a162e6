"""One endpoint's Spyne server: a service with all operations of the contract, and the drive of one call through Spyne.

Those without a handler answer that they are not implemented. Credentials are checked before any handler runs.
"""

import logging
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from twisted.logger import Logger

from headend.errors import HeadEndError
from headend.model.partner import Caller
from multispeak.access import require_allowed
from multispeak.authentication import Authenticator, Evidence
from multispeak.binding import ServiceBinding
from multispeak.calls import Answer, Call, Handlers, ListAnswer, UtilityStore
from multispeak.endpoints import Endpoints
from multispeak.faults import FaultCode, RefusedCallError, as_fault, internal_fault
from multispeak.message_header import HeaderWriter, Paging
from multispeak.paging_sessions import PagingSessions
from multispeak.soap_protocol import CompiledSoap11, CompiledSoap12, Exchange
from multispeak.spyne_import import Application, ComplexModel, Fault, MethodContext, ServerBase, ServiceBase, Unicode, rpc


@dataclass(frozen=True, slots=True)
class Reply:
    """What goes back: octets, or a stream of them, under a content type and an HTTP status."""

    status: int
    content_type: str
    octets: bytes
    chunks: AsyncGenerator[bytes, None] | None = None


class Message(ComplexModel):  # type: ignore[misc]  # Spyne says no types
    """What Spyne is told of every message: the real types are the contract's, read and written by compiled code."""

    content = Unicode


@dataclass(frozen=True, slots=True)
class EndpointParts:
    """What one endpoint is made of."""

    binding: ServiceBinding
    endpoints: Endpoints
    handlers: Handlers
    stores: Callable[[Caller], UtilityStore]
    authenticator: Authenticator
    header_writer: HeaderWriter
    sessions: PagingSessions
    now: Callable[[], datetime]


def build_servers(parts: EndpointParts) -> dict[str, "SoapServer"]:
    """A server for each SOAP version, by the media type of its messages."""
    # Spyne logs a traceback for every client fault and, for bad XML, the whole request with its password. What is worth
    # logging is logged here.
    logging.getLogger("spyne").setLevel(logging.CRITICAL + 1)
    return {
        "text/xml": SoapServer(parts, CompiledSoap11, "text/xml", client_fault_status=500),
        "application/soap+xml": SoapServer(parts, CompiledSoap12, "application/soap+xml", client_fault_status=400),
    }


def _service_class(parts: EndpointParts) -> Any:
    """A Spyne service with a method for each operation of the contract."""
    methods = {name: _method(parts, name) for name in parts.binding.service.operations}
    return type(ServiceBase)(parts.binding.service.name, (ServiceBase,), methods)


def _method(parts: EndpointParts, name: str) -> Any:
    async def call(ctx: Any, request: Any) -> Answer | ListAnswer:
        return await _answer(parts, name, ctx.udc, request)

    call.__name__ = name
    decorate = rpc(Message, _returns=Message, _body_style="bare", _in_message_name=name, _out_message_name=name + "Response")
    return decorate(call)


async def _answer(parts: EndpointParts, name: str, exchange: Exchange, request: Any) -> Answer | ListAnswer:
    caller = exchange.caller
    assert caller is not None, "no operation is called for a stranger"
    handler = parts.handlers.get(name)
    if handler is None:
        binding = parts.binding
        sentence = f"{name} of {binding.service.name} {binding.contract.version} is not implemented; GetMethods lists what is"
        raise RefusedCallError(FaultCode.NOT_IMPLEMENTED, sentence)
    call = Call(name, caller, exchange.header, request, parts.stores(caller), parts.binding, parts.now(), parts.header_writer.new_id)
    answer = await handler(call)
    return answer if answer.paging is None else _in_session(parts.sessions, call, answer, answer.paging)


def _in_session(sessions: PagingSessions, call: Call, answer: Answer | ListAnswer, paging: Paging) -> Answer | ListAnswer:
    last_received = getattr(call.request, "lastReceived", None) or ""
    session = sessions.session_of(call.partner.user_id, call.operation, last_received, call.header.session_id, paging)
    return replace(answer, paging=replace(paging, session_id=session))


class CallContext(MethodContext):  # type: ignore[misc]
    """Spyne's context of one call, with what a call uses here.

    Spyne's own makes fifty attributes and five objects for each call, checks each assignment, copies the whole and fires nine events.
    """

    __setattr__ = object.__setattr__
    in_object: Any = None
    out_error: Fault | None = None
    out_document: Any = None
    descriptor: Any = None
    function: Any = None

    def __init__(self, exchange: Exchange, octets: bytes = b"") -> None:
        self.udc = exchange
        self.in_string = (octets,)

    def fire_event(self, event: str, *args: object, **kwargs: object) -> None:
        """No handlers are ever registered."""


class SoapServer(ServerBase):  # type: ignore[misc]
    """Drives calls of one endpoint and one SOAP version through Spyne."""

    transport = "http://schemas.xmlsoap.org/soap/http"
    _log = Logger()

    def __init__(self, parts: EndpointParts, protocol: Any, media_type: str, client_fault_status: int) -> None:
        def fresh() -> Any:
            return protocol(parts.binding, parts.endpoints, parts.header_writer, parts.now)

        contract, service = parts.binding.contract, parts.binding.service
        application = Application([_service_class(parts)], contract.namespace, name=service.name, in_protocol=fresh(), out_protocol=fresh())
        super().__init__(application)
        self._messages = application.in_protocol
        self._descriptors = {d.name: d for (d,) in application.interface.service_method_map.values()}
        self._authenticator = parts.authenticator
        self._service_name = service.name
        self._content_type = media_type + "; charset=utf-8"
        self._client_fault_status = client_fault_status

    async def respond(self, octets: bytes, exchange: Exchange) -> Reply:
        """Answer one request; every failure is a fault."""
        try:
            return await self._respond(octets, exchange)
        except Exception:  # noqa: BLE001 - our bug: the caller gets a fault, the log the traceback
            self._log.failure("call failed", operation=exchange.operation)
            return self._fault_reply(internal_fault(), exchange)

    async def _respond(self, octets: bytes, exchange: Exchange) -> Reply:
        ctx, messages = CallContext(exchange, octets), self._messages
        try:
            messages.create_in_document(ctx)
            messages.decompose_incoming_envelope(ctx)
            await self._admit(exchange)
            ctx.descriptor = descriptor = self._descriptors[exchange.operation]
            ctx.function = descriptor.function
            messages.deserialize(ctx)
            ctx.out_object = [await descriptor.service_class.call_wrapper(ctx, (ctx, ctx.in_object))]
        except HeadEndError as error:
            ctx.out_error = as_fault(error)
        except Fault as fault:
            ctx.out_error = fault
        messages.serialize(ctx)
        if exchange.chunks is not None:
            return await self._start(exchange.chunks, exchange)
        return Reply(self._status(ctx.out_error), self._content_type, ctx.out_document)

    async def _admit(self, exchange: Exchange) -> None:
        """Know the caller before anything is made of the message: what strangers send is parsed, no more."""
        evidence = Evidence(exchange.header, exchange.address, exchange.seconds, exchange.certificate)
        exchange.caller = caller = await self._authenticator.authenticate(evidence)
        require_allowed(caller.partner, self._service_name, exchange.operation)
        exchange.utility_name = caller.utility.name

    def refuse(self, error: HeadEndError, exchange: Exchange) -> Reply:
        """A fault for a request that is not even looked at."""
        return self._fault_reply(as_fault(error), exchange)

    async def _start(self, chunks: AsyncGenerator[bytes, None], exchange: Exchange) -> Reply:
        """Take the first chunk before the status goes out: until then a failure is a fault."""
        try:
            first = await anext(chunks)
        except HeadEndError as error:
            return self._fault_reply(as_fault(error), exchange)
        return Reply(200, self._content_type, first, chunks)

    def _fault_reply(self, fault: Fault, exchange: Exchange) -> Reply:
        ctx = CallContext(exchange)
        ctx.out_error = fault
        self._messages.serialize(ctx)
        return Reply(self._status(fault), self._content_type, ctx.out_document)

    def _status(self, fault: Fault | None) -> int:
        """HTTP status; SOAP 1.2 answers the sender's mistakes with 400, everything else is 500."""
        if fault is None:
            return 200
        return 500 if str(fault.faultcode).startswith("Server") else self._client_fault_status
