"""Deliveries in the store, and the driver over directories: order, retries, alerts, figures, removal."""

import hashlib
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from adapters.delivery.directory import DirectoryTarget
from adapters.delivery.spool import FileInTheMaking, remove_files
from adapters.delivery.threads import on_threads_of
from headend.delivery import DeliveryPolicy
from headend.delivery_driver import DeliveryDriver, ServedTarget
from headend.model.delivery import DeliveryError, FileTarget, FinishedFile, TargetUnreachableError
from headend.model.work_item import WorkItemKind
from tests.store.world import OpenStore

NOW = datetime(2026, 7, 2, 13, tzinfo=UTC)
DEADLINE = NOW + timedelta(hours=1)
POLICY = DeliveryPolicy(retry_seconds=60, give_up_days=1, alert_minutes=30)


class Recorder:
    """A target that fails as often as it is told to, and notes what it takes."""

    def __init__(self, failures: list[Exception] | None = None) -> None:
        self.failures = failures or []
        self.taken: list[str] = []

    async def deliver(self, file: FinishedFile, on_sent: Callable[[], Awaitable[None]]) -> None:
        if self.failures:
            raise self.failures.pop(0)
        await on_sent()
        self.taken.append(file.name)


class World:
    """A store, a driver over it, and a clock that is set by hand."""

    def __init__(self, store: OpenStore, directory: Path, **targets: FileTarget) -> None:
        self.store = store
        self.now = NOW
        self.spool = directory / "spool"
        served = {name: ServedTarget(target, POLICY) for name, target in targets.items()}

        async def remove(paths: list[Path]) -> None:
            remove_files(paths)

        self.driver = DeliveryDriver(store.store, served, lambda: self.now, store.running.reactor, remove, keep_days=7)

    def files(self, *names: str) -> list[FinishedFile]:
        made = []
        for name in names:
            with FileInTheMaking(self.spool, name) as file:
                file.write(name.encode() * 100)
                made.append(file.finish())
        return made

    def look(self, now: datetime | None = None) -> None:
        self.now = now or self.now

        async def looked() -> None:
            await self.driver.look()
            await self.driver.idle()

        self.store.running.wait(looked)

    def states(self) -> list[tuple[str, str, str, int]]:
        return [(one.target, one.file.name, one.state.value, one.tries) for one in self.store.call("deliveries", 100)]


def test_files_go_in_order_and_once(store: OpenStore, tmp_path: Path) -> None:
    mdm, cis = Recorder(), Recorder()
    world = World(store, tmp_path, mdm=mdm, cis=cis)
    files = world.files("a.xml", "b.xml", "manifest.xml")
    assert store.call("queue_files", "run-1", files, ["mdm", "cis"], NOW, DEADLINE) == 6
    assert store.call("queue_files", "run-1", files, ["mdm", "cis"], NOW, DEADLINE) == 0
    world.look()
    assert mdm.taken == cis.taken == ["a.xml", "b.xml", "manifest.xml"]
    assert {state for _, _, state, _ in world.states()} == {"verified"}
    ((figure,), (other,)) = ([f for f in store.call("delivery_figures", NOW - timedelta(days=1)) if f.target == t] for t in ("mdm", "cis"))
    assert (figure.day, figure.due, figure.on_time, figure.late, figure.failed, figure.open) == ("2026-07-02", 3, 3, 0, 0, 0)
    assert other.on_time == 3


def test_a_manifest_waits_for_its_files(store: OpenStore, tmp_path: Path) -> None:
    mdm = Recorder([DeliveryError("disk full")])
    world = World(store, tmp_path, mdm=mdm)
    store.call("queue_files", "run-1", world.files("a.xml", "manifest.xml"), ["mdm"], NOW)
    store.call("queue_files", "run-2", world.files("other.xml"), ["mdm"], NOW)
    world.look()
    assert mdm.taken == ["other.xml"], "another batch does not wait"
    world.look(NOW + timedelta(seconds=59))
    assert mdm.taken == ["other.xml"]
    world.look(NOW + timedelta(seconds=60))
    assert mdm.taken == ["other.xml", "a.xml", "manifest.xml"]


def test_a_dead_target_costs_one_try_at_a_time_and_delays_no_other(store: OpenStore, tmp_path: Path) -> None:
    dead, alive = Recorder([TargetUnreachableError("nobody there")]), Recorder()
    world = World(store, tmp_path, dead=dead, alive=alive)
    store.call("queue_files", "run-1", world.files("a.xml"), ["dead", "alive"], NOW)
    store.call("queue_files", "run-2", world.files("b.xml"), ["dead", "alive"], NOW)
    world.look()
    assert (dead.taken, alive.taken) == ([], ["a.xml", "b.xml"])
    assert [(name, tries) for target, name, _, tries in world.states() if target == "dead"] == [("a.xml", 1), ("b.xml", 0)]
    world.look(NOW + timedelta(minutes=1))
    assert dead.taken == ["a.xml", "b.xml"]


def test_somebody_is_told_before_the_deadline_is_missed(store: OpenStore, tmp_path: Path) -> None:
    mdm = Recorder([TargetUnreachableError("nobody there")] * 3)
    world = World(store, tmp_path, mdm=mdm)
    store.call("queue_files", "run-1", world.files("a.xml", "b.xml"), ["mdm"], NOW, DEADLINE)
    world.look()
    items = lambda closed=False: store.call("work_items", 10, kind=WorkItemKind.LATE_EXPORT, closed=closed)  # noqa: E731
    world.look(DEADLINE - timedelta(minutes=31))
    assert items() == []
    world.look(DEADLINE - timedelta(minutes=30))
    (item,) = items()
    assert (item.subject, item.diagnosis) == ("run-1 to mdm", "nobody there")
    assert "2 files not there; the deadline is 2026-07-02 14:00 UTC" in item.history[0].what
    world.look(DEADLINE + timedelta(minutes=20))
    assert len(items()) == 1, "it is told once"
    world.look(DEADLINE + timedelta(hours=1))
    assert mdm.taken == ["a.xml", "b.xml"]
    assert items() == []
    assert items(closed=True)[0].history[-1].what == "everything is there"
    (figure,) = store.call("delivery_figures", NOW - timedelta(days=1))
    assert (figure.due, figure.on_time, figure.late) == (2, 0, 2)


def test_what_fails_for_too_long_is_parked_until_a_person_says_again(store: OpenStore, tmp_path: Path) -> None:
    mdm = Recorder([DeliveryError("disk full")] * 2)
    world = World(store, tmp_path, mdm=mdm)
    store.call("queue_files", "run-1", world.files("a.xml"), ["mdm"], NOW)
    world.look()
    world.look(NOW + timedelta(days=1))
    assert world.states() == [("mdm", "a.xml", "parked", 2)]
    world.look(NOW + timedelta(days=2))
    assert mdm.taken == []
    assert store.call("try_again", None, world.now) == 1
    world.look()
    assert mdm.taken == ["a.xml"]


def test_a_killed_process_gives_its_file_up_after_a_while(store: OpenStore, tmp_path: Path) -> None:
    mdm = Recorder()
    world = World(store, tmp_path, mdm=mdm)
    store.call("queue_files", "run-1", world.files("a.xml"), ["mdm"], NOW)
    assert store.call("claim_delivery", "mdm", NOW, NOW + timedelta(minutes=2)) is not None
    world.look()
    assert mdm.taken == []
    world.look(NOW + timedelta(minutes=2))
    assert mdm.taken == ["a.xml"]


def test_delivered_files_are_removed_after_a_while(store: OpenStore, tmp_path: Path) -> None:
    world = World(store, tmp_path, mdm=Recorder(), slow=Recorder([DeliveryError("later")]))
    store.call("queue_files", "run-1", world.files("a.xml"), ["mdm", "slow"], NOW)
    store.call("queue_files", "run-2", world.files("b.xml"), ["mdm"], NOW)
    world.look()
    world.look(NOW + timedelta(days=7, seconds=1))
    assert [one.name for one in world.spool.iterdir()] == ["a.xml"], "one is still to be delivered, or was just now"
    world.look(NOW + timedelta(days=15))
    assert not world.spool.exists()
    assert store.call("done_files", world.now, 10) == []


class Directories:
    """A directory target."""

    def __init__(self, running: Any, tmp_path: Path) -> None:
        self.inbox = tmp_path / "inbox"
        self.inbox.mkdir()
        self.target = DirectoryTarget(self.inbox, on_threads_of(running.reactor))
        self.running = running

    def deliver(self, file: FinishedFile) -> None:
        async def on_sent() -> None:
            assert [one.name for one in self.inbox.iterdir()] == [file.temporary_name]

        self.running.wait(self.target.deliver, file, on_sent)


def test_a_directory_gets_the_file_under_its_name_when_it_is_whole(running: Any, tmp_path: Path) -> None:
    directories = Directories(running, tmp_path)
    with FileInTheMaking(tmp_path / "spool", "a.xml") as made:
        made.write(b"<a/>")
        file = made.finish()
    assert (file.size, file.sha256) == (4, hashlib.sha256(b"<a/>").digest())
    directories.deliver(file)
    assert [(one.name, one.read_bytes()) for one in directories.inbox.iterdir()] == [("a.xml", b"<a/>")]
    directories.deliver(file)


def test_a_mount_that_is_gone_is_not_filled_up_in_its_place(running: Any, tmp_path: Path) -> None:
    directories = Directories(running, tmp_path)
    directories.inbox.rmdir()
    file = FinishedFile(tmp_path / "a.xml", "a.xml", 1, b"1" * 32)
    with pytest.raises(TargetUnreachableError, match="there is no directory"):
        directories.deliver(file)
    assert not directories.inbox.exists()


def test_a_full_disk_leaves_nothing_behind(running: Any, tmp_path: Path) -> None:
    directories = Directories(running, tmp_path)
    full = FinishedFile(Path("/dev/zero"), "a.xml", 1 << 40, b"1" * 32)
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, hard))
    try:
        with pytest.raises(DeliveryError, match="File too large"):
            directories.deliver(full)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(directories.inbox.iterdir()) == []


def test_a_file_in_the_making_that_is_given_up_leaves_nothing(tmp_path: Path) -> None:
    with FileInTheMaking(tmp_path, "a.xml") as made:
        made.write(b"half")
    assert list(tmp_path.iterdir()) == []


def test_a_target_that_the_settings_no_longer_have_is_told_of_at_the_deadline(store: OpenStore, tmp_path: Path) -> None:
    world = World(store, tmp_path)
    store.call("queue_files", "run-1", world.files("a.xml"), ["gone"], NOW, DEADLINE)
    world.look(DEADLINE - timedelta(seconds=1))
    assert store.call("work_items", 10, kind=WorkItemKind.LATE_EXPORT) == []
    world.look(DEADLINE)
    (item,) = store.call("work_items", 10, kind=WorkItemKind.LATE_EXPORT)
    assert (item.subject, item.diagnosis) == ("run-1 to gone", "waiting to be delivered to gone")
