"""A field whose endpoints are given commands, on one hand-turned clock: a driver, a store of commands in memory, faults on every way."""

import json
from collections import Counter as Tally
from collections.abc import Iterable, Mapping
from dataclasses import replace
from random import Random
from typing import Any

from headend.collector import Collector
from headend.commands.policy import CommandPolicy
from headend.model.command import CommandView
from headend.model.command_rules import CommandRules
from headend.model.deferred import DeferredKind, DeferredRequest, SwitchAction
from headend.model.endpoint import CONFIGURATIONS, EndpointId, Transport
from tests.contract.commands import request, result_of
from tests.memory_commands import MemoryCommands
from tests.simulation.field import Field


class CommandedField(Field):
    """`Field`, whose collector carries commands out."""

    def __init__(
        self,
        seed: int,
        endpoints: int = 20,
        command_policy: CommandPolicy | None = None,
        rules: CommandRules | None = None,
        clock: Any = None,
    ) -> None:
        self.rules = rules or CommandRules()
        self.command_policy = command_policy or CommandPolicy()
        self.commands: MemoryCommands | None = None
        super().__init__(seed, endpoints, clock=clock)

    def new_collector(self) -> Collector:
        if self.commands is None:
            self.commands = MemoryCommands(list(self.store.endpoints.values()), self.store, replace(self.utility, commands=self.rules))
        collector = Collector(
            self.utility,
            self.store,
            self.clock,
            now=self.world_clock.now,
            random=Random(self.seed),
            policy=self.policy,
            owner="test",
            commands=self.commands,
            command_policy=self.command_policy,
        )
        collector.links[Transport.UDP] = self.wires
        self.wires.receiver = collector.receiver
        return collector

    def switched(self) -> list[EndpointId]:
        """Endpoints on mains that have a switch."""
        kinds = {e.endpoint_id: CONFIGURATIONS[e.configuration] for e in self.store.endpoints.values()}
        return [endpoint_id for endpoint_id, kind in kinds.items() if kind.has_switch and not kind.battery]

    def order(
        self,
        endpoints: Iterable[EndpointId],
        kind: DeferredKind,
        action: SwitchAction | None = None,
        parameters: Mapping[str, str] | None = None,
        **more: object,
    ) -> str:
        """Have a request accepted; its transaction id."""
        transaction = f"t-{len(self.commands.rows)}-{self.commands.transactions}"
        wanted: DeferredRequest = request(
            *endpoints, transaction=transaction, kind=kind, action=action, parameters=parameters, now=self.world_clock.now(), **more
        )
        result_of(self.commands.accept_deferred(wanted))
        return transaction

    def views(self, transaction: str) -> list[CommandView]:
        return result_of(self.commands.command_views("cis", transaction))

    def open_commands(self) -> int:
        return len(self.commands.open)

    def carry_out(self, seconds: float = 600, step: float = 0.05) -> None:
        """Let time pass until every command has ended, `seconds` at most."""
        self.collector.start()
        until = self.clock.seconds() + seconds
        while self.clock.seconds() < until and self.open_commands():
            self.clock.advance(step)

    def commands_released(self) -> None:
        """What a killed driver held is its own again when it starts under its name."""
        result_of(self.commands.release_commands("test", self.world_clock.now()))

    def told(self) -> Tally:
        """How often each command was answered, by (request, endpoint)."""
        payloads = [json.loads(payload) for payload in self.commands.outbox]
        return Tally((p["request"], p["endpoint"]) for p in payloads)

    def actuations(self, endpoint_id: EndpointId) -> int:
        """How often a switch was set off."""
        return self.world.state(endpoint_id - 1).actuations

