"""Troubleshooting and work items: every step with its reason and outcome, nothing done that is not allowed, no item twice."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from headend.model.router import RouterPath, RouterStatus
from headend.model.work_item import (
    HISTORY_MAX,
    Party,
    WorkItem,
    WorkItemChange,
    WorkItemEntry,
    WorkItemKind,
    WorkItemState,
)
from headend.router_catalogue import RouterCode
from headend.router_health import RouterState
from headend.router_policy import RouterPolicy
from headend.router_silence import SilenceOwner, silence_owner
from headend.router_troubleshooting import Ending, Probe, RequestReboot, StepKind, StepOutcome
from tests.core.routers import FINE, PROFILE, START, Watched
from tests.core.test_router_health import HAPPENINGS, happen

REBOOTS = RouterPolicy(may_reboot=True)
STOPPED = replace(FINE, mesh_running=False)


def steps(router: Watched) -> list[tuple[StepKind, StepOutcome]]:
    (finished,) = (one for outcome in router.outcomes for one in outcome.finished)
    return [(step.kind, step.outcome) for step in finished.steps]


def test_a_dead_router_is_tried_step_by_step_and_then_routed_to_the_utility() -> None:
    router = Watched(REBOOTS, second=True).polled().dies()
    assert router.actions == [Probe(RouterPath.PRIMARY)]
    router.after(5).probe_missed().after(30).idle()
    assert router.actions[1:] == [Probe(RouterPath.PRIMARY)], "the second retry"
    router.after(5).probe_missed()
    assert router.actions[2:] == [Probe(RouterPath.SECOND)]
    router.after(5).probe_missed().after(30).idle().after(5).probe_missed()
    assert router.actions[4:] == [RequestReboot((RouterPath.PRIMARY, RouterPath.SECOND))]
    router.after(5).rebooted(StepOutcome.NO_ANSWER)
    assert router.after(600).idle().actions[5:] == [], "it waits"
    router.after(301).idle()
    assert router.actions[5:] == [Probe(RouterPath.PRIMARY)]
    assert router.work_items == []
    router.after(5).probe_missed()
    assert steps(router) == [
        (StepKind.RETRY, StepOutcome.NO_ANSWER),
        (StepKind.SECOND_PATH, StepOutcome.NO_ANSWER),
        (StepKind.REBOOT, StepOutcome.NO_ANSWER),
        (StepKind.WAIT, StepOutcome.TIME_PASSED),
        (StepKind.LAST_TRY, StepOutcome.NO_ANSWER),
    ]
    (item,) = router.work_items
    assert (item.kind, item.subject, item.state, item.routed_to) == (WorkItemKind.ROUTER_DOWN, "north", WorkItemState.OPEN, Party.UTILITY)
    assert "second path: no answer" in item.diagnosis
    assert len(item.entries) == 6
    router.after(300).missed().after(300).missed()
    assert len(router.work_items) == 1
    router.after(300).polled()
    assert [change.state for change in router.work_items] == [WorkItemState.OPEN, WorkItemState.CLOSED]
    assert router.work_items[-1].entries[0].what == "closed by itself: router up"


def test_what_cannot_be_done_is_written_down_with_why() -> None:
    router = Watched().polled().dies()
    for _ in range(2):
        router.after(5).probe_missed().after(30).idle()
    assert not any(isinstance(action, RequestReboot) for action in router.actions)
    router.after(900).idle().probe_missed()
    (finished,) = (one for outcome in router.outcomes for one in outcome.finished)
    assert finished.ending is Ending.ROUTED
    skipped = {step.kind: step.reason for step in finished.steps if step.outcome is StepOutcome.SKIPPED}
    assert skipped == {StepKind.SECOND_PATH: "there is no second path", StepKind.REBOOT: "the utility does not allow reboots"}
    assert all(step.ended is not None and step.ended >= step.began for step in finished.steps)


def test_an_uplink_failure_is_found_by_the_second_path() -> None:
    router = Watched(second=True).polled().dies()
    router.after(5).probe_missed().after(30).idle().after(5).probe_missed()
    router.after(5).polled(path=RouterPath.SECOND)
    assert steps(router) == [(StepKind.RETRY, StepOutcome.NO_ANSWER), (StepKind.SECOND_PATH, StepOutcome.RECOVERED)]
    assert router.health.state is RouterState.DEGRADED
    assert router.work_items == []
    assert router.codes[1:] == [RouterCode.DOWN, RouterCode.UP, RouterCode.SECOND_PATH_USED]


def test_any_word_of_the_router_ends_the_troubleshooting() -> None:
    router = Watched().polled().dies().after(5).trapped(RouterStatus())
    assert steps(router) == [(StepKind.RETRY, StepOutcome.RECOVERED)]
    assert router.case.troubleshooting is None


def test_a_stopped_mesh_is_rebooted_where_that_is_allowed() -> None:
    router = Watched(REBOOTS, second=True).polled(replace(STOPPED, uptime_seconds=90_000))
    router.after(5).polled(STOPPED).after(30).idle().after(5).polled(STOPPED)
    assert router.actions == [Probe(RouterPath.PRIMARY)] * 2 + [RequestReboot((RouterPath.PRIMARY, RouterPath.SECOND))]
    router.after(1).rebooted(StepOutcome.ACCEPTED)
    router.after(240).polled(replace(FINE, uptime_seconds=60))
    assert steps(router)[-2:] == [(StepKind.REBOOT, StepOutcome.ACCEPTED), (StepKind.WAIT, StepOutcome.RECOVERED)]
    expected = [RouterCode.REGISTERED, RouterCode.MESH_STOPPED, RouterCode.REBOOT_REQUESTED, RouterCode.REBOOTED, RouterCode.MESH_STARTED]
    assert router.codes == expected
    assert router.work_items == []


def test_a_worse_trouble_takes_over() -> None:
    router = Watched().polled(STOPPED).after(5).polled(STOPPED).dies()
    (finished,) = (one for outcome in router.outcomes for one in outcome.finished)
    assert (finished.code, finished.ending) == (RouterCode.MESH_STOPPED, Ending.SUPERSEDED)
    assert router.case.troubleshooting is not None
    assert router.case.troubleshooting.code is RouterCode.DOWN
    router.after(5).polled(STOPPED)
    assert router.case.troubleshooting.code is RouterCode.MESH_STOPPED, "once it is back, its mesh is looked into again"


def test_a_troubleshooting_goes_on_after_a_restart() -> None:
    router = Watched().polled().dies()
    running = router.case.troubleshooting
    assert running is not None
    assert running.resumed() == Probe(RouterPath.PRIMARY)
    router.after(5).probe_missed()
    assert router.case.troubleshooting.resumed() is None, "it waits for its time"


def test_a_router_never_heard_is_looked_into_after_a_day() -> None:
    router = Watched()
    for _ in range(290):
        router.after(300).missed()
    assert router.case.troubleshooting is not None
    assert router.case.troubleshooting.code is RouterCode.UNHEARD


@given(HAPPENINGS, st.booleans(), st.booleans())
def test_no_item_is_opened_twice_and_none_is_forgotten(happenings: list, second: bool, may_reboot: bool) -> None:
    router = Watched(RouterPolicy(may_reboot=may_reboot, wait_seconds=300), second=second)
    happen(router, happenings)
    for _ in range(30):
        router.after(300).missed().probe_missed().idle()
        if router.case.troubleshooting and router.case.troubleshooting.steps[-1].kind is StepKind.REBOOT:
            router.rebooted(StepOutcome.NO_ANSWER)
    open_items: Counter[WorkItemKind] = Counter()
    for change in router.work_items:
        open_items[change.kind] += 1 if change.state is WorkItemState.OPEN else -1
        assert 0 <= open_items[change.kind] <= 1
    if router.health.heard is not None:
        assert router.health.state is RouterState.DOWN
        assert open_items[WorkItemKind.ROUTER_DOWN] == 1, "silence ends as a work item"
    assert may_reboot or not any(isinstance(action, RequestReboot) for action in router.actions)
    assert all(step.outcome is not StepOutcome.RUNNING for o in router.outcomes for f in o.finished for step in f.steps)


def change(state: WorkItemState, what: str = "x", minutes: int = 0) -> WorkItemChange:
    at = START + timedelta(minutes=minutes)
    return WorkItemChange(WorkItemKind.SILENT_ENDPOINT, "M1", at, state, (WorkItemEntry(at, "ann", what),), "battery?")


def test_an_item_is_opened_once_acknowledged_and_closed() -> None:
    item = change(WorkItemState.OPEN).applied(None)
    assert item is not None
    item = change(WorkItemState.ACKNOWLEDGED, "mine").applied(item)
    again = change(WorkItemState.OPEN, "still silent").applied(item)
    assert again is not None
    assert again.state is WorkItemState.ACKNOWLEDGED, "opening it again does not take it away from who has it"
    closed = change(WorkItemState.CLOSED, "heard", 5).applied(again)
    assert closed is not None
    assert (closed.state, closed.closed) == (WorkItemState.CLOSED, START + timedelta(minutes=5))
    assert [entry.what for entry in closed.history] == ["x", "mine", "still silent", "heard"]
    assert closed.after(change(WorkItemState.OPEN)) == closed
    assert change(WorkItemState.CLOSED).applied(None) is None
    reopened = change(WorkItemState.OPEN, "again", 9).applied(closed)
    entries = change(WorkItemState.OPEN, "again", 9).entries
    opened = START + timedelta(minutes=9)
    assert reopened == WorkItem(WorkItemKind.SILENT_ENDPOINT, "M1", opened, "battery?", Party.UTILITY, entries)


def test_a_history_keeps_its_beginning_and_its_end() -> None:
    item = change(WorkItemState.OPEN, "0").applied(None)
    for n in range(1, 500):
        assert item is not None
        item = change(WorkItemState.OPEN, str(n)).applied(item)
    assert item is not None
    assert len(item.history) == HISTORY_MAX
    assert (item.history[0].what, item.history[-1].what) == ("0", "499")


def test_a_router_that_is_down_owns_its_childrens_silence() -> None:
    down = Watched().polled().dies()
    routers = {"north": down.health, "south": Watched().polled().health}
    since = START - timedelta(hours=100)
    assert silence_owner("north", since, routers, START) == SilenceOwner("north", timedelta(hours=100))
    for own in ("south", "unwatched", None):
        assert silence_owner(own, since, routers, START) == SilenceOwner(None, timedelta(hours=100))


def test_silence_behind_a_router_counts_from_its_return() -> None:
    back = Watched().polled().dies().after(86_400).polled()
    restored = back.health.restored
    assert restored == back.now
    routers = {PROFILE.name: back.health}
    now = restored + timedelta(hours=71)
    assert silence_owner(PROFILE.name, START, routers, now) == SilenceOwner(None, timedelta(hours=71), restored)
    later = restored + timedelta(hours=1)
    assert silence_owner(PROFILE.name, later, routers, now) == SilenceOwner(None, timedelta(hours=70))
