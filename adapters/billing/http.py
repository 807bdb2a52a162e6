"""Billing documents over HTTP: POST a request or a confirmation, GET responses.

POST answers 200 with the response where every item is answered, 202 with what is ready and a Location for the rest, 400 with line and
rule for a document that cannot be taken, 409 for a requestId that stands for another request. GET answers 202 while there is nothing yet.
"""
# mypy: disable-error-code="no-untyped-call"
# ruff: noqa: N802, N815

import base64
import binascii
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from adapters.billing import response_xml
from adapters.billing.desk import HTTP, BillingDesk, ConfirmationTaken
from headend.billing_requests import BadRequestError, RequestReusedError, response_id, response_parts
from headend.errors import RequestError, StoreError
from headend.model.billing_export import OpenRequest, ResponseHead
from headend.model.partner import Caller

RETRY_SECONDS = 30
"""After how long a client is to ask again."""

OPERATION = "AmiBillingRequest"
"""What a partner's profile calls this, on the server `Billing`."""

XML = "application/xml; charset=utf-8"


class NotLetInError(RequestError):
    """Who calls is not known, or may not do this."""


class Login(Protocol):
    """Finds out who calls."""

    def __call__(self, request: Any, user_id: str, password: str) -> Awaitable[Caller]:
        """The caller by what it says and shows. Raises NotLetInError."""


class BillingResource(Resource):
    """`/billing`, and below it a response by its id."""

    isLeaf = True
    log = Logger()

    def __init__(self, login: Login, desk_of: Callable[[Caller], BillingDesk]) -> None:
        super().__init__()
        self._login = login
        self._desk_of = desk_of

    def render_POST(self, request: Any) -> int:
        """A request or a confirmation."""
        return self._begin(request, self._post)

    def render_GET(self, request: Any) -> int:
        """A response."""
        return self._begin(request, self._get)

    def _begin(self, request: Any, work: Callable[[Any], Awaitable[None]]) -> int:
        async def answered() -> None:
            try:
                await work(request)
            except BadRequestError as error:
                _say(request, 400, response_xml.refusal(error.line, error.what))
            except NotLetInError as error:
                request.setHeader("WWW-Authenticate", 'Basic realm="billing"')
                _say(request, 401, response_xml.refusal(0, str(error)))
            except RequestReusedError as error:
                _say(request, 409, response_xml.refusal(0, str(error)))
            except RequestError as error:
                _say(request, 400, response_xml.refusal(0, str(error)))
            except StoreError as error:
                self.log.warn("a billing request is not answered: {error}", error=error)
                request.setHeader("Retry-After", str(RETRY_SECONDS))
                _say(request, 503, response_xml.refusal(0, "the database cannot be asked at present; try again"))

        Deferred.fromCoroutine(answered()).addErrback(self._failed, request)
        return int(NOT_DONE_YET)

    def _failed(self, failure: Failure, request: Any) -> None:
        self.log.failure("a billing request ended", failure)
        if not request.startedWriting:
            _say(request, 500, response_xml.refusal(0, "this is a mistake of the head-end's own; its log has more"))
        elif request.channel is not None:
            request.channel.loseConnection()

    async def _post(self, request: Any) -> None:
        caller = await self._caller(request)
        desk = self._desk_of(caller)
        taken = await desk.take(request.content, caller.partner.user_id, HTTP)
        if isinstance(taken, ConfirmationTaken):
            _say(request, 200, response_xml.confirmed(taken.items, taken.unknown))
            return
        rest = _address(request, desk, taken.request, 2)
        if taken.first is None:
            # Another one of the same is being answered.
            await self._later(request, _address(request, desk, taken.request, 1))
            return
        if taken.request.open_items or sum(taken.first.counts.values()) < taken.request.items:
            request.setResponseCode(202)
            request.setHeader("Location", rest)
        await _send(request, desk.octets(taken.first))

    async def _get(self, request: Any) -> None:
        caller = await self._caller(request)
        desk = self._desk_of(caller)
        name = b"/".join(request.postpath).decode("ascii", "replace")
        parts = response_parts(name)
        found = None if parts is None else await desk.store.request_numbered(parts[0])
        is_theirs = found is not None and found.request.partner == caller.partner.user_id
        if parts is None or found is None or not is_theirs or name != response_id(desk.utility, *parts):
            _say(request, 404, response_xml.refusal(0, f"there is no response {name[:120]!r}"))
            return
        head: ResponseHead | None = await desk.store.response(*parts)
        if head is not None:
            await _send(request, desk.octets(head))
        elif parts[1] <= 2 and found.open_items:
            await self._later(request, _address(request, desk, found, parts[1]))
        else:
            _say(request, 404, response_xml.refusal(0, f"there is no response {name!r}: all items are answered by others"))

    async def _later(self, request: Any, location: str) -> None:
        request.setHeader("Location", location)
        request.setHeader("Retry-After", str(RETRY_SECONDS))
        _say(request, 202, response_xml.refusal(0, "not all items are answered yet"))

    async def _caller(self, request: Any) -> Caller:
        user_id, password = _credentials(request.getHeader("authorization") or "")
        caller = await self._login(request, user_id, password)
        if not caller.partner.may_call("Billing", OPERATION):
            raise NotLetInError(f"the profile of {user_id!r} does not allow Billing/{OPERATION}")
        return caller


def _credentials(header: str) -> tuple[str, str]:
    """User and password of basic authentication, empty where there are none."""
    kind, _, rest = header.partition(" ")
    if kind.lower() != "basic":
        return "", ""
    try:
        user, _, password = base64.b64decode(rest.strip(), validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        return "", ""
    return user, password


def _address(request: Any, desk: BillingDesk, kept: OpenRequest, number: int) -> str:
    prepath = b"/".join(request.prepath).decode()
    return f"/{prepath}/{response_id(desk.utility, kept.request_no, number)}"


def _say(request: Any, status: int, octets: bytes) -> None:
    if getattr(request, "_disconnected", False):
        return
    request.setResponseCode(status)
    request.setHeader("Content-Type", XML)
    request.write(octets)
    request.finish()


async def _send(request: Any, pieces: AsyncIterator[bytes]) -> None:
    """Write pieces as fast as the other side takes them."""
    producer = _Paused()
    request.setHeader("Content-Type", XML)
    request.registerProducer(producer, True)
    gone = request.notifyFinish()
    gone.addErrback(lambda _: producer.stopProducing())
    try:
        async for piece in pieces:
            if producer.stopped:
                return
            request.write(piece)
            await producer.resumed()
    finally:
        request.unregisterProducer()
    if not producer.stopped:
        request.finish()


class _Paused:
    """A push producer that says when it may go on."""

    def __init__(self) -> None:
        self.stopped = False
        self._waiting: Deferred[None] | None = None
        self._is_paused = False

    def pauseProducing(self) -> None:
        self._is_paused = True

    def resumeProducing(self) -> None:
        self._is_paused = False
        self._go_on()

    def stopProducing(self) -> None:
        self.stopped = True
        self._go_on()

    async def resumed(self) -> None:
        if self._is_paused and not self.stopped:
            self._waiting = Deferred()
            await self._waiting

    def _go_on(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.callback(None)
