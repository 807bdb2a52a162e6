"""Plain Spyne in a plain Twisted resource, since Spyne's own does not work on Python 3."""

# mypy: disable-error-code="no-untyped-call"

import logging
import sys
from typing import Any

from twisted.internet import reactor
from twisted.web.resource import Resource
from twisted.web.server import Request, Site

from multispeak.spyne_import import MethodContext, ServerBase
from tests.bench.soap_peers.spyne_service import application


class SpyneResource(Resource):
    """POST is a call."""

    isLeaf = True

    def __init__(self, server: Any) -> None:
        super().__init__()
        self._server = server

    def render_POST(self, request: Request) -> bytes:
        initial = MethodContext(self._server, MethodContext.SERVER)
        initial.in_string = [request.content.read()]
        (ctx,) = self._server.generate_contexts(initial)
        if ctx.in_error is None:
            self._server.get_in_object(ctx)
        if ctx.in_error is None:
            self._server.get_out_object(ctx)
        self._server.get_out_string(ctx)
        request.setHeader(b"content-type", b"text/xml; charset=utf-8")
        if ctx.out_error is not None:
            request.setResponseCode(500)
        return b"".join(ctx.out_string)


def main() -> None:
    """Print the address, serve until ended."""
    logging.getLogger("spyne").setLevel(logging.CRITICAL + 1)
    listening: Any = reactor
    port = listening.listenTCP(0, Site(SpyneResource(ServerBase(application()))), interface="127.0.0.1")
    sys.stdout.write(f"http://127.0.0.1:{port.getHost().port}/\n")
    sys.stdout.flush()
    listening.run()


if __name__ == "__main__":
    main()
