"""Client stacks that are not ours, each as a command that reads a plan and prints answers (see plan.py), or why it cannot run."""

import fcntl
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.interop.gsoap_build import build, digest
from tests.interop.plan import exchanges
from tests.interop.served import official_wsdls

HERE = Path(__file__).parent
CACHE = HERE.parents[1] / ".cache" / "interop"
"""What is installed and compiled for these tests, kept for the next run; `git clean -X` empties it."""

NPM_SOAP = "1.13.0"
RUN_SECONDS = 120
"""How long a client may take, in seconds, before the test fails rather than hangs: each needs a few."""


class MissingToolError(Exception):
    """What this machine lacks to run a client."""


def ask(command: list[str], plan: dict[str, Any]) -> list[dict[str, Any]]:
    """What a client answers."""
    done = subprocess.run(command, input=json.dumps(plan), capture_output=True, text=True, timeout=RUN_SECONDS, check=False)
    assert done.returncode == 0, done.stderr or done.stdout
    answers: list[dict[str, Any]] = json.loads(done.stdout)
    return answers


def zeep_command() -> list[str]:
    return [sys.executable, "-m", "tests.interop.zeep_client"]


def node_command() -> list[str]:
    """The npm package `soap`, installed once."""
    _require("node", "npm")
    folder = CACHE / f"node-soap-{NPM_SOAP}"
    with _once(folder) as new:
        if new:
            install = ["npm", "install", "--prefix", str(folder), "--no-audit", "--no-fund", "--ignore-scripts", f"soap@{NPM_SOAP}"]
            done = subprocess.run(install, capture_output=True, text=True, timeout=RUN_SECONDS, check=False)
            if done.returncode != 0:
                raise MissingToolError(f"npm cannot install soap {NPM_SOAP}: {done.stderr[-300:]}")
    return ["node", str(HERE / "node_client.js"), str(folder)]


def php_command() -> list[str]:
    _require("php")
    modules = subprocess.run(["php", "-m"], capture_output=True, text=True, timeout=RUN_SECONDS, check=True).stdout.split()
    if "soap" not in modules:
        raise MissingToolError("php has no module soap (Debian: php-soap)")
    return ["php", str(HERE / "php_client.php")]


def gsoap_command(version: str, soap: str) -> list[str]:
    """gSOAP's programs for the operations of the plan, compiled once."""
    _require("wsdl2h", "soapcpp2", "g++")
    wsdls = official_wsdls(version)
    calls = exchanges("gsoap", version, WITHOUT["gsoap"])
    operations = {server: sorted({call.operation for call in calls if call.server == server}) for server in wsdls}
    folder = CACHE / f"gsoap-{version}-{digest(wsdls, operations, soap)}"
    with _once(folder) as new:
        if new:
            build(folder, wsdls, operations, soap)
    return [sys.executable, "-m", "tests.interop.gsoap_client", str(folder)]


WITHOUT = {"gsoap": {"GetAMRSupportedMeters", "GetCDSupportedMeters", "MeterAddNotification"}}
"""Operations that a client is not made to call: meters reach most types of 4.1.6, whose generated code takes a minute to compile."""

COMMANDS: dict[str, Callable[[str, str], list[str]]] = {
    "zeep": lambda version, soap: zeep_command(),
    "node": lambda version, soap: node_command(),
    "php": lambda version, soap: php_command(),
    "gsoap": gsoap_command,
}


def _require(*tools: str) -> None:
    missing = [tool for tool in tools if shutil.which(tool) is None]
    if missing:
        raise MissingToolError(f"no {' and no '.join(missing)} on this machine")


@contextmanager
def _once(folder: Path) -> Iterator[bool]:
    """Whether a folder is yet to be filled; several test processes wait for one another. What fails leaves nothing half done behind."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = folder / ".done"
        new = not done.exists()
        if new:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
        yield new
        done.touch()
