"""Answers as elements of an AmiBillingResponse, and what stands around them; texts, never a tree.

A value is in the channel's base unit, as exact as the meter told it; its multiplier is one, as registers of these meters are in primary
values. Times are UTC; `readTimeLocal` is the same in the utility's zone.
"""

from collections.abc import Sequence
from functools import lru_cache
from zoneinfo import ZoneInfo

from adapters.exports.meter_data_xml import SOURCES
from adapters.exports.texts import decimal_text, decimals, escape, status_text, utc_text_us
from headend.billing_requests import response_id
from headend.model.billing import PeakDemand
from headend.model.billing_export import Answer, ItemStatus, ReadSet, ResponseHead, Usage
from headend.model.channels import CHANNELS, ChannelId, Flow
from headend.model.instants import from_us, to_us
from headend.model.quality import DOUBTFUL
from headend.model.readings import IntervalFlag, ReadSource, RegisterRow
from headend.model.utility import Utility

NAMESPACE = "urn:open-ami-headend:billing:1"
TAIL = b"</AmiBillingResponse>\n"

_FLOWS = {Flow.DELIVERED: "D", Flow.RECEIVED: "R", Flow.NET: "N", Flow.NONE: "D"}


_COUNTED = {
    "complete": ItemStatus.COMPLETE,
    "partial": ItemStatus.PARTIAL,
    "cantRead": ItemStatus.CANT_READ,
    "rejected": ItemStatus.REJECTED,
}


class AnswerTexts:
    """Writes answers of one utility."""

    def __init__(self, utility: Utility) -> None:
        self._zone = utility.time_zone

    def __call__(self, answer: Answer) -> str:
        """One Item."""
        item, place = answer.item, answer.place
        said = f'itemId="{escape(item.item_id)}" status="{answer.status.value}"'
        if answer.reason:
            said += f' reason="{escape(answer.reason[:1_000])}"'
        if answer.status is ItemStatus.REJECTED and item.line:
            said += f' line="{item.line}"'
        if place is not None:
            account = f' accountId="{escape(place.account)}"' if place.account else ""
            said += f' servicePointId="{escape(place.service_point)}"{account} commodity="{place.commodity.value}"'
        sets = "".join([self._set(one) for one in answer.sets])
        passed = "".join([f'<PassThrough name="{escape(name)}">{escape(value)}</PassThrough>' for name, value in item.pass_through])
        return f"<Item {said}>{sets}{passed}</Item>\n" if sets or passed else f"<Item {said}/>\n"

    def _set(self, one: ReadSet) -> str:
        meter = f'meterId="{escape(one.meter.meter_no)}" serial="{escape(one.meter.serial_no)}"'
        span = f'start="{utc_text_us(to_us(one.start))}" stop="{utc_text_us(to_us(one.stop))}"'
        reads = "".join([self._read(row, one.priors.get(row.channel_id)) for row in one.reads])
        return f"<ReadSet {meter} {span}>{reads}{''.join(map(_usage, one.usages))}{_demand(one.peak)}</ReadSet>"

    def _read(self, row: RegisterRow, prior: RegisterRow | None) -> str:
        value = decimals(row.exponent)[row.value]
        quality = "ESTIMATED" if row.flags & IntervalFlag.ESTIMATED else "DOUBTFUL" if row.flags & DOUBTFUL else "ACTUAL"
        flags = f' flags="{status_text(row.flags)}"' if row.flags else ""
        before = ""
        if prior is not None:
            exponent = min(row.exponent, prior.exponent)
            used = row.value * 10 ** (row.exponent - exponent) - prior.value * 10 ** (prior.exponent - exponent)
            before = f' priorValue="{decimals(prior.exponent)[prior.value]}" priorTime="{utc_text_us(prior.instant_us)}"'
            # A register that fell has rolled over or was reset; which of them is not for us to say.
            before += f' consumption="{decimal_text(used, exponent)}"' if used >= 0 or CHANNELS[row.channel_id].flow is Flow.NET else ""
        local = _local_text(row.instant_us, self._zone)
        return (
            f'<Read {_register(row.channel_id)} value="{value}" multiplier="1" readTime="{utc_text_us(row.instant_us)}"'
            f' readTimeLocal="{local}" source="{SOURCES[ReadSource(row.source)]}" quality="{quality}"{flags}{before}/>'
        )


def _usage(one: Usage) -> str:
    value = decimal_text(one.value, one.exponent)
    return f'<Usage {_register(one.channel_id)} value="{value}" multiplier="1" present="{one.present}" expected="{one.expected}"/>'


def _demand(peak: PeakDemand | None) -> str:
    if peak is None:
        return ""
    # Whole watts and thousandths: an interval of 7 minutes would have no end of decimals.
    milliwatts = round(peak.energy * 10 ** (peak.exponent + 3) * 3_600 / peak.interval_seconds)
    said = f'uom="W" value="{decimal_text(milliwatts, -3)}" multiplier="1" occurred="{utc_text_us(peak.end_us)}"'
    return f'<Demand {said} intervalSeconds="{peak.interval_seconds}" gaps="{str(peak.gaps).lower()}"/>'


@lru_cache(maxsize=64)
def _register(channel_id: ChannelId) -> str:
    channel = CHANNELS[channel_id]
    tou = channel.tier or "T"
    return f'registerId="{channel.name}" uom="{channel.unit.value}" tou="{tou}" flow="{_FLOWS[channel.flow]}"'


@lru_cache(maxsize=4_096)
def _local_text(us: int, zone: ZoneInfo) -> str:
    return from_us(us).astimezone(zone).isoformat()


def response_head(utility: Utility, head: ResponseHead) -> bytes:
    """What stands before the items."""
    request, counts = head.request.request, head.counts
    correlation = f' correlationId="{escape(request.correlation_id)}"' if request.correlation_id else ""
    named = f'responseId="{response_id(utility, head.request.request_no, head.number)}" inResponseTo="{escape(request.request_id)}"'
    times = f'created="{utc_text_us(to_us(head.created))}" deadline="{utc_text_us(to_us(request.deadline))}"'
    counted = " ".join(f'{name}="{counts.get(status, 0)}"' for name, status in _COUNTED.items())
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<AmiBillingResponse xmlns="{NAMESPACE}" version="1" utility="{utility.utility_id}"'
        f' {named}{correlation} unsolicited="{str(head.unsolicited).lower()}" {times} dataVersion="{head.data_seq}"'
        f' items="{sum(counts.values())}" {counted}>\n'
    ).encode()


def refusal(line: int, reason: str) -> bytes:
    """A document that says what could not be taken, and why."""
    said = f'<AmiBillingRefusal xmlns="{NAMESPACE}" version="1" line="{line}" reason="{escape(reason)}"/>\n'
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{said}'.encode()


def confirmed(items: int, unknown: Sequence[str]) -> bytes:
    """What became of a confirmation."""
    strange = "".join(f'<Unknown item="{escape(one)}"/>' for one in unknown)
    said = f'<AmiBillingConfirmed xmlns="{NAMESPACE}" version="1" items="{items}">{strange}</AmiBillingConfirmed>\n'
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{said}'.encode()
