"""How each server is built and started; one whose tools are missing says so.

What is built is kept in a cache folder of the user's, since gSOAP's code for one WSDL takes two minutes to compile.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from headend.housekeeping import ACCOUNT, PURGE
from tests import postgresql
from tests.bench.filled_store import NIGHT, fill
from tests.conftest import RunningReactor
from tests.fakes.soap_world import PASSWORD
from tests.store.world import opened

HERE = Path(__file__).parent
NPM_SOAP = "1.13.0"
PAGES = (10, 10_000, 100_000, 1_000_000)
MARCH = ("2026-03-01T06:00:00Z", "2026-03-01T06:00:00Z")


class MissingToolError(Exception):
    """A server that cannot be had here, and why."""


@dataclass(frozen=True, slots=True)
class Peer:
    """A server that runs: its address, its process, the meter numbers it knows and the period in which each has one reading."""

    name: str
    url: str
    pid: int
    meter_nos: Sequence[str]
    period: tuple[str, str] = MARCH


@contextmanager
def spyne() -> Iterator[Peer]:
    """Plain Spyne on Twisted."""
    with _process([sys.executable, "-m", "tests.bench.soap_peers.spyne_server"]) as (url, pid):
        yield Peer("plain Spyne, nothing validated", url, pid, _memory_meters())


@contextmanager
def npm_soap() -> Iterator[Peer]:
    """The npm package `soap`."""
    wsdl, node, npm = _wsdl(), _tool("node"), _tool("npm")
    folder = _cache(f"npm-soap-{NPM_SOAP}")
    if not (folder / "node_modules" / "soap").is_dir():
        _build([npm, "install", "--no-save", "--no-audit", "--no-fund", "--loglevel=error", f"soap@{NPM_SOAP}"], folder)
    with _process([node, str(HERE / "npm_server.js"), str(wsdl)], folder) as (url, pid):
        yield Peer("npm soap, nothing validated", url, pid, _memory_meters())


@contextmanager
def gsoap() -> Iterator[Peer]:
    """The C++ toolkit gSOAP, one thread a connection."""
    wsdl, source = _wsdl(), HERE / "gsoap_server.cpp"
    wsdl2h, soapcpp2, compiler = _tool("wsdl2h"), _tool("soapcpp2"), _tool("g++")
    folder = _cache(f"gsoap-{hashlib.sha256(wsdl.read_bytes()).hexdigest()[:12]}")
    program = folder / f"server-{hashlib.sha256(source.read_bytes()).hexdigest()[:12]}"
    if not program.exists():
        compiled = [compiler, "-O2", "-std=c++17", "-DWITH_DEFAULT_VIRTUAL", "-I."]
        if not (folder / "soapC.o").exists():
            _build([wsdl2h, "-O3", "-P", "-c++11", "-o", "contract.h", str(wsdl)], folder)
            _build([soapcpp2, "-S", "-i", "-x", "-L", "-c++11", "-I", "/usr/share/gsoap/import", "contract.h"], folder)
            _build([*compiled, "-c", "soapC.cpp", "-o", "soapC.o"], folder)
        rest = [str(source), "soapMR_USCOREServerSoapService.cpp", "soapC.o", "-lgsoap++", "-lpthread"]
        _build([*compiled, *rest, "-o", program.name], folder)
    with _process([str(program)]) as (url, pid):
        yield Peer("gSOAP", url, pid, _memory_meters())


@contextmanager
def ours_from_memory() -> Iterator[Peer]:
    """Our site over readings in memory."""
    with _process([sys.executable, "-m", "tests.bench.soap_peers.head_end"]) as (url, pid):
        yield Peer("ours from memory", url, pid, _memory_meters())


@contextmanager
def ours_over_sqlite(directory: Path) -> Iterator[Peer]:
    """`headend serve` over SQLite, message log and all."""
    with _served("ours over SQLite", "sqlite", f"sqlite:///{directory}/bench.sqlite", directory) as peer:
        yield peer


@contextmanager
def ours_over_postgresql(directory: Path) -> Iterator[Peer]:
    """The same over PostgreSQL."""
    with postgresql.server() as server, postgresql.database(server) as url:
        text = url.render_as_string(hide_password=False)
        with _served("ours over PostgreSQL", "postgresql", text, directory) as peer:
            yield peer


@contextmanager
def _served(name: str, kind: str, url: str, directory: Path) -> Iterator[Peer]:
    running = RunningReactor()
    try:
        store = opened(running, url, directory / "keys")
        fill(store, kind, polled=False)
        # What days lack is looked for once, for minutes of a million endpoints; not while calls are measured.
        now = datetime.now(UTC)
        store.call("keep_review", [], [], now.date(), last=True)
        # The same of what is past its time, and of what is used: once a day.
        for work in (PURGE, ACCOUNT):
            store.call("claim_work", work, "bench", now, now + timedelta(hours=1), now)
            store.call("finish_work", work, "bench", now)
        store.call("close")
    finally:
        running.stop()
    config = directory / "headend.toml"
    config.write_text(_settings(url))
    command = [sys.executable, "-m", "headend.cli", "serve", "--config", str(config)]
    with _process(command, said="MR_Server 3.0: ") as (wsdl, pid):
        yield Peer(name, wsdl.partition("?")[0], pid, [f"M{n:08}" for n in range(1_000)], (NIGHT.start.isoformat(), NIGHT.end.isoformat()))


def _settings(database: str) -> str:
    partners = "".join(
        f'[[utilities.partners]]\nuser_id = "cis-{size}"\npassword = "{PASSWORD}"\npage_size = {size}\n' for size in PAGES
    )
    utility = f'id = "demo"\ntime_zone = "America/Chicago"\ndatabase = "{database}"\nkey_file = "keys"\nfield = {{ port = 0 }}\n'
    return f"[server]\nport = 0\n\n[[utilities]]\n{utility}\n{partners}"


@contextmanager
def _process(command: Sequence[str], folder: Path | None = None, said: str = "http") -> Iterator[tuple[str, int]]:
    """A server that says its address in the first line that begins with `said`; ended with the block."""
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        lines = (line for line in process.stdout if line.startswith(said))
        line = next(lines, "")
        if not line:
            raise MissingToolError(f"{command[0]} ended with status {process.wait()} before it served")
        yield line.removeprefix("" if said == "http" else said).strip(), process.pid
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


def _memory_meters() -> list[str]:
    return [f"E{n:08}" for n in range(1, 1_001)]


def _wsdl() -> Path:
    reference = os.environ.get("HEADEND_REFERENCE_DIR")
    if not reference:
        raise MissingToolError("HEADEND_REFERENCE_DIR does not name the folder with contracts/official")
    return Path(reference).resolve() / "contracts" / "official" / "3.0" / "MR_Server.wsdl"


def _tool(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise MissingToolError(f"there is no {name} here")
    return found


def _cache(name: str) -> Path:
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "headend-bench" / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _build(command: Sequence[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise MissingToolError(f"{command[0]} failed: {(done.stderr or done.stdout)[-400:]}")
