"""A real OpenSSH server for one test: SFTP only, on a free loopback port, as whoever runs the tests."""

import getpass
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

_SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
START_SECONDS = 20.0


@dataclass(frozen=True)
class Sshd:
    """A server that runs: its port, its host key (as known_hosts has it), keys that it lets in, and whom."""

    port: int
    host_key: str
    client_key: Path
    rsa_key: Path
    encrypted_key: Path
    user: str


@contextmanager
def sshd(directory: Path) -> Iterator[Sshd]:
    """Start it, stop it."""
    if _SSHD is None:
        pytest.skip("no sshd on this machine")
    keys = directory / "keys"
    keys.mkdir()
    for name, kind, passphrase in (("host", "ed25519", ""), ("client", "ed25519", ""), ("rsa", "rsa", ""), ("locked", "ed25519", "open")):
        command = ["ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-f", str(keys / name), "-C", name]
        subprocess.run(command, check=True)
    (keys / "authorized").write_text("".join((keys / f"{name}.pub").read_text() for name in ("client", "rsa", "locked")))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    lines = (
        f"Port {port}",
        "ListenAddress 127.0.0.1",
        f"HostKey {keys / 'host'}",
        f"AuthorizedKeysFile {keys / 'authorized'}",
        f"PidFile {directory / 'pid'}",
        "StrictModes no",
        "UsePAM no",
        "PasswordAuthentication no",
        "Subsystem sftp internal-sftp",
    )
    (directory / "sshd_config").write_text("\n".join(lines) + "\n")
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    command = [_SSHD, "-D", "-E", str(directory / "log"), "-f", str(directory / "sshd_config")]
    process = subprocess.Popen(command)
    try:
        _wait(port, process)
        host_key = " ".join((keys / "host.pub").read_text().split()[:2])
        yield Sshd(port, host_key, keys / "client", keys / "rsa", keys / "locked", getpass.getuser())
    finally:
        process.terminate()
        process.wait(10)


def _wait(port: int, process: "subprocess.Popen[bytes]") -> None:
    give_up_at = time.monotonic() + START_SECONDS
    while time.monotonic() < give_up_at and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError("sshd did not start")
