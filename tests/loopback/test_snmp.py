"""SNMP on real sockets: net-snmp's tools against our agents and our notification port, and our poller against the agents."""

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import pytest

from adapters.snmp_authority import Authority, engine_id_of
from adapters.snmp_link import SnmpLink
from adapters.snmp_notifications import NotificationReceiver, TrapDrop
from adapters.snmp_router import SnmpRouterLink
from emulators.router_agent import RouterAgent
from emulators.service import EmulatorOptions, EmulatorService
from emulators.service import start as start_emulator
from headend.errors import LinkError
from headend.model.endpoint import NativeAddress, RouterId, Transport
from headend.model.router import (
    AuthProtocol,
    CommunityAccess,
    PrivacyProtocol,
    Router,
    RouterPath,
    RouterProfile,
    RouterStatus,
    UserAccess,
)
from headend.provisioning_rows import FileFormat
from headend.router_case import RouterCase
from headend.router_health import RouterHealth
from headend.router_provisioning import read_routers
from tests.conftest import RunningReactor

WAIT_SECONDS = 30
needs_net_snmp = pytest.mark.skipif(shutil.which("snmpwalk") is None, reason="net-snmp's tools are not installed (Debian: snmp)")
NOW = datetime(2026, 7, 2, 6, tzinfo=UTC)
COMMUNITY = CommunityAccess("public words")
USERS = [
    UserAccess("ops", AuthProtocol.SHA256, "authentic words", PrivacyProtocol.AES128, "private words"),
    UserAccess("ops", AuthProtocol.SHA512, "authentic words", PrivacyProtocol.AES256, "private words"),
    UserAccess("ops", AuthProtocol.SHA1, "authentic words", PrivacyProtocol.AES128, "private words"),
]
_NET_SNMP = {
    AuthProtocol.SHA1: "SHA",
    AuthProtocol.SHA256: "SHA-256",
    AuthProtocol.SHA512: "SHA-512",
    PrivacyProtocol.AES128: "AES",
    PrivacyProtocol.AES256: "AES-256",
}


def words(access: UserAccess | CommunityAccess) -> list[str]:
    """The same credentials as options of net-snmp's tools."""
    if isinstance(access, CommunityAccess):
        return ["-v2c", "-c", access.community]
    return [
        *("-v3", "-l", "authPriv", "-u", access.user, "-a", _NET_SNMP[access.auth], "-A", access.auth_password),
        *("-x", _NET_SNMP[access.privacy], "-X", access.privacy_password),
    ]


def net_snmp(tool: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [tool, "-m", "", *arguments]
    with tempfile.TemporaryDirectory() as place:
        (Path(place) / "cert_indexes").mkdir()
        environment = {"PATH": "/usr/bin:/bin", "SNMP_PERSISTENT_DIR": place, "SNMPCONFPATH": place}
        return subprocess.run(command, capture_output=True, text=True, timeout=WAIT_SECONDS, env=environment, check=False)


@pytest.fixture(scope="module")
def emulator(running: RunningReactor, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatorService]:
    """Four emulated routers on sockets of their own."""
    options = EmulatorOptions(endpoints=8, routers=4, seed=3, directory=tmp_path_factory.mktemp("field"))
    service: EmulatorService = running.wait(start_emulator, running.reactor, options)
    yield service
    running.wait(service.stop)


@pytest.fixture(scope="module")
def routers(emulator: EmulatorService) -> list[Router]:
    """The routers of the file that the emulator wrote."""
    profiles = read_routers(emulator.router_file.read_bytes(), FileFormat.CSV).items
    return [Router(RouterId(n), NOW, profile) for n, profile in enumerate(profiles, 1)]


@needs_net_snmp
@pytest.mark.parametrize("number", range(4))
@pytest.mark.parametrize("tool", ["snmpwalk", "snmpbulkwalk"])
def test_net_snmp_walks_all_of_a_router(routers: list[Router], number: int, tool: str) -> None:
    profile = routers[number].profile
    walked = net_snmp(tool, *words(profile.access), f"{profile.address.host}:{profile.address.port}", "1")
    assert walked.returncode == 0, walked.stderr
    assert walked.stderr == ""
    lines = walked.stdout.splitlines()
    assert len(lines) > 140
    assert f'STRING: "{profile.name}"' in walked.stdout
    for part in ("819.1.1.1.1.4.4 = Gauge32", "233.1.1.1.15.4 = Gauge32", "31.1.1.1.6.3 = Counter64", "661.1.3.4.1.1.1.3 = INTEGER: -"):
        assert part in walked.stdout, part


@needs_net_snmp
@pytest.mark.parametrize(
    ("number", "changed", "said"),
    [
        (0, ("-A", "not the password"), "Authentication failure"),
        (0, ("-u", "nobody"), "Unknown user name"),
        (0, ("-l", "noAuthNoPriv"), "Unsupported security level"),
        (1, ("-c", "guess"), "Timeout"),
    ],
)
def test_net_snmp_is_told_what_is_wrong(routers: list[Router], number: int, changed: tuple[str, str], said: str) -> None:
    profile = routers[number].profile
    arguments = [*words(profile.access), *changed, "-t", "1", "-r", "0", f"{profile.address.host}:{profile.address.port}"]
    asked = net_snmp("snmpget", *arguments, "1.3.6.1.2.1.1.5.0")
    assert asked.returncode != 0
    assert said in asked.stderr + asked.stdout


class HeadEnd:
    """Our side: a link, and a notification port that keeps what it is told."""

    def __init__(self, running: RunningReactor) -> None:
        self.running = running
        self.told: list[tuple[RouterId, RouterStatus]] = []
        self.link = SnmpLink(running.reactor)
        self.agents = SnmpRouterLink(self.link, Random(1), running.reactor.seconds, timeout_seconds=0.5, tries=2)
        authority = Authority(engine_id_of("test"), lambda: datetime.now(UTC).timestamp())
        self.receiver = NotificationReceiver(running.reactor, self.agents, authority, lambda *told: self.told.append(told))
        self.address: NativeAddress = running.wait(self._open)

    async def _open(self) -> NativeAddress:
        self.link.open("127.0.0.1")
        return self.receiver.open("127.0.0.1", 0)

    def know(self, *routers: Router) -> None:
        cases = {router.profile.name: RouterCase(router, RouterHealth(router.router_id)) for router in routers}
        self.running.wait(self._know, cases)

    async def _know(self, cases: dict[str, RouterCase]) -> None:
        self.receiver.know(cases)

    async def close(self) -> None:
        await self.receiver.close()
        await self.link.close()


@pytest.fixture
def head_end(running: RunningReactor) -> Iterator[HeadEnd]:
    one = HeadEnd(running)
    yield one
    running.wait(one.close)


@pytest.mark.parametrize("number", range(4))
def test_our_poller_reads_a_router_over_both_its_paths(
    head_end: HeadEnd, emulator: EmulatorService, routers: list[Router], number: int
) -> None:
    router = routers[number]
    paths = [RouterPath.PRIMARY, *([RouterPath.SECOND] if router.profile.second_address else [])]
    for path in paths:
        status = head_end.running.wait(head_end.agents.poll, router, path)
        facts = emulator.world.router_devices[number].facts()
        assert (status.mesh_nodes, status.rssi_dbm, status.door_open) == (facts.mesh_nodes, facts.rssi_dbm, False)
        assert len(status.interfaces) == 5
    if len(paths) == 1:
        with pytest.raises(LinkError, match="has no second path"):
            head_end.running.wait(head_end.agents.poll, router, RouterPath.SECOND)


def test_a_router_that_is_not_there_is_silence(head_end: HeadEnd) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as deaf:
        deaf.bind(("127.0.0.1", 0))
        profile = RouterProfile("deaf", NativeAddress(Transport.UDP, *deaf.getsockname()), COMMUNITY)
        with pytest.raises(LinkError, match="no answer"):
            head_end.running.wait(head_end.agents.poll, Router(RouterId(1), NOW, profile), RouterPath.PRIMARY)


def known(access: UserAccess | CommunityAccess, port: int = 161, name: str = "north", number: int = 1) -> Router:
    return Router(RouterId(number), NOW, RouterProfile(name, NativeAddress(Transport.UDP, "127.0.0.1", port), access))


LINK_DOWN = ("1.3.6.1.6.3.1.1.5.3", "1.3.6.1.2.1.2.2.1.8.3", "i", "2")


@needs_net_snmp
@pytest.mark.parametrize("access", [COMMUNITY, *USERS], ids=["2c", "sha-256", "sha-512", "sha"])
@pytest.mark.parametrize("tool", ["snmptrap", "snmpinform"])
def test_net_snmps_notifications_are_taken(head_end: HeadEnd, access: UserAccess | CommunityAccess, tool: str) -> None:
    head_end.know(known(access))
    engine = ("-e", "0x8000000001020304") if tool == "snmptrap" and isinstance(access, UserAccess) else ()
    sent = net_snmp(tool, *words(access), *engine, f"127.0.0.1:{head_end.address.port}", "4711", *LINK_DOWN)
    assert sent.returncode == 0, sent.stderr
    eventually(lambda: head_end.told)
    ((router_id, status),) = head_end.told
    assert router_id == 1
    assert status.uptime_seconds == 47.11
    assert [(i.index, i.up) for i in status.interfaces] == [(3, False)]
    assert not head_end.receiver.dropped


@needs_net_snmp
@pytest.mark.parametrize(
    "sender",
    [CommunityAccess("another"), UserAccess("ops", AuthProtocol.SHA256, "guessed words", PrivacyProtocol.AES128, "private words")],
    ids=["community", "user"],
)
@pytest.mark.parametrize("tool", ["snmptrap", "snmpinform"])
def test_wrong_credentials_are_dropped_and_counted(head_end: HeadEnd, sender: UserAccess | CommunityAccess, tool: str) -> None:
    head_end.know(known(COMMUNITY if isinstance(sender, CommunityAccess) else USERS[0]))
    engine = ("-e", "0x8000000001020304") if tool == "snmptrap" and isinstance(sender, UserAccess) else ()
    sent = net_snmp(tool, *words(sender), *engine, "-t", "0.2", "-r", "0", f"127.0.0.1:{head_end.address.port}", "1", *LINK_DOWN)
    assert (sent.returncode == 0) == (tool == "snmptrap"), "nobody acknowledges it"
    eventually(lambda: head_end.receiver.dropped[TrapDrop.CREDENTIALS])
    assert head_end.told == []


def test_strangers_and_noise_are_dropped_and_counted(head_end: HeadEnd) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as caller:
        to = ("127.0.0.1", head_end.address.port)
        caller.sendto(b"0\x03\x02\x01\x01", to)
        eventually(lambda: head_end.receiver.dropped[TrapDrop.STRANGER] == 1)
        head_end.know(known(COMMUNITY))
        for octets in (b"", b"0\x03\x02\x01\x01", b"0\x84\xff\xff\xff\xff", b"0" * 9_000):
            caller.sendto(octets, to)
        eventually(lambda: head_end.receiver.dropped[TrapDrop.MALFORMED] >= 3)
    assert head_end.told == []


@needs_net_snmp
def test_routers_of_one_address_and_community_are_not_mistaken_for_each_other(head_end: HeadEnd) -> None:
    head_end.know(known(COMMUNITY), known(COMMUNITY, 162, "south", 2))
    net_snmp("snmptrap", *words(COMMUNITY), f"127.0.0.1:{head_end.address.port}", "1", *LINK_DOWN)
    eventually(lambda: head_end.receiver.dropped[TrapDrop.CREDENTIALS])
    assert head_end.told == []


@pytest.mark.parametrize("number", range(4))
def test_an_emulated_routers_notifications_arrive(head_end: HeadEnd, emulator: EmulatorService, routers: list[Router], number: int) -> None:
    head_end.know(*routers)
    name = routers[number].profile.name

    async def door(open_: bool) -> None:
        emulator.utility.fleet.notify((head_end.address.host, head_end.address.port))
        emulator.utility.fleet.set_faults(name, {"on_battery": open_})

    head_end.running.wait(door, True)
    eventually(lambda: any(status.on_battery for _, status in head_end.told))
    assert {router_id for router_id, _ in head_end.told} == {routers[number].router_id}
    head_end.running.wait(door, False)
    eventually(lambda: any(status.on_battery is False for _, status in head_end.told))
    assert not head_end.receiver.dropped


def test_an_agent_shows_no_password(routers: list[Router]) -> None:
    assert "priv-" not in repr(routers)
    assert "read-" not in repr(routers)


def eventually(happened: Any) -> None:
    """Wait for something on the reactor's thread to have happened."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not happened():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


def test_agents_are_made_without_sockets(tmp_path: Path, emulator: EmulatorService) -> None:
    agent = RouterAgent(emulator.world.router_devices[0], lambda: (0, 0))
    assert agent.receive(b"noise") is None
    assert agent.dropped == 1
