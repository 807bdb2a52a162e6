"""Events that came before their endpoint's program was known, understood once it is: an alarm of a new meter is late, not lost.

Mostly that is when the program is recorded: then they are recorded with it, before what was read from the endpoint's log, which has them
as well. A look every few seconds finds the rest, as of a process that was killed.
"""

from collections.abc import Callable, Sequence
from datetime import datetime

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from headend.collection.programs import ProgramCache
from headend.errors import StoreError
from headend.model.collection import Collected
from headend.model.events import EarlySender
from headend.model.utility import Utility
from headend.ports import CollectionStore
from headend.push import understood
from headend.recorder import Recorder
from headend.stored_programs import known_program

LOOK_SECONDS = 5.0
"""How often it is looked whether programs became known: an alarm is not to wait much longer than that."""

SENDERS_MAX = 500
"""Endpoints of one look."""


class EarlyEvents:
    """Makes sense of early events as soon as that can be, and has them recorded."""

    log = Logger()

    def __init__(
        self, utility: Utility, store: CollectionStore, recorder: Recorder, programs: ProgramCache, now: Callable[[], datetime]
    ) -> None:
        self._utility = utility
        self._store = store
        self._recorder = recorder
        self._programs = programs
        self._now = now

    async def beside(self, items: Sequence[Collected]) -> list[Collected]:
        """Early events of endpoints whose programs are about to be recorded; see `recorder.Beside`. Raises StoreError."""
        programs = {item.endpoint_id: item.program for item in items if item.program is not None}
        if not programs:
            return []
        waiting = dict(await self._store.early_events_of(sorted(programs)))
        for item in items:
            if item.early_events and item.endpoint_id in programs:
                waiting[item.endpoint_id] = waiting.get(item.endpoint_id, ()) + item.early_events
        found = []
        for endpoint_id, events in waiting.items():
            record = programs[endpoint_id]
            program = self._programs.get(record.fingerprint) or self._programs.decode(dict(record.tables))
            sender = EarlySender(endpoint_id, record.fingerprint, events)
            found.append(understood(sender, program, self._utility.time_zone, self._now()))
        return found

    async def look(self) -> None:
        """Whatever can be understood by now. Never raises for a store that cannot answer: a later look finds the same."""
        try:
            await self._understand_all()
        except StoreError as error:
            self.log.warn("early events of {utility} wait: {error}", utility=self._utility.utility_id, error=error)

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
