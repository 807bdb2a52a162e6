"""Where billing documents are taken and responses are written: received item by item, answered, told as octets or as files."""

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, Protocol, TypeVar

from twisted.internet.defer import DeferredSemaphore

from adapters.billing import response_xml
from adapters.billing.document_thread import DocumentThread
from adapters.billing.request_xml import Incoming, IncomingConfirmation, Sender, read_document
from adapters.delivery.spool import FileInTheMaking
from adapters.delivery.threads import OnThread
from adapters.exports.manifest import write_manifest
from headend.biller import EARLY, Biller
from headend.billing_export import overlapping
from headend.billing_requests import BadRequestError, BillingPolicy, response_id
from headend.limits import BILLING_ITEMS_PER_STEP
from headend.model.billing_export import BillingItem, BillingRequest, BillingStore, OpenRequest, ResponseHead
from headend.model.delivery import DeliveryStore, FinishedFile
from headend.model.export import ExportRun, ExportRunId, Part, PartCounts, RunState
from headend.model.utility import Utility

T = TypeVar("T")

ANSWERS_PER_PIECE = 1_000
"""Answers read and written at once: a MiB."""

DOCUMENTS_MAX = 2
"""Documents received at once: each holds a thread and a core."""

HTTP = "http"
"""How a request came that came by no file."""


class DeskStore(BillingStore, DeliveryStore, Protocol):
    """What the desk needs of a store."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A request that is kept, and its first response, None while another answers it."""

    request: OpenRequest
    is_new: bool
    first: ResponseHead | None


@dataclass(frozen=True, slots=True)
class ConfirmationTaken:
    """How many items were confirmed, and which are none of ours."""

    items: int
    unknown: Sequence[str]


@dataclass(frozen=True, slots=True)
class BillingDesk:
    """The desk of one utility. Responses to files go to `targets`, and so do corrections."""

    utility: Utility
    store: DeskStore
    biller: Biller
    policy: BillingPolicy
    reactor: Any
    on_thread: OnThread
    spool: Path
    targets: tuple[str, ...]
    now: Callable[[], datetime]
    few: DeferredSemaphore = field(default_factory=lambda: DeferredSemaphore(DOCUMENTS_MAX))

    async def take(self, file: BinaryIO, partner: str, origin: str) -> Taken | ConfirmationTaken:
        """Take a document and answer what is ready. Raises BadRequestError, RequestReusedError; then nothing of it is kept."""
        await self.few.acquire()
        try:
            received = await self._received(file, Sender(partner, origin, self.now()))
        finally:
            self.few.release()
        if isinstance(received, ConfirmationTaken):
            return received
        request, is_new = received
        if not is_new:
            return Taken(request, False, await self.store.response(request.request_no, 1))
        is_due = self.now() >= request.request.deadline - EARLY
        first = await self.biller.answer(request, 1, final=is_due)
        return Taken(await self.store.request_numbered(request.request_no) or request, True, first)

    async def _received(self, file: BinaryIO, sender: Sender) -> tuple[OpenRequest, bool] | ConfirmationTaken:
        """The request, whole and kept, and whether it is new."""
        async with DocumentThread(self.reactor) as thread:
            document = await thread(read_document, file, self.utility, self.policy, sender)
            try:
                if isinstance(document, IncomingConfirmation):
                    return await self._confirm(document, sender.partner, thread)
                request, is_new = await self.store.begin_request(document.request)
                if not is_new:
                    return request, False
                await self._receive(document, request, thread)
                return await self.store.received(request.request_no), True
            finally:
                await thread(document.close)

    async def octets(self, head: ResponseHead) -> AsyncIterator[bytes]:
        """A response, piece by piece; always the same."""
        yield response_xml.response_head(self.utility, head)
        after = 0
        while texts := await self.store.answer_texts(head.request.request_no, head.number, after, ANSWERS_PER_PIECE):
            after = texts[-1][0]
            yield "".join([text for _, text in texts]).encode()
        yield response_xml.TAIL

    async def tell(self, head: ResponseHead) -> None:
        """Have a response delivered as a file with its manifest, where it came by a file or nobody asked for it."""
        if self.targets and (head.request.request.origin != HTTP or head.unsolicited):
            name = response_id(self.utility, head.request.request_no, head.number)
            await self.store.queue_files(f"billing_{name}", await self.files(head), self.targets, self.now(), head.request.request.deadline)

    async def files(self, head: ResponseHead) -> list[FinishedFile]:
        """A response as a file, and its manifest. Raises SpoolError."""
        name = response_id(self.utility, head.request.request_no, head.number)
        directory = self.spool / f"billing_{name}"
        with FileInTheMaking(directory, f"{name}.xml") as made:
            async for piece in self.octets(head):
                await self.on_thread(made.write, piece)
            file: FinishedFile = await self.on_thread(made.finish)
        part = Part(file, "billing-response", PartCounts(meters=sum(head.counts.values())))
        day = self.utility.local_day(head.created)
        run = ExportRun(ExportRunId(0), "billing", day, head.number, head.created, 0, 0, RunState.DONE)
        manifest: FinishedFile = await self.on_thread(write_manifest, directory, f"{name}_manifest.xml", self.utility, run, [part])
        return [file, manifest]

    async def refuse(self, name: str, error: BadRequestError) -> None:
        """Tell those to whom responses go why a file was not taken."""
        if not self.targets:
            return
        directory = self.spool / f"billing_refused_{name}"
        with FileInTheMaking(directory, f"{name}_refusal.xml") as made:
            made.write(response_xml.refusal(error.line, error.what))
            file: FinishedFile = await self.on_thread(made.finish)
        await self.store.queue_files(f"billing_refused_{name}_{self.now():%Y%m%dT%H%M%S}", [file], self.targets, self.now())

    async def _receive(self, document: Incoming, request: OpenRequest, thread: DocumentThread) -> None:
        taken: dict[tuple[str, str], list[tuple[datetime, datetime]]] = {}
        count = 0
        while items := await thread(_some, document.items):
            count += len(items)
            await self.store.add_items(request.request_no, overlapping(items, taken))
        if not count:
            await self._receive_cycle(document, request)

    async def _receive_cycle(self, document: Incoming, request: OpenRequest) -> None:
        """All service points of the cycle as items, called by their numbers; of a scope those where a meter of it ever was."""
        if document.period is None:
            raise BadRequestError(0, "the request has neither items nor a Cycle")
        scope = self.biller.scope_of(document.request.partner)
        after, position = "", 0
        while points := await self.store.cycle_points(document.request.cycle, after, BILLING_ITEMS_PER_STEP):
            after = points[-1][0]
            if scope is not None:
                seen = {one.service_point for one in await self.store.places([point for point, _ in points], [], [], scope)}
                points = [one for one in points if one[0] in seen]
            items = [
                _item_of_cycle(document.request, document.period, position + i, *point) for i, point in enumerate(points, 1)
            ]
            position += len(items)
            await self.store.add_items(request.request_no, items)
        if not position:
            raise BadRequestError(0, f"no service point is of bill cycle {document.request.cycle!r}")

    async def _confirm(self, document: IncomingConfirmation, partner: str, thread: DocumentThread) -> ConfirmationTaken:
        count, unknown = 0, list[str]()
        while items := await thread(_some, document.items):
            count += len(items)
            unknown += await self.store.confirm_items(partner, items)
        return ConfirmationTaken(count - len(unknown), unknown)


def _some(items: Iterator[T]) -> list[T]:
    return list(islice(items, BILLING_ITEMS_PER_STEP))


def _item_of_cycle(
    request: BillingRequest, period: tuple[datetime, datetime], position: int, service_point: str, account: str
) -> BillingItem:
    defaults = request.defaults
    return BillingItem(
        position=position,
        item_id=service_point,
        account=account,
        service_point=service_point,
        meter="",
        commodity=None,
        start=period[0],
        stop=period[1],
        lag=defaults.lag,
        lead=defaults.lead,
        rule=defaults.rule,
        priors=defaults.priors,
        demand=defaults.demand,
    )
