"""Events that came before their endpoint's program was known, understood once it is: an alarm of a new meter is late, not lost."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Protocol

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from headend.collection.programs import ProgramCache
from headend.errors import StoreError
from headend.model.events import EarlySender
from headend.model.utility import Utility
from headend.push import understood
from headend.recorder import Recorder
from headend.stored_programs import ProgramSource, known_program

LOOK_SECONDS = 5.0
"""How often it is looked whether programs became known: an alarm is not to wait much longer than that."""

SENDERS_MAX = 500
"""Endpoints of one look."""


class EarlyEventStore(ProgramSource, Protocol):
    """Where early events wait."""

    def early_events(self, after: int, limit: int) -> Awaitable[Sequence[EarlySender]]:
        """Endpoints above a number whose events wait and whose program is known, in order."""


class EarlyEvents:
    """Looks for early events that can be understood, and has them recorded."""

    log = Logger()

    def __init__(
        self, utility: Utility, store: EarlyEventStore, recorder: Recorder, programs: ProgramCache, now: Callable[[], datetime]
    ) -> None:
        self._utility = utility
        self._store = store
        self._recorder = recorder
        self._programs = programs
        self._now = now

    async def look(self) -> None:
        """Whatever can be understood by now. Never raises."""
        try:
            await self._understand_all()
        except StoreError as error:
            self.log.warn("early events of {utility} wait: {error}", utility=self._utility.utility_id, error=error)
        except Exception:  # noqa: BLE001  # regular work goes on
            self.log.failure("early events of {utility}", utility=self._utility.utility_id)

    async def _understand_all(self) -> None:
        after, more = -1, True
        while more:
            senders = await self._store.early_events(after, SENDERS_MAX)
            recorded: list[Deferred[None]] = []
            for sender in senders:
                program = await known_program(self._programs, self._store, sender.program)
                if program is not None:
                    recorded.append(self._recorder.put_and_wait(understood(sender, program, self._utility.time_zone, self._now())))
            for one in recorded:
                await one
            more = len(senders) == SENDERS_MAX
            after = max([after, *(sender.endpoint_id for sender in senders)])
