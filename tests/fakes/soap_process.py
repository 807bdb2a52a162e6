"""The demo site in a process of its own; prints its address, serves until it is ended."""

import asyncio
import sys
from datetime import UTC, datetime

from twisted.internet import asyncioreactor


def main() -> None:
    asyncioreactor.install(asyncio.new_event_loop())
    from twisted.internet import reactor
    from twisted.web.resource import Resource

    from multispeak.http_hardening import BoundedSite
    from multispeak.site import Surroundings, multispeak_resource
    from tests.fakes.soap_world import authenticator, demo_queries, seeded

    queries, root = demo_queries(), Resource()
    port = reactor.listenTCP(0, BoundedSite(root, reactor), interface="127.0.0.1")
    address = f"http://127.0.0.1:{port.getHost().port}"
    surroundings = Surroundings(authenticator(), lambda caller: queries, address, lambda: datetime.now(UTC), reactor, seeded())
    root.putChild(b"multispeak", multispeak_resource(surroundings))
    sys.stdout.write(address + "\n")
    sys.stdout.flush()
    reactor.run()


if __name__ == "__main__":
    main()
