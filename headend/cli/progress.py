"""A progress bar over a collection that runs, until nothing of it is due any more."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from twisted.internet import task

from headend.model.collection import CollectionSummary
from headend.service import UtilityService

LOOK_SECONDS = 0.25
"""How often the counts are looked at, in seconds."""

PUSH_SECONDS_MAX = 60
"""How long battery endpoints are waited for once all others are done, in seconds; what has not come by then comes later."""

BAR = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
"""What stands in a progress bar."""


async def show_collection(reactor: Any, utility: UtilityService, start: datetime, end: datetime, console: Console) -> CollectionSummary:
    """Collect every endpoint from `start` on; until all are done or excepted and battery endpoints have told their register of `end`."""
    await utility.collect(start)
    with Progress(*BAR, console=console) as progress:
        bar = progress.add_task("collecting", total=None)
        waited_since: float | None = None
        while True:
            summary = await utility.store.summary()
            pushed, pushing = await utility.store.pushed(end)
            finished = summary.done + summary.failed
            progress.update(bar, total=summary.due + finished + pushing, completed=finished + pushed)
            if not summary.due and waited_since is None:
                waited_since = reactor.seconds()
            waited = 0.0 if waited_since is None else reactor.seconds() - waited_since
            if not summary.due and (pushed == pushing or waited > PUSH_SECONDS_MAX):
                return replace(summary, done=summary.done + pushed)
            await task.deferLater(reactor, LOOK_SECONDS, lambda: None)
