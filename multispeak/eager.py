"""Coroutines run without a Deferred of their own: what Twisted does for each costs a tenth of a small call."""

from collections.abc import Callable, Coroutine
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

Work = Coroutine[Deferred[Any], Any, object]


def begin(work: Work, ended: Callable[[object], object]) -> None:
    """Run `work` as far as it goes without waiting, and on whenever what it waits for is there.

    `ended` is called once, with the result or the Failure; before this returns, where nothing had to be waited for.
    """

    def go_on(came: Any) -> None:
        try:
            awaited = came.throwExceptionIntoGenerator(work) if isinstance(came, Failure) else work.send(came)
        except StopIteration as end:
            ended(end.value)
        except Exception:  # noqa: BLE001 - told to whoever asked
            ended(Failure())
        else:
            awaited.addBoth(go_on)

    go_on(None)
