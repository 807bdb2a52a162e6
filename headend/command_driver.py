"""Carries commands out: takes those that are due, lets their talks run, records what came of them; several drivers share the work."""

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from headend.collection.batch_harvest import harvest_all
from headend.commands.alarms import alarms_of
from headend.commands.machine import (
    Answer,
    Ended,
    GoOn,
    Happening,
    Speak,
    Telling,
    Unanswered,
    Understood,
    Wait,
    step,
    taken_up,
)
from headend.commands.policy import CommandPolicy
from headend.commands.ports import CommandStore
from headend.commands.recorder import CommandRecorder
from headend.commands.talk import Meter, Note, Noted, Taken
from headend.commands.talks import Conversing, TalkEnded
from headend.conversations import Conversation, Conversations, Patience
from headend.dialogue import Dialogue
from headend.errors import StoreError
from headend.interrogation import Finish, Interrogation
from headend.limits import COMMANDS_PER_TAKE
from headend.model.collection import Assignment, Collected, MeterProgramRecord
from headend.model.command import Command, CommandAssignment, CommandId, CommandUpdate, FailureCode, Found, Outcome
from headend.model.deferred import DeferredKind, Priority, TargetState
from headend.model.interval_runs import IntervalRuns
from headend.poller import PollerParts
from headend.stored_programs import known_program

READS_OF_INTERVALS = frozenset({DeferredKind.LOAD_PROFILE_READ, DeferredKind.HISTORICAL_READ})
"""Kinds that collect all that is missing of the endpoint; what was asked for is then in the store."""

NO_LEASE = -1
"""No lease of the collection has this number."""


class CommandDriver:
    """All commands under way in this process."""

    log = Logger()

    def __init__(self, parts: PollerParts, store: CommandStore, owner: str, policy: CommandPolicy | None = None) -> None:
        self._parts = parts
        self._store = store
        self._owner = owner
        self._policy = policy or CommandPolicy()
        self._reactor = parts.reactor
        self._now = parts.now
        patience = Patience(self._policy.reply_seconds, self._policy.transmissions_max, self._policy.reply_growth, ends_in_time=True)
        self.conversations: Conversations[CommandAssignment] = Conversations(parts.wire, patience, self)
        self._recorder = CommandRecorder(store, parts.reactor, parts.now, parts.counters)
        self._held: dict[CommandId, CommandAssignment] = {}
        self._routers: Counter[str | None] = Counter()
        self._lines: dict[tuple[str | None, Priority], deque[CommandAssignment]] = {}
        self._taking: Deferred[None] | None = None
        self._look_again = False
        self._timer: IDelayedCall | None = None
        self._running = False

    @property
    def active(self) -> int:
        """Commands held."""
        return len(self._held)

    def start(self) -> None:
        """Begin to take commands."""
        self._running = True
        self.wake()

    def wake(self) -> None:
        """Look for commands now: one was accepted, or room was made."""
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None
        if not self._running:
            return
        if self._taking is not None:
            self._look_again = True
            return
        self._taking = Deferred()
        Deferred.fromCoroutine(self._take()).addErrback(self._not_taken).addCallback(self._taken)

    async def stop(self) -> None:
        """End: talks under way are dropped, what became of others is recorded, what is held goes back."""
        self._running = False
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self.conversations.stop()
        if self._taking is not None:
            ended: Deferred[None] = Deferred()
            self._taking.chainDeferred(ended)
            await ended
        await self._recorder.stop()
        self._held.clear()
        self._lines.clear()
        try:
            await self._store.release_commands(self._owner, self._now())
        except StoreError as error:
            self.log.warn("commands not given back, their leases will expire: {error}", error=error)

    # Commands come

    async def _take(self) -> bool:
        """Whether there may be more at once."""
        policy, now = self._policy, self._now()
        room = min(policy.conversations_max - len(self._held), COMMANDS_PER_TAKE)
        if room <= 0 or not await self._store.command_due(now):
            return False
        batch_room = max(0, int(policy.conversations_max * policy.batch_part) - len(self._held))
        until = now + timedelta(seconds=policy.lease_seconds)
        assignments = await self._store.take_commands(self._owner, room, batch_room, now, until)
        for assignment in assignments:
            await self._load_program(assignment.program)
        for assignment in assignments:
            if self._running:
                self._begin(assignment)
        return bool(assignments)

    def _not_taken(self, failure: Failure) -> bool:
        if failure.check(StoreError):
            self._parts.counters.store_failures += 1
            self.log.warn("no commands taken: {error}", error=failure.value)
        else:
            self.log.failure("taking commands", failure)
        return False

    def _taken(self, any_taken: bool) -> None:
        taking, self._taking = self._taking, None
        if taking is not None:
            taking.callback(None)
        again, self._look_again = self._look_again or any_taken, False
        if self._running:
            self._timer = self._reactor.callLater(0 if again else self._policy.idle_seconds, self.wake)

    async def _load_program(self, fingerprint: bytes | None) -> None:
        try:
            await known_program(self._parts.programs, self._parts.store, fingerprint)
        except StoreError as error:
            # The command is ours by now: it must go on, and the meter tells its program as well.
            self.log.warn("a stored meter program cannot be had, it will be read again: {error}", error=error)

    def _begin(self, assignment: CommandAssignment) -> None:
        """Begin with a command, or let it wait until its router has room."""
        self._held[assignment.command.command_id] = assignment
        router, priority = assignment.router, assignment.command.priority
        if not self._has_room(router, priority):
            self._lines.setdefault((router, priority), deque()).append(assignment)
            return
        self._routers[router] += 1
        self._take_up(assignment)

    def _has_room(self, router: str | None, priority: Priority) -> bool:
        """Whether one more may begin behind a router; batches leave some of it to people who wait."""
        most = self._policy.conversations_per_router_max
        if priority is Priority.BATCH:
            most = max(1, int(most * self._policy.batch_part))
        return router is None or self._routers[router] < most

    def _take_up(self, assignment: CommandAssignment) -> None:
        """Begin to talk, or say why not. A mistake of ours is this command's failure and nothing to those taken with it."""
        try:
            self._begin_talk(assignment)
        except Exception as error:  # noqa: BLE001  # job ended: our mistake ends one command, not all that were taken
            self.log.failure("beginning {command}", command=assignment.command.command_id)
            command, decision = self._stepped(assignment.command, Ended(_not_understood(error)))
            self._conclude(replace(assignment, command=command), decision, None)

    def _begin_talk(self, assignment: CommandAssignment) -> None:
        if self.conversations.is_with(assignment.ap_title) or assignment.until <= self._now():
            self._conclude(assignment, Wait(self._now() + timedelta(seconds=self._policy.look_seconds)), None)
            return
        since = assignment.until - timedelta(seconds=self._policy.lease_seconds)
        happening = taken_up(assignment, sleeps=assignment.configured.battery, since=since)
        command, decision = self._stepped(assignment.command, happening)
        begun = replace(assignment, command=command)
        if not isinstance(decision, Speak):
            self._conclude(begun, decision, None)
            return
        self._held[assignment.command.command_id] = begun
        ended_by = self._reactor.seconds() + (decision.until - self._now()).total_seconds()
        dialogue, action = self._dialogue(begun)
        self.conversations.begin(begun, dialogue, action, ended_by)

    def _dialogue(self, assignment: CommandAssignment) -> tuple[Dialogue, object]:
        parts, command = self._parts, assignment.command
        program = parts.programs.get(assignment.program)
        zone = parts.utility.time_zone
        if command.kind in READS_OF_INTERVALS:
            policy = replace(parts.policy, scheduled_registers=True)
            return Interrogation.begin(_as_collected(assignment), program, parts.programs.decode, zone, policy, self._now())
        conversing = Conversing(
            Meter(
                endpoint_id=assignment.endpoint_id,
                command=command,
                program=program,
                decode_program=parts.programs.decode,
                zone=zone,
                commodity=assignment.configured.commodity,
                policy=self._policy,
                now=self._now(),
            )
        )
        return conversing, conversing.begin()

    # What talks want

    def wanted(self, conversation: Conversation[CommandAssignment], action: object) -> None:
        """What is not about the wire; see Holder."""
        match action:
            case Note(told):
                self._note(conversation, Telling(told))
            case Taken():
                self._understood(conversation)
            case TalkEnded(outcome, unanswered):
                self._talk_ended(conversation, outcome, unanswered)
            case Finish():
                self._interrogated(conversation, action)
            case _:
                raise AssertionError(f"no talk wants {action!r}")

    def mistaken(self, conversation: Conversation[CommandAssignment], error: Exception) -> TalkEnded:
        """Our mistake is the command's failure; see Holder."""
        return TalkEnded(_not_understood(error))

    def _note(self, conversation: Conversation[CommandAssignment], telling: Telling) -> None:
        """Record that the meter is about to be told; only when that is durable it is."""
        assignment = conversation.party
        command, decision = self._stepped(assignment.command, telling)
        if not isinstance(decision, GoOn):
            self.conversations.resume(conversation, Noted(allowed=False))
            return
        until = self._now() + timedelta(seconds=self._policy.lease_seconds)
        conversation.party = self._held[assignment.command.command_id] = replace(assignment, command=command)
        recorded = self._recorder.put(CommandUpdate(command, assignment.lease_no, until, keeps_lease=True))
        recorded.addCallback(lambda counts: self.conversations.resume(conversation, Noted(allowed=counts)))
        recorded.addErrback(lambda failure: self.log.failure("telling", failure))

    def _understood(self, conversation: Conversation[CommandAssignment]) -> None:
        assignment = conversation.party
        command, _ = self._stepped(assignment.command, Understood())
        if command != assignment.command:
            until = self._now() + timedelta(seconds=self._policy.lease_seconds)
            conversation.party = self._held[assignment.command.command_id] = replace(assignment, command=command)
            if command.priority is Priority.PERSON:  # who looks on; what is told is recorded already
                self._recorder.put(CommandUpdate(command, assignment.lease_no, until, keeps_lease=True))
        self.conversations.resume(conversation, None)

    def _talk_ended(self, conversation: Conversation[CommandAssignment], outcome: Outcome | None, unanswered: str) -> None:
        self.conversations.end(conversation)
        assignment = conversation.party
        collected = self._collected(conversation, outcome)
        if outcome is not None:
            command, decision = self._stepped(assignment.command, Ended(outcome))
        elif unanswered:
            command, decision = self._stepped(assignment.command, Unanswered(unanswered))
        else:  # It is another's by now, or done: whatever was read is kept, and nothing is told.
            command, decision = assignment.command, Wait(self._now())
        self._conclude(replace(assignment, command=command), decision, collected)

    def _interrogated(self, conversation: Conversation[CommandAssignment], finish: Finish) -> None:
        self.conversations.end(conversation)
        assignment, transcript = conversation.party, finish.transcript
        harvested = harvest_all([transcript])
        (item,) = harvested.items
        if transcript.heard is None:
            happening: Happening = Unanswered(transcript.remarks.reason or "no answer")
        elif transcript.remarks.kind is not None and not (item.register_reads or item.interval_blocks or harvested.runs):
            happening = Ended(Outcome(TargetState.FAILED, code=FailureCode.REFUSED, reason=transcript.remarks.reason))
        else:
            found = Found(registers=tuple(item.register_reads), period=assignment.command.period, powered=True)
            happening = Ended(Outcome(TargetState.SUCCEEDED, found))
        command, decision = self._stepped(assignment.command, happening)
        sent, received = conversation.octets_sent, conversation.octets_received
        item = replace(item, lease_id=None, octets_sent=sent, octets_received=received)
        self._conclude(replace(assignment, command=command), decision, item, harvested.runs)

    def _collected(self, conversation: Conversation[CommandAssignment], outcome: Outcome | None) -> Collected | None:
        """What a talk brought beside its outcome."""
        state = conversation.state
        if not isinstance(state, Conversing) or state.meter.heard is None:
            return None
        meter = state.meter
        program = meter.program
        record = None
        if meter.program_is_new and program is not None:
            record = MeterProgramRecord(program.fingerprint, tuple(program.tables.items()))
        return Collected(
            endpoint_id=meter.endpoint_id,
            heard=meter.heard,
            register_reads=() if outcome is None else outcome.found.registers,
            events=() if outcome is None else alarms_of(meter.endpoint_id, outcome, meter.now),
            program=record,
            octets_sent=conversation.octets_sent,
            octets_received=conversation.octets_received,
        )

    # How it ends

    def _conclude(
        self, assignment: CommandAssignment, decision: object, collected: Collected | None, runs: Sequence[IntervalRuns] = ()
    ) -> None:
        """Record what a command came to, now that nothing is done about it here for the moment."""
        due = decision.until if isinstance(decision, Wait) else None
        outcome = decision.outcome if isinstance(decision, Answer) else decision.report if isinstance(decision, Wait) else None
        update = CommandUpdate(assignment.command, assignment.lease_no, due, outcome=outcome, collected=collected)
        recorded = self._recorder.put(update, runs)
        recorded.addCallback(lambda _: self._let_go(assignment))
        recorded.addErrback(lambda failure: self.log.failure("concluding", failure))

    def _let_go(self, assignment: CommandAssignment) -> None:
        """It is not ours any more. One whose lease had expired may be ours again meanwhile: that one has a place of its own."""
        held = self._held.get(assignment.command.command_id)
        if held is not None and held.lease_no == assignment.lease_no:
            del self._held[assignment.command.command_id]
        self._leave(assignment.router)
        self._parts.counters.commands += 1
        self.wake()

    def _leave(self, router: str | None) -> None:
        """A router has room for one more: somebody who waits goes before many that may wait."""
        self._routers[router] -= 1
        for priority in Priority:
            line = self._lines.get((router, priority))
            while line and self._has_room(router, priority):
                self._routers[router] += 1
                self._take_up(line.popleft())
            if not line:
                self._lines.pop((router, priority), None)
        if not self._routers[router]:
            del self._routers[router]

    def _stepped(self, command: Command, happening: Happening) -> tuple[Command, object]:
        return step(command, happening, self._now(), self._policy)


def _not_understood(error: Exception) -> Outcome:
    return Outcome(TargetState.FAILED, code=FailureCode.NOT_UNDERSTOOD, reason=f"not understood: {type(error).__name__}")


def _as_collected(assignment: CommandAssignment) -> Assignment:
    """A command that reads intervals as the assignment of an interrogation."""
    return Assignment(
        lease_id=NO_LEASE,
        endpoint_id=assignment.endpoint_id,
        meter_no=assignment.meter_no,
        ap_title=assignment.ap_title,
        address=assignment.address,
        router=assignment.router,
        configuration=assignment.configuration,
        key_id=assignment.key_id,
        key=assignment.key,
        program=assignment.program,
        progress=assignment.progress,
        collect_from=assignment.collect_from,
        first_invocation_id=assignment.first_invocation_id,
        invocation_ids=assignment.invocation_ids,
    )

