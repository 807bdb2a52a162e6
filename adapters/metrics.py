"""Prometheus metrics of one process, at /metrics on an address of their own."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector
from twisted.internet.error import CannotListenError
from twisted.web.resource import Resource
from twisted.web.server import Site

from headend.errors import RequestError
from headend.measures import Measures
from headend.status import StoreStatus

GAUGES: Mapping[str, tuple[str, Callable[[StoreStatus], float]]] = {
    "endpoints": ("Endpoints in service.", lambda s: s.reach.active),
    "endpoints_heard": ("Endpoints in service that were heard in the last 24 hours.", lambda s: s.reach.heard),
    "endpoints_read": ("Endpoints in service whose register of the last midnight, or a later one, is stored.", lambda s: s.reach.read),
    "collection_due": ("Endpoints of the present collection that are due.", lambda s: s.collection.due),
    "collection_done": ("Endpoints of the present collection that are done.", lambda s: s.collection.done),
    "collection_failed": ("Endpoints of the present collection that ended with an exception.", lambda s: s.collection.failed),
    "endpoints_waiting": ("Endpoints that are due now and that nobody has leased.", lambda s: s.leases.waiting),
    "endpoints_waiting_seconds": (
        "How long the longest of these waits.",
        lambda s: 0.0 if s.leases.waiting_since is None else (s.at - s.leases.waiting_since).total_seconds(),
    ),
    "database_octets": ("Size of the database.", lambda s: s.octets),
    "messages": ("Exchanges in the message log.", lambda s: s.messages.count),
    "messages_octets": ("Size of the message log.", lambda s: s.messages.octets),
}
"""What a utility's database says, by name."""

COUNTS: Mapping[str, tuple[str, str, Callable[[StoreStatus], Mapping[str, int]]]] = {
    "leases": ("Endpoints leased.", "owner", lambda s: s.leases.held),
    "routers": ("Routers under watch.", "state", lambda s: s.routers),
    "exceptions_24h": ("Exceptions of the last 24 hours.", "kind", lambda s: s.exceptions),
    "events_24h": ("Events of the last 24 hours; early ones wait for their meter's program.", "decision", lambda s: s.events),
    "work_items_open": ("Open work items.", "kind", lambda s: s.work_items),
    "outbox": ("Messages to partners.", "state", lambda s: s.outbox),
}
"""The same with one more label."""


class MetricsServer:
    """The listening port."""

    def __init__(self, reactor: Any, host: str, port: int, measures: Callable[[], Sequence[Measures]]) -> None:
        """Raises RequestError for an address that is taken."""
        registry = CollectorRegistry()
        registry.register(_Measured(measures))
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        root = Resource()
        root.putChild(b"metrics", _Page(registry))
        try:
            self._listening = reactor.listenTCP(port, Site(root), interface=host)
        except CannotListenError as error:
            raise RequestError(f"cannot show metrics at {host}:{port}: {error.socketError.strerror or error.socketError}") from None
        self.address = f"http://{host}:{self._listening.getHost().port}/metrics"

    async def stop(self) -> None:
        """Close it."""
        await self._listening.stopListening()


class _Page(Resource):
    isLeaf = True  # noqa: N815 - Twisted's name

    def __init__(self, registry: CollectorRegistry) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Twisted says no types
        self._registry = registry

    def render_GET(self, request: Any) -> bytes:  # noqa: N802 - Twisted's name
        request.setHeader(b"Content-Type", CONTENT_TYPE_PLAIN_0_0_4.encode())
        return generate_latest(self._registry)


class _Measured(Collector):
    """The measures of all utilities at the moment somebody looks."""

    def __init__(self, measures: Callable[[], Sequence[Measures]]) -> None:
        self._measures = measures

    def collect(self) -> Iterator[Metric]:
        """See prometheus_client."""
        measured = self._measures()
        yield from _totals(measured)
        yield _gauge("conversations", "Conversations under way.", {(m.utility,): m.conversations for m in measured})
        yield _gauge("assignments_waiting", "Leased, not begun.", {(m.utility,): m.assignments_waiting for m in measured})
        yield _gauge("unlogged_exchanges", "Missing from the message log.", {(m.utility,): m.unlogged_exchanges for m in measured})
        known = [(m.utility, m.status) for m in measured if m.status is not None]
        for name, (said, value) in GAUGES.items():
            yield _gauge(name, said, {(utility,): value(status) for utility, status in known})
        for name, (said, label, counts) in COUNTS.items():
            values: dict[tuple[str, ...], float] = {}
            for utility, status in known:
                values |= {(utility, key): count for key, count in counts(status).items()}
            yield _gauge(name, said, values, label)


def _totals(measured: Iterable[Measures]) -> Iterator[Metric]:
    counted: dict[str, CounterMetricFamily] = {}
    dropped = CounterMetricFamily("headend_dropped", "Received and not used.", labels=["utility", "reason"])
    for one in measured:
        for name, total in one.totals.items():
            if name not in counted:
                counted[name] = CounterMetricFamily(f"headend_{name}", f"{name.replace('_', ' ').capitalize()}.", labels=["utility"])
            counted[name].add_metric([one.utility], total)
        for reason, total in one.dropped.items():
            dropped.add_metric([one.utility, reason], total)
    yield from counted.values()
    yield dropped


def _gauge(name: str, said: str, values: Mapping[tuple[str, ...], float], *labels: str) -> Metric:
    family = GaugeMetricFamily(f"headend_{name}", said, labels=["utility", *labels])
    for of, value in values.items():
        family.add_metric(of, value)
    return family
