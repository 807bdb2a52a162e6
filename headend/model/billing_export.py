"""Values of the AMI billing export: requests with their items, answers with their read sets, responses."""

from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple, NewType, Protocol

from headend.model.billing import PeakDemand, ReadRule
from headend.model.channels import ChannelId
from headend.model.endpoint import Commodity, EndpointId
from headend.model.meters import Meter
from headend.model.partner import MeterScope
from headend.model.readings import RegisterRow

RequestNo = NewType("RequestNo", int)


@dataclass(frozen=True, slots=True)
class ReadDefaults:
    """How reads are looked for where an item does not say: `lag` before and `lead` after the bill stop, and which of several counts.

    `priors` and `demand` say whether the read at the bill start and the highest demand are wanted.
    """

    lag: timedelta = timedelta(minutes=4_320)
    lead: timedelta = timedelta()
    rule: ReadRule = ReadRule.CLOSEST
    priors: bool = True
    demand: bool = False


@dataclass(frozen=True, slots=True)
class BillingItem:
    """One account's part of a request, as it was asked.

    `position` counts items of the request from 1; `line` is where it stood. Empty names were not said. `channels` are names of the
    catalogue; none means all registers. `problem` is what is wrong with the item by itself, empty where nothing is.
    """

    position: int
    item_id: str
    account: str
    service_point: str
    meter: str
    commodity: Commodity | None
    start: datetime
    stop: datetime
    lag: timedelta
    lead: timedelta
    rule: ReadRule
    priors: bool
    demand: bool
    channels: tuple[str, ...] = ()
    pass_through: tuple[tuple[str, str], ...] = ()
    line: int = 0
    problem: str = ""


@dataclass(frozen=True, slots=True)
class BillingRequest:
    """What a request says of itself. `digest` tells whether it is the same again. A `cycle` without items means all its service points.

    `partner` is whose request it is; `origin` how it came: the name of a file, or HTTP.
    """

    request_id: str
    correlation_id: str
    source: str
    partner: str
    origin: str
    digest: bytes
    cycle: str
    bill_date: str
    received: datetime
    deadline: datetime
    defaults: ReadDefaults


class ItemStatus(StrEnum):
    """How an item is answered."""

    COMPLETE = "COMPLETE"
    PARTIAL = "PARTIAL"
    CANT_READ = "CANT_READ"
    REJECTED = "REJECTED"


class Stay(NamedTuple):
    """A meter at a service point for a time."""

    meter: Meter
    started: datetime
    ended: datetime | None


@dataclass(frozen=True, slots=True)
class Place:
    """A service point with its account, and the meters that were ever there, in the order of time."""

    service_point: str
    account: str
    commodity: Commodity
    bill_cycle: str
    stays: tuple[Stay, ...]


@dataclass(frozen=True, slots=True)
class Usage:
    """A sum of intervals where a register has none: value × 10^`exponent` of the channel's unit, of `present` of `expected` intervals."""

    channel_id: ChannelId
    value: int
    exponent: int
    present: int
    expected: int


@dataclass(frozen=True, slots=True)
class ReadSet:
    """What one meter read at the end and at the beginning of its time in the period; several where meters were exchanged."""

    meter: Meter
    start: datetime
    stop: datetime
    reads: Sequence[RegisterRow]
    priors: Mapping[ChannelId, RegisterRow]
    peak: PeakDemand | None = None
    usages: Sequence[Usage] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to an item; `waiting` says that later data may still make it a better one by the deadline."""

    item: BillingItem
    status: ItemStatus
    reason: str = ""
    place: Place | None = None
    sets: Sequence[ReadSet] = ()
    waiting: bool = False


class ItemState(StrEnum):
    """Not answered yet; answered."""

    OPEN = "open"
    ANSWERED = "answered"


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """An answer as it is kept and told: its text is an element of the response."""

    position: int
    item_id: str
    status: ItemStatus
    text: str
    endpoint_ids: tuple[EndpointId, ...] = ()


@dataclass(frozen=True, slots=True)
class ResponseHead:
    """One response to a request: `number` counts them. `data_seq` is the change of data that it was made at."""

    request: "OpenRequest"
    number: int
    unsolicited: bool
    created: datetime
    data_seq: int
    counts: Mapping[ItemStatus, int]


@dataclass(frozen=True, slots=True)
class OpenRequest:
    """A request that is kept: its number, and how many of its items wait."""

    request_no: RequestNo
    request: BillingRequest
    items: int
    open_items: int


@dataclass(frozen=True, slots=True)
class Confirmed:
    """One item of a confirmation: the bill that was made of an answer."""

    response_id: str
    item_id: str
    billed: datetime


@dataclass(frozen=True, slots=True)
class Wanting:
    """A meter whose item is not complete: what is to be read of it, and why."""

    endpoint_id: EndpointId
    meter_no: str
    reason: str
    since: datetime
    may_command: bool


@dataclass(slots=True)
class Recorded:
    """Answers of a batch to be recorded, and what follows from them."""

    answers: list[KeptAnswer] = field(default_factory=list)
    wanting: list[Wanting] = field(default_factory=list)
    settled: list[str] = field(default_factory=list)
    """Meters whose billing exceptions are over."""


class BillingStore(Protocol):
    """Billing requests of a utility."""

    def begin_request(self, request: BillingRequest) -> Awaitable[tuple[OpenRequest, bool]]:
        """Keep a request, and whether it is new. One that was not received whole is begun anew. Raises RequestReusedError."""

    def add_items(self, request_no: RequestNo, items: Sequence[BillingItem]) -> Awaitable[None]:
        """Items of a request that is being received."""

    def cycle_points(self, cycle: str, after: str, limit: int) -> Awaitable[list[tuple[str, str]]]:
        """Service points of a bill cycle with their accounts, after one."""

    def received(self, request_no: RequestNo) -> Awaitable[OpenRequest]:
        """The request is whole."""

    def request_numbered(self, request_no: RequestNo) -> Awaitable[OpenRequest | None]:
        """One that was received whole."""

    def open_requests(self) -> Awaitable[list[OpenRequest]]:
        """Requests with items that wait."""

    def open_items(self, request_no: RequestNo, after: int, limit: int) -> Awaitable[list[BillingItem]]:
        """Items that wait, after a position."""

    def items_at(self, request_no: RequestNo, positions: Sequence[int]) -> Awaitable[list[BillingItem]]:
        """Items by position."""

    def places(
        self, service_points: Sequence[str], meters: Sequence[str], accounts: Sequence[str], scope: MeterScope | None
    ) -> Awaitable[list[Place]]:
        """Service points with these numbers, of these accounts, or where these meters ever were.

        With a scope only its meters' stays, and no point without any.
        """

    def record_answers(
        self, request_no: RequestNo, number: int, recorded: Recorded, now: datetime, *, unsolicited: bool = False
    ) -> Awaitable[None]:
        """Answers of a response that is being made, and work items for what is wanting."""

    def finish_response(
        self, request_no: RequestNo, number: int, now: datetime, *, unsolicited: bool = False
    ) -> Awaitable[ResponseHead | None]:
        """The response is whole; None where it would have nothing in it."""

    def response(self, request_no: RequestNo, number: int) -> Awaitable[ResponseHead | None]:
        """A response that is whole."""

    def responses(self, request_no: RequestNo) -> Awaitable[list[ResponseHead]]:
        """All of a request."""

    def answer_texts(self, request_no: RequestNo, number: int, after: int, limit: int) -> Awaitable[list[tuple[int, str]]]:
        """Answers of a response by position, after one."""

    def confirm_items(self, partner: str, confirmed: Sequence[Confirmed]) -> Awaitable[list[str]]:
        """Keep a confirmation; what of it is about no answer of ours."""

    def stale_answers(self, after_seq: int, until_seq: int, since: datetime) -> Awaitable[list[tuple[RequestNo, int, str]]]:
        """(request, position, last text) of answers since then whose meters' data changed."""

    def billing_mark(self) -> Awaitable[tuple[int, int]]:
        """(the change of data up to which answers were held against it, the present one)."""

    def keep_billing_mark(self, change_seq: int) -> Awaitable[None]:
        """They were, up to there."""
