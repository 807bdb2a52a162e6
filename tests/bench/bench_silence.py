"""What is in by when, of a field that loses a fifth of all datagrams and in which one endpoint in twenty never says a word.

The field and the head-end live some days on a hand-turned clock (`tests.simulation.month`): the numbers are those of the seeds, whatever
the machine does meanwhile.
"""

import os
import time
from collections.abc import Iterator

from headend.model.work_item import WorkItemKind, WorkItemState
from tests.bench.aims import line
from tests.simulation.month import Month, Plan, eight_o_clock, share_in, three_days_later

SEEDS = int(os.environ.get("HEADEND_BENCH_SEEDS", "3"))
ENDPOINTS = int(os.environ.get("HEADEND_BENCH_ENDPOINTS", "400"))
DAYS = int(os.environ.get("HEADEND_BENCH_DAYS", "7"))
Row = tuple[str, float, str]


def run(seeds: int = SEEDS, endpoints: int = ENDPOINTS, days: int = DAYS) -> Iterator[Row]:
    """Rows (what, value, unit)."""
    for seed in range(seeds):
        month = Month(seed, endpoints, days=days, plan=Plan(loss=0.2, silent_percent=5))
        cpu = time.process_time()
        month.live()
        cpu = time.process_time() - cpu
        silent = {e.meter_no for e in month.store.endpoints.values() if month.is_always_silent(e)}
        items = {i.subject for i in month.items if i.kind is WorkItemKind.SILENT_ENDPOINT and i.state is not WorkItemState.CLOSED}
        name = f"seed {seed}, {endpoints} endpoints, {days} days"
        yield f"{name}: reads of reachable endpoints in by 08:00", 100 * share_in(month, eight_o_clock), "%"
        yield f"{name}: in within three days", 100 * share_in(month, three_days_later), "%"
        yield f"{name}: silent endpoints", len(silent), ""
        yield f"{name}: of them with a work item", len(silent & items), ""
        yield f"{name}: work items of others", len(items - silent), ""
        yield f"{name}: CPU of field and head-end", 1_000 * cpu / endpoints / (days + 4), "ms/endpoint-day"


def main() -> None:
    """Print the table."""
    for row in run():
        print(line(*row), flush=True)


if __name__ == "__main__":
    main()
