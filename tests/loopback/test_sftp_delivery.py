"""SFTP delivery to a real OpenSSH server: keys, pinned host keys, resume, verification, rename."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import TypeAdapter
from twisted.conch.avatar import ConchUser
from twisted.conch.ssh.factory import SSHFactory
from twisted.conch.ssh.keys import Key
from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.portal import IRealm, Portal
from twisted.protocols.portforward import ProxyFactory, ProxyServer
from zope.interface import implementer

from adapters.delivery.ssh_session import fingerprint
from adapters.delivery.targets import build_target
from headend.delivery_settings import AnyTargetSettings, SftpTargetSettings
from headend.errors import RequestError
from headend.model.delivery import DeliveryError, FinishedFile, TargetUnreachableError
from tests.conftest import RunningReactor
from tests.loopback.sshd import Sshd, sshd


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with sshd(tmp_path_factory.mktemp("sshd")) as running:
        yield running


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    directory = tmp_path / "inbox"
    directory.mkdir()
    return directory


def finished(directory: Path, octets: bytes, name: str = "demo_registers_2026-07-01_1_001.xml") -> FinishedFile:
    path = directory / name
    path.write_bytes(octets)
    return FinishedFile(path, name, len(octets), hashlib.sha256(octets).digest())


class Sender:
    """Delivers by settings."""

    def __init__(self, running: RunningReactor, server: Sshd, inbox: Path, **changed: Any) -> None:
        table = {"name": "mdm", "kind": "sftp", "host": "127.0.0.1", "port": server.port, "user": server.user}
        table |= {"host_keys": [server.host_key], "key_file": str(server.client_key), "directory": str(inbox)} | changed
        settings: AnyTargetSettings = TypeAdapter(AnyTargetSettings).validate_python(table)
        assert isinstance(settings, SftpTargetSettings)
        self._running = running
        self._target = build_target(settings, running.reactor)
        self.sent = 0

    def deliver(self, file: FinishedFile) -> None:
        async def on_sent() -> None:
            self.sent += 1

        self._running.wait(self._target.deliver, file, on_sent)


OCTETS = os.urandom(3_000_000)


@pytest.mark.parametrize("key", ["client_key", "rsa_key", "encrypted_key"])
def test_a_file_arrives_whole_under_its_name(running: RunningReactor, server: Sshd, inbox: Path, tmp_path: Path, key: str) -> None:
    sender = Sender(running, server, inbox, key_file=str(getattr(server, key)), passphrase="open" if key == "encrypted_key" else "")
    file = finished(tmp_path, OCTETS)
    sender.deliver(file)
    assert [one.name for one in inbox.iterdir()] == [file.name]
    assert (inbox / file.name).read_bytes() == OCTETS
    assert sender.sent == 1
    sender.deliver(file)
    assert sender.sent == 1, "what is there is not sent again"


def test_an_empty_file_arrives(running: RunningReactor, server: Sshd, inbox: Path, tmp_path: Path) -> None:
    Sender(running, server, inbox).deliver(finished(tmp_path, b""))
    assert [one.stat().st_size for one in inbox.iterdir()] == [0]


@pytest.mark.parametrize("verify", ["sha256", "size"])
def test_an_upload_goes_on_where_it_broke_off(running: RunningReactor, server: Sshd, inbox: Path, tmp_path: Path, verify: str) -> None:
    file = finished(tmp_path, OCTETS)
    # The first half is marked, so that it is seen not to be sent again but for the last MiB; then it must not pass for whole.
    (inbox / file.temporary_name).write_bytes(b"x" + OCTETS[1:2_500_000])
    sender = Sender(running, server, inbox, verify=verify)
    if verify == "size":
        sender.deliver(file)
        assert (inbox / file.name).read_bytes() == b"x" + OCTETS[1:]
        return
    with pytest.raises(DeliveryError, match="did not arrive whole"):
        sender.deliver(file)
    assert list(inbox.iterdir()) == []
    sender.deliver(file)
    assert (inbox / file.name).read_bytes() == OCTETS


class Cut(ProxyServer):
    """A connection that is cut after so many octets of the client."""

    left = 1_500_000

    def dataReceived(self, data: bytes) -> None:
        self.left -= len(data)
        if self.left < 0:
            self.transport.abortConnection()
        else:
            super().dataReceived(data)


def test_a_target_that_goes_in_the_middle_of_a_file_gets_the_rest_later(
    running: RunningReactor, server: Sshd, inbox: Path, tmp_path: Path
) -> None:
    async def listen() -> Any:
        factory = ProxyFactory("127.0.0.1", server.port)
        Cut.reactor = running.reactor
        factory.protocol = Cut
        return running.reactor.listenTCP(0, factory, interface="127.0.0.1")

    proxy = running.wait(listen)
    file = finished(tmp_path, OCTETS)
    with pytest.raises(TargetUnreachableError, match=r"in the middle of"):
        Sender(running, server, inbox, port=proxy.getHost().port).deliver(file)
    (left,) = inbox.iterdir()
    assert (left.name, 0 < left.stat().st_size < len(OCTETS)) == (file.temporary_name, True)
    Sender(running, server, inbox).deliver(file)
    assert [one.read_bytes() for one in inbox.iterdir()] == [OCTETS]

    async def stop() -> None:
        await proxy.stopListening()

    running.wait(stop)


def test_a_password_opens(running: RunningReactor, inbox: Path, tmp_path: Path) -> None:
    """A server that lets in by password and has no SFTP: that it has none is only told to who is in."""
    key = Key(ec.generate_private_key(ec.SECP256R1()))
    factory = SSHFactory()
    factory.publicKeys = {b"ecdsa-sha2-nistp256": key.public()}
    factory.privateKeys = {b"ecdsa-sha2-nistp256": key}
    factory.portal = Portal(Rooms(), [InMemoryUsernamePasswordDatabaseDontUse(ami=b"open sesame")])

    async def listen() -> Any:
        return running.reactor.listenTCP(0, factory, interface="127.0.0.1")

    listening = running.wait(listen)
    here = Sshd(listening.getHost().port, key.public().toString("OPENSSH").decode(), tmp_path, tmp_path, tmp_path, "ami")
    with pytest.raises(TargetUnreachableError, match=r"it has no SFTP|opens no session"):
        Sender(running, here, inbox, key_file=None, password="open sesame").deliver(finished(tmp_path, b"1"))

    async def stop() -> None:
        await listening.stopListening()

    running.wait(stop)


@implementer(IRealm)
class Rooms:
    """Everybody who is let in gets the same."""

    def requestAvatar(self, _name: object, _mind: object, *interfaces: Any) -> tuple[Any, Any, Any]:
        return interfaces[0], ConchUser(), lambda: None


def test_another_file_of_the_same_name_is_replaced(running: RunningReactor, server: Sshd, inbox: Path, tmp_path: Path) -> None:
    sender = Sender(running, server, inbox)
    sender.deliver(finished(tmp_path, b"first"))
    sender.deliver(finished(tmp_path, b"other"))
    assert [one.read_bytes() for one in inbox.iterdir()] == [b"other"]


def test_a_fingerprint_pins_as_well(running: RunningReactor, server: Sshd, inbox: Path, tmp_path: Path) -> None:
    import base64

    pinned = fingerprint(base64.b64decode(server.host_key.split()[1]))
    Sender(running, server, inbox, host_keys=[pinned]).deliver(finished(tmp_path, b"1"))
    assert len(list(inbox.iterdir())) == 1


def test_another_host_key_is_refused_and_shown(running: RunningReactor, server: Sshd, inbox: Path, tmp_path: Path) -> None:
    strange = " ".join(server.client_key.with_suffix(".pub").read_text().split()[:2])
    with pytest.raises(TargetUnreachableError, match=r"its host key is SHA256:.{43}, which is not one of those"):
        Sender(running, server, inbox, host_keys=[strange]).deliver(finished(tmp_path, b"1"))
    assert list(inbox.iterdir()) == []


def test_who_is_not_let_in_is_told_so(running: RunningReactor, server: Sshd, inbox: Path, tmp_path: Path) -> None:
    with pytest.raises(TargetUnreachableError, match=r"does not let .* in"):
        Sender(running, server, inbox, key_file=None, password="wrong-password").deliver(finished(tmp_path, b"1"))


def test_what_the_server_says_is_told(running: RunningReactor, server: Sshd, inbox: Path, tmp_path: Path) -> None:
    with pytest.raises(DeliveryError, match="No such file"):
        Sender(running, server, inbox / "absent").deliver(finished(tmp_path, b"1"))


def test_nobody_there(running: RunningReactor, server: Sshd, inbox: Path, tmp_path: Path) -> None:
    with pytest.raises(TargetUnreachableError, match="cannot be connected to"):
        Sender(running, server, inbox, port=1).deliver(finished(tmp_path, b"1"))


def test_a_key_that_is_none(running: RunningReactor, server: Sshd, inbox: Path, tmp_path: Path) -> None:
    (tmp_path / "no.key").write_text("nonsense")
    with pytest.raises(RequestError, match=r"no\.key holds no private key"):
        Sender(running, server, inbox, key_file=str(tmp_path / "no.key"))
    with pytest.raises(RequestError, match="is encrypted"):
        Sender(running, server, inbox, key_file=str(server.encrypted_key))
