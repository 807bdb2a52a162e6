"""One endpoint's Spyne server: a service with all operations of the contract, and the drive of one call through Spyne.

Those without a handler answer that they are not implemented. Credentials are checked before any handler runs.
"""

import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
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


class Message(ComplexModel):  # type: ignore[misc]
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


class LeanContext(MethodContext):  # type: ignore[misc]
    """Spyne's context without what nobody here uses: the check of every assignment and the nine events of a call."""

    __setattr__ = object.__setattr__

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
        ctx = LeanContext(self, MethodContext.SERVER)
        ctx.in_string = [octets]
        ctx.udc = exchange
        (ctx,) = self.generate_contexts(ctx)
        if ctx.in_error is None:
            await self._admit(ctx, exchange)
        if ctx.in_error is None:
            self.get_in_object(ctx)
        if ctx.in_error is None:
            self.get_out_object(ctx)
            if ctx.out_error is None:
                await self._settle(ctx)
        self.get_out_string(ctx)
        chunks = exchange.chunks if ctx.out_error is None else None
        if chunks is not None:
            return await self._start(chunks, exchange)
        return Reply(self._status(ctx.out_error), self._content_type, b"".join(ctx.out_string))

    async def _admit(self, ctx: Any, exchange: Exchange) -> None:
        """Know the caller before anything is made of the message: what strangers send is parsed, no more."""
        evidence = Evidence(exchange.header, exchange.address, exchange.seconds, exchange.certificate)
        try:
            exchange.caller = await self._authenticator.authenticate(evidence)
            require_allowed(exchange.caller.partner, self._service_name, exchange.operation)
        except HeadEndError as error:
            ctx.in_error = ctx.out_error = as_fault(error)
        else:
            exchange.utility_name = exchange.caller.utility.name

    def refuse(self, error: HeadEndError, exchange: Exchange) -> Reply:
        """A fault for a request that is not even looked at."""
        return self._fault_reply(as_fault(error), exchange)

    async def _settle(self, ctx: Any) -> None:
        """Await the operation, which Spyne has called and not awaited."""
        pending: Awaitable[Any] = ctx.out_object[0]
        try:
            ctx.out_object = [await pending]
        except HeadEndError as error:
            ctx.out_error = as_fault(error)

    async def _start(self, chunks: AsyncGenerator[bytes, None], exchange: Exchange) -> Reply:
        """Take the first chunk before the status goes out: until then a failure is a fault."""
        try:
            first = await anext(chunks)
        except HeadEndError as error:
            return self._fault_reply(as_fault(error), exchange)
        return Reply(200, self._content_type, first, chunks)

    def _fault_reply(self, fault: Fault, exchange: Exchange) -> Reply:
        ctx = LeanContext(self, MethodContext.SERVER)
        ctx.out_error = fault
        ctx.udc = exchange
        self.get_out_string(ctx)
        return Reply(self._status(fault), self._content_type, b"".join(ctx.out_string))

    def _status(self, fault: Fault | None) -> int:
        """HTTP status; SOAP 1.2 answers the sender's mistakes with 400, everything else is 500."""
        if fault is None:
            return 200
        return 500 if str(fault.faultcode).startswith("Server") else self._client_fault_status
