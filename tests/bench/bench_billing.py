"""A billing request for 100,000 accounts, from the octets that come to those that go: items named one by one, all of them complete."""

import gc
import io
import resource
import tempfile
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from adapters.billing.desk import HTTP, BillingDesk, Taken
from adapters.billing.response_xml import AnswerTexts
from adapters.delivery.threads import on_threads_of
from headend.biller import Biller
from headend.billing_reading import BillingReads
from headend.billing_requests import BillingPolicy
from headend.cli.running import keep_what_is_built
from tests import postgresql
from tests.bench.filled_store import WORDS, fill
from tests.conftest import RunningReactor
from tests.store.world import DAY, UTILITY, OpenStore, opened

ACCOUNTS = 100_000
_FIRST = f"FROM series WHERE i <= {ACCOUNTS}"
_ACCOUNTS = f"INSERT INTO account (account_no, name, phone, email) {{series}} SELECT 'A' || i, '', '', '' {_FIRST}"
_POINTS = (
    "INSERT INTO service_point (service_point_no, commodity, address_line, city, state, postal_code, account_no, bill_cycle, location_no)"
    f" {{series}} SELECT 'SP' || i, 'electric', '', '', '', '', 'A' || i, '07', 'SP' || i {_FIRST}"
)
_INSTALLATIONS = f"INSERT INTO installation (endpoint_id, started_us, service_point_no) {{series}} SELECT i, 0, 'SP' || i {_FIRST}"


def main() -> None:
    """Print figures as they come, SQLite first."""
    running = RunningReactor()
    keep_what_is_built()
    try:
        with tempfile.TemporaryDirectory() as directory:
            _measure(running, "sqlite", f"sqlite:///{directory}/bench.sqlite", Path(directory))
        with tempfile.TemporaryDirectory() as directory, postgresql.server() as server, postgresql.database(server) as url:
            _measure(running, "postgresql", url.render_as_string(hide_password=False), Path(directory))
    finally:
        running.stop()


def _measure(running: RunningReactor, name: str, url: str, directory: Path) -> None:
    store = opened(running, url, directory / "keys")
    try:
        fill(store, name)
        for statement in (_ACCOUNTS, _POINTS, _INSTALLATIONS):
            store.sql(statement.format(**WORDS[name]))
        store.sql("ANALYZE")
        gc.collect()
        before = _peak_mib()
        began, cpu = time.perf_counter(), time.process_time()
        octets_in, octets_out, complete = _answered(running, store, directory)
        wall, cpu = time.perf_counter() - began, time.process_time() - cpu
        grown = f"peak {_peak_mib():.0f} MiB, {before:.0f} before"
        size = f"{octets_in / 1e6:.1f} MB in, {octets_out / 1e6:.1f} MB out"
        limits = "(limits for 100,000: 30 s, 300 MiB)"
        took = f"{wall:.1f} s  {cpu:.1f} s CPU"
        print(f"{name:<11} {complete:,} of {ACCOUNTS:,} accounts complete  {took}  {size}  {grown}  {limits}", flush=True)
    finally:
        store.call("close")


def _answered(running: RunningReactor, store: OpenStore, directory: Path) -> tuple[int, int, int]:
    """Octets in, octets out, complete items."""
    end = UTILITY.midnight(DAY)
    now = end + timedelta(hours=8)
    on_thread = on_threads_of(running.reactor)
    biller = Biller(UTILITY, store.store, AnswerTexts(UTILITY), BillingReads(UTILITY, store.store), on_thread, lambda: now)
    policy = BillingPolicy()
    desk = BillingDesk(UTILITY, store.store, biller, policy, running.reactor, on_thread, directory / "spool", (), lambda: now)
    request = b"".join(_request())

    async def answered() -> tuple[int, int]:
        taken = await desk.take(io.BytesIO(request), "cis", HTTP)
        assert isinstance(taken, Taken)
        assert taken.first is not None
        octets = 0
        async for piece in desk.octets(taken.first):
            octets += len(piece)
        return octets, sum(count for status, count in taken.first.counts.items() if status.value == "COMPLETE")

    octets, complete = running.wait(answered)
    return len(request), octets, complete


def _request() -> Iterator[bytes]:
    yield b'<AmiBillingRequest xmlns="urn:open-ami-headend:billing:1" version="1" requestId="R1">\n'
    yield f'<Cycle cycleId="07" billDate="{DAY}" billStart="{DAY - timedelta(days=1)}"/>\n'.encode()
    for i in range(1, ACCOUNTS + 1):
        yield f'<Item itemId="{i}" accountId="A{i}" servicePointId="SP{i}" commodity="electric"/>\n'.encode()
    yield b"</AmiBillingRequest>\n"


def _peak_mib() -> float:
    """Of the whole process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
