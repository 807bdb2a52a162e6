"""Batches under loss and lost answers, killed and cancelled on their way: one answer each, nothing moved twice, the pace kept."""

import pytest

from headend.model.command_rules import CommandRules
from tests.simulation.batching import run_batch


@pytest.mark.parametrize("seed", range(2))
def test_whatever_goes_wrong_each_is_answered_once_and_the_pace_is_kept(seed: int) -> None:
    run = run_batch(seed, commands=150, endpoints=270, rules=CommandRules(per_router_per_minute=20, per_minute=30))
    assert run.ends["succeeded"] > 40
    assert run.ends["cancelled"] > 20
