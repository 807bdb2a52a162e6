"""Operations that every server has: PingURL and GetMethods.

Both ask for credentials like all others: what is behind an address and what it can do is told to partners only.
"""

from collections.abc import Mapping

from multispeak.access import allowed
from multispeak.calls import Answer, Call, Handler


def general_handlers(implemented: Mapping[str, Handler]) -> dict[str, Handler]:
    """Handlers of the general operations; `implemented` is the very table that answers, complete by the time it is looked at."""

    async def ping_url(call: Call) -> Answer:
        """An empty list of errors: all is well."""
        return Answer(call.records["ArrayOfErrorObject"]())

    async def get_methods(call: Call) -> Answer:
        """The names of the operations that this server implements and the caller may use."""
        service = call.binding.service
        names = allowed(call.partner, service.name, implemented.keys() & service.operations.keys())
        return Answer(call.records["ArrayOfString"](string=names))

    return {"PingURL": ping_url, "GetMethods": get_methods}
