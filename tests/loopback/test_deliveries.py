"""A partner's servers as they are: dead, slow, strange, behind TLS of their own; over real sockets, each trouble with its name."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from ipaddress import ip_network
from pathlib import Path
from random import Random
from types import SimpleNamespace

import pytest

from adapters.peer_tls import PeerPolicy
from adapters.private_ca import PrivateAuthority
from headend.errors import RequestError
from headend.model.command import Found, Outcome
from headend.model.deferred import DeferredKind, TargetState
from headend.model.endpoint import EndpointId
from headend.model.meters import Meter
from headend.model.partner import NotificationProfile, Partner, PeerServer, PeerTls
from headend.model.telling import Attempt, Delivery, MessageId, Supply, Telling, ToldObject
from multispeak.notifier import Notifier, Surroundings
from tests.conftest import RunningReactor
from tests.store.world import UTILITY

NOW = datetime(2026, 3, 3, 15, tzinfo=UTC)
HERE = (ip_network("127.0.0.0/8"),)
ENVELOPE = "<e:Envelope xmlns:e='http://schemas.xmlsoap.org/soap/envelope/'><e:Body>{}</e:Body></e:Envelope>"
FAULT = ENVELOPE.format("<e:Fault><faultcode>e:{}</faultcode><faultstring>meter unknown</faultstring></e:Fault>")

Serving = Callable[[socket.socket], None]


def http(status: str, body: str = "", more: str = "") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Type: text/xml\r\nContent-Length: {len(body)}\r\nConnection: close\r\n{more}\r\n{body}".encode()


TAKEN = http("200 OK", ENVELOPE.format("<ODEventNotificationResponse xmlns='x'/>"))


def answers(octets: bytes, heard: list[bytes] | None = None) -> Serving:
    """Reads a request whole, then answers it."""

    def serve(connection: socket.socket) -> None:
        received = b""
        while b"Envelope>" not in received[-12:]:
            octets_more = connection.recv(65_536)
            if not octets_more:
                return
            received += octets_more
        if heard is not None:
            heard.append(received)
        connection.sendall(octets)

    return serve


def resets(connection: socket.socket) -> None:
    """Takes a little, then resets."""
    connection.recv(10)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")


def hangs(connection: socket.socket) -> None:
    """Takes all, and says nothing until the other side goes."""
    while connection.recv(65_536):
        pass


@contextmanager
def server(serving: Serving, context: ssl.SSLContext | None = None) -> Iterator[int]:
    """A server on a port of this machine, each connection on a thread of its own."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        threading.Thread(target=_accept, args=(listening, serving, context), daemon=True).start()
        yield listening.getsockname()[1]
        listening.shutdown(socket.SHUT_RDWR)


def _accept(listening: socket.socket, serving: Serving, context: ssl.SSLContext | None) -> None:
    while True:
        try:
            connection, _ = listening.accept()
        except OSError:
            return
        threading.Thread(target=_serve, args=(connection, serving, context), daemon=True).start()


def _serve(connection: socket.socket, serving: Serving, context: ssl.SSLContext | None) -> None:
    with closing(connection):
        try:
            if context is None:
                serving(connection)
            else:
                with context.wrap_socket(connection, server_side=True) as wrapped:
                    serving(wrapped)
        except OSError:
            return


def telling(url: str) -> Telling:
    meter = Meter(EndpointId(1), "M000001", "S1", ".100.1", "residential", True, None)
    outcome = Outcome(TargetState.SUCCEEDED, Found(powered=True))
    told = ToldObject(MessageId(b"\x01"), meter, None, {}, outcome, NOW, supply=Supply.RESTORED)
    operation = "InitiateOutageDetectionEventRequest"
    answer = ("ODEventNotification",)
    return Telling(1, "oms", "OD_Server", "4.1.6", operation, DeferredKind.PING, "t-1", url, answer, {}, NOW, [told])


@pytest.fixture
def told(running: RunningReactor) -> Iterator[Callable[..., Attempt]]:
    """Tells something at an address; what came of it."""
    notifiers: list[Notifier] = []

    def tell(url: str, **profile: object) -> Attempt:
        asked = NotificationProfile(**{"networks": HERE, "timeout_seconds": 2.0, **profile})
        partner = Partner("oms", "OMS", "pass-word", notifications=asked)
        around = Surroundings(UTILITY, {"oms": partner}, {"oms": PeerPolicy(asked.tls)}, SimpleNamespace(), lambda: NOW, Random(1))
        notifier = Notifier(around, running.reactor)
        notifiers.append(notifier)
        (attempt,) = running.wait(notifier.tell, telling(url))
        return attempt

    yield tell
    for notifier in notifiers:
        running.wait(notifier.stop)


@pytest.mark.parametrize(
    ("serving", "delivery", "reachable", "reason"),
    [
        (answers(TAKEN), Delivery.ACKNOWLEDGED, True, ""),
        (answers(http("202 Accepted")), Delivery.ACKNOWLEDGED, True, ""),
        (answers(http("500 Error", FAULT.format("Client"))), Delivery.REFUSED, True, "fault: e:Client meter unknown"),
        (answers(http("500 Error", FAULT.format("Server"))), Delivery.QUEUED, True, "fault: e:Server meter unknown"),
        (answers(http("500 Error", "oops")), Delivery.QUEUED, True, "HTTP status 500"),
        (answers(http("503 Busy")), Delivery.QUEUED, True, "HTTP status 503"),
        (answers(http("404 Not Found")), Delivery.REFUSED, True, "HTTP status 404"),
        (answers(http("302 Found", more="Location: http://127.0.0.1:1/\r\n")), Delivery.REFUSED, True, "redirect, which is not followed"),
        (answers(http("200 OK", "<html>log in</html>")), Delivery.QUEUED, True, "no SOAP message: '<html>log in</html>'"),
        (answers(b"SSH-2.0-OpenSSH_9.2\r\n"), Delivery.QUEUED, False, ""),
        (answers(TAKEN[:-40]), Delivery.QUEUED, False, "closed before there was an answer"),
        (resets, Delivery.QUEUED, False, "closed before there was an answer"),
        (lambda _: None, Delivery.QUEUED, False, "closed before there was an answer"),
        (hangs, Delivery.QUEUED, False, "no answer within 0.3 seconds"),
    ],
)
def test_every_trouble_has_its_name_and_its_rule(
    told: Callable[..., Attempt], serving: Serving, delivery: Delivery, reachable: bool, reason: str
) -> None:
    with server(serving) as port:
        attempt = told(f"http://127.0.0.1:{port}/OA_Server", timeout_seconds=0.3 if serving is hangs else 10.0)
    assert (attempt.delivery, attempt.reachable) == (delivery, reachable), attempt
    assert reason in attempt.reason
    assert bool(attempt.reason) is (delivery is not Delivery.ACKNOWLEDGED)


def test_a_server_that_is_not_there_or_has_no_name(told: Callable[..., Attempt]) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        port = listening.getsockname()[1]
    refused = told(f"http://127.0.0.1:{port}/")
    assert (refused.delivery, refused.reachable, refused.reason) == (Delivery.QUEUED, False, "connection refused")
    nameless = told("http://nobody.invalid/")
    assert (nameless.delivery, nameless.reachable, nameless.reason) == (Delivery.QUEUED, False, "its name is not known")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1", "0x7f000001", "localhost", "[::ffff:127.0.0.1]"])
def test_nothing_of_ours_is_reached_by_an_address_that_a_partner_names(told: Callable[..., Attempt], host: str) -> None:
    heard: list[bytes] = []
    with server(answers(TAKEN, heard)) as port:
        url = f"http://{host}:{port}/OA_Server"
        attempt = told(url, networks=())
        assert (attempt.delivery, "this machine itself" in attempt.reason) == (Delivery.REFUSED, True), attempt
        assert heard == []
        # What the utility wrote into the profile leads anywhere.
        assert told(url, networks=(), urls={PeerServer.OA: url}).delivery is Delivery.ACKNOWLEDGED or "::ffff" in host
    assert len(heard) <= 1


def test_soap_1_2_where_the_profile_says_so(told: Callable[..., Attempt]) -> None:
    heard: list[bytes] = []
    with server(answers(TAKEN, heard)) as port:
        assert told(f"http://127.0.0.1:{port}/", soap="1.2").delivery is Delivery.ACKNOWLEDGED
    head, _, body = heard[0].partition(b"\r\n\r\n")
    assert b'application/soap+xml; charset=utf-8; action="http://www.multispeak.org/Version_4.1_Release/ODEventNotification"' in head
    assert b"SOAPAction" not in head
    assert b"http://www.w3.org/2003/05/soap-envelope" in body


@pytest.fixture(scope="module")
def certified(tmp_path_factory: pytest.TempPathFactory) -> PrivateAuthority:
    authority = PrivateAuthority.in_directory(tmp_path_factory.mktemp("ca"), "Test CA", datetime.now(UTC))
    authority.issue_server("right", ["127.0.0.1"], datetime.now(UTC))
    authority.issue_server("other", ["oms.example"], datetime.now(UTC))
    authority.issue_client("headend", "headend", datetime.now(UTC))
    return authority


def context_of(authority: PrivateAuthority, name: str, *, ask: bool = False) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    place = authority.file.parent
    context.load_cert_chain(place / f"{name}.pem", place / f"{name}.key")
    if ask:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(authority.file)
    return context


def fingerprint(file: Path) -> str:
    from cryptography import x509
    from cryptography.hazmat.primitives.hashes import SHA256

    return x509.load_pem_x509_certificate(file.read_bytes()).fingerprint(SHA256()).hex()


def test_only_a_server_that_the_profile_trusts_is_told_anything(told: Callable[..., Attempt], certified: PrivateAuthority) -> None:
    place = certified.file.parent
    trusting, heard = PeerTls(ca_file=certified.file), []
    with server(answers(TAKEN, heard), context_of(certified, "right")) as port:
        url = f"https://127.0.0.1:{port}/OA_Server"
        stranger = told(url)
        assert (stranger.delivery, stranger.reachable) == (Delivery.QUEUED, False)
        assert "TLS: its certificate is not trusted" in stranger.reason
        assert heard == []
        assert told(url, tls=trusting).delivery is Delivery.ACKNOWLEDGED
        assert told(url, tls=PeerTls(sha256=fingerprint(place / "right.pem"))).delivery is Delivery.ACKNOWLEDGED
        another = told(url, tls=PeerTls(sha256=fingerprint(place / "other.pem")))
        assert "TLS: its certificate is not trusted, or is another one than the profile names" in another.reason
    with server(answers(TAKEN, heard), context_of(certified, "other")) as port:
        url = f"https://127.0.0.1:{port}/OA_Server"
        assert "TLS: its certificate is another server's" in told(url, tls=trusting).reason
        assert told(url, tls=PeerTls(sha256=fingerprint(place / "other.pem"))).delivery is Delivery.ACKNOWLEDGED
    assert len(heard) == 3


def test_a_certificate_of_ours_opens_where_one_is_wanted(told: Callable[..., Attempt], certified: PrivateAuthority) -> None:
    place = certified.file.parent
    with server(answers(TAKEN), context_of(certified, "right", ask=True)) as port:
        url = f"https://127.0.0.1:{port}/OA_Server"
        ours = PeerTls(certified.file, "", place / "headend.pem", place / "headend.key")
        assert told(url, tls=ours).delivery is Delivery.ACKNOWLEDGED
        without = told(url, tls=PeerTls(certified.file))
        assert (without.delivery, without.reachable) == (Delivery.QUEUED, False)
        assert "wants a certificate of ours" in without.reason


def test_a_server_without_tls_is_said_to_have_none(told: Callable[..., Attempt]) -> None:
    with server(answers(http("400 Bad Request"))) as port, pytest.MonkeyPatch.context():
        attempt = told(f"https://127.0.0.1:{port}/", timeout_seconds=1.0)
    assert (attempt.delivery, attempt.reachable) == (Delivery.QUEUED, False)


def test_files_that_cannot_be_used_are_named_before_anything_is_told(certified: PrivateAuthority, tmp_path: Path) -> None:
    place = certified.file.parent
    with pytest.raises(RequestError, match="cannot be read"):
        PeerPolicy(PeerTls(ca_file=tmp_path / "none.pem"))
    with pytest.raises(RequestError, match=r"right.key is not the key of the certificate in .*headend.pem"):
        PeerPolicy(PeerTls(None, "", place / "headend.pem", place / "right.key"))
