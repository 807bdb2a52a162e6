"""PUT over HTTPS to a real server under a private CA: whole or not at all, checked by HEAD or GET; encryption with age on the way."""

import base64
import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyrage
import pytest
from pydantic import TypeAdapter
from twisted.web.resource import Resource
from twisted.web.server import Site

from adapters.delivery.targets import build_target
from adapters.private_ca import PrivateAuthority
from adapters.tls import ServerTls
from headend.delivery_settings import AnyTargetSettings
from headend.errors import RequestError
from headend.model.delivery import DeliveryError, FileTarget, FinishedFile, TargetUnreachableError
from tests.conftest import RunningReactor

pytestmark = pytest.mark.filterwarnings("ignore:Passing pyOpenSSL:DeprecationWarning")
"""Twisted hands pyOpenSSL what it no longer likes to get; in earnest that is nobody's error."""


class Inbox(Resource):
    """Takes what is put, gives it back; `lose` octets at the end where it is told to."""

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self.files: dict[str, bytes] = {}
        self.headers: dict[str, str | None] = {}
        self.lose = 0
        self.status = 201

    def render_PUT(self, request: Any) -> bytes:
        octets = request.content.read()
        self.headers = {name: request.getHeader(name) for name in ("content-digest", "authorization", "content-length")}
        request.setResponseCode(self.status)
        if self.status == 201:
            self.files[request.path.decode()] = octets[: len(octets) - self.lose]
        return b"the shelf is full" if self.status != 201 else b""

    def render_GET(self, request: Any) -> bytes:
        octets = self.files.get(request.path.decode())
        if octets is None:
            request.setResponseCode(404)
            return b""
        request.setHeader("content-length", str(len(octets)))
        return octets if request.method == b"GET" else b""

    render_HEAD = render_GET


class Server:
    """An HTTPS server, and targets at it."""

    def __init__(self, running: RunningReactor, directory: Path) -> None:
        self.running = running
        self.inbox = Inbox()
        authority = PrivateAuthority.in_directory(directory, "test", datetime.now(UTC))
        issued = authority.issue_server("server", ["localhost"], datetime.now(UTC))
        self.ca = authority.file

        async def listen() -> Any:
            tls = ServerTls(issued.certificate, issued.key, None)
            return running.reactor.listenSSL(0, Site(self.inbox), tls, interface="127.0.0.1")

        self.listening = running.wait(listen)
        self.port = self.listening.getHost().port

    def target(self, **changed: Any) -> FileTarget:
        table = {"name": "mdm", "kind": "https", "url": f"https://localhost:{self.port}/in/", "ca": str(self.ca)} | changed
        settings: AnyTargetSettings = TypeAdapter(AnyTargetSettings).validate_python(table)
        return build_target(settings, self.running.reactor)

    def deliver(self, target: FileTarget, file: FinishedFile) -> int:
        sent = []

        async def on_sent() -> None:
            sent.append(file)

        self.running.wait(target.deliver, file, on_sent)
        return len(sent)


@pytest.fixture
def server(running: RunningReactor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    # Twisted's TLS sends small pieces together by the clock of the one installed reactor, which here is another one.
    monkeypatch.setattr("twisted.protocols.tls._get_default_clock", lambda: running.reactor)
    one = Server(running, tmp_path / "ca")
    yield one

    async def stop() -> None:
        await one.listening.stopListening()

    running.wait(stop)


@pytest.fixture
def file(tmp_path: Path) -> FinishedFile:
    octets = b"<a/>" * 100_000
    (tmp_path / "a.xml").write_bytes(octets)
    return FinishedFile(tmp_path / "a.xml", "a.xml", len(octets), hashlib.sha256(octets).digest())


@pytest.mark.parametrize("verify", ["size", "sha256", "answer"])
def test_a_file_is_put_with_its_digest_and_looked_at(server: Server, file: FinishedFile, verify: str) -> None:
    assert server.deliver(server.target(verify=verify, user="us", password="secret"), file) == 1
    assert server.inbox.files == {"/in/a.xml": file.path.read_bytes()}
    assert server.inbox.headers["content-digest"] == f"sha-256=:{base64.b64encode(file.sha256).decode()}:"
    assert server.inbox.headers["authorization"] == "Basic " + base64.b64encode(b"us:secret").decode()


@pytest.mark.parametrize("verify", ["size", "sha256"])
def test_what_is_there_in_part_is_noticed(server: Server, file: FinishedFile, verify: str) -> None:
    server.inbox.lose = 1
    with pytest.raises(DeliveryError, match=r"399999 octets|other contents"):
        server.deliver(server.target(verify=verify), file)


def test_a_refusal_is_told_with_its_words(server: Server, file: FinishedFile) -> None:
    server.inbox.status = 507
    with pytest.raises(DeliveryError, match="answers 507 to PUT: the shelf is full"):
        server.deliver(server.target(), file)


def test_a_server_that_is_not_trusted_gets_nothing(server: Server, file: FinishedFile) -> None:
    with pytest.raises(TargetUnreachableError, match="certificate"):
        server.deliver(server.target(ca=None), file)
    assert server.inbox.files == {}


def test_nobody_there(server: Server, file: FinishedFile) -> None:
    with pytest.raises(TargetUnreachableError, match="refused"):
        server.deliver(server.target(url="http://127.0.0.1:1/in"), file)


def test_only_who_has_the_key_can_read_an_encrypted_file(server: Server, file: FinishedFile) -> None:
    identity = pyrage.x25519.Identity.generate()
    target = server.target(age_recipients=[str(identity.to_public())], verify="sha256")
    server.inbox.status = 507
    with pytest.raises(DeliveryError):
        server.deliver(target, file)
    (kept,) = file.path.parent.glob("*.age")
    before = kept.read_bytes()
    server.inbox.status = 201
    server.deliver(target, file)
    assert server.inbox.files == {"/in/a.xml.age": before}, "every try sends the same octets"
    assert pyrage.decrypt(before, [identity]) == file.path.read_bytes()
    assert not list(file.path.parent.glob("*.age"))


def test_a_recipient_that_is_none(server: Server) -> None:
    with pytest.raises(RequestError, match="no age recipient"):
        server.target(age_recipients=["age1nonsense"])
