"""Runs a coroutine on Twisted's asyncio reactor until it ends or the user stops it; its outcome becomes the exit status."""

import asyncio
import gc
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import click
from twisted.internet import asyncioreactor, defer
from twisted.logger import FilteringLogObserver, ILogObserver, LogLevel, LogLevelFilterPredicate, globalLogBeginner, textFileLogObserver
from twisted.python.failure import Failure

from headend.cli.json_log import JsonObserver
from headend.errors import HeadEndError

Job = Callable[[Any], Awaitable[int]]
INTERRUPTED = 130
OUR_BUG = 70

STUCK = 75

STOP_SECONDS = 25.0
"""How long a good end may take, in seconds: less than the half minute that supervisors commonly wait before they kill."""

YOUNG_OBJECTS = 200_000
"""Objects made between two looks of the garbage collector: an endpoint's day makes hundreds, nearly none of them in a cycle, and thousands
of conversations are alive at each look. What is in cycles takes some 20 MiB until then."""


def run_on_reactor(job: Job, log_level: LogLevel = LogLevel.warn, *, log_json: bool = False, stop_seconds: float = STOP_SECONDS) -> None:
    """Install the asyncio reactor, run `job(reactor)` and exit with its status; a HeadEndError becomes a sentence and status 1.

    Ctrl-C and SIGTERM cancel the job, whose `finally` clauses stop things in good order before the process ends, or until `stop_seconds`
    are over: then it ends as if it had been killed.
    """
    asyncioreactor.install(asyncio.new_event_loop())
    from twisted.internet import reactor  # noqa: PLC0415 (exists only once one is installed)

    written: ILogObserver = JsonObserver(sys.stderr) if log_json else textFileLogObserver(sys.stderr)
    observer = FilteringLogObserver(written, [LogLevelFilterPredicate(log_level)])
    globalLogBeginner.beginLoggingTo([observer], redirectStandardIO=False, discardBuffer=True)
    run = _Run(reactor, job, stop_seconds)
    run.begin()
    sys.exit(run.status)


class _Run:
    """One job on one reactor: started when the reactor runs, cancelled when it is told to stop."""

    def __init__(self, reactor: Any, job: Job, stop_seconds: float) -> None:
        self.status = INTERRUPTED
        self._reactor = reactor
        self._job = job
        self._stop_seconds = stop_seconds
        self._ended: defer.Deferred[None] = defer.Deferred()
        self._running: defer.Deferred[int] | None = None
        self._stopping = False

    def begin(self) -> None:
        self._reactor.callWhenRunning(self._start)
        self._reactor.addSystemEventTrigger("before", "shutdown", self._interrupt)
        self._reactor.run()

    def _start(self) -> None:
        async def job() -> int:
            return await self._job(self._reactor)

        self._running = defer.Deferred.fromCoroutine(job())
        self._running.addCallbacks(self._finish, lambda failure: self._finish(_report(failure)))

    def _finish(self, status: int) -> None:
        self.status = status
        self._ended.callback(None)
        if not self._stopping:
            self._reactor.stop()

    def _interrupt(self) -> defer.Deferred[None]:
        self._stopping = True
        # The end is under way; a second Ctrl-C or SIGTERM (`timeout` sends two) would only be reported as a mistake of ours.
        for again in (signal.SIGINT, signal.SIGTERM):
            signal.signal(again, signal.SIG_IGN)
        if self._running is not None and not self._ended.called:
            self._reactor.callLater(self._stop_seconds, self._give_up)
            self._running.cancel()
        return self._ended

    def _give_up(self) -> None:
        """End although something has not: what it holds expires by itself, as after any kill."""
        if not self._ended.called:
            click.echo(f"headend: not everything has ended within {self._stop_seconds:g} s; leases not given back expire", err=True)
            sys.stderr.flush()
            os._exit(STUCK)  # threads that wait for a database would hold an ordinary exit up


def keep_what_is_built() -> None:
    """Take what start-up made out of the garbage collector's sight: contracts and programs stay, and looking them over costs 40 ms."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, 20, 20)


async def until_cancelled() -> None:
    """Wait for Ctrl-C or SIGTERM, and take it as the ordinary end."""
    try:
        await defer.Deferred()
    except defer.CancelledError:
        return


def _report(failure: Failure) -> int:
    """What went wrong, for people: our own errors as sentences, anything else with its traceback."""
    if failure.check(defer.CancelledError, asyncio.CancelledError):
        return INTERRUPTED
    if failure.check(HeadEndError):
        click.echo(f"headend: {failure.value}", err=True)
        return 1
    failure.printTraceback(sys.stderr)
    return OUR_BUG
