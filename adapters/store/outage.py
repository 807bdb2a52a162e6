"""Says once that a database is out of order, and once that it works again."""

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from adapters.store.errors import StoreBusyError, StoreCorruptedError, StoreFullError, StoreRaceError, StoreUnreachableError
from headend.errors import StoreError

_OUTAGES = (StoreBusyError, StoreCorruptedError, StoreFullError, StoreUnreachableError)
"""What stops everybody; any other error is the matter of one transaction."""


class Outage:
    """One database's state as its transactions find it; each reason for an outage is said when it first shows."""

    log = Logger()

    def __init__(self, name: str, clock: IReactorTime) -> None:
        self._name = name
        self._clock = clock
        self._since = 0.0
        self._said: set[str] = set()
        self._writes_failed = False

    def failed(self, error: StoreError, *, writes: bool) -> None:
        """A transaction, which `writes` or only reads, came to nothing."""
        if not isinstance(error, _OUTAGES) or isinstance(error, StoreRaceError):
            return
        self._writes_failed |= writes
        if not self._said:
            self._since = self._clock.seconds()
        if str(error) not in self._said:
            self._said.add(str(error))
            self.log.warn("{error}; trying again", error=error)

    def worked(self, *, writes: bool) -> None:
        """A transaction was committed; one that only reads says nothing of those that write."""
        if not self._said or (self._writes_failed and not writes):
            return
        self.log.warn("{name} works again, after {seconds:.0f} s", name=self._name, seconds=self._clock.seconds() - self._since)
        self._said.clear()
        self._writes_failed = False
