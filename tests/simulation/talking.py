"""One command's talk with one emulated meter, without a wire: every message is answered at once, or not at all."""

from collections.abc import Callable
from datetime import timedelta

from emulators.meter_node import MeterNode
from emulators.world import World
from headend.c1219.program import MeterProgram
from headend.c1222.epsem import join_services, split_services
from headend.c1222.message import SecurityMode
from headend.commands.policy import CommandPolicy
from headend.commands.talk import Meter, Note, Noted, Taken
from headend.commands.talks import Conversing, TalkEnded
from headend.dialogue import Answered, Ask, Pause, Resumed, Silent
from headend.model.command import Command, CommandId, Told
from headend.model.deferred import DeferredKind, Priority, SwitchAction, TargetState
from headend.model.endpoint import CONFIGURATIONS, EndpointId
from tests.simulation.emulated import CHICAGO

Fate = Callable[[bytes], str]
"""What becomes of a message: `answered`, `lost`, or `done` (and its answer lost)."""


class Talker:
    """Talks with endpoint `index` of a world; `asked` are all messages, `told` what was noted."""

    def __init__(self, world: World, index: int) -> None:
        self.world = world
        self.index = index
        self.kind = world.kind(index)
        self.asked: list[bytes] = []
        self.told: Told | None = None
        self.taken = False
        self.fate: Fate = lambda _message: "answered"
        self.allowed = True
        self.program: MeterProgram | None = None

    def command(self, kind: DeferredKind, action: SwitchAction | None = None, override: str = "") -> Command:
        now = self.world.clock.now()
        return Command(
            command_id=CommandId(1, EndpointId(self.index + 1)),
            kind=kind,
            action=action,
            priority=Priority.PERSON,
            state=TargetState.QUEUED,
            attempts=1,
            accepted=now,
            expires=now + timedelta(days=1),
            told=self.told,
            override=override,
        )

    def talk(self, kind: DeferredKind, action: SwitchAction | None = None, override: str = "") -> TalkEnded:
        """Run one to its end."""
        commodity = CONFIGURATIONS[self.kind.configuration].commodity
        meter = Meter(
            endpoint_id=EndpointId(self.index + 1),
            command=self.command(kind, action, override),
            program=self.program,
            decode_program=MeterProgram.decode,
            zone=CHICAGO,
            commodity=commodity,
            policy=CommandPolicy(),
            now=self.world.clock.now(),
        )
        conversing = Conversing(meter)
        action_wanted = conversing.begin()
        while not isinstance(action_wanted, TalkEnded):
            _, action_wanted = conversing.step(self._event(action_wanted), self.world.clock.now())
        self.program = meter.program
        return action_wanted

    def _event(self, action: object) -> object:
        match action:
            case Ask(message):
                return self._answered(message)
            case Pause(seconds):
                self.world.clock.advance(seconds)
                return Resumed()
            case Note(told):
                self.told = told
                return Noted(self.allowed)
            case Taken():
                self.taken = True
                return None
        raise AssertionError(action)

    def _answered(self, message: bytes) -> Answered | Silent:
        self.asked.append(message)
        fate = self.fate(message)
        if fate == "lost":
            return Silent(4, 16.0)
        node = MeterNode(self.world.meter(self.index), SecurityMode.ENCRYPTED, self.world.wire())
        reply = join_services(node.answer(split_services(message)))
        return Silent(4, 16.0) if fate == "done" else Answered(reply)
