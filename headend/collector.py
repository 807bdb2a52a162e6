"""All parts of one utility's field side in one process, put together: poller, commands, receiver, recorder; links are added later."""

from collections.abc import Callable
from datetime import datetime
from random import Random

from twisted.internet.interfaces import IReactorTime

from headend.collection.counters import Counters
from headend.collection.policy import CollectionPolicy
from headend.collection.programs import ProgramCache
from headend.command_driver import CommandDriver
from headend.commands.policy import CommandPolicy
from headend.commands.sleeping import SleepingCommands, SleepingStore
from headend.early_events import EarlyEvents
from headend.model.endpoint import Transport
from headend.model.utility import Utility
from headend.poller import Poller, PollerParts
from headend.ports import CollectionStore, EndpointLink, WaitingRequests
from headend.receiver import Receiver
from headend.recorder import Recorder
from headend.waking import WakingPlans


class Collector:
    """The collection of one utility.

    `links` is filled before `start`; links are built with `receiver`. `on_recorded` is called after each transaction, for progress.
    `commands` is where commands come from, None where this process carries none out.
    `wire_now` is given where security goes by another clock than the utility's. `waking` are the plans of wake-ups, none until they are
    read; `waiting` is what goes to battery endpoints with acknowledgements, by default the commands that wait for them.
    """

    def __init__(
        self,
        utility: Utility,
        store: CollectionStore,
        reactor: IReactorTime,
        *,
        now: Callable[[], datetime],
        random: Random,
        owner: str,
        policy: CollectionPolicy | None = None,
        wire_now: Callable[[], datetime] | None = None,
        on_recorded: Callable[[], None] = lambda: None,
        commands: SleepingStore | None = None,
        command_policy: CommandPolicy | None = None,
        waiting: WaitingRequests | None = None,
    ) -> None:
        self.counters = Counters()
        self.links: dict[Transport, EndpointLink] = {}
        self.programs = ProgramCache()
        self.waking = WakingPlans()
        policy = policy or CollectionPolicy()
        if commands is not None and waiting is None:
            waiting = SleepingCommands(commands, self.programs.get, now, owner, command_policy)
        self.recorder = Recorder(store, reactor, now, self.counters, self._recorded, policy.retries)
        self._on_recorded = on_recorded
        parts = PollerParts(
            utility=utility,
            store=store,
            links=self.links,
            recorder=self.recorder,
            programs=self.programs,
            counters=self.counters,
            reactor=reactor,
            now=now,
            random=random,
            policy=policy,
            wire_now=wire_now,
            wake_up_plan=self.waking.of,
            waiting=waiting,
        )
        self.early = EarlyEvents(utility, store, self.recorder, self.programs, now)
        self.recorder.beside = self.early.beside
        self.poller = Poller(parts, owner)
        self.receiver = Receiver(parts, self.poller)
        self.commands = None if commands is None else CommandDriver(parts, commands, owner, command_policy)
        if self.commands is not None:
            self.receiver.others.append(self.commands.conversations)

    def start(self) -> None:
        """Begin to poll; what endpoints send on their own is accepted from the moment a link is open."""
        self.poller.start()
        if self.commands is not None:
            self.commands.start()

    def wake(self) -> None:
        """Something was scheduled: look for it now."""
        self.poller.wake()

    async def stop(self) -> None:
        """End gracefully: what was collected is recorded, what was leased goes back."""
        if self.commands is not None:
            await self.commands.stop()
        await self.poller.stop()

    def _recorded(self) -> None:
        self.poller.room_made()
        self._on_recorded()
