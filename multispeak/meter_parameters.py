"""Lists of meters among the parameters of an operation, and where its results are to be told."""

from headend.meter_groups import Answering
from multispeak.calls import Call
from multispeak.notifications import require_objects
from multispeak.said_values import items, named_meter, text


def listed_meters(call: Call, parameter: str) -> list[str]:
    """Numbers of the meters that a parameter lists, in order, as often as it names them; empty for one without a number.

    Raises  RefusedCallError for none, or too many
    """
    listed = items(getattr(call.request, parameter))
    require_objects(call, len(listed))
    return [named_meter(one) for one in listed]


def answering(call: Call) -> Answering:
    """responseURL and transactionID of a request, where it has them.

    Raises  RequestError for one too long to be kept
    """
    url = text(getattr(call.request, "responseURL", None), "responseURL")
    return Answering(url or "", text(getattr(call.request, "transactionID", None), "transactionID") or "")
