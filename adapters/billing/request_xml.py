"""AmiBillingRequest and AmiBillingConfirmation as values, item by item while they are read."""

import hashlib
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any, BinaryIO

from adapters.billing.document import elements
from headend.billing_reads import month_before
from headend.billing_requests import BadRequestError, BillingPolicy
from headend.limits import BILLING_ITEMS_MAX
from headend.model.billing import ReadRule
from headend.model.billing_export import BillingItem, BillingRequest, Confirmed, ReadDefaults
from headend.model.channels import CHANNELS, Flow
from headend.model.endpoint import Commodity
from headend.model.selections import REGISTERS
from headend.model.utility import Utility

_FLOWS = {"D": Flow.DELIVERED, "R": Flow.RECEIVED, "N": Flow.NET}


@dataclass(frozen=True, slots=True)
class Sender:
    """Who sent a document, how and when."""

    partner: str
    origin: str
    received: datetime


@dataclass(frozen=True, slots=True)
class Incoming:
    """A request whose items are still to come; `period` is the bill period of items that name none, None where the request has none."""

    request: BillingRequest
    period: tuple[datetime, datetime] | None
    items: Generator[BillingItem, None, None]
    document: Generator[tuple[str, Any], None, None]

    def close(self) -> None:
        """Free what is parsed, where it was."""
        self.items.close()
        self.document.close()


@dataclass(frozen=True, slots=True)
class IncomingConfirmation:
    """What was billed, item by item."""

    items: Generator[Confirmed, None, None]
    document: Generator[tuple[str, Any], None, None]

    def close(self) -> None:
        """Free what is parsed, where it was."""
        self.items.close()
        self.document.close()


def digest_of(file: BinaryIO) -> bytes:
    """What two documents have in common if they are the same: SHA-256 of their octets. The file is read again afterwards."""
    digest = hashlib.file_digest(file, "sha256").digest()  # type: ignore[arg-type]  # any binary file will do
    file.seek(0)
    return digest


def read_document(file: BinaryIO, utility: Utility, policy: BillingPolicy, sender: Sender) -> Incoming | IncomingConfirmation:
    """Its beginning; the items are read as they are asked for. Raises BadRequestError, here and while items are read."""
    digest = digest_of(file)
    found = elements(file)
    name, root = next(found)
    if name == "AmiBillingConfirmation":
        return IncomingConfirmation(_confirmed(found), found)
    if name != "AmiBillingRequest":
        raise BadRequestError(root.sourceline or 1, f"<{name}> is neither AmiBillingRequest nor AmiBillingConfirmation")
    facts = dict(root.attrib)
    head = _Head(utility, policy.defaults)
    first = next(found, None)
    while first is not None and first[0] != "Item":
        try:
            head.take(*first)
        except (KeyError, ValueError):
            raise _what_the_schema_says(found, first[1]) from None
        first = next(found, None)
    if not facts.get("requestId", "").strip():
        raise _what_the_schema_says(found, root)
    request = BillingRequest(
        request_id=facts["requestId"].strip(),
        correlation_id=facts.get("correlationId", "").strip(),
        source=facts.get("source", "").strip(),
        partner=sender.partner,
        origin=sender.origin,
        digest=digest,
        cycle=head.cycle,
        bill_date=head.bill_date,
        received=sender.received,
        deadline=head.deadline or policy.deadline(utility, sender.received),
        defaults=head.defaults,
    )
    return Incoming(request, head.period, _items(first, found, utility, request.defaults, head.period), found)


def _what_the_schema_says(found: Iterator[tuple[str, Any]], element: Any) -> BadRequestError:
    """Why an element cannot be used: events come before the schema's verdict on what they tell, which comes with what is read next."""
    line, name = element.sourceline or 0, element.tag.rsplit("}", 1)[-1]
    try:
        for _ in found:
            pass
    except BadRequestError as error:
        return error
    return BadRequestError(line, f"<{name}> is not as the schema has it")


class _Head:
    """What stands before the items."""

    def __init__(self, utility: Utility, defaults: ReadDefaults) -> None:
        self._utility = utility
        self.defaults = defaults
        self.cycle = ""
        self.bill_date = ""
        self.deadline: datetime | None = None
        self.period: tuple[datetime, datetime] | None = None

    def take(self, name: str, element: Any) -> None:
        facts = element.attrib
        if name == "Defaults":
            self.defaults = _window(facts, self.defaults)
            return
        self.cycle, self.bill_date = facts["cycleId"].strip(), facts["billDate"].strip()
        # A date may have a time zone, which nobody means.
        try:
            bill_date = date.fromisoformat(self.bill_date[:10])
            stop = _instant(facts.get("billStop", self.bill_date[:10]), self._utility)
            start = _instant(facts.get("billStart", str(month_before(bill_date))), self._utility)
            self.deadline = _instant(facts["deadline"], self._utility) if "deadline" in facts else None
        except (ValueError, OverflowError):
            raise BadRequestError(element.sourceline or 0, "a date of Cycle is none of this calendar") from None
        self.period = start, stop


def _items(
    first: tuple[str, Any] | None,
    found: Iterator[tuple[str, Any]],
    utility: Utility,
    defaults: ReadDefaults,
    period: tuple[datetime, datetime] | None,
) -> Generator[BillingItem, None, None]:
    seen: dict[str, int] = {}
    position = 0
    while first is not None:
        position += 1
        if position > BILLING_ITEMS_MAX:
            raise BadRequestError(first[1].sourceline or 0, f"more than {BILLING_ITEMS_MAX} items")
        try:
            item = _item(first[1], position, utility, defaults, period)
        except (KeyError, ValueError):
            raise _what_the_schema_says(found, first[1]) from None
        before = seen.setdefault(item.item_id, item.line)
        yield item if before == item.line else replace(item, problem=f"itemId {item.item_id} stands in line {before} already")
        first = next(found, None)


def _item(
    element: Any, position: int, utility: Utility, defaults: ReadDefaults, period: tuple[datetime, datetime] | None
) -> BillingItem:
    facts = element.attrib
    window = _window(facts, defaults)
    problem = ""
    try:
        start = _instant(facts["billStart"], utility) if "billStart" in facts else period[0] if period else None
        stop = _instant(facts["billStop"], utility) if "billStop" in facts else period[1] if period else None
    except (ValueError, OverflowError):
        start = stop = None
        problem = "billStart or billStop is no date of this calendar"
    if not problem and (start is None or stop is None):
        problem = "names no billStart and billStop, and the request has no Cycle"
    commodity = Commodity(facts["commodity"]) if "commodity" in facts else None
    channels, passed = [], []
    for child in element:
        if child.tag.endswith("}Channel"):
            named, wrong = _channel(child.attrib, commodity)
            channels += named
            problem = problem or wrong
        else:
            passed.append((child.get("name").strip(), child.text or ""))
    return BillingItem(
        position=position,
        item_id=facts["itemId"].strip(),
        account=facts.get("accountId", "").strip(),
        service_point=facts.get("servicePointId", "").strip(),
        meter=facts.get("meterId", "").strip(),
        commodity=commodity,
        start=start or datetime.fromtimestamp(0, UTC),
        stop=stop or datetime.fromtimestamp(0, UTC),
        lag=window.lag,
        lead=window.lead,
        rule=window.rule,
        priors=window.priors,
        demand=window.demand,
        channels=tuple(dict.fromkeys(channels)),
        pass_through=tuple(passed),
        line=element.sourceline or 0,
        problem=problem,
    )


def _channel(facts: Any, commodity: Commodity | None) -> tuple[list[str], str]:
    """Names of the channels that are meant, or what is wrong."""
    if facts.get("registerId"):
        return [facts["registerId"].strip()], ""
    uom, flow, tou = facts.get("uom", "").strip(), facts.get("flow"), facts.get("tou", "T")
    found = [
        one.name
        for one in CHANNELS.values()
        if one.channel_id in REGISTERS.registers
        and (one.tier or "T") == tou
        and commodity in {None, one.commodity}
        and (not uom or one.unit.value.lower() == uom.lower())
        and (flow is None or one.flow is _FLOWS[flow])
    ]
    wanted = f"unit {uom!r}, flow {flow or 'any'!r} and rate {tou!r}"
    return (found, "") if found and (uom or flow or "tou" in facts) else ([], f"no register has {wanted}")


def _window(facts: Any, defaults: ReadDefaults) -> ReadDefaults:
    def minutes(name: str, default: timedelta) -> timedelta:
        # More digits than that are absurd, and said to be so where the item is judged.
        return timedelta(minutes=min(int(facts[name]), 10**7)) if name in facts else default

    return ReadDefaults(
        lag=minutes("windowLagMinutes", defaults.lag),
        lead=minutes("windowLeadMinutes", defaults.lead),
        rule=ReadRule(facts["selection"].lower()) if "selection" in facts else defaults.rule,
        priors=_flag(facts, "priors", default=defaults.priors),
        demand=_flag(facts, "demand", default=defaults.demand),
    )


def _flag(facts: Any, name: str, *, default: bool) -> bool:
    return facts[name].strip() in {"1", "true"} if name in facts else default


def _instant(text: str, utility: Utility) -> datetime:
    """A date is the local midnight with which it begins. Raises ValueError."""
    return _remembered(text.strip(), utility.midnight)


@lru_cache(maxsize=4_096)
def _remembered(text: str, midnight: Callable[[date], datetime]) -> datetime:
    if "T" in text:
        return datetime.fromisoformat(text).astimezone(UTC)
    return midnight(date.fromisoformat(text[:10]))


def _confirmed(found: Iterator[tuple[str, Any]]) -> Generator[Confirmed, None, None]:
    for _, element in found:
        facts = element.attrib
        try:
            billed = datetime.fromisoformat(facts["billed"].strip()).astimezone(UTC)
            one = Confirmed(facts["responseId"].strip(), facts["itemId"].strip(), billed)
        except (KeyError, ValueError, OverflowError):
            raise _what_the_schema_says(found, element) from None
        yield one


