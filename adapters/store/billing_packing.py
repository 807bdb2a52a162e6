"""Billing items and defaults as the JSON texts of their rows; exact both ways."""

import json
from datetime import timedelta
from typing import Any

from adapters.store.instants import from_us, to_us
from headend.model.billing import ReadRule
from headend.model.billing_export import BillingItem, ReadDefaults
from headend.model.endpoint import Commodity

_MINUTE = timedelta(minutes=1)


def pack_item(item: BillingItem) -> str:
    """An item without its position and id, which are columns."""
    commodity = "" if item.commodity is None else item.commodity.value
    named = [item.account, item.service_point, item.meter, commodity]
    window = [to_us(item.start), to_us(item.stop), item.lag // _MINUTE, item.lead // _MINUTE, item.rule.value, item.priors, item.demand]
    return json.dumps([*named, *window, item.channels, item.pass_through, item.line, item.problem], separators=(",", ":"))


def unpack_item(position: int, item_id: str, payload: str) -> BillingItem:
    """The item."""
    account, point, meter, commodity, start, stop, lag, lead, rule, priors, demand, channels, passed, line, problem = json.loads(payload)
    return BillingItem(
        position=position,
        item_id=item_id,
        account=account,
        service_point=point,
        meter=meter,
        commodity=Commodity(commodity) if commodity else None,
        start=from_us(start),
        stop=from_us(stop),
        lag=timedelta(minutes=lag),
        lead=timedelta(minutes=lead),
        rule=ReadRule(rule),
        priors=priors,
        demand=demand,
        channels=tuple(channels),
        pass_through=tuple((name, value) for name, value in passed),
        line=line,
        problem=problem,
    )


def pack_defaults(defaults: ReadDefaults) -> str:
    """Defaults of a request."""
    one: dict[str, Any] = {"lag": defaults.lag // _MINUTE, "lead": defaults.lead // _MINUTE, "rule": defaults.rule.value}
    return json.dumps(one | {"priors": defaults.priors, "demand": defaults.demand})


def unpack_defaults(text: str) -> ReadDefaults:
    """The defaults."""
    one = json.loads(text)
    lag, lead = timedelta(minutes=one["lag"]), timedelta(minutes=one["lead"])
    return ReadDefaults(lag, lead, ReadRule(one["rule"]), one["priors"], one["demand"])
