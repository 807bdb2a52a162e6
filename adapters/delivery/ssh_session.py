"""A session of SFTP with a server whose host key is pinned: TCP, SSH, login, subsystem; closed by whoever opened it.

Source  RFC 4252, 4253, 8332 (signatures of RSA keys)
"""
# mypy: disable-error-code="no-untyped-call"
# ruff: noqa: N802
# Twisted's conch package is only partly typed, and its names are what they are.

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from twisted.conch.error import ConchError
from twisted.conch.ssh import channel, connection, filetransfer, keys, transport, userauth
from twisted.conch.ssh.common import NS
from twisted.internet import defer
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.error import ConnectError, DNSLookupError
from twisted.internet.protocol import ClientFactory
from twisted.python.failure import Failure

from headend.model.delivery import TargetUnreachableError

CONNECT_SECONDS = 15.0
"""How long a connection may take to be made, and then a login."""

_RSA_SIGNATURE = b"rsa-sha2-512"
_HOST_KEY_TYPES = {b"ssh-rsa": [_RSA_SIGNATURE, b"rsa-sha2-256"]}
"""Algorithms by which a host proves to have a key, where they are not called as the key is."""


@dataclass(frozen=True, slots=True)
class SftpLogin:
    """Where to, as whom, and by which host keys the server is known: `TYPE BASE64` as in known_hosts, or `SHA256:` fingerprints."""

    host: str
    port: int
    user: str
    host_keys: tuple[str, ...]
    password: str = field(default="", repr=False)
    key: keys.Key | None = field(default=None, repr=False)

    @property
    def address(self) -> str:
        return f"{self.host}:{self.port}"

    def knows(self, blob: bytes) -> bool:
        """Whether a host key is one of those that are pinned."""
        return any(one == fingerprint(blob) or _blob(one) == blob for one in self.host_keys)

    @property
    def host_key_types(self) -> list[bytes] | None:
        """Algorithms of the pinned keys; None where one is known by its fingerprint only."""
        kinds = [one.split()[0].encode() for one in self.host_keys if not one.startswith("SHA256:")]
        if len(kinds) < len(self.host_keys):
            return None
        return [algorithm for kind in kinds for algorithm in _HOST_KEY_TYPES.get(kind, [kind])]


class SftpSession:
    """An open session: `files` speaks SFTP, `extensions` are what the server offers beside the standard."""

    def __init__(self, files: filetransfer.FileTransferClient, extensions: Sequence[bytes], ssh: transport.SSHClientTransport) -> None:
        self.files: Any = files
        self.extensions = frozenset(extensions)
        self._ssh = ssh

    @classmethod
    async def open(cls, login: SftpLogin, reactor: Any) -> "SftpSession":
        """Connect and log in. Raises TargetUnreachableError."""
        opened: defer.Deferred[SftpSession] = defer.Deferred()
        endpoint = HostnameEndpoint(reactor, login.host, login.port, timeout=CONNECT_SECONDS)
        try:
            ssh: Any = await endpoint.connect(_Factory(login, opened))
        except (ConnectError, DNSLookupError, defer.CancelledError) as error:
            raise TargetUnreachableError(f"{login.address} cannot be connected to: {error}") from None
        opened.addTimeout(CONNECT_SECONDS, reactor)
        try:
            return await opened
        except defer.TimeoutError:
            ssh.transport.abortConnection()
            raise TargetUnreachableError(f"{login.address} does not finish the login within {CONNECT_SECONDS:g} s") from None
        except TargetUnreachableError:
            ssh.transport.abortConnection()
            raise

    def close(self) -> None:
        """Say goodbye and hang up."""
        if self._ssh.transport is not None:
            self._ssh.sendDisconnect(transport.DISCONNECT_BY_APPLICATION, b"done")
            self._ssh.transport.loseConnection()


def fingerprint(blob: bytes) -> str:
    """A key as `ssh-keygen -l` shows it."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


def _blob(line: str) -> bytes:
    parts = line.split()
    try:
        return base64.b64decode(parts[1], validate=True) if len(parts) > 1 else b""
    except ValueError:
        return b""


class _Factory(ClientFactory):
    noisy = False

    def __init__(self, login: SftpLogin, opened: "defer.Deferred[SftpSession]") -> None:
        self._login = login
        self._opened = opened

    def buildProtocol(self, addr: object) -> "_Ssh":
        return _Ssh(self._login, self._opened)


class _Ssh(transport.SSHClientTransport):
    """The connection; `fail` says why there is no session, once."""

    def __init__(self, login: SftpLogin, opened: "defer.Deferred[SftpSession]") -> None:
        self.login = login
        self.opened = opened
        if login.host_key_types is not None:
            self.supportedPublicKeys = login.host_key_types

    def fail(self, why: str) -> None:
        if not self.opened.called:
            self.opened.errback(Failure(TargetUnreachableError(f"{self.login.address}: {why}")))

    def verifyHostKey(self, hostKey: bytes, _fingerprint: bytes) -> "defer.Deferred[bool]":  # noqa: N803
        if self.login.knows(hostKey):
            return defer.succeed(True)
        self.fail(f"its host key is {fingerprint(hostKey)}, which is not one of those in the settings (host_keys)")
        return defer.fail(ConchError("host key not known"))

    def connectionSecure(self) -> None:
        self.requestService(_Login(self))

    def receiveError(self, _code: int, description: bytes) -> None:
        self.fail(f"it ended the connection: {description.decode(errors='replace')[:200]}")

    def sendDisconnect(self, reason: int, desc: bytes) -> None:
        if reason == transport.DISCONNECT_NO_MORE_AUTH_METHODS_AVAILABLE:
            self.fail(f"it does not let {self.login.user!r} in with what the settings have")
        super().sendDisconnect(reason, desc)

    def connectionLost(self, reason: Any = None) -> None:
        super().connectionLost(reason)
        self.fail("the connection was lost")


class _Login(userauth.SSHUserAuthClient):
    """Tries the key, then the password, each once."""

    def __init__(self, ssh: _Ssh) -> None:
        super().__init__(ssh.login.user.encode(), _Connection(ssh))
        self._login = ssh.login
        self._password_tried = False
        self._questions_asked = False

    def getPublicKey(self) -> keys.Key | None:
        return None if self._login.key is None or self.triedPublicKeys else self._login.key.public()

    def getPrivateKey(self) -> "defer.Deferred[keys.Key]":
        assert self._login.key is not None, "asked for only after its public half"
        return defer.succeed(self._login.key)

    def getPassword(self, prompt: bytes | None = None) -> "defer.Deferred[bytes] | None":
        if prompt is not None or self._password_tried or not self._login.password:
            return None
        self._password_tried = True
        return defer.succeed(self._login.password.encode())

    def auth_keyboard_interactive(self) -> bool:
        if self._questions_asked or not self._login.password:
            return False
        self._questions_asked = True
        return super().auth_keyboard_interactive()

    def getGenericAnswers(self, name: bytes, instruction: bytes, prompts: Any) -> "defer.Deferred[list[str]]":
        # A server without passwords of its own asks for one as a question that is not to be echoed.
        return defer.succeed([self._login.password if not echo else "" for _, echo in prompts])

    # OpenSSH no longer takes SHA-1 from RSA keys, which is all that conch signs by itself (RFC 8332).

    def _cbGetPublicKey(self, publicKey: Any) -> bool:  # noqa: N803
        if not isinstance(publicKey, keys.Key):
            return False
        self.lastPublicKey = publicKey
        self.triedPublicKeys.append(publicKey)
        self.askForAuth(b"publickey", b"\x00" + NS(_algorithm(publicKey)) + NS(publicKey.blob()))
        return True

    def ssh_USERAUTH_PK_OK_publickey(self, packet: bytes) -> None:
        key, private = self.lastPublicKey, self._login.key
        assert key is not None, "answers what was asked"
        assert private is not None, "asked with its public half"
        assert self.transport is not None, "a service that runs"
        assert self.transport.sessionID is not None, "keys were exchanged"
        extra = b"\x01" + NS(_algorithm(key)) + NS(key.blob())
        request = bytes((userauth.MSG_USERAUTH_REQUEST,)) + NS(self.user) + NS(self.instance.name) + NS(b"publickey") + extra
        signed = private.sign(NS(self.transport.sessionID) + request, signatureType=_algorithm(key))
        self.askForAuth(b"publickey", extra + NS(signed))


def _algorithm(key: keys.Key) -> bytes:
    return _RSA_SIGNATURE if key.type() == "RSA" else bytes(key.sshType())


class _Connection(connection.SSHConnection):
    def __init__(self, ssh: _Ssh) -> None:
        super().__init__()
        self._ssh = ssh

    def serviceStarted(self) -> None:
        super().serviceStarted()
        self.openChannel(_Channel(self._ssh, conn=self))


class _Channel(channel.SSHChannel):
    name = b"session"

    def __init__(self, ssh: _Ssh, conn: connection.SSHConnection) -> None:
        super().__init__(conn=conn)
        self._ssh = ssh
        self._files: _Files | None = None

    def openFailed(self, reason: Any) -> None:
        self._ssh.fail(f"it opens no session: {reason}")

    def channelOpen(self, _data: bytes) -> None:
        assert self.conn is not None, "an open channel is of a connection"
        asked = self.conn.sendRequest(self, b"subsystem", NS(b"sftp"), wantReply=True)
        asked.addCallbacks(self._begin, lambda _: self._ssh.fail("it has no SFTP"))

    def _begin(self, _: object) -> None:
        self._files = _Files(self._ssh)
        self._files.makeConnection(self)

    def dataReceived(self, data: bytes) -> None:
        if self._files is not None:
            self._files.dataReceived(data)

    def closed(self) -> None:
        if self._files is not None and self._files.connected:
            self._files.connectionLost(Failure(ConchError("the channel was closed")))
        self._ssh.fail("it closed the session")


class _Files(filetransfer.FileTransferClient):
    def __init__(self, ssh: _Ssh) -> None:
        super().__init__()
        self._ssh = ssh

    def gotServerVersion(self, _version: int, extensions: dict[bytes, bytes]) -> None:
        if not self._ssh.opened.called:
            self._ssh.opened.callback(SftpSession(self, list(extensions), self._ssh))
