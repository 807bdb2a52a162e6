"""Files fetched from a real OpenSSH server: when they are whole, once, gone on with, and what a running head-end makes of them."""

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from lxml import etree
from twisted.internet.defer import Deferred, gatherResults
from twisted.logger import LogEvent, globalLogPublisher
from twisted.protocols.portforward import ProxyClient, ProxyClientFactory, ProxyFactory, ProxyServer

from adapters.delivery import sftp_inbox
from adapters.delivery.sftp_inbox import SftpInbox
from adapters.delivery.targets import build_sftp_inbox
from adapters.validation.files import problems_of
from headend.errors import RequestError
from headend.sftp_settings import SftpInboxSettings
from tests.conftest import RunningReactor
from tests.loopback.processes import WAIT_SECONDS
from tests.loopback.processes import running as process
from tests.loopback.sshd import Sshd, sshd

NOW = datetime(2026, 7, 2, 6, 30, tzinfo=UTC)
OCTETS = os.urandom(3_000_000)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with sshd(tmp_path_factory.mktemp("sshd")) as one:
        yield one


class Inbox:
    """A directory of the server, and who fetches from it."""

    def __init__(self, running: RunningReactor, server: Sshd, place: Path, **changed: Any) -> None:
        self.there, self.here = place / "there", place / "here"
        self.there.mkdir(exist_ok=True)
        self.running = running
        self.table = {"host": "127.0.0.1", "port": server.port, "user": server.user, "host_keys": [server.host_key]}
        self.table |= {"key_file": str(server.client_key), "directory": str(self.there)}
        self.inbox = self.built(**changed)

    def built(self, **changed: Any) -> SftpInbox:
        settings = SftpInboxSettings.model_validate(self.table | changed)
        return build_sftp_inbox(settings, self.here, self.running.reactor, lambda: NOW)

    def look(self, times: int = 1, inbox: SftpInbox | None = None) -> None:
        for _ in range(times):
            self.running.wait((inbox or self.inbox).look)

    def files(self, root: Path) -> dict[str, bytes]:
        found = [one for one in root.rglob("*") if one.is_file() and one.name != ".lock"]
        return {str(one.relative_to(root)): one.read_bytes() for one in found}


@pytest.fixture
def box(running: RunningReactor, server: Sshd, tmp_path: Path) -> Inbox:
    return Inbox(running, server, tmp_path)


@pytest.fixture
def said() -> Iterator[list[str]]:
    """What the inbox has to say."""
    lines: list[str] = []

    def observe(event: LogEvent) -> None:
        if event.get("log_namespace", "").startswith("adapters.delivery.sftp_inbox"):
            lines.append(str(event.get("trouble") or event.get("file")))

    globalLogPublisher.addObserver(observe)
    yield lines
    globalLogPublisher.removeObserver(observe)


def test_files_are_fetched_once_they_no_longer_change(box: Inbox) -> None:
    (box.there / "june.xml").write_bytes(OCTETS)
    (box.there / "növember & co.XML").write_bytes(b"<a/>")
    (box.there / "empty.xml").write_bytes(b"")
    for name in (".hidden.xml", "june.xml.part", "readme.txt"):
        (box.there / name).write_bytes(b"x")
    (box.there / "folder.xml").mkdir()
    (box.there / "link.xml").symlink_to("/etc/passwd")
    box.look()
    assert box.files(box.here) == {}, "seen for the first time"
    box.look()
    assert box.files(box.here) == {"june.xml": OCTETS, "n_vember___co.xml": b"<a/>", "empty.xml": b""}
    left = {name for name in box.files(box.there) if not name.startswith("done/")}
    assert left == {".hidden.xml", "june.xml.part", "readme.txt", "link.xml"}
    done = {name: octets for name, octets in box.files(box.there).items() if name.startswith("done/")}
    assert done["done/20260702T063000_june.xml"] == OCTETS
    assert len(done) == 3
    (box.here / "june.xml").unlink()
    box.look(2)
    assert "june.xml" not in box.files(box.here), "fetched once"


def test_one_that_grows_is_waited_for(box: Inbox) -> None:
    file = box.there / "growing.xml"
    for size in (1, 2, 3):
        file.write_bytes(b"x" * size)
        box.look()
        assert box.files(box.here) == {}
    box.look()
    assert box.files(box.here) == {"growing.xml": b"xxx"}


def test_one_that_is_written_on_while_it_is_fetched_is_fetched_again(box: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    read = sftp_inbox._Look._read

    async def read_and_change(look: Any, entry: Any, path: bytes, part: Any) -> None:
        await read(look, entry, path, part)
        append(Path(os.fsdecode(path)))

    def append(file: Path) -> None:
        file.write_bytes(file.read_bytes() + b"more")

    (box.there / "a.xml").write_bytes(b"some")
    box.look()
    monkeypatch.setattr(sftp_inbox._Look, "_read", read_and_change)
    box.look()
    monkeypatch.undo()
    assert (box.files(box.here), box.files(box.there)) == ({}, {"working/a.xml": b"somemore"})
    box.look()
    assert box.files(box.here) == {"a.xml": b"somemore"}


def test_it_may_be_removed_there(box: Inbox) -> None:
    inbox = box.built(fetched="removed")
    (box.there / "a.xml").write_bytes(b"<a/>")
    box.look(2, inbox)
    assert (box.files(box.here), box.files(box.there)) == ({"a.xml": b"<a/>"}, {})


def test_what_a_process_that_was_killed_left_is_taken_up(box: Inbox) -> None:
    (box.there / "working").mkdir()
    (box.there / "working" / "claimed.xml").write_bytes(b"<a/>")
    box.here.mkdir()
    (box.here / ".gone.xml.9.9.part").write_bytes(b"of a file that is no longer there")
    box.look()
    assert (box.files(box.here), list(box.files(box.there))) == ({"claimed.xml": b"<a/>"}, ["done/20260702T063000_claimed.xml"])


def test_a_name_that_is_there_already_waits(box: Inbox) -> None:
    box.here.mkdir()
    (box.here / "a.xml").write_bytes(b"first")
    (box.there / "a.xml").write_bytes(b"second")
    box.look(3)
    assert box.files(box.here) == {"a.xml": b"first"}
    (box.here / "a.xml").unlink()
    box.look()
    assert box.files(box.here) == {"a.xml": b"second"}


def test_two_processes_of_one_machine_take_turns(box: Inbox, said: list[str]) -> None:
    other = box.built()
    for number in range(20):
        (box.there / f"{number:02}.xml").write_bytes(OCTETS[:100_000])
    box.look()
    box.look(1, other)

    async def both() -> None:
        await gatherResults([Deferred.fromCoroutine(one.look()) for one in (box.inbox, other)])

    box.running.wait(both)
    assert set(box.files(box.here).values()) == {OCTETS[:100_000]}
    assert (len(box.files(box.here)), said) == (20, [])


def test_how_large_and_how_many(box: Inbox, said: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sftp_inbox, "OCTETS_MAX", 100)
    monkeypatch.setattr(sftp_inbox, "FILES_PER_LOOK", 2)
    (box.there / "large.xml").write_bytes(b"x" * 101)
    for number in range(3):
        (box.there / f"{number}.xml").write_bytes(b"x" * 100)
    box.look(2)
    assert sorted(box.files(box.here)) == ["0.xml", "1.xml"]
    box.look(2)
    assert sorted(box.files(box.here)) == ["0.xml", "1.xml", "2.xml"]
    assert said == ["large.xml"]


@contextmanager
def cut_after(running: RunningReactor, port: int, octets: int) -> Iterator[int]:
    """A way to a server on which only so many octets come back in all; the last connection is cut."""
    left = [octets]

    class Cut(ProxyClient):
        def dataReceived(self, data: bytes) -> None:
            left[0] -= len(data)
            if left[0] < 0:
                self.transport.abortConnection()
            else:
                super().dataReceived(data)

    class Clients(ProxyClientFactory):
        protocol = Cut

    class Servers(ProxyServer):
        clientProtocolFactory = Clients
        reactor = running.reactor

    async def listen() -> Any:
        factory = ProxyFactory("127.0.0.1", port)
        factory.protocol = Servers
        return running.reactor.listenTCP(0, factory, interface="127.0.0.1")

    listening = running.wait(listen)
    yield listening.getHost().port

    async def stop() -> None:
        await listening.stopListening()

    running.wait(stop)


def test_a_connection_that_is_lost_costs_what_was_on_the_way(box: Inbox, server: Sshd, said: list[str]) -> None:
    (box.there / "june.xml").write_bytes(OCTETS)
    with cut_after(box.running, server.port, 2_500_000) as port:
        inbox = box.built(port=port)
        box.look(2, inbox)
    assert "lost" in said[0]
    ((name, begun),) = box.files(box.here).items()
    assert name.startswith(".june.xml.3000000.")
    assert 1_000_000 < len(begun) < 2_500_000
    assert OCTETS.startswith(begun)
    # What is fetched then is the rest: less than the whole file would not be enough for it once more.
    with cut_after(box.running, server.port, 2_200_000) as port:
        box.look(1, box.built(port=port))
    assert box.files(box.here) == {"june.xml": OCTETS}
    assert list(box.files(box.there)) == ["done/20260702T063000_june.xml"]


def test_a_full_disk_here_loses_nothing(box: Inbox, said: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def full(part: Any, octets: bytes) -> None:
        raise OSError(28, "No space left on device")

    (box.there / "a.xml").write_bytes(b"<a/>")
    box.look()
    monkeypatch.setattr(sftp_inbox, "_write", full)
    box.look()
    monkeypatch.undo()
    assert box.files(box.here) == {}
    assert said == [f"sends what cannot be kept in {box.here}: No space left on device"]
    box.look()
    assert box.files(box.here) == {"a.xml": b"<a/>"}


def test_trouble_is_told_once_for_as_long_as_it_lasts(box: Inbox, said: list[str]) -> None:
    box.there.rmdir()
    box.look(3)
    assert [one.partition(":")[0] for one in said] == ["says"]
    box.there.mkdir()
    box.look()
    box.there.rmdir()
    box.look(2)
    assert len(said) == 2
    stranger = box.built(host_keys=["SHA256:" + "A" * 43])
    box.look(2, stranger)
    assert len(said) == 3
    assert "is not one of those in the settings (host_keys)" in said[-1]


def test_a_key_that_cannot_be_used_is_told_at_once(box: Inbox, tmp_path: Path) -> None:
    (tmp_path / "nokey").write_text("nothing")
    with pytest.raises(RequestError, match="holds no private key"):
        box.built(key_file=str(tmp_path / "nokey"))


SETTINGS = """
[server]
port = 0

[[utilities]]
id = "demo"
time_zone = "America/Chicago"
database = "sqlite:///headend.db"
key_file = "headend.key"
field = {{ port = 0 }}

[utilities.billing]
partner = "cis"
targets = ["cis"]
sftp_inbox = {{ {login}, directory = "{place}/requests", look_seconds = 1 }}

[[utilities.targets]]
name = "cis"
kind = "sftp"
{table}
directory = "{place}/responses"

[[utilities.partners]]
user_id = "cis"
password = "correct horse"
"""


def came(directory: Path, wanted: Callable[[str], bool]) -> Path:
    give_up_at = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < give_up_at:
        for one in directory.iterdir():
            if wanted(one.name):
                return one
        time.sleep(0.1)
    raise AssertionError(f"nothing of the kind came into {directory}")


def test_a_running_head_end_answers_requests_from_there(server: Sshd, tmp_path: Path) -> None:
    login = {"host": "127.0.0.1", "port": server.port, "user": server.user}
    login |= {"host_keys": [server.host_key], "key_file": str(server.client_key)}
    lines = [f"{name} = {json.dumps(value)}" for name, value in login.items()]
    settings = SETTINGS.format(login=", ".join(lines), table="\n".join(lines), place=tmp_path)
    (tmp_path / "headend.toml").write_text(settings)
    requests, responses = tmp_path / "requests", tmp_path / "responses"
    requests.mkdir()
    responses.mkdir()
    day = datetime.now(UTC).date() - timedelta(days=2)  # its end has come wherever the utility is
    namespace = "urn:open-ami-headend:billing:1"
    head = f'<AmiBillingRequest xmlns="{namespace}" version="1" requestId="F1"><Cycle cycleId="07" billDate="{day}"/>'
    (requests / "june.xml").write_text(f'{head}<Item itemId="1" servicePointId="nowhere"/></AmiBillingRequest>')
    (requests / "bad.xml").write_text(f"{head}<Item/></AmiBillingRequest>")
    with process("serve", "--config", tmp_path / "headend.toml", "--role", "gateway", "--role", "dispatcher") as serve:
        serve.line_with("MR_Server 4.1.6")
        manifest = came(responses, lambda name: name.endswith("_manifest.xml"))
        response = manifest.with_name(manifest.name.replace("_manifest", ""))
        refusal = came(responses, lambda name: name.endswith("refusal.xml"))
        assert "Traceback" not in "".join(serve.output)
    assert (problems_of(manifest), problems_of(response)) == ([], [])
    assert [one.get("reason") for one in etree.parse(response).getroot()] == ["servicePointId 'nowhere' is not known"]
    assert "attribute 'itemId' is required" in etree.parse(refusal).getroot().get("reason", "")
    assert sorted(one.name.partition("_")[2] for one in (requests / "done").iterdir()) == ["bad.xml", "june.xml"]
