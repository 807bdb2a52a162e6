"""Operations that every server has: PingURL and GetMethods.

Both ask for credentials like all others: what is behind an address and what it can do is told to partners only.
"""

from multispeak.calls import Answer, Call, Handler, Handlers


def general_handlers(implemented: Handlers) -> dict[str, Handler]:
    """Handlers of the general operations of a service whose own handlers are `implemented`."""
    names = sorted({*implemented, "PingURL", "GetMethods"})

    async def ping_url(call: Call) -> Answer:
        """An empty list of errors: all is well."""
        return Answer(call.records["ArrayOfErrorObject"]())

    async def get_methods(call: Call) -> Answer:
        """The names of what is implemented, from the very table that answers."""
        return Answer(call.records["ArrayOfString"](string=names))

    return {"PingURL": ping_url, "GetMethods": get_methods}
